"""One SQLite file: one write connection, a few reading ones, transactions.

Nothing is kept that the file itself does not say: when it was removed or replaced, the next
transaction sees what lies there now.
"""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio

from trackai.store.engine import direct, opening
from trackai.store.engine.driver_errors import driver_errors, file_errors
from trackai.store.engine.opening import Handle, alone, beside, identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import Any

    import aiosqlite

T = TypeVar("T")

READERS = 4
_LOOK_AGAIN_SECONDS = (0.002, 0.010)
# How long a checkpoint waits for readers to look elsewhere: others cannot write meanwhile.
_CHECKPOINT_SECONDS = 0.05


class Database:
    """A TrackAI database at `path`.

    Attributes:
        path: the SQLite file.
        generation: grows whenever the writing connection was opened anew because the file had
            changed under it; what was looked up before (row ids) may then be wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._writer: Handle | None = None
        self._idle: list[Handle] = []
        self._handles: set[Handle] = set()
        self._touches = 0
        # Held by whoever deletes what nobody owns: one is enough, and keeps the count.
        self.collecting = anyio.Lock()
        self._writing = anyio.Lock(fast_acquire=True)
        self._reading = anyio.Semaphore(READERS, fast_acquire=True)

    @property
    def spool(self) -> Path:
        """The folder beside the file in which journals wait to be stored."""
        return self.path.with_name(self.path.name + "-spool")

    async def open(self) -> None:
        """Create the file, its folders and its tables where they are missing.

        Raises:
            StoreError: what is there cannot be used; the file has then not been touched.
        """
        async with self._writing:
            with driver_errors(self.path):
                await self._current_writer()

    async def close(self) -> None:
        """Close all connections; the last one of all processes leaves a single file behind."""
        writer, self._writer = self._writer, None
        idle, self._idle = self._idle, []
        for handle in (*idle, writer):
            if handle is not None:
                await self._discard(handle)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[aiosqlite.Connection]:
        """A write transaction: committed at the end of the block, rolled back by an exception."""
        async with self._writing:
            with driver_errors(self.path):
                handle = await self._current_writer()
                with self._touching(handle):
                    try:
                        # Inside: whoever is cancelled while it waits may begin one all the same.
                        await direct.run(handle.connection, _begin)
                        yield handle.connection
                        await handle.connection.commit()
                    except BaseException:
                        with anyio.CancelScope(shield=True):
                            await handle.connection.rollback()
                        raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[aiosqlite.Connection]:
        """A connection for reading only."""
        async with self._reader() as handle:
            yield handle.connection

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Handle]:
        async with self._reading:
            with driver_errors(self.path):
                handle = await self._current_reader()
                idle = self._idle
                try:
                    yield handle
                finally:
                    if idle is self._idle:
                        idle.append(handle)
                    else:  # closed meanwhile
                        with anyio.CancelScope(shield=True):
                            await self._discard(handle)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[aiosqlite.Connection]:
        """A connection for reading that sees one state of the database, however often it reads."""
        async with self.read() as connection:
            try:
                # Inside: whoever is cancelled while it waits may begin one all the same.
                await connection.execute("BEGIN")
                yield connection
            finally:
                with anyio.CancelScope(shield=True):
                    await connection.rollback()

    async def look(self, work: Callable[[aiosqlite.Connection], Coroutine[Any, Any, T]]) -> T:
        """What `work` finds in one state of the database, in one visit to SQLite's thread.

        It may wait for the statements of the connection that it is given, and for nothing else.
        """

        async def in_one_state(conn: aiosqlite.Connection) -> T:
            await conn.execute("BEGIN")
            try:
                return await work(conn)
            finally:
                await conn.rollback()

        async with self.read() as connection:
            return await direct.run(connection, in_one_state)

    async def change(self, work: Callable[[aiosqlite.Connection], Coroutine[Any, Any, T]]) -> T:
        """Like `look`, in a write transaction; it is committed, or undone, when this returns."""

        async def in_transaction(conn: aiosqlite.Connection) -> T:
            await _begin(conn)
            try:
                found = await work(conn)
                await conn.execute("COMMIT")
            except BaseException:
                await conn.rollback()
                raise
            return found

        async with self._writing:
            with driver_errors(self.path):
                handle = await self._current_writer()
                # The visit goes on where the one who waits for it is cancelled: what has become of
                # the transaction must be known.
                with self._touching(handle), anyio.CancelScope(shield=True):
                    found = await direct.run(handle.connection, in_transaction)
                return found  # noqa: RET504 - for mypy, a scope may swallow errors

    async def move_pages(self) -> None:
        """Move what is committed into the main file, as far as readers allow; writers go on."""
        async with self._reader() as handle:
            with self._touching(handle):
                await handle.connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")

    async def checkpoint(self) -> bool:
        """Move everything into the main file; False if readers elsewhere were in the way."""
        await self.move_pages()  # most of it, before anybody has to wait
        async with self._writing:
            with driver_errors(self.path):
                handle = await self._current_writer()
                # SQLite keeps all writers out while it waits for readers.
                await _set_patience(handle.connection, _CHECKPOINT_SECONDS)
                try:
                    with self._touching(handle):
                        rows = await handle.connection.execute_fetchall(
                            "PRAGMA wal_checkpoint(TRUNCATE)"
                        )
                finally:
                    with anyio.CancelScope(shield=True):
                        await _set_patience(handle.connection, opening.BUSY_SECONDS)
                return all(row[0] == 0 for row in rows)

    @contextmanager
    def _touching(self, handle: Handle) -> Iterator[None]:
        """Something that may move pages into the main file: what becomes of the file was us.

        Else all other connections would be opened anew, which takes many turns of the event loop.
        """
        before = handle.state
        self._touches += 1
        try:
            yield
        finally:
            self._touches -= 1
        handle.touched(self.path)
        for other in self._handles:
            if other.state == before:
                other.state = handle.state

    def _is_current(self, handle: Handle) -> bool:
        # While pages are moved, no state is known; that it is the same file must do.
        return handle.is_current(self.path) or (
            self._touches > 0 and handle.file == identity(self.path)
        )

    async def _current_writer(self) -> Handle:
        handle = self._writer
        if handle is not None and self._is_current(handle):
            return handle
        self._writer = await self._open()
        self.generation += 1
        if handle is not None:
            await self._discard(handle)
        return self._writer

    async def _current_reader(self) -> Handle:
        outdated: list[Handle] = []
        try:
            while self._idle:
                handle = self._idle.pop()
                if self._is_current(handle):
                    return handle
                outdated.append(handle)
            return await self._open(read_only=True)
        finally:
            for handle in outdated:
                await self._discard(handle)

    async def _open(self, *, read_only: bool = False) -> Handle:
        for handle in tuple(self._handles):
            if handle.file != identity(self.path):
                await self._remove_companions(handle)
        handle = await opening.connect(self.path, self.spool, read_only=read_only)
        self._handles.add(handle)
        return handle

    async def _remove_companions(self, handle: Handle) -> None:
        # The file is gone or another one; what the old one left beside it must not be taken for
        # the new one's. Whatever somebody has made since then has another identity: as long as
        # the handle is open, the system cannot give its files' numbers to others.
        with file_errors(self.path):
            async with alone(self.spool):
                if handle not in self._handles:  # closed meanwhile: its numbers are free again
                    return
                for suffix, companion in handle.companions.items():
                    path = beside(self.path, suffix)
                    if companion is not None and companion == identity(path):
                        path.unlink(missing_ok=True)

    async def _discard(self, handle: Handle) -> None:
        self._handles.discard(handle)
        # The last connection removes the log, by its name: no other database may have come there
        # since SQLite has looked whether the file is still the same.
        try:
            async with AsyncExitStack() as stack:
                if self.spool.is_dir():
                    await stack.enter_async_context(alone(self.spool))
                await handle.close()
        except OSError:  # nothing can be made here, no other database either
            await handle.close()


async def _begin(conn: aiosqlite.Connection) -> None:
    """Begin a write transaction, which may mean to wait for other processes.

    SQLite looks again ever more seldom, at last ten times a second: beside somebody who writes in
    short transactions it would wait for long, and the file lie idle meanwhile.
    """
    deadline = time.monotonic() + opening.BUSY_SECONDS
    await _set_patience(conn, 0)
    try:
        while True:
            try:
                await conn.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            else:
                return
            # In SQLite's thread, where waiting keeps nobody else; at random, as those who wait for
            # each other in step would all come too late.
            time.sleep(random.uniform(*_LOOK_AGAIN_SECONDS))  # noqa: ASYNC251, S311
    finally:
        await _set_patience(conn, opening.BUSY_SECONDS)


async def _set_patience(connection: aiosqlite.Connection, seconds: float) -> None:
    await connection.execute_fetchall(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
