"""Tables of runs: filters, sort orders, pages, columns; expected results are computed by hand."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from trackai.errors import InvalidInputError
from trackai.filters.parser import parse_field, parse_fields, parse_filter
from trackai.store.catalogue import (
    configs,
    environments,
    groups,
    projects,
    run_tables,
    run_values,
    runs,
    tags,
    writers,
)
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database

CONFIGS: list[dict[str, str]] = [
    {"lr": "0.1", "opt": '"adam"', "amp": "true"},
    {"lr": "0.01", "opt": '"sgd"', "amp": "false"},
    {"lr": "1", "opt": '"Adam W"', "amp": "1"},
    {"lr": '"0.1"', "opt": "null", "layers": "[1,2]"},
    {},
]
# Of the first run, two attempts: the second counts.
ENVIRONMENTS: list[tuple[int, int, dict[str, str]]] = [
    (1, 1, {"git/branch": '"main"', "gpu": '"A100"', "cpu_count": "8"}),
    (1, 2, {"git/branch": '"topic"', "git/dirty": "true", "cpu_count": "16"}),
    (2, 1, {"git/branch": '"main"', "git/dirty": "false", "cpu_count": "4"}),
    (4, 3, {"git/branch": '"main"', "gpu": '"H100"', "command": f'"{"x" * 1000} --lr 1"'}),
]
VALUES: list[dict[str, list[float | int | bool | str]]] = [
    {"acc": [0.5, 0.9, 0.7]},
    {"acc": [0.1, 0.95, math.nan]},
    {"acc": [math.inf, 0.2], "ok": [True]},
    {"acc": ["best"], "ok": [False], "acc.max": [7]},
    {"loss": [1.0]},
]


async def _fill(conn: Connection) -> None:
    for number, (config, values) in enumerate(zip(CONFIGS, VALUES, strict=True), start=1):
        project = await projects.get_or_create(
            conn, "main" if number < 5 else "side", now=number * 1_000_000
        )
        run = await runs.create(
            conn,
            uid=f"uid{number}",
            project_id=project.id,
            slug=f"run-{number}",
            name=None if number == 4 else f"Name {number}",
            group_name="g" if number % 2 else None,
            state="running" if number == 1 else "completed",
            now=number * 1_000_000,
        )
        assert run.id == number
        writer = await writers.get_or_create(
            conn, uid=f"w{number}", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
        )
        await configs.put(conn, run.id, config)
        await metrics.append(
            conn,
            run.id,
            writer,
            [
                Column(
                    path, "step", list(range(len(points))), list(range(1, len(points) + 1)), points
                )
                for path, points in values.items()
            ],
        )
    for run_id, attempt, facts in ENVIRONMENTS:
        await environments.add(conn, run_id, attempt, facts)
    await tags.add(conn, 1, ["good", "Best one"])
    await tags.add(conn, 2, ["good"])


async def _matching(db: Database, text: str) -> list[int]:
    async with db.read() as conn:
        page = await run_tables.list_page(
            conn,
            run_tables.RunFilter(tree=parse_filter(text)),
            sort_by=parse_field("id"),
            sort_order="asc",
            limit=100,
        )
    assert page.total == len(page.runs)
    return [run.id for run in page.runs]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # SQLite would write 1.0e-05 and 0.3.
        ('config.value ~ "1e-05"', [1]),
        ('config.value ~ "1.0e"', []),
        ('config.value ~ "0.30000000000000004"', [2]),
        ("config.value =~ '^1e'", [1, 3]),
        ("config.value =~ ^true$", [4]),
        ('config.value !~ "1e"', [2, 4]),
    ],
)
async def test_values_are_searched_as_in_their_json(
    db: Database, text: str, ids: list[int]
) -> None:
    async with db.write() as conn:
        await _fill(conn)
        for run_id, value in enumerate(("1e-05", "0.30000000000000004", "1e16", "true", "null")):
            await configs.put(conn, run_id + 1, {"value": value})
    assert await _matching(db, text) == ids


NUMBERS: list[float | int | bool | str] = [
    1e-5, 1.2345e-5, 9.99e-6, -1.5e-7, 1e-300, 5e-324, 0.1 + 0.2, -0.0, 0.0, 0, 3, 3.0, -2.5,
    123456789012345.6, 1e15, 1e16, 1.2345678901234568e17, 1e20, -1e100, 1.7976931348623157e308,
    2**62, math.inf, -math.inf, math.nan, True, False, "1e-05",
]  # fmt: skip


async def test_metrics_are_searched_as_in_responses(db: Database) -> None:
    async with db.write() as conn:
        for number, value in enumerate(NUMBERS, start=1):
            project = await projects.get_or_create(conn, "p", now=1)
            run = await runs.create(
                conn, uid=f"u{number}", project_id=project.id, slug=f"r{number}", name=None,
                group_name=None, state="completed", now=number,
            )  # fmt: skip
            writer = await writers.get_or_create(
                conn, uid=f"w{number}", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
            )
            await metrics.append(conn, run.id, writer, [Column("x", "step", [0], [1], [value])])
    for figure in ("last", "min", "max", "mean"):
        fields = {"shown": parse_field(f"metric.x.{figure}")}
        async with db.read() as conn:
            page = await run_tables.list_page(
                conn, run_tables.RunFilter(), sort_by=parse_field("id"), sort_order="asc",
                limit=100, columns=fields,
            )  # fmt: skip
        shown: dict[str, list[int]] = {}
        for row in page.runs:
            assert isinstance(row.values, dict)
            value = row.values["shown"]
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            if value is not None:
                shown.setdefault(text, []).append(row.id)
        assert len(shown) > 15
        for text, ids in shown.items():
            assert await _matching(db, f"metric.x.{figure} =~ '^{re.escape(text)}$'") == ids, text


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # Numbers are numbers, text is text, booleans are neither.
        ("config.lr < 0.5", [1, 2]),
        ("config.lr >= 0.1", [1, 3]),
        ("config.lr = 0.1", [1]),
        ('config.lr = "0.1"', [4]),
        ("config.lr != 0.1", [2, 3, 4]),
        ("config.amp = true", [1]),
        ("config.amp = false", [2]),
        ("config.amp = 1", [3]),
        ("config.amp > 0", [3]),
        ("config.opt < b", [1, 3]),
        ("config.opt > b", [2]),
        ("config.opt ~ ADAM", [1, 3]),
        ("config.opt !~ adam", [2]),
        ("config.lr ~ 0", [1, 2, 4]),
        ("config.layers ~ 2", [4]),
        # Regular expressions, in the texts that ~ searches.
        ("config.opt =~ 'ad'", [1]),
        ("config.opt =~ '(?i)^AD.*W$'", [3]),
        (r"config.opt =~ '\w\sW'", [3]),
        ("config.opt !=~ ^a", [2, 3]),
        ("not config.opt =~ ^a", [2, 3, 4, 5]),
        (r"name =~ 'Name [1-3]$'", [1, 2, 3]),
        ("run_id =~ '^run-(1|4)$'", [1, 4]),
        ("project =~ ^ma", [1, 2, 3, 4]),
        ("project !=~ ^ma", [5]),
        ("tag =~ '^Best '", [1]),
        ("tag !=~ '^Best '", [2, 3, 4, 5]),
        ("state =~ '^(run|fail)'", [1]),
        ("env.gpu =~ ^H", [4]),
        ("metric.acc =~ ^b.st$", [4]),
        # Names of configuration keys and metrics.
        ("lr < 0.5", [1, 2]),
        ("opt =~ ^sg", [2]),
        ("ok = true", [3]),
        ("acc > 0.1", [1, 3]),
        ("acc.mean > 0.6", [1]),
        ("'lr' = 1 or loss.min = 1", [3, 5]),
        ("archived = true", []),
        ("archived = false and trashed = false", [1, 2, 3, 4, 5]),
        ("config.opt = null", [4, 5]),
        ("config.opt != null", [1, 2, 3]),
        ("not config.lr = 0.1", [2, 3, 4, 5]),
        ("config.nothing = 1", []),
        # Facts of the latest attempt.
        ("env.git/branch = main", [2, 4]),
        ("env.git/branch != main", [1]),
        ("env.git/dirty = true", [1]),
        ("env.cpu_count > 4", [1]),
        ("env.gpu = null", [1, 2, 3, 5]),
        ("env.gpu != null", [4]),
        ("env.gpu ~ h1", [4]),
        ("env.command ~ '--lr 1'", [4]),
        ("env.git/branch = main and config.lr = 0.01", [2]),
        # Figures of metrics.
        ("metric.acc.max > 0.9", [2]),
        ("metric.acc.max >= 0.9", [1, 2]),
        ("metric.acc = 0.7", [1]),
        ("metric.acc != 0.7", [2, 3, 4]),
        ("metric.acc = nan", [2]),
        ("metric.acc != nan", [1, 3, 4]),
        ("metric.acc < nan", []),
        ("metric.acc.mean > 0.6", [1]),
        ("metric.acc.nans > 0", [2]),
        ("metric.acc.points = 3", [1, 2]),
        ("metric.acc.max_step = 1", [1, 2, 3]),
        ("metric.acc = best", [4]),
        ("metric.acc ~ ES", [4]),
        ("metric.acc > 0.1", [1, 3]),
        ("metric.ok = true", [3]),
        ("metric.ok = false", [4]),
        ("metric.acc = null", [5]),
        ("metric.acc != null", [1, 2, 3, 4]),
        ("metric.acc.min = null", [4, 5]),
        ("metric.acc.min != null", [1, 2, 3]),
        ("metric.acc.points = null", [5]),
        ('metric."acc.max" = 7', [4]),
        ("not metric.acc.max > 0.9", [1, 3, 4, 5]),
        # Attributes, which may be missing.
        ("name ~ name", [1, 2, 3, 5]),
        ("name = null", [4]),
        ("not name = 'Name 1'", [2, 3, 4, 5]),
        ("name != 'Name 1'", [2, 3, 5]),
        ("group = g", [1, 3, 5]),
        ("state = running", [1]),
        ("project = side", [5]),
        ("project != side", [1, 2, 3, 4]),
        ("project ~ AI", [1, 2, 3, 4]),
        ("created >= 1970-01-01T00:00:04", [4, 5]),
        ("finished = null", [1, 2, 3, 4, 5]),
        ("id > 3", [4, 5]),
        ("run_id = run-2", [2]),
        ("duration = 0", [1, 2, 3, 4, 5]),
        # Tags: a run has many, or none.
        ("tag = good", [1, 2]),
        ("tag != good", [3, 4, 5]),
        ("tag ~ BEST", [1]),
        ("tag !~ best", [2, 3, 4, 5]),
        ("tag = null", [3, 4, 5]),
        ("tag != null", [1, 2]),
        # Combinations.
        ("tag=good and not config.opt=sgd or metric.loss.min<=1", [1, 5]),
        ("(tag=good or group=g) and metric.acc.max>0.1", [1, 2, 3]),
    ],
)
async def test_filters(db: Database, text: str, ids: list[int]) -> None:
    async with db.write() as conn:
        await _fill(conn)
    assert await _matching(db, text) == ids


@pytest.mark.parametrize(
    ("sort_by", "ascending", "descending"),
    [
        ("created_at", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
        ("name", [1, 2, 3, 5, 4], [5, 3, 2, 1, 4]),
        ("group", [1, 3, 5, 2, 4], [5, 3, 1, 4, 2]),
        ("config.lr", [2, 1, 3, 4, 5], [4, 3, 1, 2, 5]),
        ("metric.acc.max", [3, 1, 2, 4, 5], [2, 1, 3, 5, 4]),
        ("metric.acc", [3, 1, 4, 2, 5], [4, 1, 3, 5, 2]),
        ("project", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
        ("env.cpu_count", [2, 1, 3, 4, 5], [1, 2, 5, 4, 3]),
        ("env.git/branch", [2, 4, 1, 3, 5], [1, 4, 2, 5, 3]),
        ("tag", [1, 2, 3, 4, 5], [2, 1, 5, 4, 3]),
    ],
)
async def test_sort_orders_with_offsets_and_cursors(
    db: Database, sort_by: str, ascending: list[int], descending: list[int]
) -> None:
    async with db.write() as conn:
        await _fill(conn)
    for order, expected in (("asc", ascending), ("desc", descending)):
        for limit in (1, 2, 5):
            by_offset, by_cursor = [], []
            cursor: str | None = None
            options: dict[str, Any] = {
                "sort_by": parse_field(sort_by),
                "sort_order": order,
                "limit": limit,
            }
            where = run_tables.RunFilter()
            async with db.read() as conn:
                while True:
                    page = await run_tables.list_page(conn, where, cursor=cursor, **options)
                    by_cursor += [run.id for run in page.runs]
                    assert page.total == 5
                    assert page.has_more == (page.next_cursor is not None)
                    cursor = page.next_cursor
                    if cursor is None:
                        break
                for offset in range(0, 7, limit):
                    page = await run_tables.list_page(conn, where, offset=offset, **options)
                    by_offset += [run.id for run in page.runs]
                    assert page.total == 5
            assert by_offset == by_cursor == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_filter_keeps_the_order_of_all_kinds_of_values(
    db: Database, order: Literal["asc", "desc"]
) -> None:
    """Missing, null, numbers, texts up to the longest, and booleans."""
    same = "s" * 300
    stored = [
        None, "null", "-1", "0.5", "2", "1e300", '""', '"2"', '"a"', f'"{same}a"', f'"{same}b"',
        f'"{"t" * 1000}"', f'"{"u" * 1000}"', '"nul\\u0000"', "[1,2]", "false", "true",
        "1" * 1000,
    ]  # fmt: skip
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        for number, value in enumerate(stored, start=1):
            run = await runs.create(
                conn, uid=f"u{number}", project_id=project.id, slug=f"r{number}", name=None,
                group_name=None, now=number,
            )  # fmt: skip
            config = {"all": "1"} if value is None else {"all": "1", "x": value}
            await configs.put(conn, run.id, config)
        pages: dict[str, list[int]] = {}
        for text in ("", "config.all = 1", "config.all = 1 or tag = none"):
            where = run_tables.RunFilter(tree=parse_filter(text) if text else None)
            cursor, pages[text] = None, []
            while True:
                page = await run_tables.list_page(
                    conn, where, sort_by=parse_field("config.x"), sort_order=order, limit=4,
                    cursor=cursor,
                )  # fmt: skip
                assert page.total == len(stored)
                pages[text] += [run.id for run in page.runs]
                cursor = page.next_cursor
                if cursor is None:
                    break
    expected, *others = pages.values()
    assert sorted(expected) == list(range(1, len(stored) + 1))
    assert others == [expected, expected]
    ascending = expected[:-2] if order == "asc" else expected[-3::-1]
    assert ascending[:4] == [3, 4, 5, 6]  # numbers
    assert set(ascending[-2:]) == {16, 17}  # booleans


async def test_added_and_deleted_runs_do_not_shift_the_page_of_a_cursor(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        where = run_tables.RunFilter()
        first = await run_tables.list_page(conn, where, limit=2)
        assert [run.id for run in first.runs] == [5, 4]
        await runs.delete(conn, 5)
        await runs.create(
            conn, uid="new", project_id=1, slug="new", name=None, group_name=None, now=10**12
        )
        second = await run_tables.list_page(conn, where, limit=2, cursor=first.next_cursor)
    assert [run.id for run in second.runs] == [3, 2]


async def test_an_invalid_cursor_or_one_of_another_sort_order_is_refused(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        where = run_tables.RunFilter()
        page = await run_tables.list_page(conn, where, limit=1)
        with pytest.raises(InvalidInputError, match="another sort order"):
            await run_tables.list_page(
                conn, where, limit=1, sort_order="asc", cursor=page.next_cursor
            )
        for invalid in ("", "x", "AAAA", "é", "k6E=", "A" * 10_000):
            with pytest.raises(InvalidInputError, match="cursor: "):
                await run_tables.list_page(conn, where, limit=1, cursor=invalid)


async def test_a_cursor_holds_the_longest_name_of_a_metric(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        where, field = run_tables.RunFilter(), parse_field(f'metric."{"😀" * 1024}"')
        page = await run_tables.list_page(conn, where, limit=2, sort_by=field)
        following = await run_tables.list_page(
            conn, where, limit=2, sort_by=field, cursor=page.next_cursor
        )
    assert [run.id for run in [*page.runs, *following.runs]] == [5, 4, 3, 2]


async def test_columns(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        page = await run_tables.list_page(
            conn,
            run_tables.RunFilter(),
            sort_by=parse_field("id"),
            sort_order="asc",
            columns=parse_fields(
                "config.lr,config.layers,metric.acc,metric.acc.max,metric.ok,tag,created,project,"
                "env.lr,env.git/branch,env.gpu"
            ),
            limit=10,
        )
    first, second, third, fourth, fifth = (run.values for run in page.runs)
    assert isinstance(first, dict)
    assert isinstance(third, dict)
    assert first.pop("created").timestamp() == 1.0
    assert first == {
        "config.lr": 0.1,
        "config.layers": None,
        "metric.acc": 0.7,
        "metric.acc.max": 0.9,
        "metric.ok": None,
        "tag": ["Best one", "good"],
        "project": "main",
        "env.lr": None,
        "env.git/branch": "topic",
        "env.gpu": None,
    }
    assert isinstance(second, dict)
    assert (second["metric.acc"], second["metric.acc.max"]) == ("NaN", 0.95)
    assert third["metric.ok"] is True
    assert isinstance(fourth, dict)
    assert (fourth["config.layers"], fourth["metric.acc"], fourth["metric.acc.max"]) == (
        [1, 2],
        "best",
        None,
    )
    assert isinstance(fifth, dict)
    assert fifth["metric.acc"] is None


async def test_the_columns_of_a_project(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        main = await run_values.list_columns(conn, 1)
        side = await run_values.list_columns(conn, 2)
    assert {(column.key, column.runs) for column in main.config} == {
        ("amp", 3),
        ("layers", 1),
        ("lr", 4),
        ("opt", 4),
    }
    assert {(column.path, column.field, column.runs, column.kind) for column in main.metrics} == {
        ("acc", "metric.acc", 4, "number"),
        ("acc.max", 'metric."acc.max"', 1, "number"),
        ("ok", "metric.ok", 2, "bool"),
    }
    assert [(column.path, column.runs) for column in side.metrics] == [("loss", 1)]
    assert side.config == side.environment == []
    assert {(column.key, column.field, column.runs) for column in main.environment} == {
        ("command", "env.command", 1),
        ("cpu_count", "env.cpu_count", 2),
        ("git/branch", "env.git/branch", 3),
        ("git/dirty", "env.git/dirty", 2),
        ("gpu", "env.gpu", 2),
    }


async def test_runs_are_grouped_by_a_fact(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        by = [parse_field("env.git/branch")]
        page = await groups.list_page(conn, run_tables.RunFilter(), by, columns={}, limit=10)
        members = await groups.of_runs(conn, [1, 2, 3, 4], by)
    assert {(group.value, group.runs, group.filter) for group in page.groups} == {
        ("main", 2, 'env.git/branch = "main"'),
        ("topic", 1, 'env.git/branch = "topic"'),
        (None, 2, "env.git/branch = null"),
    }
    assert [(group.value, group.run_ids) for group in members] == [
        ("main", [2, 4]),
        ("topic", [1]),
        (None, [3]),
    ]


async def test_fields_that_no_run_has(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        fields = [parse_field(text) for text in ("env.gpu", "env.lr", "config.gpu", "config.lr")]
        missing = await run_values.missing_fields(conn, fields)
    assert missing == [parse_field("env.lr"), parse_field("config.gpu")]


@pytest.mark.sqlite("about SQLite's query plans")
async def test_filters_and_sort_orders_read_ranges_of_indexes(db: Database) -> None:
    """A filter by a metric reads one range of the index with its figures, not run by run."""
    async with db.write() as conn:
        await _fill(conn)
        statements: list[str] = []
        await conn.set_trace_callback(statements.append)
        await run_tables.list_page(
            conn,
            run_tables.RunFilter(
                tree=parse_filter("metric.acc.max > 0.5 and config.lr < 1 and env.cpu_count > 2")
            ),
            sort_by=parse_field("metric.acc.min"),
            limit=10,
        )
        await conn.set_trace_callback(None)  # type: ignore[arg-type]
        (page,) = [sql for sql in statements if "MATERIALIZED" in sql]
        plan = [row[3] for row in await conn.execute_fetchall("EXPLAIN QUERY PLAN " + page)]
    assert any("series USING COVERING INDEX series_by_path (path=?" in line for line in plan), plan
    assert not any(line.startswith(("SCAN series", "SCAN configs", "SCAN env")) for line in plan), (
        plan
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("speed > 3", "at position 1 ('speed'): unknown field, neither a configuration key nor a"),
        ("tag = x or  los = 1", "at position 13 ('los'): .*did you mean metric.loss"),
        ("LR < 1", "did you mean config.lr?"),
        ("nme = x", "did you mean name?"),
        ("gpus = 4", "did you mean env.gpu?"),
        # A metric `acc.max`, and the highest value of `acc`.
        ("acc.max > 1", "ambiguous: use metric.\"acc.max\" or metric.acc.max"),
        ("amp = 1", "ambiguous: use config.amp or metric.amp"),
    ],
)  # fmt: skip
async def test_names_that_mean_nothing_or_several_fields_are_refused(
    db: Database, text: str, problem: str
) -> None:
    async with db.write() as conn:
        await _fill(conn)
        writer = await writers.get_or_create(
            conn, uid="w9", run_id=5, attempt=1, rank=0, host="h", pid=1, now=1
        )
        await metrics.append(conn, 5, writer, [Column("amp", "step", [1], [1], [1.0])])
    escaped = re.escape(problem).replace(r"\.\*", ".*")
    with pytest.raises(InvalidInputError, match=f"filter: .*{escaped}"):
        await _matching(db, text)


async def test_names_are_looked_up_in_the_project(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
    tree = parse_filter("lr = null or loss = 1")
    async with db.read() as conn:
        assert await run_tables.list_ids(conn, run_tables.RunFilter(tree=tree)) == [5]
        with pytest.raises(InvalidInputError, match="'lr'"):
            await run_tables.list_ids(conn, run_tables.RunFilter(tree=tree, project_id=2))
        only = run_tables.RunFilter(tree=parse_filter("loss = 1"), project_id=2)
        assert await run_tables.list_ids(conn, only) == [5]


async def test_archived_and_trashed_runs_match_only_if_asked_for(db: Database) -> None:
    async with db.write() as conn:
        await _fill(conn)
        await runs.update(conn, 1, archived_at=5_000_000)
        await runs.update(conn, 2, trashed_at=6_000_000)
        await runs.update(conn, 3, archived_at=5_000_000, trashed_at=7_000_000)

    async def matching(text: str | None = None, **fields: Any) -> list[int]:
        tree = None if text is None else parse_filter(text)
        async with db.read() as conn:
            where = run_tables.RunFilter(tree=tree, **fields)
            return await run_tables.list_ids(conn, where)

    assert await matching() == await matching(project_id=1) + [5] == [4, 5]
    assert await matching(archived=True) == [1, 4, 5]
    assert await matching(trashed=True) == [2, 3]
    assert await matching("archived = true") == [1]
    assert await matching("archived = true or archived = false") == [1, 4, 5]
    assert await matching("trashed = true") == [2, 3]
    assert await matching("trashed = true and archived = false") == [2]
    assert await matching("trashed > 1970-01-01T00:00:06") == [3]
    assert await matching("id < 4") == []
    assert await matching("id < 4", include=(2,)) == await matching(include=(2,), project_id=9) + [
        2
    ]
    assert await matching(ids=(1, 2, 3)) == [1, 2, 3]
    async with db.read() as conn:
        page = await groups.list_page(
            conn, run_tables.RunFilter(project_id=1), [parse_field("group")], columns={}, limit=9
        )
        assert [(group.value, group.runs) for group in page.groups] == [(None, 1)]
        [side, main] = await projects.list_summaries(conn, limit=9)
        assert (main.total_runs, main.archived_runs, main.trashed_runs) == (1, 1, 2)
        assert (main.running_runs, main.completed_runs) == (0, 1)
        assert main == await projects.get_summary(conn, 1)
        assert (side.total_runs, side.archived_runs, side.trashed_runs) == (1, 0, 0)
        assert (await runs.resolve(conn, "latest")).id == 5
        assert (await runs.resolve(conn, "run-3")).id == 3


@pytest.mark.parametrize(
    ("text", "sort_by", "ids"),
    [
        ("config.lr > 0", "config.lr", [2, 1, 3]),
        ("config.lr > 0 and config.opt ~ a", "config.lr", [1, 3]),
        ("config.opt ~ a and config.lr > 0", "config.lr", [1, 3]),
        ("config.opt ~ d", "config.lr", [2, 1, 3]),
        ("config.lr > 0", "metric.acc", [3, 1, 2]),
        ("config.lr ~ 0", "config.amp", [2, 1, 4]),
        ("config.lr > 0 or config.opt = null", "config.lr", [2, 1, 3, 4, 5]),
        ("not config.lr > 0", "config.lr", [4, 5]),
    ],
)
async def test_pages_of_runs_that_match_a_configuration(
    db: Database, text: str, sort_by: str, ids: list[int]
) -> None:
    async with db.write() as conn:
        await _fill(conn)
    where = run_tables.RunFilter(tree=parse_filter(text))
    for limit in (1, 2, 5):
        found: list[int] = []
        cursor: str | None = None
        while cursor is not None or not found:
            async with db.read() as conn:
                page = await run_tables.list_page(
                    conn, where, sort_by=parse_field(sort_by), sort_order="asc", limit=limit,
                    cursor=cursor,
                )  # fmt: skip
            found += [run.id for run in page.runs]
            cursor = page.next_cursor
            assert page.total == len(ids)
        assert found == ids


async def test_a_search_finds_texts_in_any_case(db: Database, engine: str) -> None:
    names = ["Straße", "STRASSE 50%", "50_a", "50 a", "\u212a2", "k2", "İ", "a\\b", "FIT", "ÉTÉ"]
    if engine == "sqlite":  # PostgreSQL does not take ligatures apart
        names.append("ﬁt")
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        for number, name in enumerate(names):
            slug = f"RUN-{number}"
            await runs.create(
                conn, uid=slug, project_id=project.id, slug=slug, name=name, group_name=None, now=1
            )
        for text in (
            *names,
            "strasse",
            "ss",
            "%",
            "_",
            "\\",
            "K",
            "été",
            "fi",
            "n-1",
            "Run",
            "i̇",
            "\0",
            "50\0",
            "_" * 50_000,
        ):
            page = await run_tables.list_page(
                conn, run_tables.RunFilter(search=text), sort_by=parse_field("id"),
                sort_order="asc", limit=100,
            )  # fmt: skip
            assert [run.name for run in page.runs] == [
                name
                for number, name in enumerate(names)
                if text.casefold() in name.casefold() or text.casefold() in f"run-{number}"
            ], text


@pytest.mark.sqlite("PostgreSQL searches all texts in one way")
async def test_a_search_finds_characters_that_fold_to_ascii(db: Database) -> None:
    """SQLite's own LIKE does not find them."""
    folded: dict[str, str] = {}
    for number in range(0x80, sys.maxunicode + 1):
        folding = chr(number).casefold()
        if any(letter.isascii() for letter in folding):
            folded[chr(number)] = folding
    assert set(folded.values()) <= set(run_tables._FOLDINGS)
    names = [f"a{character}{character}b" for character in folded]
    texts = {"c"}
    for folding in folded.values():
        text = f"a{folding}{folding}b"
        texts |= {text[at:end] for at in range(len(text)) for end in range(at + 1, len(text) + 1)}
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        for number, name in enumerate(names):
            slug = f"{number}"
            await runs.create(
                conn, uid=slug, project_id=project.id, slug=slug, name=name, group_name=None, now=1
            )
        for text in sorted(text for text in texts if text.isascii()):
            page = await run_tables.list_page(
                conn, run_tables.RunFilter(search=text), sort_by=parse_field("id"),
                sort_order="asc", limit=100,
            )  # fmt: skip
            expected = [name for name in names if text in name.casefold()]
            assert [run.name for run in page.runs] == expected, text


@pytest.mark.parametrize("search", ["name", "name 3", "absent"])
async def test_the_number_of_runs_is_the_same_on_all_pages(db: Database, search: str) -> None:
    async with db.write() as conn:
        await _fill(conn)
    where = run_tables.RunFilter(search=search)
    async with db.read() as conn:
        total = await run_tables.count(conn, where)
        assert total == {"name": 4, "name 3": 1, "absent": 0}[search]
        for limit in (1, 2, 4, 5):
            for offset in range(6):
                page = await run_tables.list_page(conn, where, limit=limit, offset=offset)
                assert (page.total, len(page.runs)) == (total, len(range(total)[offset:][:limit]))
                assert page.has_more == (offset + limit < total)
