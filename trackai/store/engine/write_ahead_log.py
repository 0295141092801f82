"""SQLite's write-ahead log: the `-wal` and `-shm` files next to a database.

Commits append pages to the log; a checkpoint moves them into the database file. SQLite finds the
log by the name of the database: the log of a removed database would be applied to its successor.
See https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.database_file import identity, sibling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.store.engine.database_file import Identity

SUFFIXES = ("-wal", "-shm")


def exists(path: Path) -> bool:
    """Whether the database at `path` has a log: it is in use, or its last process crashed."""
    return any(sibling(path, suffix).exists() for suffix in SUFFIXES)


def identities(path: Path) -> dict[str, Identity | None]:
    """Identify the files of the log, by suffix."""
    return {suffix: identity(sibling(path, suffix)) for suffix in SUFFIXES}


def remove(path: Path) -> None:
    """Remove the log of a database that does not exist any more."""
    for suffix in SUFFIXES:
        sibling(path, suffix).unlink(missing_ok=True)


def remove_unchanged(path: Path, known: Mapping[str, Identity | None]) -> None:
    """Remove those files of the log whose identity is still the `known` one."""
    for suffix, file in known.items():
        log = sibling(path, suffix)
        if file is not None and file == identity(log):
            log.unlink(missing_ok=True)


async def enable(conn: Connection) -> None:
    """Switch a new database to a write-ahead log, once and for all its connections."""
    await conn.execute("PRAGMA journal_mode = WAL")


async def checkpoint(conn: Connection) -> None:
    """Move pages into the database file, up to the oldest that a reader still needs."""
    await conn.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")


async def checkpoint_and_truncate(conn: Connection) -> bool:
    """Move all pages into the database file and empty the log.

    Blocks writers while it waits for readers, up to the busy timeout of the connection.

    Returns:
        Whether the log is empty; False if a reader still needs it.
    """
    rows = await conn.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    return all(busy == 0 for busy, _, _ in rows)
