"""What repository functions need of a connection: a small part of aiosqlite's interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from types import TracebackType


class Cursor(Protocol):
    """The rows of an executed statement."""

    async def fetchmany(self, size: int) -> Iterable[Any]:
        """Get the next rows, at most `size`; none after the last one."""


class Statement(Protocol):
    """A statement: await it to execute it, or enter it to read its rows part by part."""

    def __await__(self) -> Generator[Any, None, object]: ...

    async def __aenter__(self) -> Cursor: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None: ...


class Connection(Protocol):
    """A connection to a database.

    Attributes:
        total_changes: how many rows the statements of the connection have changed.
    """

    @property
    def total_changes(self) -> int: ...

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Statement:
        """Execute a statement."""

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> object:
        """Execute a statement once for each of many lists of parameters."""

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] = ()) -> Iterable[Any]:
        """Execute a statement and get all of its rows."""

    async def rollback(self) -> None:
        """Undo what the transaction has changed."""


class Shared:
    """A connection to a database that several servers change at the same time.

    SQLite lets one transaction write at a time. Here others may write in between what a transaction
    reads and what it writes, unless it locks the rows: see `engine.sql.lock`.

    Attributes:
        locked: the rows that its transaction has locked: statements of a lock, with row ids.
    """

    def __init__(self) -> None:
        self.locked: set[tuple[str, int]] = set()
