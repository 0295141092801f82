"""Disk space that a server reserves, so that runs can be deleted when the disk is full.

Deleting needs space: SQLite writes changed pages to its log first, and a full log can only be moved
to the database file if that can grow. A server keeps a file in the spool folder, and a deletion on
a full disk removes it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from trackai.values.logger import logger

# More than a transaction of a deletion writes to SQLite's log before its pages are moved.
SIZE = 12 << 20
# The folders whose disk lacks room, for which a warning was given.
_warned: set[Path] = set()


def keep(spool: Path) -> None:
    """Create the file, unless the folder cannot be written; warn once if the disk lacks space.

    The file of an earlier version, which was smaller, is replaced.
    """
    path = _path(spool)
    new = path.with_suffix(".new")
    with suppress(OSError):
        has_file = path.exists() and path.stat().st_size >= SIZE
        if has_file:
            return
        if shutil.disk_usage(spool).free < 2 * SIZE:
            if spool not in _warned:
                _warned.add(spool)
                logger.warning(
                    "%s: less than %d MB are free, so no space is reserved for deletions: if the "
                    "disk becomes full, runs can only be deleted after other files",
                    spool, 2 * SIZE >> 20,
                )  # fmt: skip
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
        _warned.discard(spool)


def release(spool: Path) -> bool:
    """Remove the file; False if there is none."""
    try:
        _path(spool).unlink()
    except OSError:
        return False
    return True


def _path(spool: Path) -> Path:
    return spool / "reserve"
