"""Short series, many at once: their points are read in one go and thinned in Python.

Most of what SQLite needs to compute buckets of two or three points is their making; the points
themselves are read in less time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store import rollups
from trackai.store.attempts import NOT_SUPERSEDED
from trackai.structs import thinning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiosqlite import Connection

    from trackai.structs.thinning import Columns
    from trackai.structs.values import Step


async def read(
    conn: Connection,
    levels: Mapping[int, int],
    count: int | None,
    *,
    step_min: Step | None,
    step_max: Step | None,
    resumed: bool,
    times: bool,
) -> dict[int, tuple[int | None, Columns]]:
    """Series of which all values are finite numbers, thinned to the levels given by row id.

    Args:
        count: a series with no more points is not thinned; None thins them all.

    Returns:
        By row id, the level, None if it was not thinned, and the buckets.
    """
    ids = msgspec.json.encode(list(levels)).decode()
    where = f"""
        WHERE series_id IN (SELECT value FROM json_each(?)) AND step BETWEEN ? AND ?
          AND {NOT_SUPERSEDED if resumed else "TRUE"}
    """
    low = -math.inf if step_min is None else rollups.bound(step_min)
    high = math.inf if step_max is None else rollups.bound(step_max)
    sizes = await conn.execute_fetchall(
        f"SELECT series_id, COUNT(*) FROM metrics {where} GROUP BY series_id", (ids, low, high)
    )
    # A column costs as much as a quarter of a row: which series it is follows from the sizes.
    rows: Any = await conn.execute_fetchall(
        f"""
        SELECT step, value {", timestamp" if times else ""} FROM metrics {where}
        ORDER BY series_id, step, timestamp, writer_id
        """,
        (ids, low, high),
    )
    steps, values, *rest = zip(*rows, strict=True) if rows else ((), ())
    found: dict[int, tuple[int | None, Columns]] = {}
    at = 0
    for series_id, size in sizes:
        part = slice(at, at + size)
        at += size
        when = rest[0][part] if rest else None
        if count is not None and size <= count:
            found[series_id] = None, thinning.single(steps[part], values[part], when)
        else:
            level = levels[series_id]
            found[series_id] = level, thinning.thin(level, steps[part], values[part], when)
    return found
