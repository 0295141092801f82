"""Points that come to a place, a step and time of a writer, that is taken.

With the same value it is the point that is there: a client has sent it again. With another one it
is another point, and goes to the next microsecond that is free.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store.engine.bulk import placeholders

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.structs.points import Column
    from trackai.values.types import Axis, Step, StoredValue, Value

_SIZES = (1024, 64, 1)
# In how many microseconds the same point is looked for.
_NEAR = 32
_PAGE = 1000


async def move_apart(conn: Connection, series_id: int, writer_id: int, column: Column) -> Column:
    """Store the points of a column whose places had been taken by others when it was stored.

    Returns:
        The column with the times (on the time axis the steps, too) at which they are now; the
        same one where nothing had to be moved.
    """
    stored = await _stored(conn, series_id, writer_id, column)
    steps, times = column.steps[:], column.timestamps[:]
    search = _Search(conn, series_id, writer_id, column.axis)
    for position, value in enumerate(column.values):
        if _same(stored[position], value):
            continue
        time = await search.free(steps[position], times[position], value)
        if time is None:
            continue
        times[position] = time
        if column.axis == "time":
            steps[position] = time
        await conn.execute(
            "INSERT INTO metrics (series_id, step, timestamp, value, writer_id)"
            " VALUES (?, ?, ?, ?, ?)",
            (series_id, steps[position], time, value, writer_id),
        )
    if times == column.timestamps:
        return column
    return msgspec.structs.replace(column, steps=steps, timestamps=times)


async def _stored(
    conn: Connection, series_id: int, writer_id: int, column: Column
) -> list[StoredValue]:
    """What is stored at the places of a column; there is something at each."""
    found: list[StoredValue] = [None] * len(column.steps)
    start = 0
    for size in _SIZES:
        while len(column.steps) - start >= size:
            places: list[Any] = []
            for position in range(start, start + size):
                places += (position, column.steps[position], column.timestamps[position])
            rows: Any = await conn.execute_fetchall(_look_up(size), (*places, series_id, writer_id))
            for position, value in rows:
                found[position] = value
            start += size
    return found


@lru_cache
def _look_up(rows: int) -> str:
    return f"""
        WITH places (position, step, timestamp) AS (VALUES {placeholders(rows, 3)})
        SELECT position, value FROM places CROSS JOIN metrics USING (step, timestamp)
        WHERE series_id = ? AND writer_id = ?
    """


class _Search:
    """Finds free places of a writer in a series."""

    def __init__(self, conn: Connection, series_id: int, writer_id: int, axis: Axis) -> None:
        self._conn = conn
        self._ids = (series_id, writer_id)
        self._on_steps = axis == "step"
        # For each step, times between which all are taken: or many points at one place would take
        # forever.
        self._taken: dict[Step, tuple[int, int]] = {}

    async def free(self, step: Step, time: int, value: Value) -> int | None:
        """The next time that is free; None if a point with this value is on the way there."""
        for taken, there in await self._after(step, time, _NEAR):
            if taken != time + 1:
                return time + 1
            if _same(there, value):
                return None
            time = taken
        key = step if self._on_steps else 0
        first, last = self._taken.get(key, (time, time))
        if not first <= time <= last:
            first = last = time
        while rows := await self._after(step, last, _PAGE):
            before = last
            for taken, _ in rows:
                if taken != last + 1:
                    break
                last = taken
            if last - before < len(rows):
                break
        self._taken[key] = (first, last + 1)
        return last + 1

    async def _after(self, step: Step, time: int, limit: int) -> list[tuple[int, StoredValue]]:
        condition, at = ("step = ? AND timestamp > ?", step) if self._on_steps else (
            "step > ? AND timestamp > ?", time
        )  # fmt: skip
        return await self._conn.execute_fetchall(  # type: ignore[return-value]
            f"""
            SELECT timestamp, value FROM metrics
            WHERE series_id = ? AND writer_id = ? AND {condition}
            ORDER BY step, timestamp LIMIT ?
            """,
            (*self._ids, at, time, limit),
        )


def _same(stored: StoredValue, value: Value) -> bool:
    return stored == value or (stored is None and value != value)
