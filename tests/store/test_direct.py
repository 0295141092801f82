"""Functions that run in the thread of a connection."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from trackai.errors import StoreError
from trackai.store.catalogue import projects
from trackai.store.engine import direct

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database

pytestmark = pytest.mark.sqlite("about the thread of aiosqlite")


async def test_repository_functions_run_in_that_thread(db: Database) -> None:
    threads: list[threading.Thread] = []

    async def work(conn: Connection) -> int:
        threads.append(threading.current_thread())
        project = await projects.create(conn, "p", "p", now=1)
        await conn.executemany("UPDATE projects SET name = ? WHERE id = ?", [("q", project.id)])
        return conn.total_changes

    async with db.write() as conn:
        before = conn.total_changes
        assert await direct.run(conn, work) - before >= 2
    async with db.read() as conn:
        [project] = await projects.list_page(conn, limit=10, offset=0)
    assert project.name == "q"
    assert threads != [threading.current_thread()]


async def test_an_error_rolls_back_and_is_translated(db: Database) -> None:
    async def work(conn: Connection) -> None:
        await projects.create(conn, "p", "p", now=1)
        await conn.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError, match="nowhere"):
        async with db.write() as conn:
            await direct.run(conn, work)
    async with db.read() as conn:
        assert await projects.list_page(conn, limit=10, offset=0) == []


async def test_awaiting_anything_else_is_refused(db: Database) -> None:
    async def work(conn: Connection) -> None:
        await projects.create(conn, "p", "p", now=1)
        await anyio.sleep(0)

    with pytest.raises(RuntimeError):
        async with db.write() as conn:
            await direct.run(conn, work)
    async with db.write() as conn:  # rolled back
        assert await projects.list_page(conn, limit=10, offset=0) == []


async def test_rows_can_be_fetched_in_pages(db: Database) -> None:
    async def work(conn: Connection) -> list[int]:
        async with conn.execute("VALUES (1), (2), (3)") as cursor:
            pages = []
            while rows := await cursor.fetchmany(2):
                pages.append(len(list(rows)))
            return pages

    assert await db.look(work) == [2, 1]
    # A nested call runs in the same thread.
    assert await db.look(lambda conn: direct.run(conn, work)) == [2, 1]


async def test_a_look_sees_one_state(db: Database) -> None:
    """A commit of another connection in between is seen by the next look."""
    writer = sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)

    async def work(conn: Connection) -> list[int]:
        counts = []
        for number in range(2):
            counts.append(len(await projects.list_page(conn, limit=10, offset=0)))
            writer.execute(
                "INSERT INTO projects (slug, name, created_at, updated_at) VALUES (?1, ?1, 1, 1)",
                (str(number),),
            )
        return counts

    assert await db.look(work) == [0, 0]
    assert len(await db.look(lambda conn: projects.list_page(conn, limit=10, offset=0))) == 2
    writer.close()


async def test_a_look_that_fails_is_rolled_back(db: Database) -> None:
    async def fail(conn: Connection) -> None:
        await conn.execute_fetchall("SELECT * FROM nowhere")

    async def write(conn: Connection) -> None:
        await projects.create(conn, "p", "p", now=1)

    async def stop(conn: Connection) -> None:
        await anyio.sleep(0)

    for work, error in ((fail, StoreError), (write, StoreError), (stop, RuntimeError)):
        with pytest.raises(error):
            await db.look(work)
        assert await db.look(lambda conn: projects.list_page(conn, limit=10, offset=0)) == []
