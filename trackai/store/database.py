"""One SQLite file: opening it, one write connection, a few reading ones, transactions.

Nothing is kept that the file itself does not say: when it was removed or replaced, the next
transaction sees what lies there now.
"""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import aiosqlite
import anyio

from trackai.errors import (
    ForeignDatabaseError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreUnreachableError,
)
from trackai.locks import exclusive
from trackai.store import direct
from trackai.store.migrate import applied_version, migrate, migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

T = TypeVar("T")

# In the file's header: how TrackAI tells its databases from other programs'.
APPLICATION_ID = 0x54524149  # "TRAI"
READERS = 4
# How long a write waits for other programs before it is given up (and tried again by the drain).
BUSY_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = (0.002, 0.010)
# How long a checkpoint waits for readers to look elsewhere: others cannot write meanwhile.
_CHECKPOINT_SECONDS = 0.05
_COMPANIONS = ("-wal", "-shm")
# How often a database is opened that somebody removes or replaces just then.
_OPENINGS = 10


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
        self._writer: _Handle | None = None
        self._idle: list[_Handle] = []
        self._handles: set[_Handle] = set()
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
    async def _reader(self) -> AsyncIterator[_Handle]:
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
                        await _set_patience(handle.connection, BUSY_SECONDS)
                return all(row[0] == 0 for row in rows)

    @contextmanager
    def _touching(self, handle: _Handle) -> Iterator[None]:
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

    def _is_current(self, handle: _Handle) -> bool:
        # While pages are moved, no state is known; that it is the same file must do.
        return handle.is_current(self.path) or (
            self._touches > 0 and handle.file == _identity(self.path)
        )

    async def _current_writer(self) -> _Handle:
        handle = self._writer
        if handle is not None and self._is_current(handle):
            return handle
        self._writer = await self._open()
        self.generation += 1
        if handle is not None:
            await self._discard(handle)
        return self._writer

    async def _current_reader(self) -> _Handle:
        outdated: list[_Handle] = []
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

    async def _open(self, *, read_only: bool = False) -> _Handle:
        for handle in tuple(self._handles):
            if handle.file != _identity(self.path):
                await self._remove_companions(handle)
        handle = await _open(self.path, self.spool, read_only=read_only)
        self._handles.add(handle)
        return handle

    async def _remove_companions(self, handle: _Handle) -> None:
        # The file is gone or another one; what the old one left beside it must not be taken for
        # the new one's. Whatever somebody has made since then has another identity: as long as
        # the handle is open, the system cannot give its files' numbers to others.
        with _file_errors(self.path):
            async with _alone(self.spool):
                if handle not in self._handles:  # closed meanwhile: its numbers are free again
                    return
                for suffix, companion in handle.companions.items():
                    path = _beside(self.path, suffix)
                    if companion is not None and companion == _identity(path):
                        path.unlink(missing_ok=True)

    async def _discard(self, handle: _Handle) -> None:
        self._handles.discard(handle)
        # The last connection removes the log, by its name: no other database may have come there
        # since SQLite has looked whether the file is still the same.
        try:
            async with AsyncExitStack() as stack:
                if self.spool.is_dir():
                    await stack.enter_async_context(_alone(self.spool))
                await handle.close()
        except OSError:  # nothing can be made here, no other database either
            await handle.close()


@contextmanager
def driver_errors(path: Path) -> Iterator[None]:
    """The one place where the errors of SQLite become TrackAI's."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _translated(error: sqlite3.Error, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None) or 0
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreBusyError(f"{path} was removed or replaced just now; try again")
    code &= 0xFF  # the primary code; the rest says more than anybody needs to know
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusyError(
            f"{path} is locked by another program; close it there or try again ({error})"
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreDamagedError(
            f"{path} is damaged ({error}): move it away, and recover what is left with "
            "sqlite3 DAMAGED .recover | sqlite3 NEW"
        )
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return _unreachable(path, str(error))
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return StoreError(f"{path} cannot be written ({error}): is the disk full?")
    return StoreError(f"{path}: {error}")


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    """The same for those of the file system, where it is the database that is asked for."""
    try:
        yield
    except TimeoutError as error:
        raise StoreBusyError(
            f"{path} is being opened by another process; try again ({error})"
        ) from None
    except OSError as error:
        raise _unreachable(path, str(error)) from error


def _unreachable(path: Path, why: str) -> StoreUnreachableError:
    return StoreUnreachableError(
        f"cannot write the database {path} ({why}): set TRACKAI_DB_PATH to a file in a folder "
        "that you can write to"
    )


_Identity = tuple[int, int]


def _identity(path: Path) -> _Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the cost of Path.stat, on every request
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _beside(path: Path, suffix: str) -> Path:
    path = path.resolve()  # SQLite too puts its files beside what a link leads to
    return path.with_name(path.name + suffix)


class _Handle:
    """A connection, and what the file looked like when it was last known to be ours.

    A checkpoint by another process changes the file's time as well. Opening anew then costs half
    a millisecond, and a page that a copied file has overwritten is never served from a cache.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self.connection = connection
        self.file = _identity(path)
        self.companions: dict[str, _Identity | None] = {}
        self.state: tuple[int, ...] | None = None

    async def close(self) -> None:
        await self.connection.close()

    def is_current(self, path: Path) -> bool:
        return self.state is not None and self.state == _state(path)

    def opened(self, path: Path) -> None:
        self.companions = {suffix: _identity(_beside(path, suffix)) for suffix in _COMPANIONS}
        self.touched(path)

    def touched(self, path: Path) -> None:
        if self.file == _identity(path):
            self.state = _state(path)


