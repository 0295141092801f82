"""Pieces in PostgreSQL: the same points as rows in SQLite, whatever is asked."""

from __future__ import annotations

import math
import random
import struct
from contextlib import suppress
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from trackai.downsampling.buckets import Range
from trackai.store.catalogue import projects, runs, writers
from trackai.store.engine.database import Database
from trackai.store.points import (
    arrivals,
    bucketing,
    compaction,
    curves,
    duplicates,
    extremes,
    histograms,
    large_values,
    lineage,
    metrics,
    piece,
    piece_inserts,
    piece_scan,
    reads,
    rollups,
    rows,
    series,
    tails,
    texts,
)
from trackai.store.points.lineage import Segment
from trackai.store.points.queries import Selection
from trackai.store.points.storage import points_of
from trackai.store.postgres.database import PostgresDatabase
from trackai.store.upkeep import checks
from trackai.structs.points import Column
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.from_thread import BlockingPortal

    from tests.postgres import Databases
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.points import PointRow
    from trackai.values.types import Axis

steps = st.one_of(
    st.integers(-50, 50),
    st.floats(-50, 50, allow_nan=False),
    st.sampled_from([2**62, 2**62 + 1, -(2**63), 1e300, 5e-324]),
)
times = st.integers(-5, 20)
values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)
batch = st.tuples(
    st.integers(1, 3),  # the attempt
    st.integers(0, 1),  # the rank
    st.lists(st.tuples(steps, times, values), min_size=1, max_size=12),
)
Batches = list[tuple[int, int, list[tuple[Any, int, Any]]]]


class RolledBackError(Exception):
    """The end of an example."""


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def stores(
    portal: BlockingPortal,
    tmp_path_factory: pytest.TempPathFactory,
    databases: Databases,
    empty_postgres: str,
) -> Iterator[tuple[Store, Store]]:
    """A database on each engine, for many examples, each of which is rolled back."""
    file = portal.call(Database, tmp_path_factory.mktemp("pieces") / "t.db")
    url = databases.create(empty_postgres)
    server = portal.call(PostgresDatabase, url)
    portal.call(server.open)
    yield file, server
    portal.call(file.close)
    portal.call(server.close)
    databases.drop(url)


def exact(value: Any) -> Any:
    """What tells 1 from 1.0 and 0.0 from -0.0, in any structure."""
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack(">d", value).hex()
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    return (type(value).__name__, value)


@given(
    batches=st.lists(batch, min_size=1, max_size=8),
    axis=st.sampled_from(["step", "time"]),
    rolled_up=st.booleans(),
    low=steps,
    high=steps,
)
@example([(1, 0, [(n, n, n / 3) for n in range(40)])], "step", False, 3, 30)
@example([(1, 0, [(5, n, n / 3) for n in range(40)])], "step", False, 3, 30)
@example([(1, 0, [(0, 0, 0.5)]), (1, 0, [(0, 0, n) for n in range(60)])], "time", False, 3, 30)
@example(
    [(1, 0, [(n, n, n / 3) for n in range(0, 80, 2)]), (1, 0, [(n, 5, n) for n in range(80)])],
    "step", True, 3, 30,
)  # fmt: skip
@settings(
    max_examples=60,
    deadline=None,
    # Shrinking takes many minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
)
def test_both_engines_answer_alike(
    portal: BlockingPortal,
    stores: tuple[Store, Store],
    batches: Batches,
    axis: Axis,
    rolled_up: bool,
    low: Any,
    high: Any,
) -> None:
    answers: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_PAGE", 3)
        patch.setattr(duplicates, "_PAGE", 2)
        patch.setattr(bucketing, "SHORTEST", 2)
        patch.setattr(rollups, "_POINTS", 2)
        patch.setattr(large_values, "LONGEST", 3)
        patch.setattr(piece, "POINTS", 4)
        patch.setattr(piece, "MOST_POINTS", 6)
        patch.setattr(piece_inserts, "_SMALL", 2)
        if axis == "step":  # halves of system metrics are moved apart one after the other
            patch.setattr(piece_inserts, "_MANY", 3)
        patch.setattr(piece_scan, "_PIECES", 2)
        for store in stores:
            with suppress(RolledBackError):
                portal.call(ask, store, batches, axis, rolled_up, (low, high), answers)
    from_file, from_server = answers
    for question, answer in from_file.items():
        assert exact(from_server[question]) == exact(answer), question


