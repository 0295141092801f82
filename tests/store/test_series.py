"""Series: created once, found by name, with their figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from trackai.errors import NotFoundError
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import metrics, series
from trackai.structs.points import Column

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database


async def new_run(conn: Connection, slug: str) -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
    )
    return run.id


async def log(conn: Connection, run_id: int, **logged: list[Any]) -> None:
    writer_id = await writers.get_or_create(
        conn, uid=f"w{run_id}", run_id=run_id, attempt=1, rank=0, host="h", pid=1, now=1
    )
    columns = [
        Column(path, "step", list(range(len(values))), list(range(len(values))), values)
        for path, values in logged.items()
    ]
    await metrics.append(conn, run_id, writer_id, columns)


async def test_a_series_is_created_once_and_keeps_its_kind(db: Database) -> None:
    async with db.write() as conn:
        first, second = await new_run(conn, "a"), await new_run(conn, "b")
        kinds: dict[series.Name, Any] = {
            (first, "x", "step"): "number",
            (first, "x", "time"): "text",
            (first, "ü/'\" y", "step"): "bool",
            (second, "x", "step"): "bool",
        }
        created = await series.ensure(conn, kinds)
        assert {name: metric.kind for name, metric in created.items()} == kinds
        assert len({metric.id for metric in created.values()}) == 4
        again = await series.ensure(conn, dict.fromkeys(kinds, "text"))
        assert again == created
        rows = await conn.execute_fetchall("SELECT COUNT(*) FROM series")
        assert list(rows) == [(4,)]
        assert await series.ensure(conn, {}) == {}


async def test_summaries_skip_values_that_are_not_finite(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn, "a")
        await log(
            conn, run_id,
            flag=[True, False], loss=[3.0, math.nan, 1, math.inf], none=[math.nan], word=["a", "b"],
            vast=[1.7e308] * 3,
        )  # fmt: skip
        summaries = {summary.path: summary for summary in await series.summaries(conn, run_id)}
    assert list(summaries) == ["flag", "loss", "none", "vast", "word"]
    assert summaries["vast"].mean == 1.7e308
    loss = summaries["loss"]
    assert (loss.points, loss.nan_points, loss.last, loss.last_step) == (4, 1, "Infinity", 3)
    assert (loss.min, loss.min_step, loss.max, loss.max_step, loss.mean) == (1, 2, 3.0, 0, 2.0)
    assert (summaries["none"].last, summaries["none"].min, summaries["none"].mean) == (
        "NaN",
        None,
        None,
    )
    assert (summaries["word"].kind, summaries["word"].last, summaries["word"].max) == (
        "text",
        "b",
        None,
    )
    assert (summaries["flag"].kind, summaries["flag"].last) == ("bool", False)


async def test_series_are_found_by_name(db: Database) -> None:
    async with db.write() as conn:
        first, second = await new_run(conn, "a"), await new_run(conn, "b")
        await log(conn, first, x=[1.0], y=[1.0, 2.0])
        await log(conn, second, x=[1.0, 2.0, 3.0])
        assert [metric.path for metric in await series.find(conn, first, "y")] == ["y"]
        with pytest.raises(NotFoundError, match="'y'"):
            await series.find(conn, second, "y")
        assert await series.list_paths(conn, first) == ["x", "y"]
        assert [metric.path for metric in await series.list_of_run(conn, first)] == ["x", "y"]
        many = await series.find_many(conn, [first, second, 99], ["x", "none"])
        assert [(run_id, metric.path, metric.points) for run_id, _, metric in many] == [
            (first, "x", 1), (second, "x", 3),
        ]  # fmt: skip
        assert await series.last_step(conn, first) == 1
        assert await series.last_step(conn, 99) is None
        assert await series.last_values(conn, first) == [("x", 1.0, "number"), ("y", 2.0, "number")]


@pytest.mark.sqlite("an earlier version had only files")
async def test_a_name_of_an_earlier_version_may_contain_a_nul(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn, "a")
        await log(conn, run_id, **{"a\0b": [1.5, 3.5], "a": [2.5]})
        rows = await conn.execute_fetchall("SELECT path, points FROM series ORDER BY path")
    assert sorted(tuple(row) for row in rows) == [("a", 1), ("a\0b", 2)]
