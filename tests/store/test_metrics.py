"""Storing points: in whatever order they come, the figures are those of the rows."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import permutations
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import count_points
from trackai.store.catalogue import projects, runs, writers
from trackai.store.engine.database import Database
from trackai.store.engine.sql import LAST_VALUE
from trackai.store.points import (
    bucketing,
    duplicates,
    large_values,
    metrics,
    reads,
    rollups,
    series,
)
from trackai.store.points import (
    rows as point_rows,
)
from trackai.store.points.lineage import Segment
from trackai.store.upkeep import checks, garbage
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from trackai.store.engine.connection import Connection
    from trackai.structs.points import PointRow
    from trackai.values.types import Axis

steps = st.integers(-50, 50) | st.floats(-50, 50, allow_nan=False)
times = st.integers(-5, 20)
values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(max_size=5),
)
# Attempts overlap, come late and go backwards; each has two ranks. Points come in any order of
# steps and times, and some come twice.
batch = st.tuples(
    st.integers(1, 3),
    st.integers(0, 1),
    st.lists(st.tuples(steps, times, values), min_size=1, max_size=8),
)
Batches = list[tuple[int, int, list[tuple[Any, int, Any]]]]
# The values that were logged, or moved there, by attempt, writer, step and time.
Logged = dict[tuple[int, int, Any, int], Any]


async def new_run(conn: Connection) -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid="u", project_id=project.id, slug="r", name="r", group_name=None, now=1
    )
    return run.id


async def writer(conn: Connection, run_id: int, attempt: int, rank: int = 0) -> int:
    uid = f"{attempt}-{rank}"
    return await writers.get_or_create(
        conn, uid=uid, run_id=run_id, attempt=attempt, rank=rank, host="h", pid=1, now=1
    )


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def shared(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database for many examples, each of which is rolled back."""
    database = portal.call(Database, tmp_path_factory.mktemp("metrics") / "t.db")
    yield database
    portal.call(database.close)


class RolledBackError(Exception):
    """The end of an example."""


def visible(logged: Logged) -> list[tuple[Any, int, Any]]:
    """The points that are not superseded, by brute force: step, time and value in order."""
    first: dict[int, Any] = {}
    for attempt, _, step, _ in logged:
        first[attempt] = min(step, first.get(attempt, step))
    rows = sorted(
        (
            (step, time, writer_id, value)
            for (attempt, writer_id, step, time), value in logged.items()
            if not any(later > attempt and start <= step for later, start in first.items())
        ),
        key=lambda row: row[:3],
    )
    return [(step, time, value) for step, time, _, value in rows]


@given(
    batches=st.lists(batch, min_size=1, max_size=6),
    axis=st.sampled_from(["step", "time"]),
    rolled_up=st.booleans(),
)
@example(
    batches=[(1, 0, [(0, 0, False)]), (2, 0, [(0, 1, -1)])],
    axis="step",
    rolled_up=True,
)
@example(
    batches=[(2, 0, [(1, 0, True)]), (1, 0, [(0, 1, "")])],
    axis="step",
    rolled_up=True,
)
@example(
    batches=[(1, 0, [(0, 0, True)]), (1, 0, [(0, 0, 0.5), (1, 0, 2)])], axis="step", rolled_up=True
)
@example(
    batches=[(1, 0, [(n, 0, n)]) for n in range(9)] + [(2, 1, [(4.5, 3, 0)])],
    axis="step",
    rolled_up=True,
)
@example(
    batches=[(1, 0, [(0, 0, "")]), (1, 0, [(0, 0, 1)])],
    axis="step",
    rolled_up=True,
)
@example(
    batches=[(2, 0, [(0, 0, "")]), (1, 0, [(0, 0, 0.5)])],
    axis="step",
    rolled_up=True,
)
@settings(max_examples=150)
def test_figures_are_those_of_the_visible_rows(
    portal: BlockingPortal, shared: Database, batches: Batches, axis: Axis, rolled_up: bool
) -> None:
    with suppress(RolledBackError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_rows, "_PAGE", 3)  # recounting takes several pages
        patch.setattr(duplicates, "_PAGE", 2)
        patch.setattr(bucketing, "SHORTEST", 2)
        patch.setattr(rollups, "_POINTS", 2)
        patch.setattr(large_values, "LONGEST", 1)
        portal.call(check, shared, batches, axis, rolled_up)