async def ask(
    db: Store,
    batches: Batches,
    axis: Axis,
    rolled_up: bool,
    window: tuple[Any, Any],
    answers: list[Any],
) -> None:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="r", name="r", group_name=None, now=1
        )
        answer: dict[str, Any] = {}
        writer_ids: list[int] = []
        cursor = await arrivals.last(conn, run.id)
        for number, (attempt, rank, points) in enumerate(batches):
            writer_id = await writers.get_or_create(
                conn, uid=f"{attempt}-{rank}", run_id=run.id, attempt=attempt, rank=rank,
                host="h", pid=1, now=1,
            )  # fmt: skip
            if writer_id not in writer_ids:
                writer_ids.append(writer_id)
            column = Column("m", axis, [], [], [value for *_, value in points])
            places = [(step if axis == "step" else time, time) for step, time, _ in points]
            column.steps, column.timestamps = map(list, zip(*places, strict=True))
            await metrics.append(conn, run.id, writer_id, [column])
            news = await arrivals.since(conn, run.id, cursor, limit=1000)
            cursor = news.cursor
            answer[f"news {number}"] = [found for _, found in news.points or ()]
            while rolled_up and (series_id := await rollups.next_stale(conn)) is not None:
                await rollups.refresh(conn, series_id)
        if axis == "time":
            own_steps = [(time, time / 2) for time in range(-3, 9)]
            await metrics.note_own_steps(conn, run.id, "m", writer_ids[0], own_steps)
        answer |= await read_all(conn, run.id, writer_ids, window)
        assert await checks.wrong_figures(conn) == []
        answers.append(answer)
        raise RolledBackError


async def read_all(
    conn: Connection, run_id: int, writer_ids: list[int], window: tuple[Any, Any]
) -> dict[str, Any]:
    (metric,) = await series.find(conn, run_id, "m")
    segments = [Segment(metric, None)]
    low, high = window
    storage = points_of(conn)
    answer: dict[str, Any] = {
        "all": await reads.read(conn, segments, limit=-1, attempt="all"),
        "latest": await reads.read(conn, segments, limit=-1),
        "attempt": await reads.read(conn, segments, limit=-1, attempt=2),
        "page": await reads.read(conn, segments, limit=5, offset=3),
        "between": await reads.read(conn, segments, step_min=low, step_max=high, limit=7),
        "parts": await reads.read(
            conn, [Segment(metric, low), Segment(metric, high)], limit=-1, step_min=-40
        ),
        "pages": await in_pages(conn, segments),
        "columns": list(await curves.read(conn, segments, step_min=low, limit=9)),
        "many": await reads.read_many(conn, [segments, [Segment(metric, high)]]),
        "count": await reads.count(conn, [Segment(metric, low)]),
        "up to": await reads.count_up_to(conn, segments, 5, step_min=low, step_max=high),
        "tail": [found for _, found in await tails.last_points(conn, [metric], 4)],
        "last time": await tails.last_time(conn, run_id, high),
        "histograms": await spread(conn, segments),
        "before": await storage.range_before(conn, metric.id, low),
        "first steps": await storage.first_steps(conn, metric.id, 5),
        "step after": await storage.step_after(conn, metric.id, low, 3),
        "summary": [
            (*fields[:-1], None if fields[-1] is None else f"{fields[-1]:.6g}")
            for fields in map(msgspec.structs.astuple, await series.summaries(conn, run_id))
        ],
        "dump": [
            (*row[:3], writer_ids.index(row[3]), row[4])
            async for page in storage.dump(conn, metric.id)
            for row in page
        ],
        "rewinds": await storage.find_rewinds(conn, metric.id) == [],
        "keys": sorted(
            await storage.keys_of_writer(conn, (run_id, "m", metric.axis), writer_ids[0], low, high)
        ),
        "pauses": await pauses(conn, run_id),
    }
    for kind in ("nan", "inf", "min", "max"):
        answer[kind] = await extremes.find(conn, segments, kind)
    for text in ("a", "1"):
        page = await texts.read(conn, segments, search=text, limit=3, offset=1)
        if metric.kind == "text":
            answer[f"search {text}"] = [(line.number, line.text) for line in page.lines]
    for level in (-1, 0, 2, 5):
        found = await storage.compute(
            conn, [Selection(metric.id, level, max(low, -60), min(high, 60))],
            resumed=metric.resumed, plain=metric.plain, times=True,
        )  # fmt: skip
        answer[f"level {level}"] = figures_of(sorted(found.get(metric.id, {}).items()))
        read = await bucketing.read(conn, metric, Range(-60, 60.5), max(0, level))
        answer[f"buckets {level}"] = figures_of(read.items())
    return answer


