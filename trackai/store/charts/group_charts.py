"""Bands: mean, deviation, lowest and highest over the runs of groups, step by step.

Runs are put side by side in buckets of the same steps: in single steps, if there are no more of
them than asked for. Each run counts once in a bucket, with the mean of its finite values there,
however many points it has; the figures are over these means. A run without a finite value in a
bucket does not count in it, so a group of runs of different lengths becomes smaller to the end.
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

    from aiosqlite import Connection

    from trackai.downsampling.buckets import Bucket
    from trackai.store.charts.charts import Chart
    from trackai.store.charts.smoothing import Smoothing
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step


class Member(NamedTuple):
    """A metric of a run: its number in its group's list, when the run began, and its points."""

    group: int
    began: int
    segments: Sequence[Segment]


class Together(msgspec.Struct, gc=False):
    """Figures over runs in a range of steps.

    `mean` and the others are over the runs with a finite value there, None without any; `std` is
    the sample standard deviation, None with fewer than two runs. `first_time` and `last_time` are
    means of the microseconds since each run began.
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
    """A metric of a group; `raw` if each bucket is one step, `within` as in `smoothing.Curve`."""

    buckets: list[Together]
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
    """A metric over groups of runs, all in the same buckets, at most `count` of them.

    The connection is in a transaction.

    Returns:
        The bands by the numbers of their groups.
    """
    wanted = [one.segments for one in members]
    found = await charts.read(
        conn, wanted, count, step_min=step_min, step_max=step_max, together=True
    )
    level = next((one.level for one in found if one.level is not None), None)
    if level is not None:
        level = await _split(conn, wanted, found, count, level, step_min, step_max)
    if smooth is not None:
        await charts.smooth(conn, wanted, found, smooth)
    parts: dict[int, list[tuple[int, Chart]]] = {}
    for member, chart in zip(members, found, strict=True):
        parts.setdefault(member.group, []).append((member.began, chart))
    return {number: _band(some, level) for number, some in parts.items()}


async def _split(
    conn: Connection,
    wanted: Sequence[Sequence[Segment]],
    found: list[Chart],
    count: int,
    level: int,
    step_min: Step | None,
    step_max: Step | None,
) -> int | None:
    """Make single steps of the buckets if there are few enough; the level that they have then."""
    steps: dict[Step, Step] = {}
    shown = [one for chart in found for one in chart.buckets]
    if all(
        one.first_step == one.last_step == steps.setdefault(_number(one, level), one.first_step)
        for one in shown
    ):
        return None
    if any(chart.points > count for chart in found):
        return level
    alone = await charts.read(conn, wanted, count, step_min=step_min, step_max=step_max)
    single = [charts.by_step(chart) for chart in alone]
    if len({one.first_step for chart in single for one in chart.buckets}) > count:
        return level
    found[:] = single
    return None


def _number(one: Bucket, level: int | None) -> Step:
    return one.first_step if level is None else buckets.bucket_of(one.first_step, level)


class _Run(NamedTuple):
    """What a run has in a bucket."""

    bucket: Bucket
    began: int
    smoothed: float | None


def _band(parts: Sequence[tuple[int, Chart]], level: int | None) -> Band:
    by_number: dict[Step, list[_Run]] = {}
    within = 0.0
    for began, chart in parts:
        shown = chart.buckets
        averages: Iterable[float | None] = repeat(None, len(shown))
        if chart.curve is not None:
            averages = chart.curve.averages
            within = max(within, chart.curve.within)
        for one, average in zip(shown, averages, strict=True):
            by_number.setdefault(_number(one, level), []).append(_Run(one, began, average))
    together = [_together(some) for _, some in sorted(by_number.items())]
    return Band(together, level is None, len(parts), within)


def _together(some: Sequence[_Run]) -> Together:
    means = [mean for one in some if (mean := buckets.mean(one.bucket)) is not None]
    averages = [one.smoothed for one in some if one.smoothed is not None]
    mean = _mean(means)
    return Together(
        first_step=min(one.bucket.first_step for one in some),
        last_step=max(one.bucket.last_step for one in some),
        runs=len(means),
        non_finite=sum(one.bucket.nan_points + one.bucket.infinite_points > 0 for one in some),
        mean=mean,
        std=_deviation(means, mean),
        min=min(means, default=None),
        max=max(means, default=None),
        first_time=sum(one.bucket.first_timestamp - one.began for one in some) / len(some),
        last_time=sum(one.bucket.last_timestamp - one.began for one in some) / len(some),
        smoothed=_mean(averages),
    )


def _mean(values: Sequence[float]) -> float | None:
    if not values:
        return None
    share = 1 / len(values)
    # Not a sum that is divided: it may be beyond the largest float.
    found = math.fsum(value * share for value in values)
    return max(min(values), min(max(values), found))


def _deviation(values: Sequence[float], mean: float | None) -> float | None:
    if mean is None or len(values) < 2:
        return None
    return math.hypot(*[value - mean for value in values]) / math.sqrt(len(values) - 1)
