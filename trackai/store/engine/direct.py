"""Many statements in one visit to the thread that owns the connection.

Each statement that is awaited goes to the connection's thread and back, which costs more than most
of them take, and on a busy server waits twice for its turn. Repository functions wait for nothing
but statements: in that thread they run through without a stop. The event loop is free meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from aiosqlite import Connection

T = TypeVar("T")


class _Direct:
    """What repository functions use of a connection, carried out where it is called."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    @property
    def total_changes(self) -> int:
        return self._conn.total_changes

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> _Statement:
        return _Statement(self._conn.execute(sql, parameters))  # type: ignore[arg-type]

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> None:
        self._conn.executemany(sql, parameters).close()  # type: ignore[arg-type]

    async def rollback(self) -> None:
        self._conn.rollback()

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
        return self._conn.execute(sql, parameters).fetchall()  # type: ignore[arg-type]


class _Statement:
    """A statement that has been carried out: to wait for, or to go through its rows."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def __await__(self) -> Iterator[None]:
        self._cursor.close()
        return iter(())

    async def __aenter__(self) -> _Statement:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._cursor.close()

    async def fetchmany(self, size: int) -> list[Any]:
        return self._cursor.fetchmany(size)


async def run(conn: Connection, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    """What `work` returns, which is called with a connection in the thread of `conn`.

    It may wait for the statements of that connection, and for nothing else.
    """
    given: object = conn
    if isinstance(given, _Direct):  # in that thread already
        return await work(conn)

    def carry_out() -> T:
        coroutine = work(cast("Connection", _Direct(conn._conn)))
        try:
            coroutine.send(None)
        except StopIteration as end:
            return cast("T", end.value)
        coroutine.close()
        raise RuntimeError("work for the connection's thread has waited for something else")

    return cast("T", await conn._execute(carry_out))  # type: ignore[no-untyped-call]
