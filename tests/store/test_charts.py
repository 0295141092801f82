"""Charts: whatever became of a run and its fork, what is shown is what their points say."""

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
    """Every bucket, by brute force over the points."""
    assert len(chart.buckets) <= count
    assert chart.points == len(points)
    if len(points) <= count:
        assert chart.level is None
    if chart.level is None:
        assert [one.points for one in chart.buckets] == [1] * len(points)
    else:
        numbers = [buckets.bucket_of(one.first_step, chart.level) for one in chart.buckets]
        assert numbers == sorted(set(numbers))
    at = 0
    for one in chart.buckets:
        mine = points[at : at + one.points]
        at += one.points
        if chart.level is not None:
            assert len({buckets.bucket_of(step, chart.level) for step, *_ in mine}) == 1
        numbers_here = [v for *_, v in mine if isinstance(v, int | float) and math.isfinite(v)]
        assert (one.first_step, one.last_step) == (mine[0][0], mine[-1][0])
        assert (one.first_value, one.last_value) == (mine[0][2], mine[-1][2])
        assert one.finite_points == len(numbers_here)
        assert one.nan_points == sum(v is None for *_, v in mine)
        assert one.infinite_points == sum(isinstance(v, float) and math.isinf(v) for *_, v in mine)
        assert one.min_value == min(numbers_here, default=None)
        assert one.max_value == max(numbers_here, default=None)
        scale = sum(abs(float(v)) for v in numbers_here)
        expected = sum(map(float, numbers_here))
        assert math.isclose(one.sum, expected, rel_tol=1e-9, abs_tol=1e-9 * scale)
        if times:
            assert one.first_timestamp == min(time for _, time, _ in mine)
            assert one.last_timestamp == max(time for _, time, _ in mine)


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
async def test_buckets_are_what_the_points_say(
    tmp_path_factory: pytest.TempPathFactory,
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
    async with histories.family(tmp_path_factory, fork_step) as family:
        for action in actions:
            await family.apply(action)
            for low, high in (sorted(window), (-math.inf, math.inf)):
                async with family.db.snapshot() as conn:
                    found = [await family.segments(conn, name) for name in family.ids]
                    wanted = [segments for segments in found if segments is not None]
                    # Together or one by one: a fork may have no more than its parent gave it.
                    read = await charts.read(
                        conn, wanted, count, step_min=low, step_max=high, times=times
                    )
                    for segments in wanted:
                        read += await charts.read(
                            conn, [segments], count, step_min=low, step_max=high, times=times
                        )
                    wanted *= 2
                    for segments, chart in zip(wanted, read, strict=True):
                        points = await histories.rows(conn, segments, step_min=low, step_max=high)
                        _check(chart, points, count, times)
