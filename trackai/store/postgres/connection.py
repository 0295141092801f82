"""A connection to PostgreSQL with the few methods that repository functions use."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import JsonArray
from trackai.store.postgres.dialect import translate
from trackai.store.postgres.errors import FAILURES, UnconfirmedCommitError, network_errors
from trackai.store.postgres.values import escaped
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from types import TracebackType

    import asyncpg
    from asyncpg.prepared_stmt import PreparedStatement

# What asyncpg knows about the parameters and columns of a text; few texts vary with their
# parameters. The server keeps no statement, as PgBouncer may pass the next one to another server
# process: without its own cache, asyncpg sends the text each time.
_MAX_STATEMENTS = 400
# How many rows are sent before the answer to them is read.
_CHUNK = 10_000
_CLOSE_SECONDS = 5.0
# A statement that takes longer is taken for one that a broken network has swallowed.
_STATEMENT_SECONDS = 120.0
# The class of SQLSTATE that warnings have, and notices lack.
_WARNINGS = "01"


class PostgresConnection(Shared):
    """Executes our SQL texts on a connection of asyncpg.

    Attributes:
        total_changes: how many rows its statements have changed.
    """

    def __init__(self, conn: asyncpg.Connection) -> None:
        super().__init__()
        self._driver = conn
        self.total_changes = 0
        self._warnings: list[str] = []
        conn.add_log_listener(self._note_warning)
        self._prepared: OrderedDict[str, PreparedStatement[Any]] = OrderedDict()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is lost, or has been closed."""
        return bool(self._driver.is_closed())

    @property
    def is_standby(self) -> bool:
        """Whether the server only accepts reads; known from what it has sent last."""
        return is_standby(self._driver)

    def terminate(self) -> None:
        """Close the connection without a word to the server."""
        self._driver.terminate()

    async def end_transaction(self) -> None:
        """Roll back, or close the connection: the next user must find no transaction."""
        self.locked.clear()
        try:
            with network_errors():
                await self._driver.execute("ROLLBACK", timeout=_CLOSE_SECONDS)
        except FAILURES:
            self.terminate()

    async def close(self) -> None:
        """Close the connection; on a broken network, after a while."""
        with suppress(*FAILURES, OSError):
            await self._driver.close(timeout=_CLOSE_SECONDS)

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> _Statement:
        return _Statement(self, sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> None:
        rows = ([*_plain(row)] for row in parameters)
        while chunk := [*islice(rows, _CHUNK)]:
            statement = await self._prepare(sql)
            with network_errors():
                await statement.executemany(chunk, timeout=_STATEMENT_SECONDS)
            # PostgreSQL does not tell how many rows these have changed.

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
        statement = await self._prepare(sql)
        with network_errors():
            rows = await statement.fetch(*_plain(parameters), timeout=_STATEMENT_SECONDS)
        self.total_changes += _changed(statement.get_statusmsg())
        return list(map(tuple, rows))

    async def rollback(self) -> None:
        await self.command("ROLLBACK")

    async def commit(self) -> None:
        """Commit the transaction.

        Raises:
            UnconfirmedCommitError: PostgreSQL has rolled it back, or committed it with a warning.
                With synchronous replication it does so when an administrator cancels the wait for
                the standby, which may not have the transaction.
        """
        self.locked.clear()
        self._warnings.clear()
        with network_errors():
            status = await self._driver.execute("COMMIT", timeout=_STATEMENT_SECONDS)
        if status != "COMMIT" or self._warnings:
            raise UnconfirmedCommitError(next(iter(self._warnings), "it was rolled back"))

    def _note_warning(self, _: Any, message: Any) -> None:
        if message.sqlstate.startswith(_WARNINGS):
            self._warnings.append(str(message))

    async def command(self, sql: str) -> None:
        """Begin or end a transaction."""
        self.locked.clear()
        with network_errors():
            await self._driver.execute(sql, timeout=_STATEMENT_SECONDS)

    async def _prepare(self, sql: str) -> PreparedStatement[Any]:
        statement = self._prepared.get(sql)
        if statement is None:
            with network_errors():
                statement = await self._driver.prepare(translate(sql), timeout=_STATEMENT_SECONDS)
            self._prepared[sql] = statement
            if len(self._prepared) > _MAX_STATEMENTS:
                self._prepared.popitem(last=False)
        else:
            self._prepared.move_to_end(sql)
        return statement

    def forget_plans(self) -> None:
        """Prepare all statements again: the schema has changed."""
        self._prepared.clear()


def is_standby(conn: asyncpg.Connection) -> bool:
    """Whether the server of a connection only accepts reads, which it reports by itself."""
    settings = conn.get_settings()
    return any(
        getattr(settings, name, "off") == "on"
        for name in ("in_hot_standby", "default_transaction_read_only")
    )


class _Statement:
    """A statement: await it to execute it, or enter it to read its rows part by part."""

    def __init__(self, conn: PostgresConnection, sql: str, parameters: Iterable[Any]) -> None:
        self._conn = conn
        self._sql = sql
        self._parameters = parameters

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self._conn.execute_fetchall(self._sql, self._parameters).__await__()

    async def __aenter__(self) -> _Cursor:
        statement = await self._conn._prepare(self._sql)
        with network_errors():
            return _Cursor(await statement.cursor(*_plain(self._parameters)))

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        pass  # the end of the transaction closes it


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    async def fetchmany(self, size: int) -> list[Any]:
        with network_errors():
            return list(map(tuple, await self._cursor.fetch(size)))


def _plain(parameters: Iterable[Any]) -> Iterator[Any]:
    """Parameters as SQLite takes them: lists instead of their JSON, and NULL for NaN."""
    for value in parameters:
        if type(value) is JsonArray:
            # An id that no column can hold is that of no row.
            yield [
                escaped(item) if isinstance(item, str) else item
                for item in value.items
                if isinstance(item, str) or -INT64 <= item < INT64
            ]
        else:
            yield value if value == value else None


def _changed(status: str) -> int:
    """The number of rows that a statement has changed: of "INSERT 0 3" or "UPDATE 3"."""
    word, _, rest = status.partition(" ")
    return int(rest.rpartition(" ")[2]) if word in {"INSERT", "UPDATE", "DELETE"} else 0