async def check(db: Database, batches: Batches, axis: Axis, rolled_up: bool) -> None:
    logged: Logged = {}
    sent: set[str] = set()
    async with db.write() as conn:
        run_id = await new_run(conn)
        for attempt, rank, points in batches:
            places = [(step if axis == "step" else time, time) for step, time, _ in points]
            column = Column("m", axis, [], [], [value for *_, value in points])
            column.steps, column.timestamps = map(list, zip(*places, strict=True))
            writer_id = await writer(conn, run_id, attempt, rank)
            # On the time axis nothing is superseded, as if all were one attempt.
            keys = [(attempt if axis == "step" else 1, writer_id, *place) for place in places]
            for key, value in zip(keys, column.values, strict=True):
                logged.setdefault(key, value)
                sent.add(kind_of(value))
            for key, value in zip(keys, column.values, strict=True):
                move_apart(logged, key, value, axis)
            await metrics.append(conn, run_id, writer_id, [column])
            while rolled_up and (series_id := await rollups.next_stale(conn)) is not None:
                await rollups.refresh(conn, series_id)
        [metric] = await series.find(conn, run_id, "m")
        segments = [Segment(metric, None)]
        rows = await reads.read(conn, segments, limit=1000)
        all_rows = await reads.read(conn, segments, limit=1000, attempt="all")
        figures = await conn.execute_fetchall(
            f"SELECT {', '.join(FIGURES).replace('last_value', LAST_VALUE)} FROM series"
            " WHERE id = ?",
            (metric.id,),
        )
        [figures_row] = [dict(zip(FIGURES, row, strict=True)) for row in figures]
        compare(metric, rows, len(all_rows), figures_row, logged, sent)
        assert await checks.wrong_figures(conn) == []
        raise RolledBackError


def move_apart(logged: Logged, key: tuple[int, int, Any, int], value: Any, axis: Axis) -> None:
    """If the key has another value, use the next microsecond that is free or has an equal one."""
    while not same(logged.setdefault(key, value), value):
        attempt, writer_id, step, time = key
        key = (attempt, writer_id, step if axis == "step" else time + 1, time + 1)


def same(left: Any, right: Any) -> bool:
    return bool(left == right or (left != left and right != right))


FIGURES = (
    "points finite_points nan_points first_step last_step first_timestamp last_timestamp "
    "last_value min_value min_step max_value max_step sum"
).split()


def compare(
    metric: series.Series,
    rows: list[PointRow],
    all_rows: int,
    figures: dict[str, Any],
    logged: Logged,
    sent: set[str],
) -> None:
    assert all_rows == len(logged)
    # A point that was sent again with another value may have changed the kind, or not.
    stored = {kind_of(value) for value in logged.values()}
    assert metric.kind in {
        next(iter(kinds)) if len(kinds) == 1 else "number" for kinds in (stored, sent)
    }
    expected = visible(logged)
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    assert sorted(plain(row, metric) for row in rows) == sorted(
        plain(row, metric) for row in expected
    )
    numbers = [(step, value) for step, _, value in expected if not isinstance(value, str)]
    finite = [(s, v) for s, v in numbers if isinstance(v, int) or math.isfinite(v)]
    assert figures["points"] == len(expected)
    assert figures["finite_points"] == len(finite)
    assert figures["nan_points"] == sum(1 for _, value in numbers if value != value)
    assert (figures["first_step"], figures["last_step"]) == (expected[0][0], expected[-1][0])
    last = plain((0, 0, figures["last_value"]), metric)
    assert last == plain((0, 0, expected[-1][2]), metric)
    stamps = [time for _, time, _ in expected]
    assert (figures["first_timestamp"], figures["last_timestamp"]) == (min(stamps), max(stamps))
    for name, best in (("min", min), ("max", max)):
        value = best((value for _, value in finite), default=None)
        assert figures[f"{name}_value"] == value
        assert figures[f"{name}_step"] == next((s for s, v in finite if v == value), None)
    sizes = [abs(float(value)) for _, value in finite]
    if sum(sizes) < 1e300:
        exact = math.fsum(float(value) for _, value in finite)
        assert abs(figures["sum"] - exact) <= 1e-9 * max(1.0, math.fsum(sizes))


def kind_of(value: Any) -> str:
    return {bool: "bool", str: "text"}.get(type(value), "number")


def plain(row: tuple[Any, int, Any], metric: series.Series) -> tuple[Any, int, str]:
    """Make a row comparable: NaN equals itself, and True is 1 unless all values are bool."""
    step, time, value = row
    if metric.kind == "bool":
        value = bool(value)
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, float) and value != value:
        value = None
    return step, time, repr(value)


