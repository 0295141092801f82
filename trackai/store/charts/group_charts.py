"""Charts of groups: mean, deviation, range and quartiles over runs, step by step.

All runs are put into the same buckets: of one step each, if there are at most as many steps as
buckets may be. A run counts once in a bucket, with the mean of its finite values there, however
many points it has; the figures are over these means. A run without a finite value in a bucket does
not count there, so a group whose runs differ in length gets smaller towards the end.

The figures are computed from columns: an object for each bucket of each run takes three times as
long, and a sweep has hundreds of runs.
"""

from __future__ import annotations

import math
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.downsampling import buckets
from trackai.downsampling.thinning import BucketColumns
from trackai.store.charts import charts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.charts.charts import Chart
    from trackai.store.charts.smoothing import Smoothing
    from trackai.store.charts.smoothing_cache import SmoothingCache
    from trackai.store.charts.training_time import TrainingTime
    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step


class Member(NamedTuple):
    """A metric of a run in a group.

    Attributes:
        groups: the numbers of the groups that the run is in.
        training: converts times to the time since the run began.
        segments: the series, with what it inherits.
    """

    groups: Sequence[int]
    training: TrainingTime
    segments: Sequence[Segment]


class GroupBucket(msgspec.Struct, gc=False):
    """Figures over the runs of a group in a range of steps.

    Attributes:
        runs: the number of runs with a finite value there.
        non_finite: the number of runs with NaN or an infinity there.
        mean, min, max: over the means of these runs; None without any.
        std: the sample standard deviation; None with fewer than two runs.
        first_time, last_time: means of the training times of the runs, in microseconds; 0 if they
            were not asked for.
        smoothed: the mean of the runs' moving averages, or the median with quartiles; None without
            any.
        quartiles: the lower quartile, the median and the upper quartile of the means, between which
            values are interpolated; None without any, or if they were not asked for.
    """

    first_step: Step
    last_step: Step
    runs: int
    non_finite: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    first_time: float
    last_time: float
    smoothed: float | None
    quartiles: tuple[float | None, float | None, float | None] = (None, None, None)


class Band(NamedTuple):
    """The chart of a metric of a group.

    Attributes:
        raw: True if each bucket is one step.
        runs: the number of runs that have the metric.
        within: the largest error of smoothed values, as in `smoothing.Curve`.
    """

    buckets: list[GroupBucket]
    raw: bool
    runs: int
    within: float


async def read(
    conn: Connection,
    members: Sequence[Member],
    count: int,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    smooth: Smoothing | None = None,
    quartiles: bool = False,
    times: bool = True,
    cache: SmoothingCache | None = None,
) -> dict[int, Band]:
    """Read a metric over groups of runs, all in the same buckets, at most `count` of them.

    The connection must be in a transaction.

    Args:
        step_min, step_max: the range of steps.
        smooth: how to smooth each run.
        quartiles: whether to compute quartiles.
        times: whether to compute the times of buckets.
        cache: where a server keeps what it has read to smooth.

    Returns:
        The bands by the numbers of their groups.
    """
    series = [member.segments for member in members]
    charts_ = await charts.read(
        conn, series, count, step_min=step_min, step_max=step_max, together=True, times=times
    )
    level = next((chart.level for chart in charts_ if chart.level is not None), None)
    if level is not None:
        steps = await _single_steps(conn, series, charts_, count, level, step_min, step_max)
        if steps is not None:
            charts_, level = steps, None
    if smooth is not None:
        training = [member.training for member in members]
        await charts.smooth(conn, series, charts_, smooth, training, cache)
    groups: dict[int, list[_RunColumns]] = {}
    keys: list[Step] = []
    previous: Sequence[Step] = ()
    for member, chart in zip(members, charts_, strict=True):
        columns = _columns(chart)
        # Runs of a sweep mostly have the same steps; then they share the keys.
        if not keys or columns.first_step != previous:
            keys = _keys(columns, level)
        previous = columns.first_step
        run = _run_columns(chart, columns, keys, member.training if times else None)
        for number in member.groups:
            groups.setdefault(number, []).append(run)
    return {number: _band(runs, level is None, quartiles) for number, runs in groups.items()}


async def _single_steps(
    conn: Connection,
    series: Sequence[Sequence[Segment]],
    common: list[Chart],
    count: int,
    level: int,
    step_min: Step | None,
    step_max: Step | None,
) -> list[Chart] | None:
    """Charts with a bucket for each step; None if there are more than `count` steps.

    Args:
        common: charts in buckets of one level.
    """
    if _is_by_step(common, level):
        return common
    if any(chart.points > count for chart in common):
        return None
    alone = await charts.read(conn, series, count, step_min=step_min, step_max=step_max)
    by_step = [charts.by_step(chart) for chart in alone]
    if len({step for chart in by_step for step in _columns(chart).first_step}) > count:
        return None
    return by_step


