"""Rollups: buckets are those of the points, in whatever order these are logged."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.test_migrate import make_older_database
from trackai.downsampling import buckets
from trackai.downsampling.buckets import Bucket, Range
from trackai.store.catalogue import projects, runs, writers
from trackai.store.engine.database import Database
from trackai.store.points import bucketing, extremes, lineage, metrics, reads, rollups
from trackai.store.upkeep import garbage
from trackai.structs.points import Column

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.histories import NewStore
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.values.types import Step, Value

# Small enough for a test to reach every case.
_SHORTEST, _POINTS, _CHUNK = 12, 4, 20

_steps = st.one_of(
    st.integers(-40, 200),
    st.integers(0, 400).map(lambda number: number / 8),
    st.floats(-100, 100),
    st.sampled_from([2**62, -(2**63), 1e300, -5e-324, 1.5e18, 2.0**53 + 2]),
)
_values = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-9, 9),
    st.booleans(),
    st.sampled_from([math.nan, math.inf, -math.inf, 2**63 - 1, -(2**63), 1.7e308]),
    st.text(max_size=3),
)
_batch = st.tuples(
    st.integers(1, 3),  # the attempt that logs it
    st.booleans(),  # whether it is a regular stretch
    st.lists(st.tuples(_steps, _values), min_size=1, max_size=30),
)
_action = st.one_of(_batch, st.sampled_from(["refresh", "refresh once"]))


def _expected(points: list[tuple[Step, int, Any]], level: int) -> dict[int, list[Any]]:
    """The buckets over points, by brute force."""
    groups: dict[int, list[tuple[Step, int, Any]]] = {}
    for point in points:
        groups.setdefault(buckets.bucket_of(point[0], level), []).append(point)
    expected = {}
    for number, group in groups.items():
        numbers = [v for _, _, v in group if isinstance(v, int | float) and math.isfinite(v)]
        expected[number] = [
            len(group),
            len(numbers),
            sum(1 for _, _, v in group if v is None),
            sum(1 for _, _, v in group if isinstance(v, float) and math.isinf(v)),
            min(numbers, default=None),
            max(numbers, default=None),
            group[0][0],
            group[-1][0],
            min(time for _, time, _ in group),
            max(time for _, time, _ in group),
            group[0][2],
            group[-1][2],
        ]
        expected[number].append(numbers)
    return expected


def _compare(by_number: dict[int, Bucket], points: list[tuple[Step, int, Any]], level: int) -> None:
    expected = _expected(points, level)
    assert list(by_number) == sorted(expected)
    for number, bucket in by_number.items():
        *fields, numbers = expected[number]
        assert [
            bucket.points, bucket.finite_points, bucket.nan_points, bucket.infinite_points,
            bucket.min_value, bucket.max_value, bucket.first_step, bucket.last_step,
            bucket.first_timestamp, bucket.last_timestamp, bucket.first_value, bucket.last_value,
        ] == fields  # fmt: skip
        # Sums depend on the order of addition; large values hide small ones.
        scale = sum(abs(float(value)) for value in numbers)
        assert math.isclose(
            bucket.sum, sum(map(float, numbers)), rel_tol=1e-9, abs_tol=1e-9 * scale
        )


async def _writers(conn: Connection) -> tuple[int, dict[int, int]]:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid="u", project_id=project.id, slug="u", name=None, group_name=None, now=1
    )
    return run.id, {
        attempt: await writers.get_or_create(
            conn, uid=f"w{attempt}", run_id=run.id, attempt=attempt, rank=0, host="h", pid=1, now=1
        )
        for attempt in (1, 2, 3)
    }


async def _check(db: Store, run_id: int, steps: Range, count: int) -> None:
    async with db.read() as conn:
        await conn.execute("BEGIN")
        try:
            ((segment,),) = await lineage.find(conn, run_id, "m")
            points = await reads.read(
                conn, [segment], step_min=steps.low, step_max=steps.high, limit=-1
            )
            level = buckets.level_for(steps.low, steps.high, count)
            # Not known to be plain, values are tested one by one.
            unknown = msgspec.structs.replace(segment.series, finite_points=-1)
            both = [
                await bucketing.read(conn, series, steps, level)
                for series in (segment.series, unknown)
            ]
        finally:
            await conn.rollback()
    for read in both:
        by_number = dict(read.items())
        _compare(by_number, points, level)
        assert len(read.numbers) == len(by_number) <= count


async def _refresh_all(db: Store) -> None:
    for _ in range(1000):
        async with db.write() as conn:
            series_id = await rollups.next_stale(conn)
            if series_id is None:
                return
            await rollups.refresh(conn, series_id)
    raise AssertionError("refreshing does not end")


@settings(max_examples=60)
@given(
    actions=st.lists(_action, min_size=1, max_size=8),
    ranges=st.lists(st.tuples(_steps, _steps), min_size=1, max_size=3),
    count=st.integers(10, 40),
)
async def test_buckets_are_those_of_the_points(
    new_store: NewStore,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[Any],
    ranges: list[tuple[Step, Step]],
    count: int,
) -> None:
    monkeypatch.setattr(bucketing, "SHORTEST", _SHORTEST)
    monkeypatch.setattr(rollups, "_POINTS", _POINTS)
    monkeypatch.setattr(rollups, "_CHUNK", _CHUNK)
    async with new_store() as db:
        async with db.write() as conn:
            run_id, ids = await _writers(conn)
        time, logged = 0, False
        for action in [*actions, "refresh"]:
            if action == "refresh":
                await _refresh_all(db)
            elif action == "refresh once":
                async with db.write() as conn:
                    series_id = await rollups.next_stale(conn)
                    if series_id is not None:
                        await rollups.refresh(conn, series_id)
            else:
                attempt, regular, points = action
                begin = int(max(-40, min(200, points[0][0])))
                steps: list[Step] = [
                    begin + place if regular else step for place, (step, _) in enumerate(points)
                ]
                values: list[Value] = [value for _, value in points]
                times = list(range(time, time + len(points)))
                time += len(points)
                async with db.write() as conn:
                    column = Column("m", "step", steps, times, values)
                    await metrics.append(conn, run_id, ids[attempt], [column])
                logged = True
            if logged:
                for low, high in [*ranges, (-1e308, 1e308), (0, 200)]:
                    await _check(db, run_id, Range(min(low, high), max(low, high)), count)


async def test_steps_that_are_too_close_for_borders_between_them(
    monkeypatch: pytest.MonkeyPatch, db: Database
) -> None:
    monkeypatch.setattr(bucketing, "SHORTEST", _SHORTEST)
    monkeypatch.setattr(rollups, "_POINTS", _POINTS)
    # Adjacent floats, so that borders between them would have to be rounded.
    steps: list[Step] = [2.0**36 + number // 20 / 2**16 for number in range(400)]
    async with db.write() as conn:
        run_id, ids = await _writers(conn)
        column = Column("m", "step", steps, list(range(400)), [float(step) for step in steps])
        await metrics.append(conn, run_id, ids[1], [column])
    await _refresh_all(db)
    for first in range(0, 380, 7):
        for last in range(first + 12, 400, 31):
            await _check(db, run_id, Range(steps[first], steps[last]), 10)


async def test_deleting_a_run_deletes_its_rollups(db_path: Path, db: Database) -> None:
    async with db.write() as conn:
        run_id, ids = await _writers(conn)
        steps: list[Step] = list(range(5000))
        column = Column("m", "step", steps, list(range(5000)), [float(step) for step in steps])
        await metrics.append(conn, run_id, ids[1], [column])
    await _refresh_all(db)
    await _check(db, run_id, Range(0, 4999), 100)
    async with db.write() as conn:
        assert list(await conn.execute_fetchall("SELECT 1 FROM rollups LIMIT 1"))
        await runs.delete(conn, run_id)
    await garbage.collect(db)
    async with db.read() as conn:
        for table in ("rollups", "rollup_levels", "stale_rollups"):
            assert not list(await conn.execute_fetchall(f"SELECT 1 FROM {table}"))


async def test_the_first_point_of_a_kind_is_found_with_and_without_rollups(db: Database) -> None:
    values: list[Value] = [1.0] * 9000
    values[8765], values[5432] = math.nan, math.inf
    async with db.write() as conn:
        run_id, ids = await _writers(conn)
        column = Column("m", "step", list(range(9000)), list(range(9000)), values)
        await metrics.append(conn, run_id, ids[1], [column])
    for rolled_up in (False, True):
        if rolled_up:
            await _refresh_all(db)
        async with db.snapshot() as conn:
            (segments,) = await lineage.find(conn, run_id, "m")
            assert await extremes.find(conn, segments, "nan") == (8765, 8765, None)
            assert await extremes.find(conn, segments, "inf") == (5432, 5432, math.inf)


@pytest.mark.sqlite("an older version had only files")
async def test_rollups_of_an_older_version_are_recomputed(db_path: Path) -> None:
    make_older_database(db_path, 10)
    with closing(sqlite3.connect(db_path)) as old, old:
        old.execute(
            "INSERT INTO series (run_id, path, axis, kind, points, first_step, last_step)"
            " VALUES (1, 'm', 'step', 'number', 5000, 0, 4999)"
        )
        points = [(step, step, step / 2) for step in range(5000)]
        old.executemany("INSERT INTO metrics VALUES (2, ?, ?, ?, 1)", points)
        old.execute("INSERT INTO rollup_levels VALUES (2, 6, 9, 5000)")
        bucket = (2, 6, 0, 64, 64, 0, 0, 0, 31.5, 1008, 0, 63, 0, 63, 0, 31.5)
        old.execute(f"INSERT INTO rollups VALUES ({', '.join('?' * len(bucket))})", bucket)
    database = Database(db_path)
    try:
        await _check(database, 1, Range(0, 4999), 100)
        await _refresh_all(database)
        await _check(database, 1, Range(0, 4999), 100)
        async with database.read() as conn:
            assert list(await conn.execute_fetchall("SELECT 1 FROM rollups WHERE level = 9"))
    finally:
        await database.close()
