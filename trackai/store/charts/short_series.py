"""Short series, many at once: their points are read in one go and thinned in Python.

Most of what SQLite needs to compute buckets of two or three points is their making; the points
themselves are read in less time.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.downsampling import thinning
from trackai.store.engine import direct
from trackai.store.points import rollups
from trackai.store.points.series import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiosqlite import Connection

    from trackai.downsampling.buckets import Range
    from trackai.downsampling.thinning import Columns

# A third faster than zip, which makes an iterator of each row.
_STEP, _VALUE, _TIME = map(itemgetter, range(3))


async def read(
    conn: Connection,
    levels: Mapping[int, int],
    windows: Mapping[int, Range],
    count: int | None,
    *,
    resumed: bool,
    times: bool,
) -> dict[int, tuple[int | None, Columns]]:
    """Series of which all values are finite numbers, thinned to the levels given by row id.

    Args:
        windows: between which steps, by row id.
        count: a series with no more points is not thinned; None thins them all.

    Returns:
        By row id, the level, None if it was not thinned, and the buckets.
    """
    statement = f"""
        SELECT step, value {", timestamp" if times else ""} FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ?
          AND {visible(resumed)}
        ORDER BY step, timestamp, writer_id
    """

    async def work(own: Connection) -> dict[int, tuple[int | None, Columns]]:
        found: dict[int, tuple[int | None, Columns]] = {}
        for series_id, level in levels.items():
            low, high = map(rollups.bound, windows[series_id])
            rows: Any = await own.execute_fetchall(statement, (series_id, low, high))
            if not rows:
                continue
            # Right away: by the time that all are read, these are out of the processor's caches.
            steps = list(map(_STEP, rows))
            values = list(map(_VALUE, rows))
            when = list(map(_TIME, rows)) if times else None
            if count is not None and len(rows) <= count:
                found[series_id] = None, thinning.single(steps, values, when)
            else:
                found[series_id] = level, thinning.thin(level, steps, values, when)
        return found

    return await direct.run(conn, work)
