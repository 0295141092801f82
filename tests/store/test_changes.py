"""Changes that wait at the same time: each is done as if it were alone."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from trackai.errors import ConflictError, StoreError
from trackai.store.catalogue import projects

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from anyio.abc import TaskStatus

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database

pytestmark = pytest.mark.sqlite("about the one connection that writes to a file")


def making(name: str) -> Callable[[Connection], Coroutine[Any, Any, str]]:
    async def make(conn: Connection) -> str:
        await projects.create(conn, name, name, now=1)
        return name

    return make


async def names(db: Database) -> list[str]:
    async with db.read() as conn:
        return sorted(
            project.name for project in await projects.list_page(conn, limit=100, offset=0)
        )


async def test_those_that_wait_share_a_transaction(db: Database) -> None:
    await db.open()
    before, done = db.transactions, []

    async def make(number: int) -> None:
        done.append(await db.change(making(f"p{number}")))

    async with anyio.create_task_group() as tasks:
        for number in range(9):
            tasks.start_soon(make, number)
    assert sorted(done) == await names(db) == [f"p{number}" for number in range(9)]
    assert db.transactions - before < 9


async def test_an_error_undoes_its_own_change_only(db: Database) -> None:
    failed = []

    async def conflict(conn: Connection) -> None:
        await projects.create(conn, "half", "half", now=1)
        await projects.create(conn, "half", "half", now=1)

    async def make(work: Callable[[Connection], Coroutine[Any, Any, Any]]) -> None:
        try:
            await db.change(work)
        except ConflictError as error:
            failed.append(error)

    await db.open()
    async with anyio.create_task_group() as tasks:
        for work in (making("a"), conflict, making("b"), conflict, making("c")):
            tasks.start_soon(make, work)
    assert len(failed) == 2
    assert await names(db) == ["a", "b", "c"]


async def test_changes_are_repeated_alone_if_their_transaction_fails(db: Database) -> None:
    """Such as on a full disk, where SQLite rolls the whole transaction back."""
    outcomes: dict[str, object] = {}

    async def roll_back(conn: Connection) -> None:
        await projects.create(conn, "lost", "lost", now=1)
        await conn.rollback()
        raise sqlite3.OperationalError("the disk is full")

    async def make(name: str, work: Callable[[Connection], Coroutine[Any, Any, Any]]) -> None:
        try:
            outcomes[name] = await db.change(work)
        except StoreError as error:
            outcomes[name] = str(error)

    await db.open()
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            tasks.start_soon(make, name, making(name))
        tasks.start_soon(make, "full", roll_back)
        tasks.start_soon(make, "c", making("c"))
    full = outcomes.pop("full")
    assert "the disk is full" in str(full)
    assert outcomes == {name: name for name in "abc"}
    assert await names(db) == ["a", "b", "c"]


async def test_a_change_that_is_cancelled_while_it_waits_is_not_done(db: Database) -> None:
    async with anyio.create_task_group() as tasks, db.write():  # the others wait
        for name in ("a", "cancelled", "b"):
            scope = await tasks.start(_change, db, making(name))
            if name == "cancelled":
                scope.cancel()
    assert await names(db) == ["a", "b"]


async def _change(
    db: Database,
    work: Callable[[Connection], Coroutine[Any, Any, Any]],
    *,
    task_status: TaskStatus[anyio.CancelScope],
) -> None:
    with anyio.CancelScope() as scope:
        task_status.started(scope)
        await db.change(work)


@pytest.mark.parametrize("number", [1, 2])  # the first of the transaction, and another
async def test_a_change_that_runs_is_done_before_its_task_is_cancelled(
    db: Database, number: int
) -> None:
    loop = asyncio.get_running_loop()
    scopes: list[anyio.CancelScope] = []
    found: list[Any] = []

    async def cancel(conn: Connection) -> None:
        loop.call_soon_threadsafe(scopes[number].cancel)

    async def make(name: str) -> None:
        scope = anyio.CancelScope()
        scopes.append(scope)
        with scope:
            try:
                await db.change(making(name))
            finally:
                with closing(sqlite3.connect(db.path)) as conn:
                    found.extend(conn.execute("SELECT name FROM projects WHERE name = ?", (name,)))

    async with anyio.create_task_group() as tasks:
        for name in ("a", "b", "c"):
            tasks.start_soon(make, name)
        tasks.start_soon(db.change, cancel)
    assert found == [("a",), ("b",), ("c",)]
