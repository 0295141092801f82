"""Reads the runs of trackio's projects."""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.incoming_files import MISSING, TYPE
from trackai.importers.inner_files import file_inside
from trackai.importers.shared_keys import refuse_shared_keys
from trackai.importers.source_database import SourceDatabase, open_source, parse_time
from trackai.importers.trackio import METRICS_COLUMNS, values
from trackai.structs.exchange import Chunk, FileHead, RunHead, WriterHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import Axis, Step

# In characters, so that file systems accept the names of downloads.
_MAX_FILE_NAME = 100
# The tables that name runs, with their columns of times.
_TIME_COLUMNS = {
    "metrics": "timestamp",
    "system_metrics": "timestamp",
    "configs": "created_at",
    "alerts": "timestamp",
    "traces": "timestamp",
    "run_artifact_links": "created_at",
}


class Source:
    """The runs of trackio's folder, or of one of its databases."""

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._folder = path if path.is_dir() else path.absolute().parent
        self._receipt, self._progress = receipt, progress

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head, then its points and files.

        Raises:
            InvalidInputError: there is no database; or there is only one, and it cannot be read.
        """
        path, receipt = self._path, self._receipt
        db_paths = sorted(path.glob("*.db")) if path.is_dir() else [path]
        if not db_paths:
            raise InvalidInputError(str(path), "no trackio projects found (*.db)")
        read_any = False
        for number, db_path in enumerate(db_paths):
            try:
                with open_source(db_path) as db:
                    if not db.has("metrics", *METRICS_COLUMNS):
                        raise InvalidInputError(str(db_path), "not a trackio project")
                    db.check()
                    read_any = True
                    yield from _read_project(db, db_path.stem, self._folder, receipt)
            except InvalidInputError as error:
                if len(db_paths) == 1:
                    raise
                receipt.add_problem(db_path.name, str(error).partition(": ")[2])
            self._progress.share(number + 1, len(db_paths), "projects")
        if not read_any:
            raise InvalidInputError(str(path), "none of its databases is a trackio project")
        inbox = [file for file in self._folder.glob("inbox/**/*") if file.is_file()]
        if inbox:
            receipt.add_problem(
                "inbox",
                f"{len(inbox)} log files are not in a database yet; run `trackio show`, "
                "then import again",
            )

    def find_bytes(self, head: FileHead) -> Path | None:
        """Return the path of a file's bytes; None if it is missing or elsewhere."""
        return file_inside(self._folder, head.source)


def _read_project(
    db: SourceDatabase, project: str, folder: Path, receipt: Receipt
) -> Iterator[Item | Chunk]:
    for run_id, name in _list_runs(db):
        yield from _Run(db, project, run_id, name, folder, receipt).read()


def _list_runs(db: SourceDatabase) -> list[tuple[str | None, str]]:
    """Return the ids and names of runs; before trackio 0.24, runs have only names."""
    runs: dict[tuple[str | None, str], None] = {}
    for table, time_column in _TIME_COLUMNS.items():
        if not db.has(table, "run_name", time_column):
            continue
        id_column = "run_id" if db.has(table, "run_id") else "NULL"
        for run_id, name in db.rows(
            f"""
            SELECT {id_column}, run_name
            FROM {table}
            WHERE run_name IS NOT NULL
            GROUP BY 1, 2
            ORDER BY min({time_column})
            """  # noqa: S608 - names from above
        ):
            # A link may lack the id, or have the name from before the run was renamed.
            known = table == "run_artifact_links" and (
                run_id is None
                or any(run_id == known_id or name == known_name for known_id, known_name in runs)
            )
            if not known:
                runs[run_id, name] = None
    return list(runs)


