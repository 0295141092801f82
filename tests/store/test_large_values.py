"""Large texts and histograms come back exactly by every way out, and no key is beside one."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.test_migrate import make_older_database
from trackai.filters.parser import parse_field, parse_filter
from trackai.store.catalogue import configs, groups, projects, run_tables, runs, writers
from trackai.store.charts import charts
from trackai.store.engine.database import Database
from trackai.store.points import (
    arrivals,
    curves,
    histograms,
    lineage,
    metrics,
    reads,
    rollups,
    series,
    tails,
    texts,
)
from trackai.store.points.large_values import LONGEST
from trackai.store.transfer import dump, load
from trackai.store.upkeep import checks
from trackai.structs.exchange import Block, RunHead
from trackai.structs.points import Column
from trackai.values.non_finite import shown_text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.histories import NewStore
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.values.types import Value

# As long as the limit and around it, in characters of one, two, three and four bytes.
large_texts = st.builds(
    lambda size, unit, end: unit * size + end,
    st.integers(LONGEST - 2, LONGEST + 2) | st.sampled_from([0, 1, 250, 5000, 300_000]),
    st.sampled_from(["x", "é", "日", "\U0001f600", "\0", "\n", '"', "\\"]),
    st.text(max_size=2),
)
some_values = large_texts | st.floats(-9, 9) | st.sampled_from([math.inf, 7, True])


async def _start(db: Store, uid: str = "r") -> tuple[int, int]:
    """Create a run and a writer; returns their row ids."""
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid=uid, project_id=project.id, slug=uid, name=None, group_name=None, now=1
        )
        return run.id, await _writer(conn, run.id, 1)


async def _writer(conn: Connection, run_id: int, attempt: int) -> int:
    return await writers.get_or_create(
        conn, uid=f"{run_id}w{attempt}", run_id=run_id, attempt=attempt, rank=0, host="h", pid=1,
        now=1,
    )  # fmt: skip


def _column(values: list[Any], path: str = "m", **options: Any) -> Column:
    numbers = range(len(values))
    return Column(path, "step", [*numbers], [*numbers], values, **options)


async def _append(db: Store, run_id: int, writer_id: int, *columns: Column) -> None:
    async with db.write() as conn:
        await metrics.append(conn, run_id, writer_id, columns)


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@settings(max_examples=30)
@given(values=st.lists(some_values, min_size=1, max_size=8))
async def test_values_of_any_size_come_back(new_store: NewStore, values: list[Value]) -> None:
    async with new_store() as db, new_store() as copy:
        run_id, writer_id = await _start(db)
        async with db.read() as conn:
            cursor = await arrivals.last(conn, run_id)
        for _ in range(2):  # a second time changes nothing
            await _append(db, run_id, writer_id, _column(values))
        async with db.snapshot() as conn:
            [segments] = await lineage.find(conn, run_id, "m")
            assert [value for *_, value in await reads.read(conn, segments, limit=-1)] == values
            assert (await curves.read(conn, segments)).values == values
            assert [value for _, value in (await reads.read_many(conn, [segments]))[0]] == values
            [(_, tail)] = await tails.last_points(conn, [segments[0].series], 99)
            assert [value for *_, value in tail] == values
            news = await arrivals.since(conn, run_id, cursor, limit=99)
            assert [value for *_, value in (news.points or [])[0][1]] == 2 * values
            page = await texts.read(conn, segments, search=None, limit=99, offset=0)
            assert [line.text for line in page.lines] == list(map(shown_text, _as_stored(values)))
            [chart] = await charts.read(conn, [segments], 99)
            assert [bucket.first_value for bucket in chart.buckets] == values
            [(_, last, _)] = await series.last_values(conn, run_id)
            [summary] = await series.summaries(conn, run_id)
            assert last == values[-1]
            assert summary.last == (values[-1] if values[-1] != math.inf else "Infinity")
            items = [item async for item in dump.dump(conn, run_id)]
            assert await checks.wrong_figures(conn) == []
        async with copy.write() as conn:
            assert isinstance(items[0], RunHead)
            copied, _ = await load.begin_run(conn, items[0])
            for block in items[1:]:
                assert isinstance(block, Block)
                assert await load.add_points(conn, copied, block) == len(values)
                assert await load.add_points(conn, copied, block) == 0
        for database in (db, copy):
            async with database.read() as conn:
                assert [row.points for row in await series.list_of_run(conn, 1)] == [len(values)]
    for database in (db, copy):
        if not isinstance(database, Database):
            continue
        for view in ("points", "logged_points"):
            rows = _rows(database.path, f"SELECT value FROM {view} ORDER BY step")
            assert [value for (value,) in rows] == values
        assert _rows(database.path, "SELECT last FROM metric_overview") == [(values[-1],)]
        assert _rows(database.path, "SELECT COUNT(*) FROM metrics") == [(len(values),)]


def _as_stored(values: list[Value]) -> list[Value]:
    return [int(value) if isinstance(value, bool) else value for value in values]


@pytest.mark.sqlite("writes to SQLite's tables of points")
async def test_a_point_at_a_taken_key_is_moved_unless_it_is_the_same(db: Database) -> None:
    first, second, third = "a" * 5000, "b" * 5000, "c"
    run_id, writer_id = await _start(db)
    for values in ([first, second, third], [third, second, first]):
        column = Column("m", "step", [1, 1, 1], [5, 5, 5], [*values])
        await _append(db, run_id, writer_id, column)
        async with db.read() as conn:
            [segments] = await lineage.find(conn, run_id, "m")
            rows = await reads.read(conn, segments, limit=-1)
            assert rows == [(1, 5, first), (1, 6, second), (1, 7, third)]
            assert await checks.unused_large_values(conn) == 0


@pytest.mark.sqlite("writes to SQLite's tables of points")
async def test_the_last_value_is_that_of_the_latest_attempt(db: Database) -> None:
    run_id, writer_id = await _start(db)
    await _append(db, run_id, writer_id, _column(["a" * 5000, "b" * 5000, "c" * 5000]))
    async with db.write() as conn:
        second = await _writer(conn, run_id, 2)
    column = Column("m", "step", [1, 2], [11, 12], ["d" * 5000, "e" * 5000])
    await _append(db, run_id, second, column)
    async with db.read() as conn:
        assert await series.last_values(conn, run_id) == [("m", "e" * 5000, "text")]
        assert await checks.wrong_figures(conn) == []
    assert _rows(db.path, "SELECT last FROM metric_overview") == [("e" * 5000,)]


async def test_histograms(db: Database) -> None:
    values = [json.dumps({"counts": [number] * 900}) for number in range(3)]
    run_id, writer_id = await _start(db)
    await _append(db, run_id, writer_id, _column(values, kind="histogram"))
    async with db.read() as conn:
        [segments] = await lineage.find(conn, run_id, "m")
        page = await histograms.read(conn, segments, 10)
        assert [histogram.value for histogram in page.data] == list(map(json.loads, values))
        page_of_text = await texts.read(conn, segments, search="[2, 2", limit=9, offset=0)
        assert [line.text for line in page_of_text.lines] == [values[2]]


async def test_charts_of_rolled_up_texts(db: Database) -> None:
    values: list[Any] = [f"{number}" * 300 if number % 7 else 0.5 for number in range(5000)]
    run_id, writer_id = await _start(db)
    await _append(db, run_id, writer_id, _column(values))
    async with db.write() as conn:
        while (stale := await rollups.next_stale(conn)) is not None:
            await rollups.refresh(conn, stale)
    async with db.snapshot() as conn:
        [segments] = await lineage.find(conn, run_id, "m")
        [chart] = await charts.read(conn, [segments], 50)
        assert 10 < len(chart.buckets) <= 50
        for bucket in chart.buckets:
            assert bucket.first_value == values[int(bucket.first_step)]
            assert bucket.last_value == values[int(bucket.last_step)]


async def test_filters_sorting_and_groups_compare_large_texts(db: Database) -> None:
    long = "long " * 1000
    for name, text in (("a", long + "1"), ("b", long + "2"), ("c", "short")):
        run_id, writer_id = await _start(db, name)
        await _append(db, run_id, writer_id, _column([text], "note"))
        async with db.write() as conn:
            await configs.put(conn, run_id, {"prompt": json.dumps(text), "on": "true"})
    everything = run_tables.RunFilter()
    async with db.snapshot() as conn:
        for field in ("config.prompt", "metric.note"):
            for condition, expected in (
                (f'{field} = "{long}1"', ["a"]),
                (f'{field} != "{long}1"', ["c", "b"]),
                (f'{field} ~ "LONG 2"', ["b"]),
                (f'{field} > "long"', ["c", "b", "a"]),
                (f'{field} < "m"', ["b", "a"]),
                (f"{field} > 0", []),
            ):
                where = run_tables.RunFilter(tree=parse_filter(condition))
                page = await run_tables.list_page(conn, where, limit=9)
                assert sorted(run.run_id for run in page.runs) == sorted(expected), condition
            page = await run_tables.list_page(
                conn, everything, sort_by=parse_field(field, name="sort"), limit=9
            )
            assert page.runs[0].run_id == "c"
        grouped = await groups.list_page(
            conn, everything, [parse_field("config.prompt", name="by")], columns={}, limit=9
        )
        assert {group.value for group in grouped.groups} == {long + "1", long + "2", "short"}


@pytest.mark.sqlite("about SQLite's tables and query plans")
async def test_no_table_or_index_compares_large_rows(db: Database) -> None:
    run_id, writer_id = await _start(db)
    long = "x" * 100_000
    await _append(db, run_id, writer_id, _column([long] * 5000))
    async with db.write() as conn:
        await configs.put(conn, run_id, {"prompt": json.dumps(long)})
        while (stale := await rollups.next_stale(conn)) is not None:
            await rollups.refresh(conn, stale)
    for column in (
        "value FROM metrics", "last_value FROM series", "comparable FROM configs",
        "buckets FROM rollups",
    ):  # fmt: skip
        value, table = column.split(" FROM ")
        [(longest,)] = _rows(db.path, f"SELECT max(length({value})) FROM {table}")
        assert longest <= LONGEST, column
    without_row_ids = {
        name
        for name, sql in _rows(db.path, "SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        if "WITHOUT ROWID" in sql
    }
    assert without_row_ids == {
        "artifact_aliases", "artifact_files", "artifact_runs",  # of short names
        "attempts", "batches", "ended_sessions", "journals", "metrics", "rollups", "stale_rollups",
        "system_steps", "tags",
    }  # fmt: skip


@pytest.mark.sqlite("an older version had only files")
async def test_large_values_of_an_older_database_are_moved(db_path: Path) -> None:
    make_older_database(db_path, 11)
    long = "\0" + "y" * 5000
    with closing(sqlite3.connect(db_path)) as connection:
        connection.execute("DELETE FROM metrics")
        connection.executemany(
            "INSERT INTO metrics VALUES (1, ?, 1, ?, 1)",
            [(0, "short"), (1, "é" * 451), (2.5, 0.5), (3, long)],
        )
        connection.execute(
            """
            UPDATE series SET points = 4, finite_points = 1, first_step = 0, last_step = 3,
                last_value = ?, first_timestamp = 1, last_timestamp = 1, kind = 'number',
                min_value = 0.5, max_value = 0.5, sum = 0.5
            """,
            (long,),
        )
        connection.execute(
            """
            INSERT INTO writers (uid, run_id, attempt, host, pid, started_at)
            VALUES ('w', 1, 1, 'h', 1, 1)
            """
        )
        connection.execute(
            "INSERT INTO configs (run_id, key, value, type) VALUES (1, 'prompt', ?, 'x')",
            (json.dumps("z" * 5000),),
        )
        connection.commit()
        points = "SELECT step, value FROM points ORDER BY step"
        before = connection.execute(points).fetchall()
        config = "SELECT key, value, type FROM configs ORDER BY key"
        configs_before = connection.execute(config).fetchall()
    db = Database(db_path)
    await db.open()
    async with db.read() as conn:
        assert await checks.wrong_figures(conn) == []
        assert await checks.missing_large_values(conn) == 0
        assert await series.last_values(conn, 1) == [("x", long, "number")]
    await db.close()
    assert _rows(db_path, points) == before
    assert _rows(db_path, config) == configs_before
    assert _rows(db_path, "SELECT step FROM metrics WHERE value IS x''") == [(1,), (3,)]
    assert _rows(db_path, "SELECT comparable FROM configs ORDER BY key") == [(0.5,), (b"\x02",)]