async def test_sums_beyond_the_largest_float_do_no_harm(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        for number, value in enumerate([1e308, -1e308, 1e308, 1.0]):
            column = Column("m", "step", [2 * number, 2 * number + 1], [1, 2], [value, value])
            await metrics.append(conn, run_id, await writer(conn, run_id, 1), [column])
        [summary] = await series.summaries(conn, run_id)
    assert (summary.points, summary.min, summary.max, summary.last) == (8, -1e308, 1e308, 1.0)


async def test_integers_beyond_64_bits_become_floats(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        numbers: list[Any] = [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1]
        column = Column("m", "step", [0, 1, 2, 3, 4], [1] * 5, numbers)
        await metrics.append(conn, run_id, await writer(conn, run_id, 1), [column])
        [metric] = await series.find(conn, run_id, "m")
        rows = await reads.read(conn, [Segment(metric, None)], limit=9)
        stored = [value for *_, value in rows]
    assert [repr(value) for value in stored] == [
        repr(value) for value in (2**63 - 1, 2.0**63, -(2**63), -(2.0**63), 2.0**64)
    ]
    assert "64 bits" in caplog.text
    assert column.values == numbers  # unchanged


async def test_nothing_to_store(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        writer_id = await writer(conn, run_id, 1)
        await metrics.append(conn, run_id, writer_id, [])
        await metrics.append(conn, run_id, writer_id, [Column("m", "step", [], [], [])])
        assert await series.list_paths(conn, run_id) == []


async def test_a_metric_logged_both_ways_is_two_series(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        columns = [Column("m", "step", [3], [1], [1.0]), Column("m", "time", [1], [1], [2.0])]
        await metrics.append(conn, run_id, await writer(conn, run_id, 1), columns)
        assert await series.list_paths(conn, run_id) == ["m"]
        assert [metric.axis for metric in await series.find(conn, run_id, "m")] == ["step", "time"]
        assert await series.last_step(conn, run_id) == 3
        both = [[Segment(metric, None)] for metric in await series.list_of_run(conn, run_id)]
        assert sorted(await reads.read_many(conn, both)) == [[(1, 2.0)], [(3, 1.0)]]


async def test_a_metric_logged_both_ways_can_be_sent_again(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        writer_id = await writer(conn, run_id, 1)
        columns = [Column("m", "step", [3], [1], [1.0]), Column("m", "time", [1], [1], [2.0])]
        await metrics.append(conn, run_id, writer_id, columns)
        for column in columns:
            await metrics.append(conn, run_id, writer_id, [column])
        assert [item.points for item in await series.find(conn, run_id, "m")] == [1, 1]


async def test_ranges_and_pages(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        column = Column("m", "step", [0, 0.5, 1, 1.5, 2], [1] * 5, [0.0, 0.5, 1.0, 1.5, 2.0])
        await metrics.append(conn, run_id, await writer(conn, run_id, 1), [column])
        [metric] = await series.find(conn, run_id, "m")

        async def steps_of(**arguments: Any) -> list[Any]:
            rows = await reads.read(conn, [Segment(metric, None)], **{"limit": 9, **arguments})
            return [step for step, *_ in rows]

        assert [repr(step) for step in await steps_of()] == ["0", "0.5", "1", "1.5", "2"]
        assert await steps_of(step_min=0.5, step_max=1.5) == [0.5, 1, 1.5]
        assert await steps_of(limit=2, offset=1) == [0.5, 1]
        assert await steps_of(limit=0) == []
        assert await steps_of(attempt=1) == [0, 0.5, 1, 1.5, 2]
        assert await steps_of(attempt=2) == []


async def test_many_series_at_once(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        columns = [Column(f"m{n}", "step", [0, 1], [1, 2], [n, n + 0.5]) for n in range(700)]
        for _ in range(2):
            await metrics.append(conn, run_id, await writer(conn, run_id, 1), columns)
            columns = [
                Column(column.path, "step", [2], [3], [column.values[0]])  # the next step of each
                for column in columns
            ]
        assert len(await series.list_paths(conn, run_id)) == 700
        rows = await conn.execute_fetchall("SELECT sum(points), COUNT(*) FROM series")
        assert list(rows) == [(2100, 700)]


async def test_deleting_a_run_deletes_its_points(db: Database, db_path: Path) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        await metrics.append(
            conn, run_id, await writer(conn, run_id, 1), [Column("m", "step", [0], [1], [1.0])]
        )
        await runs.delete(conn, run_id)
    await garbage.collect(db)
    async with db.read() as conn:
        for table in ("series", "writers", "runs"):
            assert list(await conn.execute_fetchall(f"SELECT * FROM {table}")) == []
    assert await anyio.to_thread.run_sync(count_points, db_path) == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
async def test_the_figures_do_not_depend_on_what_is_stored_first(
    db: Database, order: tuple[int, ...]
) -> None:
    """Ranks log the same steps; the latest point counts, whichever journal is stored last."""
    async with db.write() as conn:
        run_id = await new_run(conn)
        ids = [await writer(conn, run_id, 1, rank) for rank in range(3)]
        for rank in order:
            column = Column("m", "step", [3, 7], [1, [10, 30, 20][rank]], [0.5, float(rank)])
            await metrics.append(conn, run_id, ids[rank], [column])
        [summary] = await series.summaries(conn, run_id)
    assert (summary.last, summary.min_step, summary.max_step) == (1.0, 7, 7)


@pytest.mark.parametrize("equal", [[0.0, -0.0, 0], [1, 1.0, True], [-0.0, False], [2, 2]])
async def test_which_of_equal_numbers_is_the_extreme_does_not_depend_on_their_order(
    db: Database, equal: list[Any]
) -> None:
    extremes = set()
    async with db.write() as conn:
        run_id = await new_run(conn)
        writer_id = await writer(conn, run_id, 1)
        for number, values in enumerate(permutations(equal)):
            points = [
                Column(f"single/{number}", "step", [step], [1], [value])
                for step, value in enumerate(values)
            ]
            steps: list[Any] = list(range(len(values)))
            at_once = Column(f"all/{number}", "step", steps, steps, list(values))
            for column in (*points, at_once):
                await metrics.append(conn, run_id, writer_id, [column])
        for summary in await series.summaries(conn, run_id):
            extremes.add((repr(summary.min), repr(summary.max)))
    assert len(extremes) == 1
