"""Changes that wait at the same time: each is done as if it were alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from trackai.errors import ConflictError, StoreBusyError, StoreError
from trackai.store.catalogue import projects
from trackai.store.engine import opening
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from anyio.abc import TaskStatus

    from trackai.store.engine.connection import Connection

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


async def test_a_change_in_bulk_has_a_transaction_of_its_own(db: Database) -> None:
    seen: dict[str, int] = {}

    def looking(name: str) -> Callable[[Connection], Coroutine[Any, Any, None]]:
        async def look(conn: Connection) -> None:
            await projects.create(conn, name, name, now=1)
            [(is_on,)] = await conn.execute_fetchall("PRAGMA foreign_keys")
            seen[name] = is_on

        return look

    async def change(name: str, bulk: bool) -> None:
        await db.change(looking(name), bulk=bulk)

    await db.open()
    before = db.transactions
    async with anyio.create_task_group() as tasks:
        for name, bulk in (("a", False), ("b", True), ("c", False), ("d", True), ("e", False)):
            tasks.start_soon(change, name, bulk)
    assert seen == {"a": 1, "b": 0, "c": 1, "d": 0, "e": 1}
    assert await names(db) == ["a", "b", "c", "d", "e"]
    assert db.transactions - before >= 4


async def test_foreign_keys_are_checked_after_a_change_in_bulk_that_failed(db: Database) -> None:
    async def fail(conn: Connection) -> None:
        await projects.create(conn, "half", "half", now=1)
        raise ConflictError("half")

    async def add_orphan(conn: Connection) -> None:
        await conn.execute("INSERT INTO tags (run_id, tag) VALUES (99, 't')")

    with pytest.raises(ConflictError):
        await db.change(fail, bulk=True)
    assert await names(db) == []
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await db.change(add_orphan)
    async with db.write() as conn:
        [(pages,)] = await conn.execute_fetchall("PRAGMA wal_autocheckpoint")
    assert pages == 1000


async def test_a_change_in_bulk_ends_before_the_database_is_closed(db: Database) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    async def create(conn: Connection) -> str:
        await projects.create(conn, "bulk", "bulk", now=1)
        has_begun.set()
        assert may_end.wait(10)
        return "stored"

    results: list[str] = []

    async def change() -> None:
        results.append(await db.change(create, bulk=True))

    await db.open()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(change)
        await anyio.to_thread.run_sync(has_begun.wait)
        tasks.start_soon(db.close)
        await anyio.sleep(0.1)  # until it waits for the thread of SQLite
        may_end.set()
    assert results == ["stored"]
    assert await names(db) == ["bulk"]


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


async def test_changes_that_have_waited_for_a_lock_fail_together(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the tenth that waits for a program with a long transaction waits ten times."""
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.1)
    await db.open()
    outcomes: dict[str, object] = {}
    with closing(sqlite3.connect(db.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        async def make(name: str) -> None:
            try:
                outcomes[name] = await db.change(making(name))
            except StoreBusyError as error:
                outcomes[name] = type(error)
                if name != "a" and other.in_transaction:
                    other.execute("ROLLBACK")

        async with anyio.create_task_group() as tasks:
            for name in ("a", "b", "c", "d", "e"):  # "a" begins a transaction of its own
                tasks.start_soon(make, name)
    assert outcomes == dict.fromkeys(("a", "b", "c", "d", "e"), StoreBusyError)
    assert await db.change(making("f")) == "f"
    assert await names(db) == ["f"]


def failing_first(name: str, *, times: int) -> Callable[[Connection], Coroutine[Any, Any, str]]:
    """A change that makes a project, but fails `times` times, and all of its transaction."""
    left = [None] * times

    async def make(conn: Connection) -> str:
        if left:
            left.pop()
            raise sqlite3.OperationalError("the disk is full")
        return await making(name)(conn)

    return make


async def test_an_error_of_the_shared_transaction_is_forgotten_alone(db: Database) -> None:
    """The project that was in the way is not there any more."""
    outcomes: list[object] = []
    attempts: list[None] = []

    async def fail_alone(conn: Connection) -> None:
        attempts.append(None)
        if len(attempts) > 1:
            raise sqlite3.OperationalError("the disk is full")
        await projects.create(conn, "a", "a", now=1)

    async def make(work: Callable[[Connection], Coroutine[Any, Any, Any]]) -> None:
        try:
            outcomes.append(await db.change(work))
        except (ConflictError, StoreError) as error:
            outcomes.append(type(error))

    async with anyio.create_task_group() as tasks, db.write():  # the others wait
        for work in (fail_alone, making("a"), failing_first("b", times=1)):
            tasks.start_soon(make, work)
        await anyio.wait_all_tasks_blocked()
    assert outcomes[1:] == ["a", "b"]
    assert await names(db) == ["a", "b"]


async def test_a_change_that_was_done_does_not_fail_with_the_next(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: dict[str, object] = {}
    opened: list[None] = []
    current_writer = db._current_writer

    async def fail_third() -> Any:
        opened.append(None)
        if len(opened) == 3:  # after the shared transaction, and that of the first change
            raise StoreError("the file is damaged")
        return await current_writer()

    async def make(name: str) -> None:
        try:
            outcomes[name] = await db.change(failing_first(name, times=int(name == "b")))
        except StoreError as error:
            outcomes[name] = str(error)

    async with anyio.create_task_group() as tasks:
        async with db.write():  # the others wait
            for name in ("a", "b"):
                tasks.start_soon(make, name)
            await anyio.wait_all_tasks_blocked()
        monkeypatch.setattr(db, "_current_writer", fail_third)
    assert outcomes == {"a": "a", "b": "the file is damaged"}
    assert await names(db) == ["a"]


async def test_a_change_that_is_cancelled_while_its_transaction_fails_is_not_done_later(
    db: Database,
) -> None:
    loop = asyncio.get_running_loop()
    scopes: list[anyio.CancelScope] = []
    runs: list[None] = []

    async def cancel_itself(conn: Connection) -> None:
        loop.call_soon_threadsafe(scopes[0].cancel)
        runs.append(None)
        raise sqlite3.OperationalError("the disk is full")

    async with anyio.create_task_group() as tasks, db.write():  # the others wait
        tasks.start_soon(db.change, making("a"))
        scopes.append(await tasks.start(_change, db, cancel_itself))
    before = len(runs)
    await db.change(making("b"))
    assert len(runs) == before
    assert await names(db) == ["a", "b"]


@pytest.mark.parametrize("cancelled", ["a", "b", "c"])  # the task of "a" is to run all of them
async def test_a_change_that_is_cancelled_while_it_waits_is_not_done(
    db: Database, cancelled: str
) -> None:
    async with anyio.create_task_group() as tasks, db.write():  # the others wait
        for name in ("a", "b", "c"):
            scope = await tasks.start(_change, db, making(name))
            if name == cancelled:
                scope.cancel()
    assert await names(db) == sorted({"a", "b", "c"} - {cancelled})


async def test_changes_are_done_if_the_next_is_cancelled_when_its_turn_comes(db: Database) -> None:
    """Its task is told to run the changes that wait, and is cancelled before it goes on."""
    scopes: list[anyio.CancelScope] = []

    async def cancel_next() -> None:
        await db.change(making("a"), bulk=True)
        scopes[0].cancel()

    async def change(name: str) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await db.change(making(name), bulk=True)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancel_next)
            for name in ("b", "c"):
                tasks.start_soon(change, name)
    assert await names(db) == ["a", "c"]


async def test_changes_go_on_if_one_in_bulk_is_cancelled_while_it_is_looked_at(
    db: Database,
) -> None:
    """SQLite's thread has removed it for a moment from the changes that wait."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[str]] = []

    async def cancel() -> None:
        tasks[1].cancel()
        await anyio.wait_all_tasks_blocked()

    class Cancelling:
        def __bool__(self) -> bool:
            asyncio.run_coroutine_threadsafe(cancel(), loop).result(20)
            return True

    async with db.write():  # the others wait
        for name, bulk in (("a", False), ("bulk", Cancelling()), ("c", False)):
            tasks.append(asyncio.create_task(db.change(making(name), bulk=bulk)))  # type: ignore[arg-type]
        await anyio.wait_all_tasks_blocked()
    ended, waiting = await asyncio.wait(tasks, timeout=20)
    for task in waiting:
        task.cancel()
    assert ended == {*tasks}
    assert tasks[1].cancelled()
    assert await names(db) == ["a", "c"]


async def test_what_a_change_does_the_last_time_counts(db: Database) -> None:
    """An error undoes all changes of the transaction, which are done again one by one."""
    outcomes: list[str] = []
    runs: list[str] = []

    def failing(name: str, *, times: int) -> Callable[[Connection], Coroutine[Any, Any, str]]:
        async def make(conn: Connection) -> str:
            runs.append(name)
            await projects.create(conn, name, name, now=1)
            if runs.count(name) <= times:
                raise ConflictError(name)
            return name

        return make

    async def change(name: str, times: int) -> None:
        try:
            outcomes.append(await db.change(failing(name, times=times)))
        except ConflictError:
            outcomes.append(f"no {name}")

    async with anyio.create_task_group() as tasks, db.write():  # the others wait
        for name, times in (("a", 0), ("b", 1), ("c", 2), ("d", 0)):
            tasks.start_soon(change, name, times)
        await anyio.wait_all_tasks_blocked()
    assert sorted(outcomes) == ["a", "b", "d", "no c"]
    assert await names(db) == ["a", "b", "d"]
    assert runs == ["a", "b", "a", "b", "c", "d"]


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


async def test_changes_are_done_once_if_the_task_that_runs_them_is_cancelled_by_asyncio(
    db: Database,
) -> None:
    """uvicorn does that to requests that take too long at its end: no cancel scope shields them."""
    has_begun, may_end = threading.Event(), threading.Event()
    runs: list[str] = []

    def work(name: str) -> Callable[[Connection], Coroutine[Any, Any, str]]:
        async def make(conn: Connection) -> str:
            runs.append(name)
            if name == "c":
                has_begun.set()
                assert may_end.wait(10)
            return await making(name)(conn)

        return make

    async with db.write():  # the others wait
        tasks = [asyncio.create_task(db.change(work(name))) for name in ("a", "b", "c")]
        await anyio.wait_all_tasks_blocked()
    await anyio.to_thread.run_sync(has_begun.wait)
    tasks[0].cancel()
    await anyio.wait_all_tasks_blocked()
    may_end.set()
    ended, waiting = await asyncio.wait(tasks, timeout=20)
    for task in waiting:
        task.cancel()
    assert ended == {*tasks}
    assert [task.result() for task in tasks[1:]] == ["b", "c"]
    assert runs == await names(db) == ["a", "b", "c"]


@pytest.mark.parametrize("cancelled", ["a", "b"])  # the task that runs the changes, and another
async def test_a_change_that_runs_is_done_before_its_task_ends_that_is_cancelled_twice(
    db: Database, cancelled: str
) -> None:
    """uvicorn cancels requests that take too long at its end, and asyncio all tasks after that."""
    has_begun, may_end = threading.Event(), threading.Event()
    stored: list[tuple[str]] = []

    async def wait(conn: Connection) -> str:
        has_begun.set()
        assert may_end.wait(10)
        return await making("c")(conn)

    async def make(name: str) -> None:
        try:
            await db.change(wait if name == "c" else making(name))
        finally:
            if name == cancelled:
                with closing(sqlite3.connect(db.path)) as conn:
                    stored.extend(conn.execute("SELECT name FROM projects ORDER BY name"))

    async with db.write():  # the others wait
        tasks = {name: asyncio.create_task(make(name)) for name in ("a", "b", "c")}
        await anyio.wait_all_tasks_blocked()
    await anyio.to_thread.run_sync(has_begun.wait)
    for _ in range(2):
        tasks[cancelled].cancel()
        await anyio.wait_all_tasks_blocked()
    may_end.set()
    await asyncio.wait(tasks.values(), timeout=20)
    assert stored == [("a",), ("b",), ("c",)]


async def test_changes_are_repeated_in_the_file_that_has_taken_the_place(
    db: Database, tmp_path: Path
) -> None:
    """An error undoes all changes of the transaction; meanwhile, the file is replaced."""
    other = Database(tmp_path / "other.db")
    await other.change(making("backup"))
    await other.close()

    async def replace(conn: Connection) -> None:
        if other.path.exists():
            other.path.replace(db.path)
        raise ConflictError("replaced")

    async def fail() -> None:
        with pytest.raises(ConflictError):
            await db.change(replace)

    async with anyio.create_task_group() as tasks, db.write():  # the others wait
        tasks.start_soon(db.change, making("a"))
        tasks.start_soon(fail)
        tasks.start_soon(db.change, making("b"))
        await anyio.wait_all_tasks_blocked()
    assert await names(db) == ["a", "b", "backup"]
