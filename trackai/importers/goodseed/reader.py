"""Reads the tables of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.bundles import walk
from trackai.importers.goodseed import SUFFIX, TABLES
from trackai.importers.json_lines import decode
from trackai.importers.json_values import json_value
from trackai.importers.liveness import last_change, open_state
from trackai.importers.logged_numbers import milliseconds
from trackai.importers.names import shown
from trackai.importers.source_database import open_source, parse_time
from trackai.structs.exchange import RunHead, WriterHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.importers.source_database import SourceDatabase
    from trackai.structs.exchange import Block, Chunk, FileHead, Item
    from trackai.values.types import Kind, State, Step

_STATES: dict[str, State] = {"finished": "completed", "failed": "failed"}
# Names that GoodSeed gives what it logs itself.
_SYSTEM, _MONITORING = "sys/", "monitoring/"
_STREAMS = ("stdout", "stderr")
# Facts that are fields of the run.
_FIELDS = ("sys/id", "sys/name", "sys/description", "sys/tags", "sys/state", "sys/creation_time",
           "sys/closed_time")  # fmt: skip
_EXACT = 1 << 53


class Source:
    """The runs below a path: the file of one, or any folder above."""

    def __init__(self, path: Path, *, receipt: Receipt, progress: Progress) -> None:
        self._path = path
        self._receipt, self._progress = receipt, progress

    def read(self) -> Iterator[Item | Chunk]:
        """Yield each run: its head and its points.

        Raises:
            InvalidInputError: there are no runs; or there is only one, and it cannot be read.
        """
        root = self._path.resolve()
        paths = [root]
        if root.is_dir():
            paths = [folder / name for folder, names in walk(root) for name in names]
            paths = [path for path in paths if path.suffix == SUFFIX]
        if not paths:
            raise InvalidInputError(str(self._path), f"no runs of GoodSeed found (*{SUFFIX})")
        for number, path in enumerate(paths, start=1):
            try:
                with open_source(path) as db:
                    if not all(db.has(table, *columns) for table, columns in TABLES.items()):
                        raise InvalidInputError(str(path), "not a run of GoodSeed")
                    db.check()
                    yield from _Run(path, db, self._receipt).read()
            except InvalidInputError as error:
                if len(paths) == 1:
                    raise
                self._receipt.add_problem(path.name, str(error).partition(": ")[2])
            self._progress.share(number, len(paths), "runs")

    def find_bytes(self, head: FileHead) -> None:
        """Return None: GoodSeed stores no files."""


class _Run:
    """Reads one run."""

    def __init__(self, path: Path, db: SourceDatabase, receipt: Receipt) -> None:
        self._path = path
        self._db = db
        self._receipt = receipt
        self._times: dict[str, int] = {}
        self._meta = {
            str(key): value
            for key, value in db.rows("SELECT key, value FROM run_meta")
            if isinstance(value, str)
        }

    def read(self) -> Iterator[Item]:
        """Yield the head of the run, and its points in the order of logging."""
        head = self._head()
        yield head
        self._writer = WriterHead(
            uid=stable_uid(head.uid, "writer"), host="goodseed", started_at=head.created_at
        )
        self._blocks = BlockBuilder(head.uid, self._writer)
        yield from self._read_points("metric_series", "metric_points", "y")
        if self._db.has("string_series", "id", "path"):
            yield from self._read_points("string_series", "string_points", "value")
        yield from self._blocks.flush()

    def _head(self) -> RunHead:
        run_id = self._meta.get("run_id") or self._path.stem
        project = self._meta.get("project") or "goodseed"
        created_at = parse_time(self._meta.get("created_at"))
        ended_at = parse_time(self._meta.get("closed_at"))
        facts = dict(self._facts())
        tags, notes = facts.get("sys/tags"), facts.get("sys/description")
        state = _STATES.get(self._meta.get("status", ""))
        if state is None:
            state = open_state(
                last_change([self._path, self._path.with_name(f"{self._path.name}-wal")])
            )
        started_at = created_at or ended_at or 0
        updated_at = self._last_time(ended_at or started_at)
        return RunHead(
            # Ids are words such as bold-falcon, so others may have the same.
            uid=stable_uid("goodseed", project, run_id, str(created_at)),
            project=project, run_id=run_id, name=self._meta.get("name") or run_id, state=state,
            created_at=started_at, updated_at=updated_at,
            finished_at=None if state == "running" else ended_at or updated_at,
            notes=notes if isinstance(notes, str) and notes else None,
            tags=[str(tag) for tag in tags] if isinstance(tags, list) else [],
            config={
                name: value
                for name, value in facts.items()
                if not name.startswith((_SYSTEM, _MONITORING))
            },
            environment=_environment(facts),
        )  # fmt: skip

    def _state(self) -> State:
        state = _STATES.get(self._meta.get("status", ""))
        if state is not None:
            return state
        wal = self._path.with_name(f"{self._path.name}-wal")
        return open_state(last_change([self._path, wal]))

    def _last_time(self, default: int) -> int:
        [(seconds,)] = self._db.rows("SELECT max(ts) FROM metric_points")
        time = milliseconds(seconds * 1000) if isinstance(seconds, int | float) else None
        return max(default, time or 0)

    def _facts(self) -> Iterator[tuple[str, Any]]:
        """Yield the configuration, with what GoodSeed adds."""
        for path, type_tag, text in self._db.rows("SELECT path, type_tag, value FROM configs"):
            try:
                yield str(path), json_value(_typed(type_tag, text))
            except ValueError:
                yield str(path), json_value(text if isinstance(text, str) else repr(text))
                remark = f"{shown(str(path))} is not {type_tag}; stored as a text"
                self._receipt.add_remark(self._path.name, remark)

    def _read_points(self, series: str, points: str, column: str) -> Iterator[Block]:
        paths = dict(self._db.rows(f"SELECT id, path FROM {series}"))  # noqa: S608 - from here
        kind: Kind = "number" if column == "y" else "text"
        type_ = "metrics" if column == "y" else "texts"
        for series_id, step, value, seconds in self._db.rows(
            f"SELECT series_id, step, {column}, ts FROM {points} ORDER BY rowid"  # noqa: S608
        ):
            time = milliseconds(seconds * 1000) if isinstance(seconds, int | float) else None
            path = paths.get(series_id)
            is_value = isinstance(value, str if kind == "text" else int | float)
            if not isinstance(path, str) or time is None or not is_value:
                self._receipt.refuse(type_, "invalid row")
            elif not isinstance(step, int | float) or not math.isfinite(step):
                self._receipt.refuse(type_, f"invalid step: {step!r}")
            elif path.startswith(_MONITORING):
                at = self._time_of_line(path, time) if kind == "text" else time
                yield from self._blocks.add(_monitored(path), "time", kind, at, at, value)
            else:
                yield from self._blocks.add(path, "step", kind, _step(step), time, value)

    def _time_of_line(self, path: str, time: int) -> int:
        """Give each line of a second a time of its own, so that they keep their order."""
        time = max(time, self._times.get(path, 0) + 1)
        self._times[path] = time
        return time


def _monitored(path: str) -> str:
    """Name a series of the machine: monitoring/<process>/cpu is a system metric."""
    process, _, name = path.removeprefix(_MONITORING).partition("/")
    return f"logs/{name}" if name in _STREAMS else f"system/{name or process}"


def _step(step: float) -> Step:
    """Return the integer that a script has logged; the table has only floats."""
    return int(step) if step == int(step) and abs(step) <= _EXACT else step


def _environment(facts: dict[str, Any]) -> dict[int, dict[str, Any]]:
    environment: dict[str, Any] = {}
    for name, value in facts.items():
        if name.startswith(_MONITORING):
            key = name.removeprefix(_MONITORING).partition("/")[2]
            environment["host" if key == "hostname" else key] = value
        elif name.startswith(_SYSTEM) and name not in _FIELDS:
            environment[name] = value
    return {1: environment} if environment else {}


def _typed(type_tag: Any, text: Any) -> Any:
    """Convert the text of a configuration value to its type.

    Raises:
        ValueError: it does not have that type.
    """
    if type_tag == "null" or text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(type_tag)
    match type_tag:
        case "bool" if text in ("true", "false"):
            return text == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "string_set":
            value, error = decode(text)
            if error is not None or not isinstance(value, list):
                raise ValueError(type_tag)
            return value
        case "str" | "datetime":
            return text
    raise ValueError(type_tag)
