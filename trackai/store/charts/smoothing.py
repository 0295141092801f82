"""Smoothed series: a moving average over all points of a series, shown at the buckets of a chart.

Short series are read point by point, and the average is exact. So it is with blocks of points from
the cache of a server, which only reads what is new. Long series are read from rollups, whose width
is chosen so that the error is at most `_WITHIN` of the values' range. The largest possible error is
returned with the curve. However long a series is, at most `_LONGEST` points are read, page by page.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from trackai.downsampling import buckets, moments
from trackai.downsampling.buckets import Range
from trackai.downsampling.moving_average import Average, decay_rate
from trackai.downsampling.thinning import BucketColumns
from trackai.store.charts.smoothing_cache import NotKnownError
from trackai.store.points import bucketing, reads
from trackai.store.points.bucketing import Extent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from trackai.downsampling.buckets import Bucket
    from trackai.downsampling.moments import Averages, Blocks
    from trackai.store.charts.smoothing_cache import BlockReader
    from trackai.store.charts.training_time import TrainingTime
    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step

# The largest error of a smoothed value, as a share of the values' range.
_WITHIN = 0.005
# Series with at most so many points are read point by point.
_SHORT = 100_000
# So are series with at most so many points if no rollups are narrow enough.
_LONGEST = 1_000_000
# So is the window of a chart if it has at most so many points.
_FEW = 20_000
# Reading so many points takes a few milliseconds.
_QUICK = 2000
# The number of buckets in which the beginning of a series is read to find its last point.
_PARTS = 16


class Smoothing(NamedTuple):
    """How to smooth.

    Attributes:
        amount: above 0 and below 1; more is smoother.
        over_time: True if weights decay with time, False if with steps.
    """

    amount: float
    over_time: bool


class Curve(NamedTuple):
    """A smoothed series.

    Attributes:
        averages: the average at the last point of each bucket of a chart; None for buckets without
            finite values.
        within: the largest possible error, as a share of the range of the values.
    """

    averages: list[float | None]
    within: float


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    window: Range,
    level: int | None,
    shown: list[Bucket] | BucketColumns,
    how: Smoothing,
    training: TrainingTime | None = None,
    blocks: BlockReader | None = None,
) -> Curve:
    """Smooth a series from its first point on.

    Args:
        window: the steps that the chart shows.
        level: the level of the chart; None if each of its buckets is one point.
        shown: the buckets of the chart.
        training: converts times, so that weights do not decay while the run pauses.
        blocks: reads blocks of points from a cache; None without one.
    """
    training = training if training is not None and training.pauses else None
    extent = await _extent(conn, segments)
    over_time = how.over_time or segments[0].series.axis == "time"
    rate = decay_rate(how.amount)
    span = _span(extent, training) if over_time else _steps(extent)
    narrow = _level(extent, rate)
    reader = _Reader(conn, segments, Average(how.amount, span), over_time, training)
    is_alone = len(segments) == 1 and segments[0].until is None
    # Short series are as quick to read as their blocks, and have the same digits without a server.
    is_long = extent.points > _QUICK
    if blocks is not None and is_long and narrow is None and is_alone and 0 < span < math.inf:
        known = await blocks.read(segments[0], extent, over_time, training)
        at_ends = known and moments.averages(known, rate, span)
        if known is not None and at_ends is not None:
            curve = _Blockwise(reader, known, at_ends)
            return Curve(await curve.read(window, level, shown, extent), 0.0)
    if narrow is None and blocks is not None and blocks.known_only and is_long:
        raise NotKnownError
    if isinstance(shown, BucketColumns):
        shown = shown.buckets()
    past = Range(extent.first_step, buckets.below(window.low))
    if past.low <= past.high:
        await reader.add_range(past, narrow)
    by_points = narrow is None or level is None or narrow > level
    if by_points or sum(bucket.points for bucket in shown) <= _FEW:
        averages = await _average_points(reader, window, shown)
    else:
        parts = await _read_buckets(conn, segments, window, narrow or 0)
        averages = await _average_buckets(reader, parts, shown)
    return Curve(averages, reader.average.within)


async def _extent(conn: Connection, segments: Sequence[Segment]) -> Extent:
    extents = await bucketing.extents(conn, [series.id for series, _ in segments])
    parts = [
        part
        for segment in segments
        if segment.series.id in extents
        and (part := await _segment_extent(conn, segment, extents[segment.series.id])) is not None
    ]
    # All segments are read in buckets of the width that the longest needs.
    longest = max(parts, key=lambda part: part.points)
    return Extent(
        min(part.first_step for part in parts),
        max(part.last_step for part in parts),
        min(part.first_timestamp for part in parts),
        max(part.last_timestamp for part in parts),
        longest.points,
        longest.levels,
    )


async def _segment_extent(conn: Connection, segment: Segment, extent: Extent) -> Extent | None:
    """The extent of the points of a segment, given that of its series; None without points."""
    series, until = segment
    if until is None or until >= extent.last_step:
        return extent
    # Only the points tell the last step and the times of the beginning of a series.
    steps = Range(extent.first_step, until)
    read = await bucketing.read(conn, series, steps, buckets.level_for(*steps, _PARTS))
    if not read.numbers:
        return None
    columns = read.columns
    return Extent(
        columns.first_step[0],
        columns.last_step[-1],
        min(columns.first_timestamp),
        max(columns.last_timestamp),
        sum(columns.points),
        extent.levels,
    )


def _steps(extent: Extent) -> float:
    """The range of the steps."""
    return float(extent.last_step) - float(extent.first_step)


def _span(extent: Extent, training: TrainingTime | None) -> float:
    """The range of the times, in microseconds, without pauses of the training."""
    first, last = extent.first_timestamp, extent.last_timestamp
    if training is not None:
        first, last = training.at(first), training.at(last)
    return float(last - first)


def _level(extent: Extent, rate: float) -> int | None:
    """The level of the rollups to read; None to read points.

    Args:
        rate: the rate at which weights decay over the whole range of steps.
    """
    if extent.points <= _SHORT or extent.base is None:
        return None
    # The largest error is half of the width of a bucket times the rate.
    width = 2 * _WITHIN / rate * _steps(extent)
    level = math.frexp(width)[1] - 1 if 0 < width < math.inf else extent.base
    if level < extent.base and extent.points <= _LONGEST:
        return None
    return max(level, extent.base)


async def _read_buckets(
    conn: Connection, segments: Sequence[Segment], window: Range, level: int
) -> list[Bucket]:
    merged: dict[int, Bucket] = {}
    for series, until in segments:
        steps = window if until is None else Range(window.low, min(window.high, until))
        if steps.low <= steps.high:
            read = await bucketing.read(conn, series, steps, level)
            bucketing.merge_into(merged, read.items())
    return [bucket for _, bucket in sorted(merged.items())]


class _Reader:
    """Adds a series to an average, in order of step: its points, or buckets of many points."""

    def __init__(
        self,
        conn: Connection,
        segments: Sequence[Segment],
        average: Average,
        over_time: bool,
        training: TrainingTime | None,
    ) -> None:
        self.average = average
        self.over_time = over_time
        self._conn = conn
        self._segments = segments
        self._training = training
        self._left = _LONGEST  # the number of points that may still be read for wide buckets

    async def pages(self, steps: Range) -> AsyncIterator[list[float | None]]:
        """Add the points between two steps; yields the averages at them, None if not finite."""
        async for page in reads.pages(
            self._conn, self._segments, step_min=steps.low, step_max=steps.high
        ):
            page_steps, times, values = zip(*page, strict=True)
            if self._training is not None:
                times = tuple(map(self._training.at, times))
            yield self.average.add(times if self.over_time else page_steps, values)

    async def add_range(self, steps: Range, level: int | None) -> None:
        """Add what is between two steps: buckets of a level; points if it is None."""
        if level is None:
            await self.add_points(steps)
            return
        for bucket in await _read_buckets(self._conn, self._segments, steps, level):
            await self.add(bucket)

    async def add(self, bucket: Bucket) -> float | None:
        """Add a bucket; returns the average at its last finite point, None without any."""
        mean = buckets.mean(bucket)
        first, last = bucket.first_step, bucket.last_step
        if self.over_time:
            first, last = bucket.first_timestamp, bucket.last_timestamp
            if self._training is not None:
                first, last = self._training.at(first), self._training.at(last)
            # The steps are close enough, but the run may have paused between them.
            if self.average.error(last - first) > _WITHIN and bucket.points <= self._left:
                self._left -= bucket.points
                return await self.add_points(Range(bucket.first_step, bucket.last_step))
        average = self.average.add_many(first, last, bucket.finite_points, mean or 0.0)
        return None if mean is None else average

    async def add_points(self, steps: Range) -> float | None:
        """Add points; returns the average at the last finite one, None without any."""
        latest = None
        async for averages in self.pages(steps):
            finite = (average for average in reversed(averages) if average is not None)
            latest = next(finite, latest)
        return latest


class _Blockwise:
    """A moving average of which the values at the ends of blocks are known."""

    def __init__(self, reader: _Reader, blocks: Blocks, known: Averages) -> None:
        self._reader = reader
        self._blocks = blocks
        self._known = known

    async def read(
        self,
        window: Range,
        level: int | None,
        shown: list[Bucket] | BucketColumns,
        extent: Extent,
    ) -> list[float | None]:
        """The averages at the buckets of a chart; points are read where blocks are too wide."""
        blocks = self._blocks
        if level is None or level < blocks.level:
            if window.low > extent.first_step:
                await self._add_up_to(buckets.below(window.low))
            buckets_ = shown.buckets() if isinstance(shown, BucketColumns) else shown
            return await _average_points(self._reader, window, buckets_)
        if isinstance(shown, BucketColumns):
            last_steps, finite = shown.last_step, shown.finite_points
        else:
            last_steps = [bucket.last_step for bucket in shown]
            finite = [bucket.finite_points for bucket in shown]
        means = dict(zip(blocks.numbers, self._known.means, strict=True))
        averages = [
            means[number] if points else None
            for number, points in zip(
                buckets.buckets_of(last_steps, blocks.level), finite, strict=True
            )
        ]
        number = buckets.bucket_of(window.high, blocks.level)
        if (
            finite
            and finite[-1]
            and buckets.end(number, blocks.level) > window.high < extent.last_step
        ):
            # The last block has points beyond the window.
            averages[-1] = await self._add_up_to(window.high)
        return averages

    async def _add_up_to(self, step: Step) -> float | None:
        """Add all points up to a step; returns the average at the last finite one."""
        blocks, average = self._blocks, self._reader.average
        number = buckets.bucket_of(step, blocks.level)
        place = bisect_left(blocks.numbers, number) - 1
        mean = None
        if place >= 0:
            last, half = blocks.lasts[place], blocks.halves[place]
            if not self._reader.over_time:
                half = float(last - buckets.start(blocks.numbers[place], blocks.level)) - half
            mean = self._known.means[place]
            average.resume(last, half, self._known.weights[place], mean)
        latest = await self._reader.add_points(Range(buckets.start(number, blocks.level), step))
        return mean if latest is None else latest


async def _average_buckets(
    reader: _Reader, parts: Sequence[Bucket], shown: Sequence[Bucket]
) -> list[float | None]:
    """The averages at the buckets of a chart, each of which consists of several parts."""
    averages: list[float | None] = []
    index = 0
    for bucket in shown:
        latest: float | None = None
        while index < len(parts) and parts[index].first_step <= bucket.last_step:
            average = await reader.add(parts[index])
            latest = latest if average is None else average
            index += 1
        averages.append(latest)
    return averages


async def _average_points(
    reader: _Reader, window: Range, shown: Sequence[Bucket]
) -> list[float | None]:
    """The averages at the buckets of a chart, by adding point after point."""
    averages: list[float | None] = []
    left, latest = 0, None
    async for page in reader.pages(window):
        for average in page:
            if not left:
                left, latest = shown[len(averages)].points, None
            if average is not None:
                latest = average
            left -= 1
            if not left:
                averages.append(latest)
    return averages
