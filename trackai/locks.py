"""File locks between processes. No other module depends on the operating system.

The system releases a lock when its process ends, in whatever way. An unlocked journal therefore
belongs to a process that has ended or crashed, and can be recovered.
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

# The mode of new files, of which the umask of the user is subtracted: a group that shares a
# database has umask 002.
FILE_MODE = 0o666
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
# The suffix of a new file until it is locked and has its first bytes.
UNBORN = ".new"
# Seconds between two attempts to acquire a lock.
_RETRY_SECONDS = 0.005
# How often a file is created again if another process locks it first.
_ATTEMPTS = 3
# The last of the file descriptors of stdin, stdout and stderr.
_STDERR = 2

if sys.platform == "win32":
    import msvcrt

    # Windows locks byte ranges, and other processes cannot read a locked range: the lock is on one
    # byte far beyond the end of any journal. Its offset must fit into 32 bits.
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
        pass  # closing the file is enough

    def create_locked(path: Path, content: bytes) -> int:
        # Windows cannot rename an open file: for a moment it exists unlocked under its final name.
        path.unlink(missing_ok=True)
        fd = os.open(path, _NEW_FILE | os.O_BINARY, FILE_MODE)
        try:
            if not try_lock(fd):
                raise _unlockable(path)
            os.write(fd, content)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def remove_locked(path: Path, fd: int) -> None:
        os.close(fd)  # Windows cannot remove or rename an open file
        with suppress(PermissionError):  # another process is recovering it and removes it
            path.unlink(missing_ok=True)

    def rename_locked(path: Path, fd: int, new: Path) -> None:
        os.close(fd)
        with suppress(PermissionError):
            path.replace(new)

    def process_exists(pid: int) -> bool:
        return True  # os.kill() would end the process; the lock alone decides

    def sync(fd: int) -> None:
        os.fsync(fd)

    def sync_folder(path: Path) -> None:
        pass  # Windows cannot open a folder; NTFS has its own journal of names

    def above_standard(fd: int) -> int:
        return fd  # Windows cannot choose the number of a file descriptor

else:
    import fcntl

    def above_standard(fd: int) -> int:
        """Give an open file a number above those of stdin, stdout and stderr.

        A program that has closed these may print into any file that has their numbers, and closes
        it when it redirects them.

        Returns:
            The file descriptor. A new one shares the lock of the earlier one, which is closed.
        """
        if fd > _STDERR:
            return fd
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _STDERR + 1)
        finally:
            os.close(fd)

    # flock, not lockf: a lock by lockf ends when the process closes *any* handle of the file.
    def try_lock(fd: int) -> bool:
        """Acquire the exclusive lock of an open file; False if another handle holds it.

        Raises:
            OSError: the file system does not support locks.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Release a lock, even if a forked process has inherited it."""
        fcntl.flock(fd, fcntl.LOCK_UN)

    def create_locked(path: Path, content: bytes) -> int:
        """Create a locked file, replacing any other; it gets its name once it is locked.

        Args:
            content: the first bytes of the file.

        Returns:
            The file descriptor, open for reading and appending.

        Raises:
            OSError: the file cannot be created or locked; no file remains.
        """
        unborn = path.with_name(path.name + UNBORN)
        for _ in range(_ATTEMPTS):
            unborn.unlink(missing_ok=True)
            opened: list[int] = []
            try:
                # Python runs no signal handler inside `extend`: an exception between opening the
                # file and storing its descriptor would leave it open.
                opened.extend(map(os.open, [str(unborn)], [_NEW_FILE], [FILE_MODE]))
                if opened[0] <= _STDERR:
                    opened.append(above_standard(opened.pop()))
                [fd] = opened
                # Until it is locked, another process may take it for that of a crashed process.
                if try_lock(fd):
                    remaining = memoryview(content)
                    while remaining:
                        remaining = remaining[os.write(fd, remaining) :]
                    unborn.rename(path)
                    return fd
            except BaseException:
                for opened_fd in opened:
                    os.close(opened_fd)
                unborn.unlink(missing_ok=True)
                raise
            os.close(fd)
        unborn.unlink(missing_ok=True)
        raise _unlockable(path)

    def remove_locked(path: Path, fd: int) -> None:
        """Remove a locked file, then close it: other processes never see it unlocked.

        Raises:
            OSError: the file cannot be removed; it remains open.
        """
        path.unlink(missing_ok=True)
        os.close(fd)

    def rename_locked(path: Path, fd: int, new: Path) -> None:
        """Rename a locked file, then close it.

        Raises:
            OSError: the file cannot be renamed; it remains open.
        """
        path.replace(new)
        os.close(fd)

    def process_exists(pid: int) -> bool:
        """Whether a process with this id exists on this machine."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it exists and belongs to another user
        return True

    # macOS has no fdatasync.
    sync = getattr(os, "fdatasync", os.fsync)

    def sync_folder(path: Path) -> None:
        """Flush the names in a folder to disk."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _unlockable(path: Path) -> OSError:
    return OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path))


def open_lock(path: Path, *, create: bool = True) -> int | None:
    """Open a file to lock it; it may belong to another user.

    Args:
        create: create the file if it does not exist.

    Returns:
        The file descriptor; None without `create`, if the file cannot be opened.

    Raises:
        OSError: the file cannot be created.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):
            return above_standard(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    try:
        return above_standard(os.open(path, os.O_RDONLY))  # enough for a lock
    except OSError:
        if create:
            raise
        return None


@asynccontextmanager
async def exclusive(
    path: Path, *, seconds: float = math.inf, create: bool = True
) -> AsyncIterator[None]:
    """Hold the lock of the file `path`.

    Args:
        seconds: how long to wait for another holder.
        create: create the file if it does not exist; otherwise, there is nothing to hold.

    Raises:
        TimeoutError: the lock was not released in time.
        OSError: the file cannot be locked.
    """
    fd = open_lock(path, create=create)
    if fd is None:
        yield
        return
    try:
        # Polled, not blocking: the holder may be another task of this event loop.
        deadline = time.monotonic() + seconds
        while not try_lock(fd):
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process has locked {path}")
            await anyio.sleep(_RETRY_SECONDS)
        try:
            yield
        finally:
            unlock(fd)
    finally:
        os.close(fd)
