"""Points at a key that is taken: the same step and time of the same writer and series.

With an equal value, the point is the stored one: a client has sent it again. With another value it
is a different point, and is stored at the next free microsecond.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store.engine.bulk import placeholders
from trackai.store.engine.sql import VALUE
from trackai.store.points import large_values

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.structs.points import Column
    from trackai.values.types import Axis, Step, StoredValue, Value

_SIZES = (1024, 64, 1)
# The number of following points among which an equal point is looked for.
_NEAR = 32
_PAGE = 1000


async def move_apart(conn: Connection, series_id: int, writer_id: int, column: Column) -> Column:
    """Store those points of a column that were not stored because their keys were taken.

    Returns:
        The column with the times (on the time axis also the steps) at which its points are stored;
        the same object if none was moved.
    """
    stored = await _stored_values(conn, series_id, writer_id, column)
    steps, times = column.steps[:], column.timestamps[:]
    search = _FreeTimes(conn, series_id, writer_id, column.axis)
    for index, value in enumerate(column.values):
        if _is_equal(stored[index], value):
            continue
        time = await search.next(steps[index], times[index], value)
        if time is None:
            continue
        times[index] = time
        if column.axis == "time":
            steps[index] = time
        is_large = large_values.is_large(value)
        stored_value = large_values.MARKER if is_large else value
        await conn.execute(
            """
            INSERT INTO metrics (series_id, step, timestamp, value, writer_id)
            VALUES (?, ?, ?, ?, ?)
            """,
            (series_id, steps[index], time, stored_value, writer_id),
        )
        if is_large:
            row = (series_id, steps[index], time, writer_id, value)
            await large_values.insert(conn, [row])
    if times == column.timestamps:
        return column
    return msgspec.structs.replace(column, steps=steps, timestamps=times)


async def _stored_values(
    conn: Connection, series_id: int, writer_id: int, column: Column
) -> list[StoredValue]:
    """The values stored at the keys of a column's points; each key has one."""
    values: list[StoredValue] = [None] * len(column.steps)
    start = 0
    for size in _SIZES:
        while len(column.steps) - start >= size:
            keys: list[Any] = []
            for index in range(start, start + size):
                keys += (index, column.steps[index], column.timestamps[index])
            rows: Any = await conn.execute_fetchall(_look_up(size), (*keys, series_id, writer_id))
            for index, value in rows:
                values[index] = value
            start += size
    return values


@lru_cache
def _look_up(rows: int) -> str:
    return f"""
        WITH keys (position, step, timestamp) AS (VALUES {placeholders(rows, 3)})
        SELECT position, {VALUE} FROM keys CROSS JOIN metrics USING (step, timestamp)
        WHERE series_id = ? AND writer_id = ?
    """


class _FreeTimes:
    """Finds free times of a writer in a series."""

    def __init__(self, conn: Connection, series_id: int, writer_id: int, axis: Axis) -> None:
        self._conn = conn
        self._ids = (series_id, writer_id)
        self._on_steps = axis == "step"
        # For each step a range of times that are all taken. Without it, storing many points with
        # one key would take quadratic time.
        self._taken: dict[Step, tuple[int, int]] = {}

    async def next(self, step: Step, time: int, value: Value) -> int | None:
        """Find the next free time; None if a point with this value is stored before it."""
        for taken, stored in await self._after(step, time, _NEAR):
            if taken != time + 1:
                return time + 1
            if _is_equal(stored, value):
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
        condition, lowest = "step = ? AND timestamp > ?", step
        if not self._on_steps:
            condition, lowest = "step > ? AND timestamp > ?", time
        return await self._conn.execute_fetchall(  # type: ignore[return-value]
            f"""
            SELECT timestamp, {VALUE} FROM metrics
            WHERE series_id = ? AND writer_id = ? AND {condition}
            ORDER BY step, timestamp LIMIT ?
            """,
            (*self._ids, lowest, time, limit),
        )


def _is_equal(stored: StoredValue, value: Value) -> bool:
    return stored == value or (stored is None and value != value)
