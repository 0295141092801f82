"""A transaction that is carried out in the connection's thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from trackai.errors import StoreError
from trackai.store import direct, projects

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.store.database import Database


async def test_repository_functions_work_there_as_everywhere(db: Database) -> None:
    threads: list[threading.Thread] = []

    async def work(conn: Connection) -> int:
        threads.append(threading.current_thread())
        made = await projects.create(conn, "p", "p", now=1)
        await conn.executemany("UPDATE projects SET name = ? WHERE id = ?", [("q", made.id)])
        return conn.total_changes

    async with db.write() as conn:
        before = conn.total_changes
        assert await direct.run(conn, work) - before >= 2
    async with db.read() as conn:
        [found] = await projects.list_page(conn, limit=10, offset=0)
    assert found.name == "q"
    assert threads != [threading.current_thread()]


async def test_a_mistake_undoes_the_transaction_and_is_translated(db: Database) -> None:
    async def work(conn: Connection) -> None:
        await projects.create(conn, "p", "p", now=1)
        await conn.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError, match="nowhere"):
        async with db.write() as conn:
            await direct.run(conn, work)
    async with db.read() as conn:
        assert await projects.list_page(conn, limit=10, offset=0) == []


async def test_waiting_for_anything_else_is_refused(db: Database) -> None:
    async def work(conn: Connection) -> None:
        await projects.create(conn, "p", "p", now=1)
        await anyio.sleep(0)

    with pytest.raises(RuntimeError):
        async with db.write() as conn:
            await direct.run(conn, work)
    async with db.write() as conn:  # and nothing is left behind
        assert await projects.list_page(conn, limit=10, offset=0) == []
