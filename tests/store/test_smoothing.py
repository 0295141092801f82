"""Smoothed series: the moving average over all points, read from rollups or not."""

from __future__ import annotations

import math
import random
from itertools import product
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.downsampling.test_moving_average import published
from tests.store import histories
from trackai.downsampling.buckets import Range
from trackai.store.catalogue import projects, runs, writers
from trackai.store.charts import charts, smoothing, smoothing_cache
from trackai.store.charts.smoothing import Smoothing
from trackai.store.charts.smoothing_cache import SmoothingCache
from trackai.store.points import lineage, metrics, reads
from trackai.structs.points import Column

if TYPE_CHECKING:
    import pytest

    from trackai.store.charts.charts import Chart
    from trackai.store.engine.database import Database
    from trackai.structs.points import PointRow
    from trackai.values.types import Step, Value


def _expected(
    chart: Chart, points: list[PointRow], amount: float, over_time: bool
) -> list[float | None]:
    """The published formula over all points, at the last finite point of each bucket."""
    xs = [time if over_time else step for step, time, _ in points]
    extent = float(max(xs)) - float(min(xs))
    averages = published(xs, [value for *_, value in points], amount, extent)
    skipped = sum(1 for step, *_ in points if step < chart.buckets[0].first_step)
    expected = []
    for bucket in chart.buckets:
        inside = averages[skipped : skipped + bucket.points]
        skipped += bucket.points
        expected.append(next((value for value in reversed(inside) if value is not None), None))
    return expected


@settings(max_examples=60)
@given(
    actions=histories.histories(histories.usual_steps, histories.usual_values),
    fork_step=st.integers(-40, 200),
    window=st.tuples(histories.usual_steps, histories.usual_steps),
    count=st.integers(10, 40),
    amount=st.floats(0.01, 0.999),
    over_time=st.booleans(),
    short=st.booleans(),
)
async def test_averages_are_those_of_all_points(
    new_store: histories.NewStore,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[Any],
    fork_step: int,
    window: tuple[Step, Step],
    count: int,
    amount: float,
    over_time: bool,
    short: bool,
) -> None:
    histories.make_small(monkeypatch)
    # For each example: the values are not reset between them.
    monkeypatch.setattr(smoothing, "_SHORT", 1000 if short else 0)
    monkeypatch.setattr(smoothing, "_LONGEST", 1000 if short else 20)
    monkeypatch.setattr(smoothing, "_FEW", 1000 if short else 5)
    async with histories.family(new_store, fork_step) as family:
        for action in [*actions, "refresh"]:
            await family.apply(action)
        for name in family.ids:
            for low, high in (window, (-math.inf, math.inf)):
                low, high = min(low, high), max(low, high)
                async with family.db.snapshot() as conn:
                    segments = await family.segments(conn, name)
                    if segments is None:
                        continue
                    (chart,) = read = await charts.read(
                        conn, [segments], count, step_min=low, step_max=high
                    )
                    await charts.smooth(conn, [segments], read, Smoothing(amount, over_time))
                    points = await histories.rows(conn, segments)
                assert chart.curve is not None
                if not chart.buckets:
                    assert chart.curve.averages == []
                    continue
                finite = [v for *_, v in points if isinstance(v, int | float) and math.isfinite(v)]
                spread = max(finite, default=0) - min(finite, default=0)
                expected = _expected(chart, points, amount, over_time)
                assert len(expected) == len(chart.curve.averages)
                if short:
                    assert chart.curve.within == 0
                for average, exact in zip(chart.curve.averages, expected, strict=True):
                    if average is None or exact is None:
                        assert average is exact
                    else:
                        assert abs(average - exact) <= chart.curve.within * spread + 1e-6


@settings(max_examples=30)
@given(
    actions=histories.histories(histories.usual_steps, histories.usual_values),
    fork_step=st.integers(-40, 200),
    window=st.tuples(histories.usual_steps, histories.usual_steps),
    count=st.integers(10, 40),
    amount=st.floats(0.01, 0.999),
    blocks=st.sampled_from([40, 80, 1000]),
)
async def test_averages_of_a_cache_are_those_of_all_points(
    new_store: histories.NewStore,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[Any],
    fork_step: int,
    window: tuple[Step, Step],
    count: int,
    amount: float,
    blocks: int,
) -> None:
    """After each change, whatever was read before."""
    histories.make_small(monkeypatch)
    monkeypatch.setattr(smoothing_cache, "_BLOCKS", blocks)
    monkeypatch.setattr(smoothing_cache, "_MOST_BLOCKS", 2 * blocks)
    cache = SmoothingCache()
    async with histories.family(new_store, fork_step) as family:
        for action in actions:
            await family.apply(action)
            for name, over_time in product(family.ids, (False, True)):
                for low, high in (window, (-math.inf, math.inf)):
                    low, high = min(low, high), max(low, high)
                    how = Smoothing(amount, over_time)
                    await _check_cached(family, name, cache, how, count, Range(low, high))


async def test_a_cache_follows_every_kind_of_change(
    new_store: histories.NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoothing_cache, "_BLOCKS", 128)
    cache = SmoothingCache()
    generator = random.Random(3)
    noise = [(0, generator.random()) for _ in range(977)]
    async with histories.family(new_store, 0) as family:
        for action in (
            ("root", 1, 3000, noise),
            ("root", 1, 0, [(3000 + place, value) for place, (_, value) in enumerate(noise)]),
            ("root", 1, 0, [(1500.5, 40.0), (3, None)]),
            "delete some",
            "delete",
            ("root", 2, 500, [(200, 3.0), (0, -3.0), (0, math.nan)]),
            ("root", 1, 0, [(place, 5.0) for place in range(-20_000, 0, 9)]),
        ):
            await family.apply(action)
            for over_time in (False, True):
                how = Smoothing(0.7, over_time)
                for low, high in ((-math.inf, math.inf), (-5, 2017), (100.5, 130)):
                    await _check_cached(family, "root", cache, how, 40, Range(low, high))


