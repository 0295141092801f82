"""Open connections to a database file, which is created and migrated first if needed.

SQLite identifies a database by its path, and its file may be removed or replaced while it is in
use. This module decides to which file a connection belongs.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import TYPE_CHECKING

import aiosqlite
import msgspec

from trackai.errors import ForeignDatabaseError, StoreError
from trackai.locks import FILE_MODE, exclusive
from trackai.store.engine import access, direct, handles, log_owner, stamps, write_ahead_log
from trackai.store.engine.database_file import identity, sibling, size
from trackai.store.engine.driver_errors import file_errors, unreachable
from trackai.store.engine.handles import Handle
from trackai.store.engine.migrate import applied_version, migrate, migrations
from trackai.store.engine.stamps import Header
from trackai.values.non_finite import shown_text

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from trackai.store.engine.access import Access
    from trackai.store.engine.connection import Connection
    from trackai.values.types import StoredValue

# In the header of the file: identifies a database of TrackAI.
APPLICATION_ID = 0x54524149  # "TRAI"
# How long a transaction waits for other processes before it fails (the drain then retries it).
BUSY_SECONDS = 30.0
_HEADER_FIELDS = ("application_id", "user_version", "schema_version", "page_size")
# Pages that a transaction may change before it writes them to the log: 48 MiB.
_MOST_CHANGED_PAGES = 12_288
# How often opening is retried while the file is being removed or replaced.
_ATTEMPTS = 10


def opening_lock(spool: Path, *, create: bool = True) -> AbstractAsyncContextManager[None]:
    """The lock under which TrackAI creates, opens and closes a database.

    Args:
        create: create the lock if it does not exist; a process that cannot write needs no lock
            that no other process has created.
    """
    return exclusive(spool / "open.lock", seconds=BUSY_SECONDS, create=create)


async def connect(
    path: Path, spool: Path, *, read_only: bool = False, is_outdated: bool = False
) -> Handle:
    """Connect to a database; create it if it does not exist, and migrate it to the current schema.

    SQLite opens the file and its log one after the other, both by name. The lock keeps processes
    from creating another database in between, whose log SQLite would use for the first. A log that
    belongs to another file is set aside before.

    Args:
        spool: the folder with the lock and the journals.
        read_only: refuse statements that write.
        is_outdated: whether this process has connections to a file that was replaced by this one.

    Raises:
        ForeignDatabaseError: the file is not a TrackAI database.
        StoreError: the database cannot be opened or migrated.
    """
    handles.refuse_inherited()
    with file_errors(path):
        _inspect(path)  # before any file is created next to it
        may_write = access.of(path) == "write"
        async with opening_lock(spool, create=may_write):
            if may_write:
                handle = await _connect_to_current(path, spool, is_outdated=is_outdated)
            else:
                handle = await _connect_to_read(path)
            try:
                version = await direct.run(handle.connection, partial(applied_version, path=path))
                if version < migrations()[-1].version:
                    if not may_write:
                        raise _not_migrated(path)
                    await migrate(handle.connection, path)
                if read_only:
                    await handle.connection.execute("PRAGMA query_only = ON")
                if may_write:
                    await handle.record_log()
                    log_owner.record(path, spool)
            except BaseException:
                await handle.close()
                raise
            handle.record_state(path)
            return handle


async def _connect_to_read(path: Path) -> Handle:
    """Connect to a database that this process cannot write; nothing is created beside it."""
    how = access.of(path)
    with ExitStack() as resources:
        handle = await _connect_uri(path, resources.enter_context(access.uri(path, how)), how)
        handle.resources = resources.pop_all()
    try:
        await direct.run(handle.connection, _set_up)
    except BaseException:
        await handle.close()
        raise
    return handle


def _not_migrated(path: Path) -> StoreError:
    return unreachable(
        path,
        "it has the schema of an earlier version: open it once as a user who can write it",
    )


async def _connect_to_current(path: Path, spool: Path, *, is_outdated: bool) -> Handle:
    """Connect to the file that is at `path` now, even if it is being removed or replaced."""
    for _ in range(_ATTEMPTS):
        file = identity(path)
        _inspect(path)
        log_owner.separate(path, spool, _inspect, is_outdated=is_outdated)
        starts_log = not size(sibling(path, "-wal"))
        if not size(path):
            if file != identity(path):
                continue  # it was removed just now, and its log is still there
            await _create(path)
            file = identity(path)
        try:
            handle = await _connect(path)
            try:
                if handle.file == file:
                    handle.starts_log = starts_log
                    await direct.run(handle.connection, _set_up)
                    await direct.run(handle.connection, _use_log)
                    return handle
            except BaseException:
                await handle.close()
                raise
            await handle.close()
        except sqlite3.OperationalError:
            if file is not None and file == identity(path):
                raise
    raise unreachable(path, "the file keeps being removed or replaced")


async def _create(path: Path) -> None:
    """Create an empty database file, without tables."""
    # Under a temporary name: after a crash here, SQLite would roll the file back to one without
    # its application id.
    new = sibling(path, ".new")
    for suffix in ("", "-journal", *write_ahead_log.SUFFIXES):
        sibling(new, suffix).unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
    handle = await _connect(new)
    try:
        await direct.run(handle.connection, _initialise)
    finally:
        await handle.close()
    new.replace(path.resolve())


async def _initialise(connection: Connection) -> None:
    # Must precede the first table; lets deleted runs return their space to the file system.
    await connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    await stamps.write(connection)
    await write_ahead_log.enable(connection)


async def _connect(path: Path) -> Handle:
    with access.uri(path, "write") as uri:
        return await _connect_uri(path, uri, "write")


async def _connect_uri(path: Path, uri: str, how: Access) -> Handle:
    connection = aiosqlite.connect(
        uri,
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        cached_statements=64,
    )
    # A script that does not finish its run must end all the same: the exit hook that finishes it
    # runs only after all threads but daemons have ended.
    connection._thread.daemon = True
    handles.begin_use(connection)
    try:
        await connection
    except BaseException:
        handles.end_use(connection)
        raise
    return Handle(connection, path, how)


async def _set_up(connection: Connection) -> None:
    assert isinstance(connection, direct.Direct)  # noqa: S101 - it has functions
    await connection.execute("PRAGMA foreign_keys = ON")
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("PRAGMA cache_size = -16384")
    # A batch with thousands of metrics changes a page of each. Before the commit, pages would be
    # written several times, and the first page, which has the stamp, late.
    await connection.execute(f"PRAGMA cache_spill = {_MOST_CHANGED_PAGES}")
    connection.create_function("casefold", 1, _casefold)
    connection.create_function("matches", 2, _matches)
    connection.create_function("json_text", 1, _json_text)
    connection.create_function("number_text", 1, _number_text)


async def _use_log(connection: Connection) -> None:
    """Switch to a write-ahead log, unless another program uses the file at this moment.

    Copies by VACUUM INTO have a rollback journal. After a crash, SQLite would apply that to any
    file that takes the place of the copy.
    """
    await connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):
        await write_ahead_log.enable(connection)
    await connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _matches(pattern: str, text: str | None) -> bool | None:
    # Imported here: training scripts do not search.
    from trackai.filters.patterns import compiled

    return None if text is None else compiled(pattern).found_in(text)


def _number_text(value: StoredValue) -> str | None:
    return None if value is None else shown_text(value)


def _json_text(json: str) -> str:
    """The text that JSON holds, or the JSON itself of anything else."""
    return str(msgspec.json.decode(json)) if json.startswith('"') else json


def _inspect(path: Path) -> Header | None:
    """Read the header of a file without creating files next to it.

    The file is read through SQLite. POSIX drops all locks of a process on a file when any of its
    descriptors is closed: after `open()` and `close()` here, another process could take itself for
    the only user of the database, and remove its log (https://www.sqlite.org/howtocorrupt.html,
    2.2).

    Returns:
        None if the file does not exist, is empty, or was replaced meanwhile.

    Raises:
        ForeignDatabaseError: the file is not a TrackAI database.
    """
    file = identity(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise ForeignDatabaseError(f"{path} is not a file: set TRACKAI_DB_PATH to another path")
    if not size(path):
        return None
    user = object()
    handles.begin_use(user)
    try:
        with (
            access.uri(path, "frozen") as uri,  # takes no locks and creates no files
            closing(sqlite3.connect(uri, uri=True)) as connection,
        ):
            # A concurrent checkpoint would otherwise look like damage to the schema.
            connection.execute("PRAGMA writable_schema = ON")
            application_id, *fields = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _HEADER_FIELDS
            )
    except sqlite3.DatabaseError as error:
        if identity(path) != file:  # the new file is checked when it is opened
            return None
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
            raise
        raise ForeignDatabaseError(
            f"{path} is not a SQLite database and was not changed: move it away, or set "
            "TRACKAI_DB_PATH to another path"
        ) from None
    finally:
        handles.end_use(user)
    if application_id != APPLICATION_ID:
        raise ForeignDatabaseError(
            f"{path} belongs to another program (or to the original TrackAI) and was not changed: "
            "move it away, or set TRACKAI_DB_PATH to another path"
        )
    return Header(*fields)
