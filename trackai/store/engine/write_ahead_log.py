"""SQLite's write-ahead log: the `-wal` and `-shm` files next to a database.

Commits append pages to the log; a checkpoint moves them into the database file. SQLite finds the
log by the name of the database: the log of a removed database would be applied to its successor.
See https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

import glob
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from trackai.locks import sync
from trackai.store.engine.database_file import sibling, size

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.connection import Connection

SUFFIXES = ("-wal", "-shm")
# Appended, with a number, to the name of a log that belongs to another file.
ORPHANED = ".orphaned-"


def exists(path: Path) -> bool:
    """Whether the database at `path` has a log: it is in use, or its last process crashed."""
    return any(sibling(path, suffix).exists() for suffix in SUFFIXES)


def set_aside(path: Path) -> Path | None:
    """Rename the log of another file, so that SQLite does not apply it to the one at `path`.

    Returns:
        The new path of the log; None if it is empty.
    """
    log, index = (sibling(path, suffix) for suffix in SUFFIXES)
    index.unlink(missing_ok=True)  # SQLite recreates it from the log
    if not size(log):
        log.unlink(missing_ok=True)
        return None
    renamed = next(
        new
        for number in count(1)
        if not (new := log.with_name(f"{log.name}{ORPHANED}{number}")).exists()
    )
    log.rename(renamed)
    return renamed


def orphaned(path: Path) -> list[Path]:
    """The logs that were set aside."""
    log = sibling(path, SUFFIXES[0])
    return sorted(log.parent.glob(f"{glob.escape(log.name)}{ORPHANED}*"))


async def enable(conn: Connection) -> None:
    """Switch a database to a write-ahead log, once and for all its connections."""
    await conn.execute("PRAGMA journal_mode = WAL")


async def checkpoint(conn: Connection) -> bool:
    """Move pages into the database file, up to the oldest that a reader still needs.

    Returns:
        Whether these are all pages.
    """
    rows = await conn.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
    return all(busy == 0 and pages == moved for busy, pages, moved in rows)


async def checkpoint_and_truncate(conn: Connection) -> bool:
    """Move all pages into the database file and empty the log.

    Blocks writers while it waits for readers, up to the busy timeout of the connection.

    Returns:
        Whether the log is empty; False if a reader still needs it.
    """
    rows = await conn.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    return all(busy == 0 for busy, _, _ in rows)


def synchronise(path: Path) -> None:
    """Flush the log to disk, which SQLite does only before a checkpoint."""
    with suppress(FileNotFoundError), sibling(path, SUFFIXES[0]).open("rb+") as log:
        sync(log.fileno())
