"""Many short series at once: their points are read and put into buckets in Python.

Computing buckets of two or three points in SQL takes longer than reading the points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trackai.downsampling import thinning
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.downsampling.thinning import BucketColumns
    from trackai.store.engine.connection import Connection
    from trackai.store.points.queries import Selection
    from trackai.values.types import Step


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
    buckets: dict[int, ShortSeries] = {}

    def add(
        selection: Selection, steps: list[Step], values: list[Step], timestamps: list[int] | None
    ) -> None:
        if count is not None and len(steps) <= count:
            columns = thinning.single(steps, values, timestamps)
            buckets[selection.series_id] = ShortSeries(None, columns)
        else:
            columns = thinning.thin(selection.level, steps, values, timestamps)
            buckets[selection.series_id] = ShortSeries(selection.level, columns)

    await points_of(conn).read_each(conn, selections, add, resumed=resumed, times=times)
    return buckets
