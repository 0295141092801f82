"""Charts of groups: mean, standard deviation, minimum and maximum over runs, step by step.

All runs are put into the same buckets: of one step each, if there are at most as many steps as
buckets may be. A run counts once in a bucket, with the mean of its finite values there, however
many points it has; the figures are over these means. A run without a finite value in a bucket does
not count there, so a group whose runs differ in length gets smaller towards the end.
"""

from __future__ import annotations

import math
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.downsampling import buckets
from trackai.store.charts import charts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.downsampling.buckets import Bucket
    from trackai.store.charts.charts import Chart
    from trackai.store.charts.smoothing import Smoothing
    from trackai.store.charts.training_time import TrainingTime
    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step


class Member(NamedTuple):
    """A metric of a run in a group.

    Attributes:
        group: the number of the group.
        training: converts times to the time since the run began.
        segments: the series, with what it inherits.
    """

    group: int
    training: TrainingTime
    segments: Sequence[Segment]


class GroupBucket(msgspec.Struct, gc=False):
    """Figures over the runs of a group in a range of steps.

    Attributes:
        runs: the number of runs with a finite value there.
        non_finite: the number of runs with NaN or an infinity there.
        mean, min, max: over the means of these runs; None without any.
        std: the sample standard deviation; None with fewer than two runs.
        first_time, last_time: means of the training times of the runs, in microseconds.
        smoothed: the mean of the runs' moving averages; None without any.
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
) -> dict[int, Band]:
    """Read a metric over groups of runs, all in the same buckets, at most `count` of them.

    The connection must be in a transaction.

    Returns:
        The bands by the numbers of their groups.
    """
    series = [member.segments for member in members]
    charts_ = await charts.read(
        conn, series, count, step_min=step_min, step_max=step_max, together=True
    )
    level = next((chart.level for chart in charts_ if chart.level is not None), None)
    if level is not None:
        steps = await _single_steps(conn, series, charts_, count, level, step_min, step_max)
        if steps is not None:
            charts_, level = steps, None
    if smooth is not None:
        training = [member.training for member in members]
        await charts.smooth(conn, series, charts_, smooth, training)
    groups: dict[int, list[tuple[TrainingTime, Chart]]] = {}
    for member, chart in zip(members, charts_, strict=True):
        groups.setdefault(member.group, []).append((member.training, chart))
    return {number: _band(parts, level) for number, parts in groups.items()}


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
    steps: dict[Step, Step] = {}
    if all(
        bucket.first_step
        == bucket.last_step
        == steps.setdefault(_key(bucket, level), bucket.first_step)
        for chart in common
        for bucket in chart.buckets
    ):
        return common
    if any(chart.points > count for chart in common):
        return None
    alone = await charts.read(conn, series, count, step_min=step_min, step_max=step_max)
    by_step = [charts.by_step(chart) for chart in alone]
    if len({bucket.first_step for chart in by_step for bucket in chart.buckets}) > count:
        return None
    return by_step


def _key(bucket: Bucket, level: int | None) -> Step:
    """What the buckets of runs that belong together have in common: a step or a number."""
    return bucket.first_step if level is None else buckets.bucket_of(bucket.first_step, level)


class _RunBucket(NamedTuple):
    """A bucket of one run."""

    bucket: Bucket
    training: TrainingTime
    smoothed: float | None


def _band(parts: Sequence[tuple[TrainingTime, Chart]], level: int | None) -> Band:
    by_key: dict[Step, list[_RunBucket]] = {}
    within = 0.0
    for training, chart in parts:
        shown = chart.buckets
        averages: Iterable[float | None] = repeat(None, len(shown))
        if chart.curve is not None:
            averages = chart.curve.averages
            within = max(within, chart.curve.within)
        for bucket, average in zip(shown, averages, strict=True):
            by_key.setdefault(_key(bucket, level), []).append(_RunBucket(bucket, training, average))
    combined = [_combined(runs) for _, runs in sorted(by_key.items())]
    return Band(combined, level is None, len(parts), within)


def _combined(runs: Sequence[_RunBucket]) -> GroupBucket:
    means = [mean for run in runs if (mean := buckets.mean(run.bucket)) is not None]
    averages = [run.smoothed for run in runs if run.smoothed is not None]
    mean = _mean(means)
    return GroupBucket(
        first_step=min(run.bucket.first_step for run in runs),
        last_step=max(run.bucket.last_step for run in runs),
        runs=len(means),
        non_finite=sum(run.bucket.nan_points + run.bucket.infinite_points > 0 for run in runs),
        mean=mean,
        std=_deviation(means, mean),
        min=min(means, default=None),
        max=max(means, default=None),
        first_time=sum(run.training.at(run.bucket.first_timestamp) for run in runs) / len(runs),
        last_time=sum(run.training.at(run.bucket.last_timestamp) for run in runs) / len(runs),
        smoothed=_mean(averages),
    )


def _mean(values: Sequence[float]) -> float | None:
    if not values:
        return None
    share = 1 / len(values)
    # Each value is divided, as their sum may exceed the largest float.
    mean = math.fsum(value * share for value in values)
    return max(min(values), min(max(values), mean))


def _deviation(values: Sequence[float], mean: float | None) -> float | None:
    if mean is None or len(values) < 2:
        return None
    return math.hypot(*[value - mean for value in values]) / math.sqrt(len(values) - 1)
