"""Writes a database of MLflow."""

from __future__ import annotations

import math
import sqlite3
import sys
from itertools import repeat
from typing import TYPE_CHECKING, Any

from trackai.exporters.mlflow.schema import INDEXES, REVISION, TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trackai.values.types import Value

# What MLflow stores in place of infinity.
_LARGEST = sys.float_info.max


class Database:
    """A new database, complete once it is closed."""

    def __init__(self, path: Path) -> None:
        self._conn = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = MEMORY",
            "PRAGMA synchronous = OFF",
            "BEGIN",
            *TABLES,
        ):
            self._conn.execute(statement)
        self._conn.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))

    def add_experiment(self, id_: int, name: str, location: str, time: int) -> None:
        """Add an experiment; the time is in milliseconds since the epoch."""
        self._conn.execute(
            "INSERT INTO experiments VALUES (?, ?, ?, 'active', ?, ?)",
            (id_, name, location, time, time),
        )

    def add_run(self, fields: Mapping[str, Any]) -> None:
        """Add a run, with values by column."""
        marks = ", ".join(f":{name}" for name in fields)
        columns = ", ".join(fields)
        self._conn.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", fields)  # noqa: S608

    def add_texts(self, table: str, run_uuid: str, texts: Mapping[str, str]) -> None:
        """Add parameters or tags."""
        self._conn.executemany(
            f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)",  # noqa: S608
            zip(texts.keys(), texts.values(), repeat(run_uuid), strict=False),
        )

    def add_points(
        self, run_uuid: str, key: str, steps: Sequence[int], times: Sequence[int],
        values: Sequence[Value],
    ) -> None:  # fmt: skip
        """Add points of a metric.

        MLflow has each row once: of points with one step and value, a later one that was logged in
        the same millisecond gets the next one.

        Args:
            times: in milliseconds since the epoch.
        """
        rows = [
            (key, *_stored(value), time, run_uuid, step)
            for step, time, value in zip(steps, times, values, strict=True)
        ]
        insert = """
            INSERT OR {} INTO metrics (key, value, is_nan, timestamp, run_uuid, step)
            VALUES (?, ?, ?, ?, ?, ?)
        """
        self._conn.execute("SAVEPOINT points")
        try:
            self._conn.executemany(insert.format("ABORT"), rows)
        except sqlite3.IntegrityError:
            self._conn.execute("ROLLBACK TO points")
            for name, value, is_nan, time, uuid, step in rows:
                row: list[Any] = [name, value, is_nan, time, uuid, step]
                while self._conn.execute(insert.format("IGNORE"), row).rowcount == 0:
                    row[3] += 1
        self._conn.execute("RELEASE points")

    def add_latest(self, run_uuid: str) -> None:
        """Add the value of each metric of a run at its highest step."""
        self._conn.execute(
            """
            INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
            SELECT key, value, timestamp, step, is_nan, run_uuid FROM (
                SELECT *, row_number() OVER (
                    PARTITION BY key ORDER BY step DESC, timestamp DESC, value DESC
                ) AS place
                FROM metrics WHERE run_uuid = ?
            ) WHERE place = 1
            """,
            (run_uuid,),
        )

    def close(self) -> None:
        """Make the indexes and commit."""
        for statement in INDEXES:
            self._conn.execute(statement)
        self._conn.execute("COMMIT")
        self.discard()

    def discard(self) -> None:
        """Close the file."""
        self._conn.close()


def _stored(value: Value) -> tuple[float, int]:
    """Return a value as MLflow stores it, and whether it is NaN."""
    number = float(value)
    if number != number:
        return 0.0, 1
    return math.copysign(_LARGEST, number) if math.isinf(number) else number, 0
