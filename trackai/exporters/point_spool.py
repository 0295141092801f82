"""Sorts the points of a run by row, in a temporary database: a run is read series by series."""

from __future__ import annotations

import sqlite3
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from trackai.values.types import Step, Value

# 16 MB, of which SQLite sorts a part at a time.
_CACHE = "PRAGMA cache_size = -16384"


class PointSpool:
    """Points in a file that is removed when it is closed.

    A lane holds points that are read together, such as those of one attempt.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._conn = sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,  # an abandoned `read` is closed by the garbage collector
        )
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", _CACHE):
            self._conn.execute(statement)
        self._conn.execute(
            "CREATE TABLE points (attempt INTEGER, lane INTEGER, step, time INTEGER, "
            "series INTEGER, value)"
        )
        self._conn.execute("BEGIN")

    def add(
        self,
        attempt: int,
        lane: int,
        series: int,
        steps: Sequence[Step],
        times: Sequence[int],
        values: Sequence[Value],
    ) -> None:
        """Add points of a series. NaN becomes None."""
        self._conn.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?)",
            zip(repeat(attempt), repeat(lane), steps, times, repeat(series), values, strict=False),
        )

    def has_repeated_steps(self, lane: int, ignored: Collection[int]) -> bool:
        """Whether a series of a lane has two points at one step of an attempt.

        Args:
            ignored: series that may.
        """
        marks = ", ".join("?" * len(ignored))
        query = f"""
            SELECT 1 FROM points WHERE lane = ? AND series NOT IN ({marks})
            GROUP BY attempt, series, step HAVING count(*) > 1 LIMIT 1
        """  # noqa: S608 - of question marks
        return self._conn.execute(query, (lane, *ignored)).fetchone() is not None

    def first_times(self) -> dict[int, int]:
        """Return the earliest time of each attempt."""
        query = "SELECT attempt, min(time) FROM points GROUP BY attempt"
        return dict(self._conn.execute(query).fetchall())

    def read(self, *, by_time: bool) -> Iterator[tuple[Any, ...]]:
        """Yield (attempt, lane, step, time, series, value), by attempt, lane and step or time."""
        order = "time, step" if by_time else "step, time"
        query = f"SELECT * FROM points ORDER BY attempt, lane, {order}, series, rowid"  # noqa: S608
        yield from self._conn.execute(query)

    def close(self) -> None:
        """Remove the file."""
        self._conn.close()
        self._path.unlink(missing_ok=True)