async def test_a_cache_reads_only_what_is_new(
    new_store: histories.NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = SmoothingCache()
    read: list[int] = []
    pages = reads.pages

    async def counted(*arguments: Any, **bounds: Any) -> Any:
        async for page in pages(*arguments, **bounds):
            read.append(len(page))
            yield page

    monkeypatch.setattr(reads, "pages", counted)
    everything = Range(-math.inf, math.inf)
    async with histories.family(new_store, 0) as family:
        await family.apply(("root", 1, 8000, [(0, 0.25), (0, 0.5), (0, 0.125)]))
        for amount in (0.9, 0.9, 0.5):
            await _check_cached(family, "root", cache, Smoothing(amount, False), 500, everything)
        assert sum(read) == 8000
        await family.apply(("root", 1, 0, [(8000, 1.0), (8001, 2.0)]))
        await _check_cached(family, "root", cache, Smoothing(0.9, False), 500, everything)
    assert sum(read) <= 8000 + 2 + 8  # with the block that was not full


async def _check_cached(
    family: histories.Family,
    name: str,
    cache: SmoothingCache,
    how: Smoothing,
    count: int,
    window: Range,
) -> None:
    async with family.db.snapshot() as conn:
        segments = await family.segments(conn, name)
        if segments is None:
            return
        (chart,) = read = await charts.read(
            conn, [segments], count, step_min=window.low, step_max=window.high
        )
        await charts.smooth(conn, [segments], read, how, cache=cache)
        points = await histories.rows(conn, segments)
    assert chart.curve is not None
    assert chart.curve.within == 0
    if not chart.buckets:
        assert chart.curve.averages == []
        return
    expected = _expected(chart, points, how.amount, how.over_time)
    assert [average is None for average in chart.curve.averages] == [
        average is None for average in expected
    ]
    largest = max(
        (abs(v) for *_, v in points if isinstance(v, int | float) and math.isfinite(v)), default=0
    )
    for average, exact in zip(chart.curve.averages, expected, strict=True):
        if average is not None and exact is not None:
            assert abs(average - exact) <= 1e-9 * largest


async def _log(db: Database, times: list[int], values: list[Value]) -> int:
    """Log a metric `m` at the steps from 0 on, and roll it up."""
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="u", name=None, group_name=None, now=1
        )
        writer_id = await writers.get_or_create(
            conn, uid="w", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
        )
        steps: list[Step] = list(range(len(values)))
        await metrics.append(conn, run.id, writer_id, [Column("m", "step", steps, times, values)])
    await histories.refresh_all(db)
    return run.id


async def test_a_long_series_is_smoothed_from_its_rollups(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoothing, "_SHORT", 10_000)
    monkeypatch.setattr(smoothing, "_FEW", 1000)
    length = 60_000
    generator = random.Random(1)
    values: list[Value] = [math.sin(step / 5000) + generator.gauss(0, 1) for step in range(length)]
    run_id = await _log(db, [1000 * step for step in range(length)], values)
    read: list[int] = []
    pages = reads.pages

    async def counted(*arguments: Any, **bounds: Any) -> Any:
        async for page in pages(*arguments, **bounds):
            read.append(len(page))
            yield page

    monkeypatch.setattr(reads, "pages", counted)
    for over_time in (False, True):
        exact = published(list(range(length)), values, 0.99, length - 1)
        for low, high in ((0, length - 1), (20_000, 50_000), (30_000, 30_099)):
            async with db.snapshot() as conn:
                ((segments, *_),) = [await lineage.find(conn, run_id, "m")]
                (chart,) = read_charts = await charts.read(
                    conn, [segments], 100, step_min=low, step_max=high
                )
                await charts.smooth(conn, [segments], read_charts, Smoothing(0.99, over_time))
            assert chart.curve is not None
            assert 0 < chart.curve.within <= 0.005
            spread = max(map(float, values)) - min(map(float, values))
            for bucket, average in zip(chart.buckets, chart.curve.averages, strict=True):
                assert isinstance(bucket.last_step, int)
                expected = exact[bucket.last_step]
                assert average is not None
                assert expected is not None
                assert abs(average - expected) <= chart.curve.within * spread
                # In practice, the error is far smaller.
                assert abs(average - expected) <= 0.01
    assert sum(read) == 2 * 100  # the points of the narrow window


async def test_a_pause_is_smoothed_point_by_point(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps around the pause are close together, but their times are not."""
    monkeypatch.setattr(smoothing, "_SHORT", 10_000)
    monkeypatch.setattr(smoothing, "_FEW", 100)
    length, paused = 60_000, 30_003
    pause = 10_000 * length
    values: list[Value] = [float(step >= paused) for step in range(length)]
    times = [1000 * step + (pause if step >= paused else 0) for step in range(length)]
    run_id = await _log(db, times, values)
    exact = published(times, values, 0.99, times[-1] - times[0])
    async with db.snapshot() as conn:
        (segments,) = await lineage.find(conn, run_id, "m")
        (chart,) = read = await charts.read(conn, [segments], 100)
        await charts.smooth(conn, [segments], read, Smoothing(0.99, over_time=True))
    assert chart.curve is not None
    assert 0 < chart.curve.within <= 0.005
    for bucket, average in zip(chart.buckets, chart.curve.averages, strict=True):
        expected = exact[int(bucket.last_step)]
        assert average is not None
        assert expected is not None
        assert abs(average - expected) <= chart.curve.within