def _alone(spool: Path) -> AbstractAsyncContextManager[None]:
    """While nobody else of TrackAI opens, makes or closes the database."""
    return exclusive(spool / "open.lock", seconds=BUSY_SECONDS)


async def _open(path: Path, spool: Path, *, read_only: bool = False) -> _Handle:
    """Connect to a TrackAI database with the current schema, made first where there is none.

    SQLite finds a database's log by its name, not by the file: nobody of TrackAI makes another
    database here until both are open, else the log of the new one would be taken for the old one's.
    """
    with _file_errors(path):
        _refuse_foreign(path)  # before anything is made beside it
        async with _alone(spool):
            handle = await _connect_to_current(path)
            try:
                if await applied_version(handle.connection, path) < migrations()[-1].version:
                    await migrate(handle.connection, path)
                if read_only:
                    await handle.connection.execute("PRAGMA query_only = ON")
            except BaseException:
                await handle.close()
                raise
            handle.opened(path)
            return handle


async def _connect_to_current(path: Path) -> _Handle:
    """Connect to the file that has the name now, whatever a user does with it meanwhile."""
    for _ in range(_OPENINGS):
        file = _identity(path)
        _refuse_foreign(path)
        if not _size(path):
            await _create(path)
            file = _identity(path)
        try:
            handle = await _connect(path)
            try:
                if handle.file == file:
                    await _set_up(handle.connection)
                    return handle
            except BaseException:
                await handle.close()
                raise
            await handle.close()
        except sqlite3.OperationalError:
            if file is not None and file == _identity(path):
                raise
    raise _unreachable(path, "it is removed or replaced again and again")


async def _create(path: Path) -> None:
    """Make an empty database file; the migrations fill it."""
    # Under another name: a process that dies here leaves nothing that SQLite would roll back
    # to a file without its id.
    new = _beside(path, ".new")
    for suffix in ("", "-journal", *_COMPANIONS):
        _beside(new, suffix).unlink(missing_ok=True)
    handle = await _connect(new, "rwc")
    try:
        # Before the first table: space of deleted runs can go back to the file system.
        await handle.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        await handle.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await handle.connection.execute("PRAGMA journal_mode = WAL")
    finally:
        await handle.close()
    for suffix in _COMPANIONS:  # of a file that was removed while it was in use
        _beside(path, suffix).unlink(missing_ok=True)
    new.replace(path.resolve())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


async def _connect(path: Path, mode: str = "rw") -> _Handle:
    connection = aiosqlite.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        cached_statements=64,
    )
    # aiosqlite's thread would keep a program alive that forgot to finish its run: the hook that
    # finishes it at exit runs only after all threads that are no daemons have ended.
    connection._thread.daemon = True
    await connection
    return _Handle(connection, path)


async def _set_up(connection: aiosqlite.Connection) -> None:
    await connection.execute("PRAGMA foreign_keys = ON")
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("PRAGMA cache_size = -16384")
    await connection.create_function("casefold", 1, _casefold, deterministic=True)


async def _begin(conn: aiosqlite.Connection) -> None:
    """Begin a write transaction, which may mean to wait for other processes.

    SQLite looks again ever more seldom, at last ten times a second: beside somebody who writes in
    short transactions it would wait for long, and the file lie idle meanwhile.
    """
    deadline = time.monotonic() + BUSY_SECONDS
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
        await _set_patience(conn, BUSY_SECONDS)


async def _set_patience(connection: aiosqlite.Connection, seconds: float) -> None:
    await connection.execute_fetchall(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _refuse_foreign(path: Path) -> None:
    """Ask for the id without leaving traces beside the file, as opening it properly would.

    SQLite must do it. POSIX locks belong to a process: closing a handle of our own would drop
    those that any connection of this process holds, the program's own ones included. Another
    process would then take itself for the last one and remove the write-ahead log under our feet.
    """
    file = _identity(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise ForeignDatabaseError(f"{path} is no file: set TRACKAI_DB_PATH to another path")
    if not _size(path):
        return
    try:
        # Immutable: no locks, no log beside it.
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as peek:
            # Else a checkpoint that is just writing the pages would be taken for damage.
            peek.execute("PRAGMA writable_schema = ON")
            [(application_id,)] = peek.execute("PRAGMA application_id").fetchall()
    except sqlite3.DatabaseError as error:
        if _identity(path) != file:  # whoever opens what is there now asks again
            return
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
            raise
        raise ForeignDatabaseError(
            f"{path} is no SQLite database; it was left as it is: move it away, or set "
            "TRACKAI_DB_PATH to another path"
        ) from None
    if application_id != APPLICATION_ID:
        raise ForeignDatabaseError(
            f"{path} belongs to another program (or to the original TrackAI); it was left as it "
            "is: move it away, or set TRACKAI_DB_PATH to another path"
        )
