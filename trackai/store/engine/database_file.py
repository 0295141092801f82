"""The database file as the file system sees it: which file a path names, and whether it changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Device and inode.
Identity = tuple[int, int]


def identity(path: Path) -> Identity | None:
    """Identify the file at `path`; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the cost of Path.stat, on every request
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def state(path: Path) -> tuple[int, ...] | None:
    """Identity, size and modification time of the file at `path`; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def size(path: Path) -> int:
    """Size in bytes; 0 if the file does not exist."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def sibling(path: Path, suffix: str) -> Path:
    """The file next to a database whose name ends with `suffix`.

    Links are resolved: SQLite keeps its own files next to the target of a link, too.
    """
    path = path.resolve()
    return path.with_name(path.name + suffix)
