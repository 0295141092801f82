"""Locks between processes, on files: the one place that asks which operating system this is.

A lock ends with the process that holds it, however that process ends; this is how TrackAI tells
a journal whose writer is alive from one that was left behind.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Windows locks byte ranges, and a locked range cannot be read by others. One byte far
    # beyond any real content stands for the file.
    _FAR = 1 << 62

    def try_lock(fd: int) -> bool:
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, position, os.SEEK_SET)
        return True

    def _lock(fd: int) -> None:
        while not try_lock(fd):
            pass  # LK_NBLCK itself waits for up to a second

else:
    import fcntl

    # flock, not lockf: a lock by lockf ends when the process closes *any* handle of the file.
    def try_lock(fd: int) -> bool:
        """Take the exclusive lock of an open file; False if another process holds it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of the file `path` (made if need be), waiting for whoever holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(fd)
        yield
    finally:
        os.close(fd)
