"""What a chart of a metric starts from, in one statement: its series, their ranges and a cursor.

Each statement costs a tenth of a millisecond on PostgreSQL, where it goes to another process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.store.points import arrivals, bucketing
from trackai.store.points.lineage import Segment
from trackai.store.points.series import COLUMNS, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.bucketing import Extent


_WIDTH = len(Series.__struct_fields__)


class Found(NamedTuple):
    """A metric of a run.

    Attributes:
        segments: its series with what it inherits.
        extents: those of the series that have points, by row id.
        cursor: the cursor after all points of the run.
    """

    segments: Sequence[Segment]
    extents: Mapping[int, Extent]
    cursor: int


async def find_own(conn: Connection, run_id: int, path: str) -> Found | None:
    """Find a metric of a run that inherits nothing; on both axes, the one with steps.

    Returns:
        None if the run has no such metric or is a fork.
    """
    rows: Any = await conn.execute_fetchall(
        f"""
        SELECT runs.fork_uid IS NOT NULL, {arrivals.LAST}, {COLUMNS}, {bucketing.EXTENT}
        FROM {bucketing.WITH_ROLLUPS} JOIN runs ON runs.id = series.run_id
        WHERE series.run_id = ? AND series.path = ?
        ORDER BY series.axis
        """,
        (run_id, path),
    )
    if not rows or any(is_fork for is_fork, *_ in rows):
        return None
    _, cursor, *first = rows[0]
    series = Series(*first[:_WIDTH])
    of_series = [row[2:] for row in rows if row[2] == series.id]
    extents = bucketing.extents_of([(series.id, *row[_WIDTH:]) for row in of_series])
    return Found([Segment(series, None)], extents, cursor)


async def of_segments(conn: Connection, run_id: int, segments: Sequence[Segment]) -> Found:
    """Look up the rest of what is known of a metric of a run."""
    ids = {segment.series.id for segment in segments}
    return Found(segments, await bucketing.extents(conn, ids), await arrivals.last(conn, run_id))