def figures_of(items: Any) -> list[Any]:
    """Buckets without their sums, which depend on the order of additions.

    A bucket that ends with points at -1 and -1.0 may end with either: they are the same step.
    """
    return [
        (
            number, bucket.points, bucket.finite_points, bucket.nan_points, bucket.infinite_points,
            Fraction(bucket.first_step), Fraction(bucket.last_step), bucket.first_timestamp,
            bucket.last_timestamp,
            bucket.first_value, bucket.last_value,
            bucket.min_value == bucket.min_value and float(bucket.min_value or 0) + 0,
            bucket.max_value == bucket.max_value and float(bucket.max_value or 0) + 0,
        )
        for number, bucket in items
    ]  # fmt: skip


async def in_pages(conn: Connection, segments: list[Segment]) -> list[PointRow]:
    found: list[PointRow] = []
    position = None
    while page := await reads.read(conn, segments, limit=3, after=position):
        found += page
        position = reads.next_position(page, position)
    return found


async def spread(conn: Connection, segments: list[Segment]) -> Any:
    page = await histograms.read(conn, segments, 4)
    return page.total, [(item.step, str(item.timestamp)) for item in page.data]


async def pauses(conn: Connection, run_id: int) -> Any:
    await conn.execute("UPDATE writers SET started_at = 8 WHERE run_id = ?", (run_id,))
    return sorted(began for began, _ in await points_of(conn).find_pauses(conn, run_id))


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_url)
    await database.open()
    yield database
    await database.close()


async def new_writer(conn: Connection, attempt: int = 1) -> tuple[int, int]:
    """The row ids of a run, which is created if it does not exist, and of a new writer."""
    run = await runs.find_by_uid(conn, "u")
    if run is None:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="r", name="r", group_name=None, now=1
        )
    writer_id = await writers.get_or_create(
        conn, uid=f"w{attempt}", run_id=run.id, attempt=attempt, rank=0, host="h", pid=1, now=1
    )
    return run.id, writer_id


def noise(name: str, first: int, count: int) -> Column:
    """Random numbers, logged about ten times a second."""
    generator = random.Random(f"{name} {first}")
    numbers = range(first, first + count)
    logged = [10**15 + 10**5 * step + generator.randrange(20_000) for step in numbers]
    return Column(name, "step", list(numbers), logged, [generator.random() for _ in numbers])


