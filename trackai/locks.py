"""Locks between processes, on files: the one place that asks which operating system this is.

A lock ends with the process that holds it, however that process ends; this is how TrackAI tells
a journal whose writer is alive from one that was left behind.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
# What a file is called until it is locked and has its first bytes.
UNBORN = ".new"
# Seconds between two attempts to take a lock.
_PATIENCE = 0.005
# How often a new file is made that somebody else locks before its maker does.
_ATTEMPTS = 3

if sys.platform == "win32":
    import msvcrt

    # Windows locks byte ranges, and a locked range cannot be read by others. One byte far
    # beyond what a journal ever holds stands for the file; its place must fit into 32 bits.
    _FAR = (1 << 31) - 2

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

    def unlock(fd: int) -> None:
        pass  # closing it is enough

    def create_locked(path: Path, content: bytes) -> int:
        # An open file cannot be renamed here: for a moment it is there without a lock.
        path.unlink(missing_ok=True)
        fd = os.open(path, _NEW_FILE | os.O_BINARY, 0o644)
        try:
            if not try_lock(fd):
                raise _unlockable(path)
            os.write(fd, content)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def remove_locked(path: Path, fd: int) -> None:
        os.close(fd)  # an open file cannot be removed or renamed here
        with suppress(PermissionError):  # whoever has taken it up meanwhile removes it
            path.unlink(missing_ok=True)

    def rename_locked(path: Path, fd: int, new: Path) -> None:
        os.close(fd)
        with suppress(PermissionError):
            path.replace(new)

    def process_exists(pid: int) -> bool:
        return True  # os.kill() would end it; the lock alone decides

    def sync(fd: int) -> None:
        os.fsync(fd)

    def sync_folder(path: Path) -> None:
        pass  # a folder cannot be opened here; NTFS keeps its own journal of names

else:
    import fcntl

    # flock, not lockf: a lock by lockf ends when the process closes *any* handle of the file.
    def try_lock(fd: int) -> bool:
        """Take the exclusive lock of an open file; False if another process holds it.

        Raises:
            OSError: its file system has no locks.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Give a lock back, also if a process that was forked meanwhile has inherited it."""
        fcntl.flock(fd, fcntl.LOCK_UN)

    def create_locked(path: Path, content: bytes) -> int:
        """Make a file, in the place of any other, that nobody sees before it is locked.

        Returns:
            Its file descriptor, for reading and appending.

        Raises:
            OSError: it cannot be made, or cannot be locked; nothing is left of it.
        """
        unborn = path.with_name(path.name + UNBORN)
        for _ in range(_ATTEMPTS):
            unborn.unlink(missing_ok=True)
            opened: list[int] = []
            try:
                # In one step, as Python sees it: if a signal raised between opening and assigning,
                # nobody would know what to close.
                opened.extend(map(os.open, [str(unborn)], [_NEW_FILE], [0o644]))
                [fd] = opened
                # Between these two lines somebody may take it for a file that was left behind.
                if try_lock(fd):
                    left = memoryview(content)
                    while left:
                        left = left[os.write(fd, left) :]
                    unborn.rename(path)
                    return fd
            except BaseException:
                for one in opened:
                    os.close(one)
                unborn.unlink(missing_ok=True)
                raise
            os.close(fd)
        unborn.unlink(missing_ok=True)
        raise _unlockable(path)

    def remove_locked(path: Path, fd: int) -> None:
        """Remove a file that is locked, and close it: nobody finds it unlocked.

        Raises:
            OSError: it cannot be removed, and stays open.
        """
        path.unlink(missing_ok=True)
        os.close(fd)

    def rename_locked(path: Path, fd: int, new: Path) -> None:
        """Rename a file that is locked, and close it.

        Raises:
            OSError: it cannot be renamed, and stays open.
        """
        path.replace(new)
        os.close(fd)

    def process_exists(pid: int) -> bool:
        """Whether there is a process with that number on this machine."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it belongs to somebody else
        return True

    # macOS has no fdatasync.
    sync = getattr(os, "fdatasync", os.fsync)

    def sync_folder(path: Path) -> None:
        """Wait until the names in a folder are on the disk itself."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _unlockable(path: Path) -> OSError:
    return OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path))


@asynccontextmanager
async def exclusive(path: Path, *, seconds: float = math.inf) -> AsyncIterator[None]:
    """Hold the lock of the file `path` (made if need be), waiting for whoever holds it.

    Raises:
        TimeoutError: somebody else has held it for so many seconds.
        OSError: it cannot be locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        # Asked again and again: the holder may be another task of this very event loop.
        deadline = time.monotonic() + seconds
        while not try_lock(fd):
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process holds {path}")
            await anyio.sleep(_PATIENCE)
        try:
            yield
        finally:
            unlock(fd)
    finally:
        os.close(fd)
