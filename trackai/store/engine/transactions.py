"""The beginning and the end of a write transaction on a connection to SQLite."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from trackai.store.engine import opening, stamps, write_ahead_log

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.handles import Handle

T = TypeVar("T")

# Between two attempts to begin a transaction: shortest and longest pause.
RETRY_SECONDS = (0.002, 0.010)
# Not the module's generator, whose state belongs to the training script.
_random = random.Random()  # noqa: S311


async def begin(conn: Connection) -> int:
    """Begin a write transaction, waiting for those of other processes.

    SQLite's own busy handler backs off to ten attempts a second. Next to a process with many short
    transactions it would wait for long while the file is idle.

    Returns:
        The number of rows that this connection has changed so far.
    """
    deadline = time.monotonic() + opening.BUSY_SECONDS
    await set_busy_timeout(conn, 0)
    try:
        while True:
            try:
                await conn.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            else:
                return conn.total_changes
            # In SQLite's thread, not in the event loop. The pause is random: processes that wait in
            # step would miss every gap together.
            time.sleep(_random.uniform(*RETRY_SECONDS))  # noqa: ASYNC251
    finally:
        await set_busy_timeout(conn, opening.BUSY_SECONDS)


async def in_bulk(
    transaction: Callable[[Connection], Coroutine[Any, Any, T]], conn: Connection
) -> T:
    """Run a transaction without checks of foreign keys, and without a checkpoint after it."""
    try:
        await conn.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
        return await without_checkpoint(transaction, conn)
    finally:
        await conn.execute("PRAGMA foreign_keys = ON")


async def without_checkpoint(
    work: Callable[[Connection], Coroutine[Any, Any, T]], conn: Connection
) -> T:
    """Run a transaction, or its commit, without a checkpoint after it."""
    [(pages,)] = await conn.execute_fetchall("PRAGMA wal_autocheckpoint")
    try:
        await conn.execute("PRAGMA wal_autocheckpoint = 0")
        return await work(conn)
    finally:
        await conn.execute(f"PRAGMA wal_autocheckpoint = {pages}")


async def commit(conn: Connection, *, handle: Handle, before: int) -> None:
    """Commit a write transaction, with a new stamp if it has changed rows.

    Args:
        before: what `begin` returned.
    """
    has_changed = conn.total_changes != before
    if has_changed:
        await stamps.write(conn)
    await conn.execute("COMMIT")
    if has_changed and handle.starts_log:
        # The file gets a stamp that no earlier copy of it has. Otherwise the log would fit the
        # backup that the file was restored from, and restoring that again would change nothing.
        handle.starts_log = False
        await set_busy_timeout(conn, 0)
        with suppress(sqlite3.OperationalError):  # a later checkpoint reports it
            await write_ahead_log.checkpoint_and_truncate(conn)
        await set_busy_timeout(conn, opening.BUSY_SECONDS)


async def set_busy_timeout(connection: Connection, seconds: float) -> None:
    """Set how long statements wait for other connections."""
    await connection.execute_fetchall(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