async def test_a_point_takes_at_most_15_bytes(server: PostgresDatabase) -> None:
    run_id, writer_id = await server.change(new_writer)
    for first in range(0, 40_000, 2000):
        columns = [noise("a", first, 2000), noise("b", first, 2000)]
        await server.change(partial(_append, run_id=run_id, writer_id=writer_id, columns=columns))
    async with server.read() as conn:
        await conn.execute("VACUUM pieces")
        ((size,),) = await conn.execute_fetchall("SELECT pg_total_relation_size('pieces')")
    assert size < 15 * 80_000


async def _append(conn: Connection, *, run_id: int, writer_id: int, columns: list[Column]) -> None:
    await metrics.append(conn, run_id, writer_id, columns)


async def test_small_pieces_are_packed_together(server: PostgresDatabase) -> None:
    run_id, writer_id = await server.change(new_writer)
    for step in range(400):
        columns = [noise("a", step, 1), noise("b", 3 * step, 2)]
        await server.change(partial(_append, run_id=run_id, writer_id=writer_id, columns=columns))
    counts = "SELECT COUNT(*), sum(points)::bigint FROM pieces"

    async def read(conn: Connection) -> Any:
        found = await lineage.find_many(conn, [run_id], ["a", "b"])
        return [await reads.read(conn, segments, limit=-1) for _, segments in found]

    before = await server.look(read)
    async with server.read() as conn:
        ((pieces, points),) = await conn.execute_fetchall(counts)
    assert 16 <= pieces < 60
    after = 0
    while True:
        after = await server.change(partial(compaction.compact, after=after))
        if not after:
            break
    async with server.read() as conn:
        ((packed, still),) = await conn.execute_fetchall(counts)
    assert packed <= 4
    assert points == still == 1200
    assert await server.look(read) == before


VIEWED: dict[str, list[Any]] = {
    "floats": [0.1, -0.0, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 2 / 3],
    "integers": [0, -1, 2**63 - 1, -(2**63), 255, 256],
    "mixed": ["text", "\u00e9\u4e2d", 1, 2.5, -3, ""],
    "not finite": [math.nan, math.inf, -math.inf, 1.0, math.nan, 0.5],
    "lines": [f"line {number}" for number in range(6)],
}


async def test_views_unpack_pieces(server: PostgresDatabase) -> None:
    run_id, writer_id = await server.change(new_writer)
    steps: list[Any] = [-(2**62) - 1, -2.5, 0, 0.1, 7, 2**60 + 1]
    logged = [1_700_000_000_123_456 + 10**number for number in range(6)]
    columns = [Column(name, "step", steps, logged, values) for name, values in VIEWED.items()]
    await server.change(partial(_append, run_id=run_id, writer_id=writer_id, columns=columns))
    _, later = await server.change(partial(new_writer, attempt=2))
    columns = [Column("lines", "step", [5], [logged[-1]], ["resumed"])]
    await server.change(partial(_append, run_id=run_id, writer_id=later, columns=columns))
    async with server.read() as conn:
        for name, values in VIEWED.items():
            rows = await conn.execute_fetchall(
                """
                SELECT step, time, value, value_number FROM logged_points
                WHERE project = 'p' AND run = 'r' AND metric = ? AND attempt = 1 ORDER BY step
                """,
                (name,),
            )
            assert exact([step for step, *_ in rows]) == exact(steps)
            assert [time for _, time, *_ in rows] == [
                utc(time).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for time in logged
            ]
            for (*_, text, number), value in zip(rows, values, strict=True):
                if isinstance(value, str):
                    assert (text, number) == (value, None)
                elif value != value:
                    assert (text, number) == (None, None)
                else:
                    assert type(value)(text.replace("Infinity", "inf")) == value
                    assert exact(number) == exact(float(value))
        rows = await conn.execute_fetchall(
            "SELECT step, value FROM points WHERE metric = 'lines' ORDER BY step"
        )
    assert list(rows) == [*zip(steps[:4], VIEWED["lines"], strict=False), (5, "resumed")]
