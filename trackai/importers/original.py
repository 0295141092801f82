"""Databases of the original TrackAI: one row for each value, in a column of its type.

Its tables and columns are those of its SQLite versions of February and March 2026. Times are UTC
without a zone. What it took over from Neptune is there as it had it: parameters are rows of the
table of metrics, without a step and a time.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.columns import Columns, identity
from trackai.importers.foreign import Foreign, opened, time_of
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import State, Value

_NEEDED = {
    "projects": ("id", "name", "project_id"),
    "runs": (
        "id", "project_id", "run_id", "name", "group_name", "state", "created_at", "updated_at",
    ),
    "metrics": (
        "id", "run_id", "attribute_path", "attribute_type", "step", "timestamp", "float_value",
        "int_value", "string_value", "bool_value",
    ),
}  # fmt: skip
_COLUMNS = {"float": 0, "int": 1, "string": 2, "bool": 3}
_STATES: dict[str, State] = {"running": "running", "failed": "failed"}


def made(path: Path) -> bool:
    """Whether the original TrackAI made a database, and not this one.

    Raises:
        InvalidInputError: the file is no SQLite database, or neither of them made it.
    """
    with opened(path) as db:
        if "schema_migrations" in db.columns and "series" in db.columns:
            return False
        for table, columns in _NEEDED.items():
            if not db.has(table, *columns):
                missing = sorted(set(columns) - db.columns.get(table, set()))
                raise InvalidInputError(
                    str(path),
                    f"it is no database of TrackAI: the table {table} has no {missing[0]}"
                    if table in db.columns
                    else f"it is no database of TrackAI: there is no table {table}",
                )
    return True


def read(path: Path, *, receipt: Receipt, progress: Progress) -> Iterator[Item]:
    """The runs in a database of the original TrackAI.

    Raises:
        InvalidInputError: it is none, or damaged.
    """
    with opened(path) as db:
        db.check()
        total, done = db.count("metrics"), 0
        tags = "runs.tags" if db.has("runs", "tags") else "NULL"
        for fields in db.rows(
            f"""
            SELECT
                runs.id, projects.name, projects.project_id, runs.run_id, runs.name, group_name,
                state, runs.created_at, runs.updated_at, {tags}
            FROM runs JOIN projects ON projects.id = runs.project_id ORDER BY runs.id
            """  # noqa: S608 - one of two names
        ):
            run = _Run(db, fields, receipt)
            yield from run.read()
            done += run.rows
            progress.share(done, total, "rows")
        progress.share(total, total, "rows")
        for table in ("custom_views", "dashboards"):
            if number := db.count(table):
                receipt.refuse(table, f"there is no place for {table}", number)


class _Run:
    def __init__(self, db: Foreign, fields: tuple[Any, ...], receipt: Receipt) -> None:
        self._db = db
        self._receipt = receipt
        self.rows = 0
        (
            self._id, project, project_slug, slug, name, group, state, created, updated, tags,
        ) = fields  # fmt: skip
        self._begun = time_of(created) or 0
        ended = max(self._begun, time_of(updated) or 0)
        self._head = RunHead(
            uid=identity("trackai", str(project_slug), str(slug)), project=str(project),
            project_slug=str(project_slug), run_id=str(slug), name=name, group_name=group,
            state=_STATES.get(state, "completed"), created_at=self._begun, updated_at=ended,
            finished_at=None if state == "running" else ended,
            tags=[one.strip() for one in (tags or "").split(",") if one.strip()],
        )  # fmt: skip
        self._writer = WriterHead(
            uid=identity(self._head.uid, "writer"), host="trackai", started_at=self._begun
        )

    def read(self) -> Iterator[Item]:
        self._config()
        yield self._head
        yield from self._metrics()
        yield from self._files()
        # With the parameters that were among the metrics.
        yield self._head

    def _metrics(self) -> Iterator[Block]:
        columns = Columns(self._head.uid, self._writer)
        for path, type_, step, at, *values in self._db.rows(
            """
            SELECT
                attribute_path, attribute_type, step, timestamp,
                float_value, int_value, string_value, bool_value
            FROM metrics WHERE run_id = ? ORDER BY id
            """,
            self._id,
        ):
            self.rows += 1
            time = time_of(at)
            value = _value(str(type_), values, logged=time is not None or step is not None)
            if value is None:
                self._receipt.nothing("metrics")
            elif isinstance(step, str | bytes) or (at is not None and time is None):
                self._receipt.refuse("metrics", f"its step is {step!r}, its time {at!r}")
            elif step is None and time is None:
                self._param(str(path), value)
            else:
                # Without a time it lies where the run began.
                when = self._begun if time is None else time
                yield from columns.add(
                    str(path), "time" if step is None else "step",
                    "text" if isinstance(value, str) else "number",
                    when if step is None else step, when, value,
                )  # fmt: skip
        yield from columns.rest()

    def _param(self, path: str, value: Value) -> None:
        if path in self._head.config and self._head.config[path] != value:
            self._receipt.refuse("configuration", "another value of it came first")
            return
        self._set(path, value)

    def _config(self) -> None:
        if not self._db.has("configs", "run_id", "key", "value"):
            return
        for key, text in self._db.rows(
            "SELECT key, value FROM configs WHERE run_id = ? ORDER BY id", self._id
        ):
            if text is None:
                self._receipt.nothing("configuration")
                continue
            try:
                value = json.loads(text)  # it writes NaN as it is
            except ValueError:
                value = text
            self._set(str(key), value)

    def _set(self, key: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for name, one in value.items():
                self._set(f"{key}/{name}", one)
        elif isinstance(value, float) and not math.isfinite(value):
            self._head.config[key] = _expressible(value)
            self._head.config_types[key] = "float"
        else:
            self._head.config[key] = _expressible(value)

    def _files(self) -> Iterator[FileHead]:
        """Notes that there were files: the original never had their bytes."""
        if not self._db.has("files", "run_id", "file_type", "file_path"):
            return
        for type_, path in self._db.rows(
            "SELECT file_type, file_path FROM files WHERE run_id = ? ORDER BY id", self._id
        ):
            name = str(path).rstrip("/").rpartition("/")[2]
            yield FileHead(
                run_uid=self._head.uid, writer=self._writer, path=f"{type_}/{name}", kind="file",
                name=name, source=str(path),
            )  # fmt: skip


def _value(type_: str, values: list[Any], *, logged: bool) -> Value | None:
    """The value of a row; None if it has none."""
    kind = type_.removesuffix("_series")
    if kind in _COLUMNS:
        value = values[_COLUMNS[kind]]
    else:
        value = next((one for one in values if one is not None), None)
    if value is None:
        # SQLite has no NaN: where a number was logged, this is what it was.
        return math.nan if kind == "float" and logged else None
    if kind == "bool":
        return bool(value)
    if isinstance(value, int) and not -INT64 <= value < INT64:
        return float(value)
    return value if isinstance(value, int | float | str) else str(value)


def _expressible(value: Any) -> Any:
    """The value with strings for the numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _expressible(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_expressible(one) for one in value]
    return value
