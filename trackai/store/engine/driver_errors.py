"""Translate errors of SQLite and of the file system into those of `trackai.errors`."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trackai.errors import (
    DiskFullError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def driver_errors(path: Path) -> Iterator[None]:
    """Translate errors of SQLite; the only place that does.

    Raises:
        StoreError: with the SQLite error as its cause.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error, path) from error


def _translated(error: sqlite3.Error, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None) or 0
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return StoreBusyError(f"{path} was removed or replaced while it was in use; try again")
    code &= 0xFF  # the primary result code, without the extension
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
        return unreachable(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError(f"cannot write {path} ({error}): free space on its disk")
    if code == sqlite3.SQLITE_IOERR:
        name = getattr(error, "sqlite_errorname", "SQLITE_IOERR")
        return StoreError(f"cannot read or write {path} ({error}, {name}): check its disk")
    return StoreError(f"{path}: {error}")


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Translate errors of the file system while a database is being opened.

    Raises:
        StoreBusyError: another process held a lock for too long.
        StoreUnreachableError: any other error.
    """
    try:
        yield
    except TimeoutError as error:
        raise StoreBusyError(
            f"{path} is being opened by another process; try again ({error})"
        ) from None
    except OSError as error:
        raise unreachable(path, str(error)) from error


def unreachable(path: Path, reason: str) -> StoreUnreachableError:
    """The error for a database file that cannot be created, opened or written."""
    return StoreUnreachableError(
        f"cannot write the database {path} ({reason}): set TRACKAI_DB_PATH to a file in a folder "
        "that you can write to"
    )
