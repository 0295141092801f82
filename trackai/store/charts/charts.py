"""Charts: series downsampled to buckets, each with what it inherits.

First it is planned for each series how to read it, then each way of reading is done for all series
that are read so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Bucket, Range
from trackai.downsampling.thinning import BucketColumns
from trackai.store.charts import smoothing
from trackai.store.charts.smoothing import Curve
from trackai.store.charts.smoothing_cache import BlockReader, NotKnownError
from trackai.store.points import bucketing, reads, short_series
from trackai.store.points.large_values import MARKER
from trackai.store.points.lineage import Segment
from trackai.store.points.queries import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.store.charts.smoothing import Smoothing
    from trackai.store.charts.smoothing_cache import SmoothingCache
    from trackai.store.charts.training_time import TrainingTime
    from trackai.store.engine.connection import Connection
    from trackai.store.points.bucketing import Extent
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


# A part of a long series is read from its points if there are at most so many for each bucket.
_PER_BUCKET = 8
_NOWHERE = 1, 0


class Chart(msgspec.Struct):
    """A series in a limited number of buckets, in order of step.

    Attributes:
        level: buckets are 2 ** level steps wide; None if each is one point.
        data: the buckets, as objects or as columns.
        window: the steps that were read; None if the series has no points there.
        curve: the smoothed series, once `smooth` has added it.
    """

    level: int | None = None
    data: list[Bucket] | BucketColumns = []
    window: Range | None = None
    curve: Curve | None = None

    @property
    def buckets(self) -> list[Bucket]:
        """The buckets as objects."""
        return self.data.buckets() if isinstance(self.data, BucketColumns) else self.data

    @property
    def points(self) -> int:
        """The number of points in all buckets."""
        if isinstance(self.data, BucketColumns):
            return sum(self.data.points)
        return sum(bucket.points for bucket in self.data)


class _Plan(NamedTuple):
    """How to read a series.

    Attributes:
        window: the steps to read.
        level: the level of the buckets.
        strategy: "points": each point is a bucket. "short": buckets are computed from the points,
            together with other series. "long": buckets are read from rollups.
    """

    segments: Sequence[Segment]
    chart: Chart
    window: Range
    level: int
    strategy: Literal["points", "short", "long"]


async def read(
    conn: Connection,
    series: Sequence[Sequence[Segment]],
    count: int,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    time_min: int | None = None,
    time_max: int | None = None,
    together: bool = False,
    times: bool = True,
    extents: Mapping[int, Extent] | None = None,
) -> list[Chart]:
    """Read the points of series between two steps, each series in at most `count` buckets.

    A series with at most `count` points there gets a bucket for each point. The connection must be
    in a transaction, so that all queries see one state of the database.

    Args:
        step_min, step_max: the range of steps. System metrics have no steps, so with a bound they
            are empty.
        time_min, time_max: the range of times of system metrics, in microseconds.
        together: put all series into the same buckets, even if they have few points.
        times: False if the timestamps of buckets are not needed; they may be 0 then, except for
            system metrics.
        extents: those of the series, if this transaction has read them.
    """
    times = times or any(segments[0].series.axis == "time" for segments in series)
    if extents is None:
        ids = {segment.series.id for segments in series for segment in segments}
        extents = await bucketing.extents(conn, ids)
    on_steps = step_min, step_max
    on_times = (time_min, time_max) if on_steps == (None, None) else _NOWHERE
    charts: list[Chart] = []
    for segments in series:
        bounds = on_steps if segments[0].series.axis == "step" else on_times
        charts.append(Chart(window=_window(segments, extents, *bounds)))
    common_level = _common_level([chart.window for chart in charts], count) if together else None
    plans = [
        await _plan(conn, segments, chart, chart.window, extents, count, common_level)
        for segments, chart in zip(series, charts, strict=True)
        if chart.window is not None
    ]
    for plan in plans:
        plan.chart.level = plan.level
        if plan.strategy == "points":
            await _read_points(conn, plan, count)
        elif plan.strategy == "long":
            await _read_long(conn, plan, extents, times)
    short = [plan for plan in plans if plan.strategy == "short"]
    await _read_short(conn, short, None if together else count, times)
    if not together:
        for plan in plans:
            if plan.chart.level is not None and plan.chart.points <= count:
                await _read_points(conn, plan, count)
    return charts


def _window(
    segments: Sequence[Segment],
    extents: Mapping[int, Extent],
    step_min: Step | None,
    step_max: Step | None,
) -> Range | None:
    """The range of steps in which a series has points; None if it has none."""
    lows: list[Step] = []
    highs: list[Step] = []
    for series, until in segments:
        if series.id in extents:
            extent = extents[series.id]
            lows.append(extent.first_step)
            highs.append(extent.last_step if until is None else min(extent.last_step, until))
    low = min(lows, default=1)
    high = max(highs, default=0)
    low = low if step_min is None else max(low, step_min)
    high = high if step_max is None else min(high, step_max)
    return Range(low, high) if low <= high else None


def _common_level(windows: Sequence[Range | None], count: int) -> int | None:
    ranges = [window for window in windows if window is not None]
    if not ranges:
        return None
    low, high = min(window.low for window in ranges), max(window.high for window in ranges)
    return buckets.level_for(low, high, count)


async def _plan(
    conn: Connection,
    segments: Sequence[Segment],
    chart: Chart,
    window: Range,
    extents: Mapping[int, Extent],
    count: int,
    common_level: int | None,
) -> _Plan:
    own = segments[0].series
    is_short = own.points < bucketing.SHORTEST
    level = common_level
    if level is None:
        level = buckets.level_for(*window, count)
        if not is_short:
            level, points = await _choose_level(conn, segments, extents, window, level, count)
            if points is not None and points <= count and not own.plain:
                return _Plan(segments, chart, window, level, "points")
            is_short = points is not None
    # The only segment of a fork may be the beginning of its parent's series.
    is_alone = len(segments) == 1 and segments[0].until is None
    return _Plan(segments, chart, window, level, "short" if is_alone and is_short else "long")


async def _choose_level(
    conn: Connection,
    segments: Sequence[Segment],
    extents: Mapping[int, Extent],
    window: Range,
    level: int,
    count: int,
) -> tuple[int, int | None]:
    """Choose the lowest level that has rollups if there are too many points for a lower one.

    Returns:
        The level, and the number of points to read if buckets are to be computed from them.
    """
    bases = [extents[series.id].base for series, _ in segments if series.id in extents]
    base = max((base for base in bases if base is not None), default=level)
    if base <= level:
        return level, None
    points = await reads.count_up_to(
        conn, segments, _PER_BUCKET * count, step_min=window.low, step_max=window.high
    )
    return (base, None) if points is None else (level, points)


async def _read_points(conn: Connection, plan: _Plan, count: int) -> None:
    """Make each point a bucket."""
    low, high = plan.window
    rows = await reads.read(conn, plan.segments, step_min=low, step_max=high, limit=count)
    plan.chart.level, plan.chart.data = None, [_bucket_of(row) for row in rows]


def _bucket_of(row: PointRow) -> Bucket:
    step, time, value = row
    is_number = isinstance(value, int | float)
    is_finite = is_number and abs(value) != float("inf")  # type: ignore[arg-type]
    finite = value if is_finite else None
    return Bucket(
        points=1,
        finite_points=int(is_finite),
        nan_points=int(value is None),
        infinite_points=int(is_number and not is_finite),
        min_value=finite,  # type: ignore[arg-type]
        max_value=finite,  # type: ignore[arg-type]
        sum=float(finite) if is_finite else 0.0,  # type: ignore[arg-type]
        first_step=step,
        last_step=step,
        first_timestamp=time,
        last_timestamp=time,
        first_value=value,
        last_value=value,
    )


async def _read_short(
    conn: Connection, plans: Sequence[_Plan], count: int | None, times: bool
) -> None:
    """Compute the buckets of many series in as few steps as possible."""
    groups: dict[tuple[int, bool], dict[int, _Plan]] = {}
    for plan in plans:
        own = plan.segments[0].series
        groups.setdefault((own.resumed, own.plain), {})[own.id] = plan
    for (resumed, plain), alike in groups.items():
        selections = [
            Selection(series_id, plan.level, *plan.window) for series_id, plan in alike.items()
        ]
        if plain:
            short = await short_series.read(conn, selections, count, resumed=resumed, times=times)
            for series_id, (level, columns) in short.items():
                alike[series_id].chart.level, alike[series_id].chart.data = level, columns
            continue
        computed = await bucketing.compute(conn, selections, resumed=resumed)
        for series_id, plan in alike.items():
            by_number = computed.get(series_id, {})
            data = [bucket for _, bucket in sorted(by_number.items())]
            plan.chart.data = await _with_large_values(conn, plan.segments[0].series, data)


async def _read_long(
    conn: Connection, plan: _Plan, extents: Mapping[int, Extent], times: bool
) -> None:
    """Read the buckets of each segment, and merge them."""
    merged: dict[int, Bucket] = {}
    ties: set[int] = set()
    for series, until in plan.segments:
        low, high = plan.window
        steps = Range(low, high if until is None else min(high, until))
        if steps.low > steps.high:
            continue
        extent = extents.get(series.id)
        read = await bucketing.read(conn, series, steps, plan.level, extent, times=times)
        data = await _with_large_values(conn, series, read.columns)
        if len(plan.segments) == 1:
            plan.chart.data = data
            return
        segment_buckets = data.buckets() if isinstance(data, BucketColumns) else data
        for number, bucket in zip(read.numbers, segment_buckets, strict=True):
            present = merged.get(number)
            if present is not None and _have_tie(present, bucket):
                ties.add(number)
            merged[number] = bucket if present is None else buckets.merge(present, bucket)
    for number in ties:
        await _correct_ends(conn, plan.segments, merged[number])
    plan.chart.data = [bucket for _, bucket in sorted(merged.items())]


async def _with_large_values(
    conn: Connection, series: Series, data: list[Bucket] | BucketColumns
) -> list[Bucket] | BucketColumns:
    """Read the large first and last values of buckets, which have markers for them."""
    if isinstance(data, BucketColumns):
        if MARKER not in data.first_value and MARKER not in data.last_value:
            return data
        data = data.buckets()
    for bucket in data:
        if bucket.first_value == MARKER:
            first, *_ = await _at_step(conn, series, bucket.first_step)
            bucket.first_value = first[2]
        if bucket.last_value == MARKER:
            *_, last = await _at_step(conn, series, bucket.last_step)
            bucket.last_value = last[2]
    return data


async def _at_step(conn: Connection, series: Series, step: Step) -> list[PointRow]:
    return await reads.read(conn, [Segment(series, None)], step_min=step, step_max=step, limit=-1)


def _have_tie(left: Bucket, right: Bucket) -> bool:
    """Whether both have points at the first step of the merged bucket, or at the last one."""
    return left.first_step == right.first_step or left.last_step == right.last_step


async def _correct_ends(conn: Connection, segments: Sequence[Segment], bucket: Bucket) -> None:
    """Read the first and the last value of a merged bucket.

    With points of both at one step their times decide, and buckets only have the times of all their
    points.
    """
    for step in bucket.first_step, bucket.last_step:
        rows = await reads.read(conn, segments, step_min=step, step_max=step, limit=-1)
        if step == bucket.first_step:
            bucket.first_value = rows[0][2]
        if step == bucket.last_step:
            bucket.last_value = rows[-1][2]


async def smooth(
    conn: Connection,
    series: Sequence[Sequence[Segment]],
    charts: Sequence[Chart],
    how: Smoothing,
    training: Sequence[TrainingTime | None] | None = None,
    cache: SmoothingCache | None = None,
    *,
    known_only: bool = False,
) -> None:
    """Add the smoothed series to charts.

    Args:
        training: how weights that decay with time see the times of each series.
        cache: where a server keeps what it has read before.
        known_only: leave the charts as they are if the cache does not have all long series.
    """
    blocks = None
    if cache is not None:
        ids = [item[0].series.id for item in series]
        blocks = await BlockReader.open(conn, cache, ids, known_only=known_only)
    try:
        curves = await _curves(conn, series, charts, how, training, blocks)
    except NotKnownError:
        return
    for chart, curve in zip(charts, curves, strict=True):
        chart.curve = curve


async def _curves(
    conn: Connection,
    series: Sequence[Sequence[Segment]],
    charts: Sequence[Chart],
    how: Smoothing,
    training: Sequence[TrainingTime | None] | None,
    blocks: BlockReader | None,
) -> list[Curve]:
    curves: list[Curve] = []
    for segments, chart, training_time in zip(
        series, charts, training or [None] * len(charts), strict=True
    ):
        curve = Curve([], 0.0)
        if chart.window is not None:
            curve = await smoothing.read(
                conn, segments, chart.window, chart.level, chart.data, how, training_time, blocks
            )
        curves.append(curve)
    return curves


def by_step(chart: Chart) -> Chart:
    """Merge the buckets of a chart of single points into one for each step."""
    merged: list[Bucket] = []
    for bucket in chart.buckets:
        if merged and merged[-1].last_step == bucket.first_step:
            merged[-1] = buckets.merge(merged[-1], bucket)
        else:
            merged.append(bucket)
    return Chart(None, merged, chart.window)