class _Run:
    """Reads one run of a project."""

    def __init__(
        self, db: SourceDatabase, project: str, run_id: str | None, name: str, folder: Path,
        receipt: Receipt,
    ) -> None:  # fmt: skip
        self._db = db
        self._run_id = run_id
        self._name = name
        self._folder = folder
        self._project = project
        self._receipt = receipt
        self._uid = stable_uid("trackio", *((project, name) if run_id is None else (run_id,)))

    def read(self) -> Iterator[Item | Chunk]:
        config, created_at = self._read_config()
        first, last = self._time_range()
        started_at = min((time for time in (created_at, first) if time is not None), default=0)
        yield RunHead(
            uid=self._uid, project=self._project, run_id=self._name, name=self._name,
            group_name=config.pop("_Group", None), created_at=started_at,
            updated_at=last or started_at, finished_at=last or started_at, config=config,
        )  # fmt: skip
        self._writer = WriterHead(
            uid=stable_uid(self._uid, "writer"), host="trackio", started_at=started_at
        )
        self._blocks = BlockBuilder(self._uid, self._writer)
        yield from self._read_metrics()
        yield from self._read_system_metrics()
        yield from self._read_alerts()
        yield from self._read_traces()
        yield from self._blocks.flush()
        yield from self._read_artifacts()

    def _rows(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the run in the order they were logged; missing columns are NULL."""
        if not self._db.has(table, "run_name"):
            return iter(())
        selected = ", ".join(
            column if self._db.has(table, column) else "NULL" for column in columns
        )
        return self._db.rows(f"SELECT {selected} {self._of_run(table)} ORDER BY rowid", *self._key)

    def _of_run(self, table: str) -> str:
        """Return the FROM and WHERE clauses for the rows of the run; they bind both `_key`s."""
        if self._run_id is not None and self._db.has(table, "run_id"):
            return f"FROM {table} WHERE run_id = ?1 AND ?2 IS NOT NULL"
        return f"FROM {table} WHERE ?1 IS ?1 AND run_name = ?2"

    @property
    def _key(self) -> tuple[str | None, str]:
        return self._run_id, self._name

    def _read_config(self) -> tuple[dict[str, Any], int | None]:
        """Return the last configuration that was logged, and the time of the first one."""
        config: dict[str, Any] = {}
        created_at = None
        for text, timestamp in self._rows("configs", "config", "created_at"):
            logged = self._decode_object("configuration", text)
            if logged is not None:
                # A run that is resumed logs its configuration again.
                time = parse_time(logged.pop("_Created", None)) or parse_time(timestamp)
                created_at = time if created_at is None else created_at
                # Keys that trackio adds itself; they are often null.
                group, user = logged.pop("_Group", None), logged.pop("_Username", None)
                config = values.flatten(logged)
                refuse_shared_keys(self._receipt, self._name, logged)
                if group is not None:
                    config["_Group"] = str(group)
                if user is not None:
                    config["_Username"] = user
        return config, created_at

    def _time_range(self) -> tuple[int | None, int | None]:
        """Return the first and the last time in any table."""
        times: list[int] = []
        for table, column in _TIME_COLUMNS.items():
            if self._db.has(table, "run_name", column):
                query = f"SELECT min({column}), max({column}) {self._of_run(table)}"
                for row in self._db.rows(query, *self._key):
                    times += [time for time in map(parse_time, row) if time is not None]
        return min(times, default=None), max(times, default=None)

    def _read_metrics(self) -> Iterator[Item | Chunk]:
        for timestamp, step, text in self._rows("metrics", "timestamp", "step", "metrics"):
            yield from self._read_logged("metrics", "step", timestamp, step, text)

    def _read_system_metrics(self) -> Iterator[Item | Chunk]:
        for timestamp, text in self._rows("system_metrics", "timestamp", "metrics"):
            yield from self._read_logged("system metrics", "time", timestamp, None, text)

    def _read_logged(
        self, type_: str, axis: Axis, timestamp: Any, step: Any, text: Any
    ) -> Iterator[Item | Chunk]:
        """Yield the points and files of an object that one call logged."""
        logged = self._decode_object(type_, text)
        time = parse_time(timestamp)
        if logged is None:
            return
        if time is None or (not _is_step(step) and (axis == "step" or step is not None)):
            self._receipt.refuse(type_, _invalid_place(step, timestamp), len(logged))
            return
        position = time if step is None else step
        for content in values.decode(logged):
            if isinstance(content, values.Null):
                self._receipt.count_null(type_)
            elif isinstance(content, values.Media):
                yield from self._read_media(content, step, time)
            elif isinstance(content, values.Table):
                yield from self._read_table(content, step, time)
            else:
                yield from self._blocks.add(
                    content.metric, axis, content.kind, position, time, content.value
                )

    def _read_media(self, media: values.Media, step: Step | None, time: int) -> Iterator[FileHead]:
        source = f"media/{media.path}"
        if file_inside(self._folder, source) is None:
            self._receipt.refuse(TYPE, MISSING)
            self._receipt.add_problem(source, f"not stored: {MISSING}")
            return
        yield FileHead(
            run_uid=self._uid, writer=self._writer, path=media.metric, kind="file_series",
            name=_file_name(media, source), step=step, timestamp=time, source=source,
        )  # fmt: skip

    def _read_table(
        self, table: values.Table, step: Step | None, time: int
    ) -> Iterator[Chunk | FileHead]:
        sha256 = hashlib.sha256(table.json).hexdigest()
        yield Chunk(sha256=sha256, data=table.json)
        yield FileHead(
            run_uid=self._uid, writer=self._writer, path=table.metric, kind="file_series",
            name=f"{time if step is None else step}.table.json", step=step, timestamp=time,
            size=len(table.json), sha256=sha256,
        )  # fmt: skip

    def _read_alerts(self) -> Iterator[Block]:
        """Yield alerts as texts of a metric for each level, at their step or their time."""
        for timestamp, level, title, text, step in self._rows(
            "alerts", "timestamp", "level", "title", "text", "step"
        ):
            time = parse_time(timestamp)
            if time is None or not (step is None or _is_step(step)):
                self._receipt.refuse("alerts", _invalid_place(step, timestamp))
                continue
            message = f"{title}\n{text}" if text else str(title)
            axis: Axis = "time" if step is None else "step"
            yield from self._blocks.add(
                f"alerts/{level}", axis, "text", time if step is None else step, time, message
            )

    def _read_traces(self) -> Iterator[Block]:
        """Yield traces as texts: JSON with their messages, metadata and spans."""
        for timestamp, step, key, *parts in self._rows(
            "traces", "timestamp", "step", "key", "messages", "metadata", "spans"
        ):
            time = parse_time(timestamp)
            trace = dict(
                zip(("messages", "metadata", "spans"), map(_decode_json, parts), strict=True)
            )
            if time is None or not _is_step(step):
                self._receipt.refuse("traces", _invalid_place(step, timestamp))
                continue
            text = msgspec.json.encode(trace).decode()
            yield from self._blocks.add(str(key), "step", "text", step, time, text)

    def _read_artifacts(self) -> Iterator[FileHead]:
        if not self._db.has("run_artifact_links", "run_id", "artifact_version_id", "direction"):
            return
        for direction, name, version, manifest, timestamp in self._db.rows(
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
                self._receipt.refuse("used artifacts", "links to used artifacts are not supported")
                continue
            files = _decode_json(manifest)
            if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
                self._receipt.refuse("artifacts", "invalid manifest")
                continue
            for file in files:
                digest, size = str(file.get("digest")), file.get("size")
                yield FileHead(
                    run_uid=self._uid, writer=self._writer, path=f"{name}:v{version}",
                    kind="artifact", name=str(file.get("path")), timestamp=parse_time(timestamp),
                    size=size if isinstance(size, int) else None, sha256=digest,
                    source=f"artifacts/{self._project}/blobs/sha256/{digest[:2]}/{digest}",
                )  # fmt: skip

    def _decode_object(self, type_: str, text: Any) -> dict[str, Any] | None:
        value = _decode_json(text)
        if isinstance(value, dict):
            return value
        self._receipt.refuse(type_, "not a JSON object")
        return None


def _is_step(step: Any) -> bool:
    return isinstance(step, int) or (isinstance(step, float) and math.isfinite(step))


def _invalid_place(step: Any, timestamp: Any) -> str:
    return f"invalid step or timestamp: {step!r}, {timestamp!r}"


def _file_name(media: values.Media, source: str) -> str:
    """Name a file by its caption, as the SDK does, or else as trackio does."""
    name = source.rpartition("/")[2]
    stem = re.sub(r"[\x00-\x1f/\\:]+", " ", media.caption or "").strip(". ")[:_MAX_FILE_NAME]
    return f"{stem}.{name.rpartition('.')[2]}" if stem else name


def _decode_json(text: Any) -> Any:
    """Decode JSON; return None if it is not valid."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError, RecursionError):
        return None
