"""Charts of groups: the figures are those of the points of the runs."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import histories
from trackai.store.charts import charts, group_charts
from trackai.store.charts.group_charts import Band, Member
from trackai.store.charts.smoothing import Smoothing
from trackai.store.charts.training_time import TrainingTime

if TYPE_CHECKING:
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


def _check(band: Band, runs: list[list[PointRow]], low: Step, high: Step, count: int) -> None:
    """Check each bucket by brute force over the points of the runs."""
    inside = [[point for point in run if low <= point[0] <= high] for run in runs]
    steps = {step for run in inside for step, *_ in run}
    assert len(band.buckets) <= count
    assert band.runs == len(runs)
    if band.raw:
        assert [bucket.first_step for bucket in band.buckets] == sorted(steps)
    counted = 0
    for bucket in band.buckets:
        in_bucket = [
            [p for p in run if bucket.first_step <= p[0] <= bucket.last_step] for run in inside
        ]
        counted += sum(map(len, in_bucket))
        ends = [p[0] for run in in_bucket for p in run]
        assert (bucket.first_step, bucket.last_step) == (min(ends), max(ends))
        finite = [
            [float(v) for *_, v in run if isinstance(v, int | float) and math.isfinite(v)]
            for run in in_bucket
        ]
        means = [statistics.fmean(values) for values in finite if values]
        assert bucket.runs == len(means)
        assert bucket.non_finite == sum(
            any(v is None or (isinstance(v, float) and math.isinf(v)) for *_, v in run)
            for run in in_bucket
        )
        within = 1e-6 * max(map(abs, means), default=0) + 1e-9
        if not means:
            assert (bucket.mean, bucket.min, bucket.max) == (None, None, None)
        else:
            assert bucket.mean == pytest.approx(statistics.fmean(means), abs=within)
            assert bucket.min == pytest.approx(min(means), abs=within)
            assert bucket.max == pytest.approx(max(means), abs=within)
        if means and bucket.quartiles != (None, None, None):
            quartiles = statistics.quantiles(means * 2, method="inclusive")
            if len(means) > 1:
                quartiles = statistics.quantiles(means, method="inclusive")
            assert bucket.quartiles == pytest.approx(tuple(quartiles), abs=within)
        expected = statistics.stdev(means) if len(means) > 1 else None
        assert bucket.std == (None if expected is None else pytest.approx(expected, abs=within))
    assert counted == sum(map(len, inside))


@settings(max_examples=60)
@given(
    actions=histories.histories(histories.usual_steps, histories.usual_values),
    fork_step=st.integers(-40, 200),
    window=st.tuples(histories.usual_steps, histories.usual_steps),
    count=st.integers(10, 40),
)
async def test_figures_are_over_the_runs(
    new_store: histories.NewStore,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[Any],
    fork_step: int,
    window: tuple[Step, Step],
    count: int,
) -> None:
    histories.make_small(monkeypatch)
    async with histories.family(new_store, fork_step) as family:
        for action in actions:
            await family.apply(action)
        for low, high in (sorted(window), (-math.inf, math.inf)):
            async with family.db.snapshot() as conn:
                both = [await family.segments(conn, name) for name in family.ids]
                series = [segments for segments in both if segments is not None]
                points = [await histories.rows(conn, segments) for segments in series]
                members = [Member((0,), TrainingTime(0), segments) for segments in series]
                for count_ in (count, 10_000):
                    read = await group_charts.read(
                        conn, members, count_, step_min=low, step_max=high,
                        smooth=Smoothing(0.5, over_time=False), quartiles=count_ == count,
                    )  # fmt: skip
                    if members:
                        _check(read[0], points, low, high, count_)
                        if count_ == 10_000:
                            assert read[0].raw
                for segments, alone in zip(series, points, strict=True):
                    read = await group_charts.read(
                        conn, [Member((7,), TrainingTime(0), segments)], count,
                        step_min=low, step_max=high, smooth=Smoothing(0.5, over_time=False),
                    )  # fmt: skip
                    _check(read[7], [alone], low, high, count)
                    # Each run is smoothed by itself.
                    if read[7].raw and len({step for step, *_ in alone}) == len(alone):
                        single = await charts.read(
                            conn, [segments], 10_000, step_min=low, step_max=high
                        )
                        await charts.smooth(conn, [segments], single, Smoothing(0.5, False))
                        assert single[0].curve is not None
                        assert [bucket.smoothed for bucket in read[7].buckets] == single[
                            0
                        ].curve.averages
