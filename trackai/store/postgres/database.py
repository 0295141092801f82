"""A database on a server of PostgreSQL: a pool of connections, and transactions that are repeated.

Nothing here is kept in this process: several servers may use the same database at the same time.
"""

from __future__ import annotations

import random
import time
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import asyncpg

from trackai.errors import InvalidInputError
from trackai.settings import DatabaseUrl
from trackai.store.blobs.choice import shared_blobs
from trackai.store.postgres import migrate, values
from trackai.store.postgres.connection import PostgresConnection, is_standby
from trackai.store.postgres.errors import (
    FAILURES,
    REPEATED,
    driver_errors,
    is_lost,
    network_errors,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from trackai.store.blobs.blob_store import BlobStore
    from trackai.store.engine.connection import Connection

T = TypeVar("T")

CONNECTIONS = 8
_CONNECT_SECONDS = 10.0
# How often a transaction is repeated that others are in the way of, and the longest first pause.
_TRIES = 12
_PAUSE_SECONDS = 0.005
_TRIES_TO_READ = 5
# How long one is repeated whose connection was lost: a broken network takes long to tell.
_LOST_SECONDS = 10.0
# A server of TrackAI that vanishes or freezes in a transaction keeps its locks no longer.
_IDLE_SECONDS = 60.0
# What statements depend on, whatever the role or the database has as its default. PgBouncer refuses
# most other settings.
_SETTINGS = {"application_name": "trackai", "standard_conforming_strings": "on"}
# The level that the locks of rows are made for.
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Not the module's generator, whose state belongs to the training script.
_random = random.Random()  # noqa: S311


class PostgresDatabase:
    """A TrackAI database on a server of PostgreSQL.

    Attributes:
        name: what messages call it: its address without user and password.
        spool: None, as no journals lie beside it.
        held_seconds: how long the last call of `change` took.
        transactions, transaction_seconds: how many calls of `change` have committed, and how long
            they took together.
        collecting: the lock of garbage collection, of which one at a time is enough.
        vacuumed: 0: PostgreSQL keeps the space.
    """

    def __init__(
        self, url: str, *, files: str | None = None, connections: int = CONNECTIONS
    ) -> None:
        """Name a database; `open` connects to it.

        Args:
            url: `postgresql://user:password@host:port/database?options`, as libpq takes it.
            files: the folder or bucket with the bytes of files.
            connections: the most that are open at the same time.
        """
        self.name = str(DatabaseUrl(url))
        self.spool: Path | None = None
        self.held_seconds = 0.0
        self.transactions = 0
        self.transaction_seconds = 0.0
        self.collecting = anyio.Lock()
        self.vacuumed = 0
        self._url = url
        self._files = files
        # Not asyncpg's pool, which forgets prepared statements between two users of a connection.
        self._slots = anyio.Semaphore(connections)
        self._idle: list[PostgresConnection] = []
        self._in_use = 0
        self._returned = anyio.Event()
        self._opening = anyio.Lock()
        self._is_open = False
        self._is_standby = False
        self._may_write = True

    @cached_property
    def blobs(self) -> BlobStore:
        """The bytes of files, in a folder or bucket that all servers share.

        Raises:
            InvalidInputError: there is none, or its address is invalid.
            MissingExtraError: a package for buckets is not installed.
        """
        return shared_blobs(self._files)

    @property
    def is_read_only(self) -> bool:
        """Whether the server only accepts reads, as a standby does, or its role may only read."""
        return self._is_standby or not self._may_write

    async def open(self) -> None:
        """Connect, and create or migrate the tables.

        Raises:
            StoreError: the database cannot be used; it has not been changed.
        """
        async with self._opening:
            if self._is_open:
                return
            with driver_errors(self.name):
                conn = await self._connect()
                try:
                    with network_errors():
                        await migrate.migrate(conn, self.name)
                        self._is_standby = is_standby(conn)
                        self._may_write = await conn.fetchval(
                            "SELECT has_table_privilege('runs', 'INSERT')"
                        )
                finally:
                    conn.terminate()
            self._is_open = True

    async def close(self) -> None:
        """Close the connections that are not in use; those in use are closed on their return."""
        self._is_open = False
        idle, self._idle = self._idle, []
        for conn in idle:
            with anyio.CancelScope(shield=True):
                await conn.close()

    async def _connect(self) -> asyncpg.Connection:
        try:
            with network_errors():
                return await asyncpg.connect(
                    self._url, timeout=_CONNECT_SECONDS, statement_cache_size=0,
                    server_settings=_SETTINGS,
                )  # fmt: skip
        except (ValueError, asyncpg.ClientConfigurationError) as error:
            raise InvalidInputError("database URL", str(error)) from None

    async def _connect_with_types(self) -> PostgresConnection:
        conn = await self._connect()
        try:
            with network_errors():
                await values.register(conn)
        except BaseException:
            conn.terminate()
            raise
        return PostgresConnection(conn)

    @asynccontextmanager
    async def _borrow(self) -> AsyncIterator[PostgresConnection]:
        await self.open()
        async with self._slots:
            conn = await self._take()
            self._in_use += 1
            try:
                yield conn
            except asyncpg.InvalidCachedStatementError:
                conn.forget_plans()
                raise
            except FAILURES as error:
                if is_lost(error):  # the others will be, too, and may not notice for long
                    conn.terminate()
                    self._drop_idle()
                raise
            finally:
                self._in_use -= 1
                if not conn.is_closed:
                    self._is_standby = conn.is_standby  # it may have been promoted meanwhile
                    if self._is_open:
                        self._idle.append(conn)
                returned, self._returned = self._returned, anyio.Event()
                returned.set()
                if not self._is_open:
                    with anyio.CancelScope(shield=True):
                        await conn.close()

    async def _take(self) -> PostgresConnection:
        """An idle connection, or a new one; if the server has none left, one that is returned."""
        while self._idle:
            conn = self._idle.pop()
            if not conn.is_closed:
                return conn
        try:
            return await self._connect_with_types()
        except asyncpg.TooManyConnectionsError:
            while self._in_use and not self._idle:
                await self._returned.wait()
            if not self._idle:
                raise
            return self._idle.pop()

    def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for conn in idle:
            conn.terminate()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[PostgresConnection]:
        async with self._borrow() as conn:
            try:
                # Inside `try`: a task that is cancelled here may have begun a transaction.
                await conn.command(begin)
                yield conn
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await conn.end_transaction()
                raise
            await conn.commit()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """Run a write transaction: committed at the end of the block, or rolled back."""
        with driver_errors(self.name):
            async with self._transaction(_begin()) as conn:
                yield conn

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Borrow a connection; each statement sees what is committed by then."""
        with driver_errors(self.name):
            async with self._borrow() as conn:
                yield conn

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Borrow a connection on which all reads see one state of the database."""
        with driver_errors(self.name):
            async with self._transaction(_SNAPSHOT) as conn:
                yield conn

    async def look(self, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        """Run `work` in a read transaction, in which all reads see one state of the database.

        `work` runs again if the connection was lost, or if a standby cancels it: its primary has
        removed rows that it reads.
        """
        with driver_errors(self.name):
            until = time.monotonic() + _LOST_SECONDS
            for attempt in range(1, _TRIES_TO_READ + 1):
                try:
                    async with self._transaction(_SNAPSHOT) as conn:
                        return await work(conn)
                except FAILURES as error:
                    can_be_repeated = is_lost(error) or isinstance(error, REPEATED)
                    if not can_be_repeated or attempt == _TRIES_TO_READ or time.monotonic() > until:
                        raise
                await anyio.sleep(_random.uniform(0, _PAUSE_SECONDS * 2**attempt))
        raise AssertionError  # for mypy: a context may swallow errors

    async def change(
        self, work: Callable[[Connection], Coroutine[Any, Any, T]], *, bulk: bool = False
    ) -> T:
        """Run `work` in a write transaction: committed on return, rolled back on an exception.

        `work` runs again if a transaction of others was in its way, or the connection was lost
        before the commit.

        Args:
            bulk: ignored: rows that refer to deleted ones are looked for always.
        """
        # Even if this task is cancelled, the outcome of the transaction must be known.
        with driver_errors(self.name), anyio.CancelScope(shield=True):
            until = time.monotonic() + _LOST_SECONDS
            for attempt in range(1, _TRIES + 1):
                began = time.perf_counter()
                commits = False
                try:
                    async with self._transaction(_begin()) as conn:
                        result = await work(conn)
                        commits = True
                except FAILURES as error:
                    if is_lost(error):  # at the end, it may be committed
                        can_be_repeated = not commits and time.monotonic() < until
                    else:
                        can_be_repeated = isinstance(error, REPEATED)
                    if not can_be_repeated or attempt == _TRIES:
                        raise
                    await anyio.sleep(_random.uniform(0, _PAUSE_SECONDS * 2 ** min(attempt, 6)))
                    continue
                self.held_seconds = time.perf_counter() - began
                self.transactions += 1
                self.transaction_seconds += self.held_seconds
                return result
        raise AssertionError  # for mypy: a scope may swallow errors


def _begin() -> str:
    """Begin a write transaction; those that only read may wait for a slow client."""
    return f"{_WRITE}; SET LOCAL idle_in_transaction_session_timeout = {_IDLE_SECONDS * 1000:.0f}"
