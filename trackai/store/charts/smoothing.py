"""Smoothed series: a moving average over all points of a series, shown where a chart shows it.

Short series are read point by point, and the average is exact. Of long ones, what is narrow enough
is read from rollups: their widths are chosen so that the average is off by no more than
`_WITHIN` of the values' range, and what it is at most off by is said with it. However long a
series is, no more than `_LONGEST` points are read, page by page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Range
from trackai.downsampling.moving_average import Average, decay_rate
from trackai.store.points import lineage, rollups

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiosqlite import Connection

    from trackai.downsampling.buckets import Bucket
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step

# What a smoothed value may be off by, as a share of the values' range.
_WITHIN = 0.005
# Series with no more points are exact.
_SHORT = 100_000
# So are those with no more points of which no rollups are narrow enough.
_LONGEST = 1_000_000
# A window with no more points is read point by point.
_FEW = 20_000
# In how many parts the beginning of a series is looked at to find where it ends.
_PARTS = 16


class Smoothing(NamedTuple):
    """How much to smooth, above 0 and below 1, and whether over steps or over times."""

    amount: float
    over_time: bool


class Curve(NamedTuple):
    """A smoothed series.

    Attributes:
        averages: at the last point of each bucket of a chart; None where nothing is finite.
        within: what they are off by at most, as a share of the range of the values.
    """

    averages: list[float | None]
    within: float


class _Extent(NamedTuple):
    """Between which x a series lies, and how many points and which lowest level it has."""

    first_step: Step
    last_step: Step
    first_time: int
    last_time: int
    points: int
    base: int | None


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    window: Range,
    level: int | None,
    shown: Sequence[Bucket],
    how: Smoothing,
) -> Curve:
    """Smooth a series from its beginning, and show it at the buckets of a chart.

    Args:
        window: the steps that the chart shows.
        level: that of the chart; None if each of its buckets is one point.
    """
    extent = await _extent(conn, segments)
    over_time = how.over_time or segments[0].series.axis == "time"
    steps = float(extent.last_step) - float(extent.first_step)
    rate = decay_rate(how.amount, extent.last_time - extent.first_time if over_time else steps)
    narrow = _level(extent, decay_rate(how.amount, 1.0), steps)
    reading = _Reading(conn, segments, Average(rate), over_time)
    past = Range(extent.first_step, buckets.below(window.low))
    if past.low <= past.high:
        if narrow is None:
            async for _ in reading.pages(past):
                pass
        else:
            for one in await _pieces(conn, segments, past, narrow):
                await reading.piece(one)
    by_points = narrow is None or level is None or narrow > level
    if by_points or sum(one.points for one in shown) <= _FEW:
        averages = await _at_points(reading, window, shown)
    else:
        averages = await _at_pieces(
            reading, await _pieces(conn, segments, window, narrow or 0), shown
        )
    return Curve(averages, reading.average.within)


async def _extent(conn: Connection, segments: Sequence[Segment]) -> _Extent:
    parts = [part for one in segments if (part := await _extent_of(conn, one)) is not None]
    # The longest decides: the others are read in buckets of the same width.
    longest = max(parts, key=lambda part: part.points)
    return _Extent(
        min(part.first_step for part in parts),
        max(part.last_step for part in parts),
        min(part.first_time for part in parts),
        max(part.last_time for part in parts),
        longest.points,
        longest.base,
    )


async def _extent_of(conn: Connection, segment: Segment) -> _Extent | None:
    """The extent of a series or of its beginning; None if there are no points."""
    one, until = segment
    for row in await conn.execute_fetchall(
        """
        SELECT
            first_step, last_step, first_timestamp, last_timestamp, series.points,
            CASE WHEN series.points >= ? THEN rollup_levels.base END
        FROM series LEFT JOIN rollup_levels ON rollup_levels.series_id = series.id
        WHERE series.id = ? AND series.points > 0
        """,
        (rollups.SHORTEST, one.id),
    ):
        whole = _Extent(*row)
        if until is None or until >= whole.last_step:
            return whole
        # The last point may lie anywhere before that, and a later one of another time.
        where = Range(whole.first_step, until)
        found = await rollups.read(
            conn, one.id, where, buckets.level_for(*where, _PARTS),
            resumed=bool(one.resumed), plain=one.plain,
        )  # fmt: skip
        if found.numbers:
            some = found.columns
            return _Extent(
                some.first_step[0], some.last_step[-1],
                min(some.first_timestamp), max(some.last_timestamp),
                sum(some.points), whole.base,
            )  # fmt: skip
    return None


def _level(extent: _Extent, rate: float, steps: float) -> int | None:
    """The level of the rollups to read; None if the points themselves are.

    Args:
        rate: how fast weights decay over the whole range of `steps`.
    """
    if extent.points <= _SHORT or extent.base is None:
        return None
    # What an average is off by at most is half of a bucket's width, times the rate.
    width = 2 * _WITHIN / rate * steps
    wanted = math.frexp(width)[1] - 1 if 0 < width < math.inf else extent.base
    if wanted < extent.base and extent.points <= _LONGEST:
        return None
    return max(wanted, extent.base)


async def _pieces(
    conn: Connection, segments: Sequence[Segment], wanted: Range, level: int
) -> list[Bucket]:
    found: dict[int, Bucket] = {}
    for one, until in segments:
        part = wanted if until is None else Range(wanted.low, min(wanted.high, until))
        if part.low <= part.high:
            more = await rollups.read(
                conn, one.id, part, level, resumed=bool(one.resumed), plain=one.plain
            )
            rollups.merge_into(found, more.items())
    return [one for _, one in sorted(found.items())]


class _Reading:
    """Adds a series to an average, in order: its points, or pieces that hold many of them."""

    def __init__(
        self, conn: Connection, segments: Sequence[Segment], average: Average, over_time: bool
    ) -> None:
        self.average = average
        self._conn = conn
        self._segments = segments
        self._over_time = over_time
        self._left = _LONGEST  # points that may be read for pieces that are too wide

    async def pages(self, where: Range) -> AsyncIterator[list[float | None]]:
        """The averages at the points between two steps; None where these are not finite."""
        async for page in lineage.pages(
            self._conn, self._segments, step_min=where.low, step_max=where.high
        ):
            steps, times, values = zip(*page, strict=True)
            yield self.average.add(times if self._over_time else steps, values)

    async def piece(self, one: Bucket) -> float | None:
        """The average at the last finite point of a bucket; None if it has none."""
        mean = buckets.mean(one)
        first, last = one.first_step, one.last_step
        if self._over_time:
            first, last = one.first_timestamp, one.last_timestamp
            # Its steps are close enough; in the midst of them the run may have had a pause.
            if self.average.off_by(last - first) > _WITHIN and one.points <= self._left:
                self._left -= one.points
                found = None
                async for page in self.pages(Range(one.first_step, one.last_step)):
                    found = next((at for at in reversed(page) if at is not None), found)
                return found
        found = self.average.add_many(first, last, one.finite_points, mean or 0.0)
        return None if mean is None else found


async def _at_pieces(
    reading: _Reading, pieces: Sequence[Bucket], shown: Sequence[Bucket]
) -> list[float | None]:
    """Each bucket of the chart is made of some of the pieces."""
    averages: list[float | None] = []
    place = 0
    for bucket in shown:
        found: float | None = None
        while place < len(pieces) and pieces[place].first_step <= bucket.last_step:
            latest = await reading.piece(pieces[place])
            found = found if latest is None else latest
            place += 1
        averages.append(found)
    return averages


async def _at_points(
    reading: _Reading, window: Range, shown: Sequence[Bucket]
) -> list[float | None]:
    """The points come in the order of the chart's buckets, each of which has so many."""
    averages: list[float | None] = []
    place, left, found = 0, 0, None
    async for page in reading.pages(window):
        for latest in page:
            if not left:
                left, found = shown[place].points, None
            if latest is not None:
                found = latest
            left -= 1
            if not left:
                averages.append(found)
                place += 1
    return averages