def _is_by_step(common: Iterable[Chart], level: int) -> bool:
    """Whether no bucket of a level has more than one step, in all charts together."""
    steps: dict[Step, Step] = {}
    previous: Sequence[Step] = ()
    for chart in common:
        columns = _columns(chart)
        first = columns.first_step
        if first != columns.last_step:
            return False
        if first != previous and [*map(steps.setdefault, _keys(columns, level), first)] != first:
            return False
        previous = first
    return True


def _columns(chart: Chart) -> BucketColumns:
    if isinstance(chart.data, BucketColumns):
        return chart.data
    rows = [*map(msgspec.structs.astuple, chart.data)]
    columns = map(list, zip(*rows, strict=True)) if rows else ([] for _ in BucketColumns._fields)
    return BucketColumns._make(columns)


def _keys(columns: BucketColumns, level: int | None) -> list[Step]:
    """What the buckets of runs that belong together have in common: a step or a number."""
    if level is None:
        return list(columns.first_step)
    return [buckets.bucket_of(step, level) for step in columns.first_step]


class _RunColumns(NamedTuple):
    """The buckets of one run, as a column for each field."""

    keys: list[Step]
    first_step: Sequence[Step]
    last_step: Sequence[Step]
    means: Sequence[float | None]
    non_finite: Sequence[int]
    first_time: Sequence[int]
    last_time: Sequence[int]
    smoothed: Sequence[float | None]
    within: float

    def at(self, keys: list[Step]) -> _RunColumns:
        """The columns at these keys, with None where the run has no bucket."""
        if self.keys is keys or self.keys == keys:
            return self
        places = [*map(dict(zip(self.keys, range(len(self.keys)), strict=True)).get, keys)]

        def placed(column: Sequence[Any]) -> list[Any]:
            return [None if place is None else column[place] for place in places]

        return _RunColumns._make([*map(placed, self[:-1]), self.within])


def _run_columns(
    chart: Chart, columns: BucketColumns, keys: list[Step], training: TrainingTime | None
) -> _RunColumns:
    nothing = [0] * len(columns.first_step)
    return _RunColumns(
        keys,
        columns.first_step,
        columns.last_step,
        columns.means() if nothing else [],
        list(map(add, columns.nan_points, columns.infinite_points)),
        nothing if training is None else [*map(training.at, columns.first_timestamp)],
        nothing if training is None else [*map(training.at, columns.last_timestamp)],
        [None] * len(nothing) if chart.curve is None else chart.curve.averages,
        0.0 if chart.curve is None else chart.curve.within,
    )


def _band(runs: Sequence[_RunColumns], raw: bool, quartiles: bool) -> Band:
    keys = runs[0].keys
    if any(run.keys is not keys for run in runs):
        keys = sorted({key for run in runs for key in run.keys})
    aligned = [run.at(keys) for run in runs]
    fields = zip(*aligned, strict=True)
    # For each field, a row for each key with the values of all runs.
    _, first, last, means, non_finite, first_time, last_time, smoothed = (
        zip(*columns, strict=True) for columns in [*fields][:-1]
    )
    combined = [
        _combined(*map(_present, row), quartiles=quartiles)
        for row in zip(first, last, means, non_finite, first_time, last_time, smoothed, strict=True)
    ]
    return Band(combined, raw, len(runs), max(run.within for run in runs))


def _present(values: Sequence[Any]) -> Sequence[Any]:
    return [value for value in values if value is not None] if None in values else values


def _combined(
    first_steps: Sequence[Step],
    last_steps: Sequence[Step],
    means: Sequence[float],
    non_finite: Sequence[int],
    first_times: Sequence[int],
    last_times: Sequence[int],
    averages: Sequence[float],
    *,
    quartiles: bool,
) -> GroupBucket:
    mean = _mean(means)
    return GroupBucket(
        first_step=min(first_steps),
        last_step=max(last_steps),
        runs=len(means),
        non_finite=len(non_finite) - non_finite.count(0),
        mean=mean,
        std=_deviation(means, mean),
        min=min(means, default=None),
        max=max(means, default=None),
        first_time=sum(first_times) / len(first_times),
        last_time=sum(last_times) / len(last_times),
        smoothed=_quartiles(averages)[1] if quartiles else _mean(averages),
        quartiles=_quartiles(means) if quartiles else (None, None, None),
    )


def _mean(values: Sequence[float]) -> float | None:
    if not values:
        return None
    share = 1 / len(values)
    # Each value is divided, as their sum may exceed the largest float.
    mean = math.fsum([value * share for value in values])
    return max(min(values), min(max(values), mean))


def _deviation(values: Sequence[float], mean: float | None) -> float | None:
    if mean is None or len(values) < 2:
        return None
    return math.hypot(*[value - mean for value in values]) / math.sqrt(len(values) - 1)


def _quartiles(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """The values at a quarter, half and three quarters of the sorted values, interpolated."""
    if not values:
        return None, None, None
    ordered = sorted(values)
    low, median, high = (_quantile(ordered, quarter / 4) for quarter in (1, 2, 3))
    return low, median, high


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    # Each is weighted, as their difference may exceed the largest float.
    weight = place - below
    return max(low, min(high, low * (1 - weight) + high * weight))
