"""Series: made once, found by name, summed up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.errors import NotFoundError
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import metrics, series
from trackai.structs.points import Column

if TYPE_CHECKING:
    from aiosqlite import Connection

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


async def test_a_series_is_made_once_and_keeps_its_kind(db: Database) -> None:
    async with db.write() as conn:
        one, other = await new_run(conn, "a"), await new_run(conn, "b")
        wanted: dict[series.Name, Any] = {
            (one, "x", "step"): "number",
            (one, "x", "time"): "text",
            (one, "ü/'\" y", "step"): "bool",
            (other, "x", "step"): "bool",
        }
        made = await series.ensure(conn, wanted)
        assert {name: found.kind for name, found in made.items()} == wanted
        assert len({found.id for found in made.values()}) == 4
        again = await series.ensure(conn, dict.fromkeys(wanted, "text"))
        assert again == made
        rows = await conn.execute_fetchall("SELECT COUNT(*) FROM series")
        assert list(rows) == [(4,)]
        assert await series.ensure(conn, {}) == {}


async def test_summaries_leave_out_what_is_not_finite(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn, "a")
        await log(
            conn, run_id,
            flag=[True, False], loss=[3.0, math.nan, 1, math.inf], none=[math.nan], word=["a", "b"],
            vast=[1.7e308] * 3,
        )  # fmt: skip
        found = {one.path: one for one in await series.summaries(conn, run_id)}
    assert list(found) == ["flag", "loss", "none", "vast", "word"]
    assert found["vast"].mean == 1.7e308
    loss = found["loss"]
    assert (loss.points, loss.nan_points, loss.last, loss.last_step) == (4, 1, "Infinity", 3)
    assert (loss.min, loss.min_step, loss.max, loss.max_step, loss.mean) == (1, 2, 3.0, 0, 2.0)
    assert (found["none"].last, found["none"].min, found["none"].mean) == ("NaN", None, None)
    assert (found["word"].kind, found["word"].last, found["word"].max) == ("text", "b", None)
    assert (found["flag"].kind, found["flag"].last) == ("bool", False)


async def test_what_is_found_by_name(db: Database) -> None:
    async with db.write() as conn:
        one, other = await new_run(conn, "a"), await new_run(conn, "b")
        await log(conn, one, x=[1.0], y=[1.0, 2.0])
        await log(conn, other, x=[1.0, 2.0, 3.0])
        assert [found.path for found in await series.find(conn, one, "y")] == ["y"]
        with pytest.raises(NotFoundError, match="'y'"):
            await series.find(conn, other, "y")
        assert await series.list_paths(conn, one) == ["x", "y"]
        assert [found.path for found in await series.list_of_run(conn, one)] == ["x", "y"]
        many = await series.find_many(conn, [one, other, 99], ["x", "none"])
        assert [(run_id, found.path, found.points) for run_id, found in many] == [
            (one, "x", 1), (other, "x", 3),
        ]  # fmt: skip
        assert await series.last_step(conn, one) == 1
        assert await series.last_step(conn, 99) is None
        assert await series.last_values(conn, one) == [("x", 1.0, "number"), ("y", 2.0, "number")]


async def test_a_name_may_have_a_nul_in_it(db: Database) -> None:
    with trackai.init(project="p") as run:
        run.log({"a\0b": 1.5, "a": 2.5})
        run.log({"a\0b": 3.5})
    async with db.read() as conn:
        rows = await conn.execute_fetchall("SELECT path, points FROM series ORDER BY path")
    assert sorted(tuple(row) for row in rows) == [("a", 1), ("a\0b", 2)]
