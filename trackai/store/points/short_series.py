"""Many short series at once: their points are read and put into buckets in Python.

Computing buckets of two or three points in SQL takes longer than reading the points.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.downsampling import thinning
from trackai.store.engine import direct
from trackai.store.points import bucketing
from trackai.store.points.series import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.downsampling.thinning import BucketColumns
    from trackai.store.engine.connection import Connection
    from trackai.store.points.bucketing import Selection

# A third faster than zip, which makes an iterator of each row.
_STEP, _VALUE, _TIME = map(itemgetter, range(3))


class ShortSeries(NamedTuple):
    """Buckets of a short series; `level` is None if each bucket is one point."""

    level: int | None
    columns: BucketColumns


async def read(
    conn: Connection,
    selections: Sequence[Selection],
    count: int | None,
    *,
    resumed: int,
    times: bool,
) -> Mapping[int, ShortSeries]:
    """Read the buckets of series of which all values are finite numbers.

    Args:
        selections: one for each series.
        count: series with no more points get a bucket for each point; None puts all series into
            buckets of their level.
        resumed: `Series.resumed` of all the series.
        times: False if the timestamps of buckets are not needed; they are 0 then.

    Returns:
        The buckets by the row id of the series; series without points are missing.
    """
    query = f"""
        SELECT step, value {", timestamp" if times else ""} FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {visible(resumed)}
        ORDER BY step, timestamp, writer_id
    """

    async def work(own: Connection) -> dict[int, ShortSeries]:
        buckets: dict[int, ShortSeries] = {}
        for series_id, level, low, high in selections:
            parameters = (series_id, bucketing.bound(low), bucketing.bound(high))
            rows: Any = await own.execute_fetchall(query, parameters)
            if not rows:
                continue
            # Each series is processed before the next one is read, while it is in the
            # processor's caches.
            steps = list(map(_STEP, rows))
            values = list(map(_VALUE, rows))
            timestamps = list(map(_TIME, rows)) if times else None
            if count is not None and len(rows) <= count:
                columns = thinning.single(steps, values, timestamps)
                buckets[series_id] = ShortSeries(None, columns)
            else:
                columns = thinning.thin(level, steps, values, timestamps)
                buckets[series_id] = ShortSeries(level, columns)
        return buckets

    return await direct.run(conn, work)
