"""Writers, attempts, journals and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trackai.errors import StoreError
from trackai.store.catalogue import batches, journals, projects, runs, writers
from trackai.store.points import attempts

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database


async def new_run(conn: Connection, slug: str = "r") -> int:
    project = await projects.get_or_create(conn, "p", now=1)
    run = await runs.create(
        conn, uid=slug, project_id=project.id, slug=slug, name=None, group_name=None, now=1
    )
    return run.id


async def new_writer(conn: Connection, run_id: int, uid: str, attempt: int = 1) -> int:
    return await writers.get_or_create(
        conn, uid=uid, run_id=run_id, attempt=attempt, rank=0, host="h", pid=1, now=1
    )


async def test_a_writer_is_created_once(db: Database) -> None:
    async with db.write() as conn:
        run_id = await new_run(conn)
        first = await new_writer(conn, run_id, "a")
        assert await new_writer(conn, run_id, "b", attempt=2) != first
        assert await new_writer(conn, run_id, "a", attempt=9) == first
        assert await writers.find(conn, ["a", "none"]) == {"a": first}
        assert await attempts.numbers(conn, [first, 99]) == {first: 1}


async def test_attempts_are_counted_per_run(db: Database) -> None:
    async with db.write() as conn:
        first, second = await new_run(conn, "a"), await new_run(conn, "b")
        assert await writers.next_attempt(conn, first) == 1
        for uid, attempt in (("x", 1), ("y", 1), ("z", 2)):
            await new_writer(conn, first, uid, attempt)
        assert await writers.next_attempt(conn, first) == 3
        assert await writers.next_attempt(conn, second) == 1


async def test_how_far_a_journal_is_stored(db: Database) -> None:
    async with db.write() as conn:
        assert await journals.consumed(conn, "j") is None
        for offset in (0, 2**40, 5):
            await journals.advance(conn, "j", offset)
            assert await journals.consumed(conn, "j") == offset
        await journals.advance(conn, "k", 1)
        await journals.forget(conn, "j")
        await journals.forget(conn, "j")
        assert await journals.consumed(conn, "j") is None
        assert await journals.consumed(conn, "k") == 1


async def test_latest_attempts(db: Database) -> None:
    async with db.write() as conn:
        first, second, third = [await new_run(conn, slug) for slug in "abc"]
        for run, uid, attempt in ((first, "a", 1), (first, "b", 3), (second, "c", 1)):
            await new_writer(conn, run, uid, attempt)
        latest = await writers.latest_attempts(conn, [first, second, third, third + 1])
        assert latest == {first: 3, second: 1}
        assert await writers.latest_attempts(conn, []) == {}


async def test_projects_of_runs(db: Database) -> None:
    async with db.write() as conn:
        first, second = await new_run(conn, "a"), await new_run(conn, "b")
        project = await runs.project_of(conn, first)
        found = await runs.projects_of(conn, [first, second, second + 1])
        assert found == {first: project, second: project}


@pytest.mark.parametrize("count", [1, 2, 5, 64, 65, 130])
async def test_which_of_many_batches_are_stored(db: Database, count: int) -> None:
    async with db.write() as conn:
        run = await new_run(conn)
        keys = [(run, str(number)) for number in range(count)]
        await batches.add(conn, [(key, 1) for key in keys[::2]], now=1)
        assert await batches.stored(conn, keys) == set(keys[::2])


async def test_which_batches_are_stored(db: Database) -> None:
    key = "ü \"'\n"
    async with db.write() as conn:
        first, second = await new_run(conn, "a"), await new_run(conn, "b")
        await batches.add(conn, [((first, key), 3), ((first, "2"), 0)], now=1)
        keys = [(first, key), (first, "2"), (second, key), (second, "2"), (first, "none")]
        assert await batches.stored(conn, keys) == {(first, key), (first, "2")}
        assert await batches.stored(conn, []) == set()
    with pytest.raises(StoreError):
        async with db.write() as conn:
            await batches.add(conn, [((second, "3"), 1), ((first, "2"), 1)], now=1)
    async with db.write() as conn:
        assert await batches.stored(conn, [(second, "3")]) == set()
        await runs.delete(conn, first)
        assert await batches.stored(conn, keys) == set()
