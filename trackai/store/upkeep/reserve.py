"""Disk space that a server reserves, so that runs can be deleted when the disk is full.

Deleting needs space: SQLite writes changed pages to its log first, and a full log can only be moved
to the database file if that can grow. A server keeps a file in the spool folder, and a deletion on
a full disk removes it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# More than a transaction of a deletion writes to SQLite's log before its pages are moved.
SIZE = 12 << 20


def keep(spool: Path) -> None:
    """Create the file, unless there is little space or the folder cannot be written.

    The file of an earlier version, which was smaller, is replaced.
    """
    path = _path(spool)
    new = path.with_suffix(".new")
    with suppress(OSError):
        has_file = path.exists() and path.stat().st_size >= SIZE
        if has_file or shutil.disk_usage(spool).free < 2 * SIZE:
            return
        try:
            with new.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, SIZE)
                else:
                    file.write(bytes(SIZE))
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def release(spool: Path) -> bool:
    """Remove the file; False if there is none."""
    try:
        _path(spool).unlink()
    except OSError:
        return False
    return True


def _path(spool: Path) -> Path:
    return spool / "reserve"
