"""Points and figures: whatever comes in which order, the figures are those of the rows."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackai.store import garbage, metrics, projects, runs, series, writers
from trackai.store.database import Database
from trackai.store.figures import summarize
from trackai.structs.columns import Column
from trackai.structs.values import python_value

if TYPE_CHECKING:
    from aiosqlite import Connection

steps = st.integers(-50, 50) | st.floats(-50, 50, allow_nan=False)
values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(max_size=5),
)
point = st.tuples(steps, values)
# Batches, each by an attempt; attempts overlap, come late, and go backwards.
batches = st.lists(
    st.tuples(st.integers(1, 3), st.lists(point, min_size=1, max_size=8)), min_size=1, max_size=6
)


async def new_run(conn: Connection) -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid="u", project_id=project.id, slug="r", name="r", group_name=None, now=1
    )
    return run.id


async def writer(conn: Connection, run_id: int, attempt: int) -> int:
    return await writers.get_or_create(
        conn, uid=str(attempt), run_id=run_id, attempt=attempt, rank=0, host="h", pid=1, now=1
    )


def visible(logged: list[tuple[int, Any, int, Any]]) -> list[tuple[Any, int, Any]]:
    """The clean curve, computed the long way."""
    first = {
        attempt: min(step for number, step, *_ in logged if number == attempt)
        for attempt, *_ in logged
    }
    return [
        (step, time, value)
        for attempt, step, time, value in logged
        if not any(later > attempt and start <= step for later, start in first.items())
    ]


@given(batches)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_figures_are_those_of_the_visible_rows(
    batches: list[tuple[int, list[tuple[Any, Any]]]],
) -> None:
    anyio.run(check, batches)


async def check(batches: list[tuple[int, list[tuple[Any, Any]]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder, "t.db"))
        logged: list[tuple[int, Any, int, Any]] = []
        time = 0
        async with db.write() as conn:
            run_id = await new_run(conn)
            for attempt, points in batches:
                times = list(range(time, time + len(points)))
                time += len(points)
                one, two = [step for step, _ in points], [value for _, value in points]
                logged += zip([attempt] * len(points), one, times, two, strict=True)
                await metrics.append(
                    conn,
                    run_id,
                    await writer(conn, run_id, attempt),
                    [Column("m", "step", one, times, two)],
                )
            [found] = await series.find(conn, run_id, "m")
            rows = await metrics.read(conn, found, limit=1000)
            everything = await metrics.read(conn, found, limit=1000, attempt="all")
            figures = await conn.execute_fetchall(
                "SELECT points, finite_points, nan_points, first_step, last_step, min_value,"
                " max_value, sum FROM series"
            )
        await db.close()
    assert len(everything) == len(logged)
    expected = sorted(visible(logged), key=lambda row: row[:2])
    assert [(step, when) for step, when, _ in rows] == [(s, t) for s, t, _ in expected]
    assert [str(python_value(value, found.kind)) for *_, value in rows] == [
        str(python_value(None if value != value else value, found.kind))
        if found.kind == "bool" or not isinstance(value, bool)
        else str(int(value))
        for *_, value in expected
    ]
    numbers = [v for *_, v in expected if not isinstance(v, str)]
    finite = [v for v in numbers if isinstance(v, int) or math.isfinite(v)]
    [row] = figures
    points_, finite_, nans, first, last, low, high, total = row
    assert (points_, finite_, nans) == (
        len(expected), len(finite), sum(1 for v in numbers if v != v),
    )  # fmt: skip
    assert (first, last) == (expected[0][0], expected[-1][0])
    assert (low, high) == ((min(finite), max(finite)) if finite else (None, None))
    exact = math.fsum(map(float, finite)) if finite and max(map(abs, finite)) < 1e300 else None
    if exact is not None:
        size = math.fsum(abs(float(v)) for v in finite)
        assert abs(total - exact) <= 1e-9 * max(1.0, size)


@pytest.mark.parametrize(
    ("given_values", "kind", "low", "high"),
    [
        ([1.0, 2], "number", 1.0, 2),
        ([True, False], "bool", False, True),
        ([True, 0.5], "number", 0.5, True),
        (["a", "b"], "text", None, None),
        (["a", 1.5], "number", 1.5, 1.5),
        ([math.nan, math.inf], "number", None, None),
        ([1e308, 1e308], "number", 1e308, 1e308),
        ([2**62, -(2**62)], "number", -(2**62), 2**62),
    ],
)
def test_summarize(given_values: list[Any], kind: str, low: Any, high: Any) -> None:
    found = summarize(range(len(given_values)), range(len(given_values)), given_values)
    assert (found.kind, found.min_value, found.max_value) == (kind, low, high)


def test_the_last_value_is_that_of_the_highest_step_and_then_the_latest() -> None:
    assert summarize([3, 1, 2], [1, 2, 3], [30.0, 10.0, 20.0]).last_value == 30.0
    assert summarize([3, 3, 1], [5, 6, 7], [1.0, 2.0, 3.0]).last_value == 2.0


async def test_many_series_at_once(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        columns = [Column(f"m{n}", "step", [0, 1], [1, 2], [n, n + 0.5]) for n in range(700)]
        for _ in range(2):
            await metrics.append(conn, run_id, await writer(conn, run_id, 1), columns)
            columns = [
                Column(one.path, "step", [2], [3], [one.values[0]])  # the next step of each
                for one in columns
            ]
        assert len(await series.list_paths(conn, run_id)) == 700
        rows = await conn.execute_fetchall("SELECT sum(points), COUNT(*) FROM series")
        assert list(rows) == [(2100, 700)]


async def test_deleting_a_run_deletes_its_points(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        await metrics.append(
            conn, run_id, await writer(conn, run_id, 1), [Column("m", "step", [0], [1], [1.0])]
        )
        await runs.delete(conn, run_id)
    await garbage.collect(db)
    async with db.read() as conn:
        for table in ("metrics", "series", "writers", "runs"):
            assert list(await conn.execute_fetchall(f"SELECT * FROM {table}")) == []
