"""trackio's projects as runs."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.arriving import MISSING, TYPE
from trackai.importers.columns import Columns, identity
from trackai.importers.foreign import Foreign, opened, time_of
from trackai.importers.trackio import values
from trackai.structs.exchange import Chunk, FileHead, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Axis

# Longer names are refused by file systems, where people download to.
_NAME_LENGTH = 100
_METRICS = ("timestamp", "run_name", "step", "metrics")
# Where runs are named, and when.
_TIMES = {
    "metrics": "timestamp",
    "system_metrics": "timestamp",
    "configs": "created_at",
    "alerts": "timestamp",
    "traces": "timestamp",
    "run_artifact_links": "created_at",
}


def read(path: Path, *, receipt: Receipt, progress: Progress) -> Iterator[Item | Chunk]:
    """The runs in trackio's folder, or in one of its databases.

    Raises:
        InvalidInputError: there is none; or it is the only one, and cannot be read.
    """
    folder = path if path.is_dir() else path.absolute().parent
    files = sorted(path.glob("*.db")) if path.is_dir() else [path]
    if not files:
        raise InvalidInputError(str(path), "there are no projects of trackio in it (*.db)")
    found = False
    for number, file in enumerate(files):
        try:
            with opened(file) as db:
                if not db.has("metrics", *_METRICS):
                    raise InvalidInputError(str(file), "it is no project of trackio")
                db.check()
                found = True
                yield from _Project(db, file.stem, folder, receipt).read()
        except InvalidInputError as error:
            if len(files) == 1:
                raise
            receipt.problem(file.name, str(error).partition(": ")[2])
        progress.share(number + 1, len(files), "projects")
    if not found:
        raise InvalidInputError(str(path), "none of its databases is a project of trackio")
    inbox = [one for one in folder.glob("inbox/**/*") if one.is_file()]
    if inbox:
        receipt.problem(
            "inbox", f"{len(inbox)} files of logs are not in a database yet: run trackio show"
        )


class _Project:
    def __init__(self, db: Foreign, name: str, folder: Path, receipt: Receipt) -> None:
        self._db = db
        self._name = name
        self._folder = folder
        self._receipt = receipt

    def read(self) -> Iterator[Item | Chunk]:
        for run_id, name in self._runs():
            yield from _Run(self._db, self._name, run_id, name, self._folder, self._receipt).read()

    def _runs(self) -> list[tuple[str | None, str]]:
        """Ids and names of runs; before trackio 0.24 they had only names."""
        runs: dict[tuple[str | None, str], None] = {}
        for table, time in _TIMES.items():
            if not self._db.has(table, "run_name", time):
                continue
            column = "run_id" if self._db.has(table, "run_id") else "NULL"
            for run_id, name in self._db.rows(
                f"""
                SELECT {column}, run_name FROM {table} WHERE run_name IS NOT NULL
                GROUP BY 1, 2 ORDER BY min({time})
                """  # noqa: S608 - names from above
            ):
                # Those of links may be incomplete, or of a run that has been renamed.
                known = table == "run_artifact_links" and (
                    run_id is None or any(run_id == one or name == other for one, other in runs)
                )
                if not known:
                    runs[run_id, name] = None
        return list(runs)


class _Run:
    def __init__(
        self, db: Foreign, project: str, run_id: str | None, name: str, folder: Path,
        receipt: Receipt,
    ) -> None:  # fmt: skip
        self._db = db
        self._run_id = run_id
        self._name = name
        self._folder = folder
        self._project = project
        self._receipt = receipt
        self._uid = identity("trackio", *((project, name) if run_id is None else (run_id,)))

    def read(self) -> Iterator[Item | Chunk]:
        config, created = self._config()
        first, last = self._times()
        begun = created or first or 0
        head = RunHead(
            uid=self._uid, project=self._project, run_id=self._name, name=self._name,
            group_name=config.pop("_Group", None), created_at=begun, updated_at=last or begun,
            finished_at=last or begun, config=config,
        )  # fmt: skip
        yield head
        self._writer = WriterHead(
            uid=identity(self._uid, "writer"), host="trackio", started_at=begun
        )
        self._columns = Columns(self._uid, self._writer)
        yield from self._metrics()
        yield from self._system_metrics()
        yield from self._alerts()
        yield from self._traces()
        yield from self._columns.rest()
        yield from self._artifacts()

    def _rows(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """The rows of the run, as they were logged; columns that are missing are NULL."""
        if not self._db.has(table, "run_name"):
            return iter(())
        wanted = ", ".join(one if self._db.has(table, one) else "NULL" for one in columns)
        return self._db.rows(f"SELECT {wanted} {self._of_run(table)} ORDER BY rowid", *self._key)

    def _of_run(self, table: str) -> str:
        """The rest of a query for rows of the run, with both parts of `_key` as its values."""
        if self._run_id is not None and self._db.has(table, "run_id"):
            return f"FROM {table} WHERE run_id = ?1 AND ?2 IS NOT NULL"
        return f"FROM {table} WHERE ?1 IS ?1 AND run_name = ?2"

    @property
    def _key(self) -> tuple[str | None, str]:
        return self._run_id, self._name

    def _config(self) -> tuple[dict[str, Any], int | None]:
        found: dict[str, Any] = {}
        created = None
        for text, at in self._rows("configs", "config", "created_at"):
            config = self._decoded("configuration", text)
            if config is not None:
                created = time_of(config.pop("_Created", None)) or time_of(at)
                # Keys of trackio's own; without a value they say nothing.
                group, user = config.pop("_Group", None), config.pop("_Username", None)
                found = values.flat(config)
                if group is not None:
                    found["_Group"] = str(group)
                if user is not None:
                    found["_Username"] = user
        return found, created

    def _times(self) -> tuple[int | None, int | None]:
        found: list[int] = []
        for table, column in _TIMES.items():
            if self._db.has(table, "run_name", column):
                query = f"SELECT min({column}), max({column}) {self._of_run(table)}"
                for row in self._db.rows(query, *self._key):
                    found += [time for time in map(time_of, row) if time is not None]
        return min(found, default=None), max(found, default=None)

    def _metrics(self) -> Iterator[Item | Chunk]:
        for at, step, text in self._rows("metrics", "timestamp", "step", "metrics"):
            yield from self._logged("metrics", "step", at, step, text)

    def _system_metrics(self) -> Iterator[Item | Chunk]:
        for at, text in self._rows("system_metrics", "timestamp", "metrics"):
            yield from self._logged("system metrics", "time", at, None, text)

    def _logged(
        self, type_: str, axis: Axis, at: Any, step: Any, text: Any
    ) -> Iterator[Item | Chunk]:
        logged = self._decoded(type_, text)
        time = time_of(at)
        if logged is None:
            return
        if time is None or not isinstance(step, int | None) or (axis == "step" and step is None):
            self._receipt.refuse(type_, f"its time is {at!r}, its step {step!r}", len(logged))
            return
        place = time if step is None else step
        for content in values.contents(logged):
            if isinstance(content, values.Nothing):
                self._receipt.nothing(type_)
            elif isinstance(content, values.Media):
                yield from self._media(content, step, time)
            elif isinstance(content, values.Table):
                yield from self._table(content, step, time)
            else:
                yield from self._columns.add(
                    content.metric, axis, content.kind, place, time, content.value
                )

    def _media(self, media: values.Media, step: int | None, time: int) -> Iterator[FileHead]:
        source = f"media/{media.path}"
        if find_bytes(self._folder, source) is None:
            self._receipt.refuse(TYPE, MISSING)
            self._receipt.problem(source, f"not stored: {MISSING}")
            return
        yield FileHead(
            run_uid=self._uid, writer=self._writer, path=media.metric, kind="file_series",
            name=_file_name(media, source), step=step, timestamp=time, source=source,
        )  # fmt: skip

    def _table(
        self, table: values.Table, step: int | None, time: int
    ) -> Iterator[Chunk | FileHead]:
        sha256 = hashlib.sha256(table.json).hexdigest()
        yield Chunk(sha256=sha256, data=table.json)
        yield FileHead(
            run_uid=self._uid, writer=self._writer, path=table.metric, kind="file_series",
            name=f"{time if step is None else step}.table.json", step=step, timestamp=time,
            size=len(table.json), sha256=sha256,
        )  # fmt: skip

    def _alerts(self) -> Iterator[Block]:
        """Alerts are texts under their level, at their step or else at their time."""
        for at, level, title, text, step in self._rows(
            "alerts", "timestamp", "level", "title", "text", "step"
        ):
            time = time_of(at)
            if time is None:
                self._receipt.refuse("alerts", f"its time is {at!r}")
                continue
            said = f"{title}\n{text}" if text else str(title)
            axis: Axis = "time" if step is None else "step"
            yield from self._columns.add(
                f"alerts/{level}", axis, "text", time if step is None else step, time, said
            )

    def _traces(self) -> Iterator[Block]:
        """Traces are texts: the JSON of what was said in them."""
        for at, step, key, *parts in self._rows(
            "traces", "timestamp", "step", "key", "messages", "metadata", "spans"
        ):
            time = time_of(at)
            trace = dict(zip(("messages", "metadata", "spans"), map(_json, parts), strict=True))
            if time is None or not isinstance(step, int):
                self._receipt.refuse("traces", f"its time is {at!r}, its step {step!r}")
                continue
            text = msgspec.json.encode(trace).decode()
            yield from self._columns.add(key, "step", "text", step, time, text)

    def _artifacts(self) -> Iterator[FileHead]:
        if not self._db.has("run_artifact_links", "run_id", "artifact_version_id", "direction"):
            return
        for direction, name, version, manifest, at in self._db.rows(
            """
            SELECT direction, artifacts.name, version, manifest, artifact_versions.created_at
            FROM run_artifact_links AS links
            JOIN artifact_versions ON artifact_versions.id = artifact_version_id
            JOIN artifacts ON artifacts.id = artifact_id
            WHERE links.run_id = ? OR (links.run_id IS NULL AND links.run_name = ?)
            ORDER BY links.id
            """,
            self._run_id, self._name,
        ):  # fmt: skip
            if direction != "output":
                self._receipt.refuse("used artifacts", "there is no place for what a run only used")
                continue
            for file in _json(manifest) or []:
                digest = str(file.get("digest"))
                yield FileHead(
                    run_uid=self._uid, writer=self._writer, path=f"{name}:v{version}",
                    kind="artifact", name=str(file.get("path")), timestamp=time_of(at),
                    size=file.get("size"), sha256=digest,
                    source=f"artifacts/{self._project}/blobs/sha256/{digest[:2]}/{digest}",
                )  # fmt: skip

    def _decoded(self, type_: str, text: Any) -> dict[str, Any] | None:
        found = _json(text)
        if isinstance(found, dict):
            return found
        self._receipt.refuse(type_, "it is no JSON object")
        return None


def _file_name(media: values.Media, source: str) -> str:
    """What a file is called: by its caption if it has one, as this program does it."""
    name = source.rpartition("/")[2]
    stem = re.sub(r"[\x00-\x1f/\\:]+", " ", media.caption or "").strip(". ")[:_NAME_LENGTH]
    return f"{stem}.{name.rpartition('.')[2]}" if stem else name


def find_bytes(folder: Path, source: str) -> Path | None:
    """Where the bytes of a file lie: below trackio's folder, and nowhere else."""
    try:
        path = (folder / source).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None


def _json(text: Any) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError):
        return None
