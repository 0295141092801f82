"""Forked runs: series with what they inherit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trackai
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import curves, lineage, metrics, reads
from trackai.structs.points import Column

if TYPE_CHECKING:
    from tests.conftest import Server
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database
    from trackai.values.types import Axis, Step


async def _run(
    conn: Connection, slug: str, series: dict[str, list[Step]], *, fork: tuple[str, Step] | None
) -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
    )
    writer_id = await writers.get_or_create(
        conn, uid=slug, run_id=run.id, attempt=1, rank=0, host="here", pid=1, now=1
    )
    columns = []
    for path, steps in series.items():
        axis: Axis = "time" if path.startswith("system") else "step"
        values = [f"{slug} {step}" for step in steps]
        columns.append(Column(path, axis, steps, [7 for _ in steps], values))  # type: ignore[arg-type]
    await metrics.append(conn, run.id, writer_id, columns)
    if fork is not None:
        await runs.set_fork(conn, run.id, *fork)
    return run.id


async def _family(db: Database) -> tuple[int, int, int]:
    async with db.write() as conn:
        root = await _run(
            conn, "root", {"loss": [0, 1, 2, 3, 4], "old": [0], "late": [4], "system": [9]},
            fork=None,
        )  # fmt: skip
        child = await _run(conn, "child", {"loss": [2.5, 3, 5]}, fork=("root", 2))
        grandchild = await _run(
            conn, "grandchild", {"loss": [3, 6], "new": [1]}, fork=("child", 2.5)
        )
    return root, child, grandchild


async def _values(db: Database, run_id: int, path: str, **arguments: Any) -> list[str]:
    async with db.read() as conn:
        (segments,) = await lineage.find(
            conn, run_id, path, inherited=arguments.pop("inherited", True)
        )
        rows = await reads.read(conn, segments, **{"limit": 100, **arguments})
        if not arguments:
            assert await reads.count(conn, segments) == len(rows)
            assert await reads.read_many(conn, [segments]) == [
                [(step, value) for step, _, value in rows]
            ]
    return [str(value) for _, _, value in rows]


async def test_a_fork_continues_its_parents_curve(db: Database) -> None:
    root, child, grandchild = await _family(db)
    begin = ["root 0", "root 1", "root 2"]
    assert await _values(db, root, "loss") == [*begin, "root 3", "root 4"]
    assert await _values(db, child, "loss") == [*begin, "child 2.5", "child 3", "child 5"]
    assert await _values(db, grandchild, "loss") == [
        *begin, "child 2.5", "grandchild 3", "grandchild 6",
    ]  # fmt: skip
    assert await _values(db, grandchild, "loss", inherited=False) == [
        "grandchild 3", "grandchild 6",
    ]  # fmt: skip
    assert await _values(db, grandchild, "old") == ["root 0"]


async def test_pages_and_ranges_span_the_fork(db: Database) -> None:
    _, _, grandchild = await _family(db)
    values = await _values(db, grandchild, "loss")
    pages = [
        value
        for offset in range(0, 8, 2)
        for value in await _values(db, grandchild, "loss", limit=2, offset=offset)
    ]
    assert pages == values
    assert await _values(db, grandchild, "loss", step_min=2, step_max=3) == values[2:5]
    assert await _values(db, grandchild, "loss", attempt=1) == values[4:]
    assert await _values(db, grandchild, "loss", attempt="all") == values


async def test_names_that_begin_after_the_fork_are_not_inherited(db: Database) -> None:
    root, child, grandchild = await _family(db)
    async with db.read() as conn:
        assert await lineage.list_paths(conn, root) == ["late", "loss", "old", "system"]
        assert await lineage.list_paths(conn, child) == ["loss", "old"]
        assert await lineage.list_paths(conn, grandchild) == ["loss", "new", "old"]
        assert await lineage.list_paths(conn, grandchild, inherited=False) == ["loss", "new"]


async def test_names_of_several_runs_include_what_any_of_them_inherits(db: Database) -> None:
    root, child, grandchild = await _family(db)
    async with db.write() as conn:
        # Continues the root up to a later step than the child does, so it inherits `late`.
        sibling = await _run(conn, "sibling", {"own": [5]}, fork=("root", 4))

        async def names(*run_ids: int, inherited: bool = True) -> list[str]:
            return await lineage.list_paths_of_runs(conn, run_ids, inherited=inherited)

        assert await names(child, grandchild) == ["loss", "new", "old"]
        assert await names(child, grandchild, inherited=False) == ["loss", "new"]
        assert await names(sibling) == ["late", "loss", "old", "own"]
        for run_ids in ((sibling, child), (child, sibling)):
            assert await names(*run_ids) == ["late", "loss", "old", "own"]
        assert await names(root, child) == ["late", "loss", "old", "system"]
        assert await names() == []


async def test_a_missing_parent_and_a_cycle_are_accepted(db: Database) -> None:
    root, child, _ = await _family(db)
    async with db.write() as conn:
        await runs.set_fork(conn, root, "missing", 3)
    assert (await _values(db, root, "loss"))[:1] == ["root 0"]
    async with db.write() as conn:
        await runs.set_fork(conn, root, "child", 3)
    assert len(await _values(db, child, "loss")) == 6
    assert len(await _values(db, root, "loss")) > 5


async def test_a_fork_of_booleans_inherits_numbers(db: Database) -> None:
    async with db.write() as conn:
        for name, step, value in (("root", 0, 0.5), ("child", 1, True)):
            run_id = await _run(conn, name, {}, fork=None if name == "root" else ("root", 0))
            writer_id = await writers.get_or_create(
                conn, uid=f"{name} 2", run_id=run_id, attempt=1, rank=0, host="h", pid=1, now=1
            )
            await metrics.append(
                conn, run_id, writer_id, [Column("m", "step", [step], [7], [value])]
            )
        (segments,) = await lineage.find(conn, run_id, "m")
        assert (await curves.read(conn, segments)).values == [0.5, 1]


async def test_over_http(db: Database, server: Server) -> None:
    root, child, _ = await _family(db)
    metric = f"/api/metrics/runs/{child}/metric/loss"
    assert [point["step"] for point in server.get(metric)["data"]] == [0, 1, 2, 2.5, 3, 5]
    own = server.get(metric + "?inherited=false")["data"]
    assert [point["step"] for point in own] == [2.5, 3, 5]
    assert server.get(f"/api/metrics/runs/{child}") == ["loss", "old"]
    assert server.get(f"/api/metrics/runs/{child}?inherited=false") == ["loss"]
    assert server.request("GET", f"/api/metrics/runs/{child}/metric/late").status == 404
    # Row ids that no integer of SQLite can hold have no ancestors.
    names: dict[str, Any] = {"run_ids": [child, 2**63, -(2**63) - 1, 10**30]}
    assert server.request("POST", "/api/metrics/paths", names).json == {"paths": ["loss", "old"]}
    names["inherited"] = False
    assert server.request("POST", "/api/metrics/paths", names).json == {"paths": ["loss"]}
    request = {"run_ids": [root, child], "metric_paths": ["loss", "system"]}
    both = server.request("POST", "/api/metrics/compare", request).json
    assert [point["value"] for point in both[str(child)]["loss"]][:3] == [
        "root 0",
        "root 1",
        "root 2",
    ]
    assert list(both[str(root)]) == ["system", "loss"]
    both = server.request("POST", "/api/metrics/compare", {**request, "inherited": False}).json
    assert len(both[str(child)]["loss"]) == 3


async def test_a_fork_of_booleans_shows_inherited_numbers(db: Database, server: Server) -> None:
    with trackai.init(project="p", name="parent") as parent:
        for step, value in enumerate([0.5, math.nan, 2.0]):
            parent.log({"m": value}, step=step)
    with trackai.init(project="p", name="child") as child:
        for step in (3, 4):
            child.log({"m": True}, step=step)
    async with db.write() as conn:
        assert child.id is not None
        assert parent.id is not None
        await runs.set_fork(conn, child.id, await runs.get_uid(conn, parent.id), 2)
    path = f"/api/metrics/runs/{child.id}/metric/m"
    assert [point["value"] for point in server.get(path)["data"]] == [0.5, "NaN", 2, 1, 1]
    chart = server.get(f"{path}?points=10")["data"]
    assert [point["last"] for point in chart] == [0.5, "NaN", 2, 1, 1]
    request = {"run_ids": [child.id], "metric_paths": ["m"]}
    compared = server.request("POST", "/api/metrics/compare", request).json[str(child.id)]["m"]
    assert [point["value"] for point in compared] == [0.5, "NaN", 2, 1, 1]
