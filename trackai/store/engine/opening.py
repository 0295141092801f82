"""Connections to the file of a database: made with the file where there is none, and told apart.

SQLite knows a file by its name. A database may be removed or replaced while it is in use: here it
is decided which file a connection belongs to.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING

import aiosqlite

from trackai.errors import ForeignDatabaseError, StoreError
from trackai.locks import exclusive
from trackai.store.engine.driver_errors import file_errors, unreachable
from trackai.store.engine.migrate import applied_version, migrate, migrations

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

# In the file's header: how TrackAI tells its databases from other programs'.
APPLICATION_ID = 0x54524149  # "TRAI"
# How long a write waits for other programs before it is given up (and tried again by the drain).
BUSY_SECONDS = 30.0
COMPANIONS = ("-wal", "-shm")
# Of an address of SQLite: no locks, and nothing is made beside the file.
FROZEN = "ro&immutable=1"
# How often a database is opened that somebody removes or replaces just then.
_OPENINGS = 10

Identity = tuple[int, int]

# One for each connection, from before it is opened until it is closed.
_in_use: set[object] = set()
_has_inherited = False


def _after_fork_in_child() -> None:
    global _has_inherited
    _has_inherited = bool(_in_use)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _refuse_inherited() -> None:
    """SQLite remembers what the parent had locked: it would damage the file, or wait for ever."""
    if _has_inherited:
        raise StoreError(
            "this process was forked while the database was in use and cannot open it: begin its "
            'runs before the fork, or use multiprocessing with "spawn"'
        )


def identity(path: Path) -> Identity | None:
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


def beside(path: Path, suffix: str) -> Path:
    path = path.resolve()  # SQLite too puts its files beside what a link leads to
    return path.with_name(path.name + suffix)


class Handle:
    """A connection, and what the file looked like when it was last known to be ours.

    A checkpoint by another process changes the file's time as well. Opening anew then costs half
    a millisecond, and a page that a copied file has overwritten is never served from a cache.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self.connection = connection
        self.file = identity(path)
        self.companions: dict[str, Identity | None] = {}
        self.state: tuple[int, ...] | None = None

    async def close(self) -> None:
        try:
            await self.connection.close()
        finally:
            _in_use.discard(id(self.connection))

    def is_current(self, path: Path) -> bool:
        return self.state is not None and self.state == _state(path)

    def opened(self, path: Path) -> None:
        self.companions = {suffix: identity(beside(path, suffix)) for suffix in COMPANIONS}
        self.touched(path)

    def touched(self, path: Path) -> None:
        if self.file == identity(path):
            self.state = _state(path)


def alone(spool: Path) -> AbstractAsyncContextManager[None]:
    """While nobody else of TrackAI opens, makes or closes the database."""
    return exclusive(spool / "open.lock", seconds=BUSY_SECONDS)


async def connect(path: Path, spool: Path, *, read_only: bool = False) -> Handle:
    """Connect to a TrackAI database with the current schema, made first where there is none.

    SQLite finds a database's log by its name, not by the file: nobody of TrackAI makes another
    database here until both are open, else the log of the new one would be taken for the old one's.
    """
    _refuse_inherited()
    with file_errors(path):
        _refuse_foreign(path)  # before anything is made beside it
        frozen = is_frozen(path)
        async with nullcontext() if frozen else alone(spool):
            handle = await (_connect_frozen(path) if frozen else _connect_to_current(path))
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


def is_frozen(path: Path) -> bool:
    """Whether a database can only be read: nobody can write beside it, and nobody is writing it.

    Such is one on a file system that is mounted for reading only. Without a log beside it, all of
    it is in the file; with one, SQLite has to write there even to read.
    """
    path = path.resolve()
    return (
        not os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
        and _size(path) > 0
        and not any(beside(path, suffix).exists() for suffix in COMPANIONS)
    )


async def _connect_frozen(path: Path) -> Handle:
    handle = await _connect(path, FROZEN)
    try:
        await _set_up(handle.connection)
    except BaseException:
        await handle.close()
        raise
    return handle


async def _connect_to_current(path: Path) -> Handle:
    """Connect to the file that has the name now, whatever a user does with it meanwhile."""
    for _ in range(_OPENINGS):
        file = identity(path)
        _refuse_foreign(path)
        if not _size(path):
            await _create(path)
            file = identity(path)
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
            if file is not None and file == identity(path):
                raise
    raise unreachable(path, "it is removed or replaced again and again")


async def _create(path: Path) -> None:
    """Make an empty database file; the migrations fill it."""
    # Under another name: a process that dies here leaves nothing that SQLite would roll back
    # to a file without its id.
    new = beside(path, ".new")
    for suffix in ("", "-journal", *COMPANIONS):
        beside(new, suffix).unlink(missing_ok=True)
    handle = await _connect(new, "rwc")
    try:
        # Before the first table: space of deleted runs can go back to the file system.
        await handle.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        await handle.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await handle.connection.execute("PRAGMA journal_mode = WAL")
    finally:
        await handle.close()
    for suffix in COMPANIONS:  # of a file that was removed while it was in use
        beside(path, suffix).unlink(missing_ok=True)
    new.replace(path.resolve())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


async def _connect(path: Path, mode: str = "rw") -> Handle:
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
    _in_use.add(id(connection))
    try:
        await connection
    except BaseException:
        _in_use.discard(id(connection))
        raise
    return Handle(connection, path)


async def _set_up(connection: aiosqlite.Connection) -> None:
    await connection.execute("PRAGMA foreign_keys = ON")
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("PRAGMA cache_size = -16384")
    await connection.create_function("casefold", 1, _casefold, deterministic=True)


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _refuse_foreign(path: Path) -> None:
    """Ask for the id without leaving traces beside the file, as opening it properly would.

    SQLite must do it. POSIX locks belong to a process: closing a handle of our own would drop
    those that any connection of this process holds, the program's own ones included. Another
    process would then take itself for the last one and remove the write-ahead log under our feet.
    """
    file = identity(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise ForeignDatabaseError(f"{path} is no file: set TRACKAI_DB_PATH to another path")
    if not _size(path):
        return
    mark = object()
    _in_use.add(mark)
    try:
        # Immutable: no locks, no log beside it.
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode={FROZEN}", uri=True)
        ) as peek:
            # Else a checkpoint that is just writing the pages would be taken for damage.
            peek.execute("PRAGMA writable_schema = ON")
            [(application_id,)] = peek.execute("PRAGMA application_id").fetchall()
    except sqlite3.DatabaseError as error:
        if identity(path) != file:  # whoever opens what is there now asks again
            return
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
            raise
        raise ForeignDatabaseError(
            f"{path} is no SQLite database; it was left as it is: move it away, or set "
            "TRACKAI_DB_PATH to another path"
        ) from None
    finally:
        _in_use.discard(mark)
    if application_id != APPLICATION_ID:
        raise ForeignDatabaseError(
            f"{path} belongs to another program (or to the original TrackAI); it was left as it "
            "is: move it away, or set TRACKAI_DB_PATH to another path"
        )
