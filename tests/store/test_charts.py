"""Charts: buckets are those of the points, whatever happens to a run and its fork."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import histories
from trackai.downsampling import buckets
from trackai.store.charts import charts

if TYPE_CHECKING:
    import pytest

    from trackai.store.charts.charts import Chart
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


def _check(chart: Chart, points: list[PointRow], count: int, times: bool) -> None:
    """Check each bucket by brute force over the points."""
    assert len(chart.buckets) <= count
    assert chart.points == len(points)
    if len(points) <= count:
        assert chart.level is None
    if chart.level is None:
        assert [bucket.points for bucket in chart.buckets] == [1] * len(points)
    else:
        numbers = [buckets.bucket_of(bucket.first_step, chart.level) for bucket in chart.buckets]
        assert numbers == sorted(set(numbers))
    at = 0
    for bucket in chart.buckets:
        inside = points[at : at + bucket.points]
        at += bucket.points
        if chart.level is not None:
            assert len({buckets.bucket_of(step, chart.level) for step, *_ in inside}) == 1
        finite = [v for *_, v in inside if isinstance(v, int | float) and math.isfinite(v)]
        assert (bucket.first_step, bucket.last_step) == (inside[0][0], inside[-1][0])
        assert (bucket.first_value, bucket.last_value) == (inside[0][2], inside[-1][2])
        assert bucket.finite_points == len(finite)
        assert bucket.nan_points == sum(v is None for *_, v in inside)
        assert bucket.infinite_points == sum(
            isinstance(v, float) and math.isinf(v) for *_, v in inside
        )
        assert bucket.min_value == min(finite, default=None)
        assert bucket.max_value == max(finite, default=None)
        scale = sum(abs(float(v)) for v in finite)
        expected = sum(map(float, finite))
        assert math.isclose(bucket.sum, expected, rel_tol=1e-9, abs_tol=1e-9 * scale)
        if times:
            assert bucket.first_timestamp == min(time for _, time, _ in inside)
            assert bucket.last_timestamp == max(time for _, time, _ in inside)


@settings(max_examples=40)
@given(
    actions=histories.histories(),
    numbers_only=st.booleans(),
    fork_step=st.integers(-40, 200),
    window=st.tuples(histories.steps, histories.steps),
    count=st.integers(3, 30),
    times=st.booleans(),
    per_bucket=st.sampled_from([0, 1, 16]),
)
async def test_buckets_are_those_of_the_points(
    new_store: histories.NewStore,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[Any],
    numbers_only: bool,
    fork_step: int,
    window: tuple[Step, Step],
    count: int,
    times: bool,
    per_bucket: int,
) -> None:
    histories.make_small(monkeypatch)
    monkeypatch.setattr(charts, "_PER_BUCKET", per_bucket)
    if numbers_only:
        actions = [histories.with_numbers_only(action) for action in actions]
    async with histories.family(new_store, fork_step) as family:
        for action in actions:
            await family.apply(action)
            for low, high in (sorted(window), (-math.inf, math.inf)):
                async with family.db.snapshot() as conn:
                    both = [await family.segments(conn, name) for name in family.ids]
                    series = [segments for segments in both if segments is not None]
                    # Alone, too: a fork may have only points that it inherits.
                    read = await charts.read(
                        conn, series, count, step_min=low, step_max=high, times=times
                    )
                    for segments in series:
                        read += await charts.read(
                            conn, [segments], count, step_min=low, step_max=high, times=times
                        )
                    series *= 2
                    for segments, chart in zip(series, read, strict=True):
                        points = await histories.rows(conn, segments, step_min=low, step_max=high)
                        _check(chart, points, count, times)
