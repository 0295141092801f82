"""Run a repository function inside the connection's thread, instead of statement by statement.

With aiosqlite every awaited statement goes to the connection's thread and back. That takes longer
than most statements do, and waits twice for its turn on a busy server. Repository functions await
nothing but statements, so one step of their coroutine in that thread runs them to the end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, cast

import aiosqlite

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine, Generator, Iterable

    from trackai.store.engine.connection import Connection

T = TypeVar("T")


class Direct:
    """The methods of a connection that repository functions use, executed in the calling thread."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    @property
    def total_changes(self) -> int:
        return self._conn.total_changes

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> _Statement:
        return _Statement(self._conn.execute(sql, parameters))  # type: ignore[arg-type]

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> None:
        self._conn.executemany(sql, parameters).close()  # type: ignore[arg-type]

    def create_function(self, name: str, arguments: int, function: Callable[..., Any]) -> None:
        """Add a function to SQL, whose result depends only on its arguments."""
        self._conn.create_function(name, arguments, function, deterministic=True)

    async def rollback(self) -> None:
        self._conn.rollback()

    def serialize(self, name: str) -> bytes:
        """The pages of a database: "main", "temp" or the name of an attached one."""
        return self._conn.serialize(name=name)

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
        return self._conn.execute(sql, parameters).fetchall()  # type: ignore[arg-type]


class _Statement:
    """An executed statement: to await, or to fetch rows from."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def __await__(self) -> Generator[Any, None, None]:
        self._cursor.close()
        yield from ()

    async def __aenter__(self) -> _Statement:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._cursor.close()

    async def fetchmany(self, size: int) -> list[Any]:
        return self._cursor.fetchmany(size)


async def run(conn: Connection, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    """Run `work` in the thread of `conn`.

    Args:
        work: a function that takes a connection, and awaits only its statements.

    Returns:
        What `work` returns.

    Raises:
        RuntimeError: `work` awaited anything else.
    """
    if not isinstance(conn, aiosqlite.Connection):  # already in that thread, or without one
        return await work(conn)

    return cast("T", await conn._execute(_run, conn, work))  # type: ignore[no-untyped-call]


async def run_to_end(conn: Connection, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    """Like `run`, but a task that is cancelled meanwhile still waits for the outcome.

    It is cancelled at the next `await` that suspends it. A shielded cancel scope is not enough:
    `Task.cancel()`, by which asyncio and uvicorn end tasks, ignores it. The thread would go on with
    the work, and nothing would know how it ends.
    """
    if not isinstance(conn, aiosqlite.Connection):
        return await work(conn)
    results: list[T] = []
    errors: list[BaseException] = []

    def settle() -> None:
        try:
            results.append(_run(conn, work))
        except BaseException as error:
            errors.append(error)

    job, is_cancelled = settle, False
    while not (results or errors):
        try:
            await conn._execute(job)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            job, is_cancelled = _do_nothing, True  # the thread comes to it after the work
    if is_cancelled and (task := asyncio.current_task()) is not None:
        task.uncancel()  # keeps the count of `Task.cancelling()`
        task.cancel()
    if errors:
        raise errors.pop()  # its traceback refers to the list
    return results[0]


def _do_nothing() -> None:
    pass


def _run(conn: aiosqlite.Connection, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    coroutine = work(Direct(conn._conn))
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    coroutine.close()
    raise RuntimeError("work in the connection's thread may only await its statements")
