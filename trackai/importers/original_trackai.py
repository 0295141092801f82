"""Reads databases of the original TrackAI, the server that preceded this package.

Its tables and columns are those of its SQLite versions of February and March 2026: a row for each
value, in a column of its type. Times are in UTC, without a zone. Data that it took over from
Neptune is unchanged: parameters are rows of the metrics table without step and time.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.importers.block_builder import BlockBuilder
from trackai.importers.json_values import json_value
from trackai.importers.source_database import SourceDatabase, open_source, parse_time
from trackai.structs.exchange import FileHead, RunHead, WriterHead
from trackai.values.types import INT64
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Block, Item
    from trackai.values.types import State, Value

_REQUIRED = {
    "projects": ("id", "name", "project_id"),
    "runs": (
        "id", "project_id", "run_id", "name", "group_name", "state", "created_at", "updated_at",
    ),
    "metrics": (
        "id", "run_id", "attribute_path", "attribute_type", "step", "timestamp", "float_value",
        "int_value", "string_value", "bool_value",
    ),
}  # fmt: skip
# Positions in the values of a row of metrics.
_VALUE_COLUMNS = {"float": 0, "int": 1, "string": 2, "bool": 3}
_STATES: dict[str, State] = {"running": "running", "failed": "failed"}


def is_original(path: Path) -> bool:
    """Return whether a database is one of the original TrackAI, and not of this package.

    Raises:
        InvalidInputError: the file is not a SQLite database, or it is neither of the two.
    """
    with open_source(path) as db:
        if "schema_migrations" in db.columns and "series" in db.columns:
            return False
        for table, columns in _REQUIRED.items():
            if not db.has(table, *columns):
                missing = sorted(set(columns) - db.columns.get(table, set()))
                problem = (
                    f"table {table} has no column {missing[0]}"
                    if table in db.columns
                    else f"table {table} not found"
                )
                raise InvalidInputError(str(path), f"not a TrackAI database: {problem}")
    return True


def read(path: Path, *, receipt: Receipt, progress: Progress) -> Iterator[Item]:
    """Yield the runs of a database: each head, its points and files, and its final head.

    Raises:
        InvalidInputError: the file is not a database of the original TrackAI, or is damaged.
    """
    with open_source(path) as db:
        db.check()
        total, done = db.count("metrics"), 0
        tags = "runs.tags" if db.has("runs", "tags") else "NULL"
        for fields in db.rows(
            f"""
            SELECT
                runs.id, projects.name, projects.project_id, runs.run_id, runs.name, group_name,
                state, runs.created_at, runs.updated_at, {tags}
            FROM runs
            JOIN projects ON projects.id = runs.project_id
            ORDER BY runs.id
            """  # noqa: S608 - one of two names
        ):
            run = _Run(db, fields, receipt)
            yield from run.read()
            done += run.rows
            progress.share(done, total, "rows")
        progress.share(total, total, "rows")
        for table in ("custom_views", "dashboards"):
            if number := db.count(table):
                receipt.refuse(table, f"{table} are not supported", number)


class _Run:
    """Reads one run; `rows` counts its rows of metrics."""

    def __init__(self, db: SourceDatabase, fields: tuple[Any, ...], receipt: Receipt) -> None:
        self._db = db
        self._receipt = receipt
        self.rows = 0
        (
            self._id, project, project_slug, slug, name, group, state, created, updated, tags,
        ) = fields  # fmt: skip
        self._started_at = parse_time(created) or 0
        ended_at = max(self._started_at, parse_time(updated) or 0)
        self._head = RunHead(
            uid=stable_uid("trackai", str(project_slug), str(slug)), project=str(project),
            project_slug=str(project_slug), run_id=str(slug), name=name, group_name=group,
            state=_STATES.get(state, "completed"), created_at=self._started_at,
            updated_at=ended_at, finished_at=None if state == "running" else ended_at,
            tags=[tag.strip() for tag in str(tags or "").split(",") if tag.strip()],
        )  # fmt: skip
        self._writer = WriterHead(
            uid=stable_uid(self._head.uid, "writer"), host="trackai", started_at=self._started_at
        )

    def read(self) -> Iterator[Item]:
        self._read_config()
        yield self._head
        yield from self._read_metrics()
        yield from self._read_files()
        # The head again: parameters among the metrics have been added to its configuration.
        yield self._head

    def _read_metrics(self) -> Iterator[Block]:
        blocks = BlockBuilder(self._head.uid, self._writer)
        for path, type_, step, timestamp, *values in self._db.rows(
            """
            SELECT
                attribute_path, attribute_type, step, timestamp,
                float_value, int_value, string_value, bool_value
            FROM metrics
            WHERE run_id = ?
            ORDER BY id
            """,
            self._id,
        ):
            self.rows += 1
            time = parse_time(timestamp)
            value = _value(str(type_), values, logged=time is not None or step is not None)
            if value is None:
                self._receipt.count_null("metrics")
            elif not _is_step(step) or (timestamp is not None and time is None):
                self._receipt.refuse(
                    "metrics", f"invalid step or timestamp: {step!r}, {timestamp!r}"
                )
            elif step is None and time is None:
                self._add_param(str(path), value)
            else:
                point_time = self._started_at if time is None else time
                yield from blocks.add(
                    str(path), "time" if step is None else "step",
                    "text" if isinstance(value, str) else "number",
                    point_time if step is None else step, point_time, value,
                )  # fmt: skip
        yield from blocks.flush()

    def _add_param(self, path: str, value: Value) -> None:
        if path in self._head.config and self._head.config[path] != value:
            self._receipt.refuse("configuration", "the key already has a different value")
            return
        self._set_config(path, value)

    def _read_config(self) -> None:
        if not self._db.has("configs", "run_id", "key", "value"):
            return
        for key, text in self._db.rows(
            "SELECT key, value FROM configs WHERE run_id = ? ORDER BY id", self._id
        ):
            if text is None:
                self._receipt.count_null("configuration")
                continue
            try:
                value = json.loads(text)  # not msgspec: the original writes NaN unquoted
            except (ValueError, TypeError, RecursionError):
                value = text
            self._set_config(str(key), value)

    def _set_config(self, key: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for name, item in value.items():
                self._set_config(f"{key}/{name}", item)
            return
        if isinstance(value, float) and not math.isfinite(value):
            self._head.config_types[key] = "float"
        self._head.config[key] = json_value(value)

    def _read_files(self) -> Iterator[FileHead]:
        """Yield files without bytes: the original stored only their paths."""
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


def _is_step(step: Any) -> bool:
    return (
        step is None or isinstance(step, int) or (isinstance(step, float) and math.isfinite(step))
    )


def _value(type_: str, values: list[Any], *, logged: bool) -> Value | None:
    """Return the value of a row of metrics, or None if it has none.

    Args:
        values: the value columns, of which at most one is set.
        logged: whether the row has a step or a time.
    """
    kind = type_.removesuffix("_series")
    if kind in _VALUE_COLUMNS:
        value = values[_VALUE_COLUMNS[kind]]
    else:
        value = next((value for value in values if value is not None), None)
    if value is None:
        # SQLite stores NaN as NULL.
        return math.nan if kind == "float" and logged else None
    if kind == "bool":
        return bool(value)
    if isinstance(value, int) and not -INT64 <= value < INT64:
        return float(value)
    return value if isinstance(value, int | float | str) else str(value)
