"""Journals: the files that log() appends to, independent of the database.

A point survives a crash of its process once `append_points` has returned, because the operating
system has its bytes. Frames that cannot be written are held in memory until they can.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
import uuid
from collections import defaultdict, deque
from contextlib import suppress
from itertools import islice
from os import write
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from zlib import crc32

from trackai.errors import InvalidInputError
from trackai.ingest.frames import (
    MAX_PAYLOAD,
    Configured,
    Described,
    Ended,
    Environment,
    Filed,
    Keys,
    Opened,
    Points,
    Used,
    Versioned,
    encode,
    encode_payload,
    pack_header,
    too_long,
)
from trackai.locks import (
    create_locked,
    open_lock,
    process_exists,
    remove_locked,
    rename_locked,
    sync,
    sync_folder,
    try_lock,
)
from trackai.values.names import path_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trackai.values.types import Axis, Step, TextKind, Value

    # By axis and kind of texts: the numbers of tuples of metric names.
    Numbers = dict[tuple[Axis, TextKind], dict[tuple[str, ...], int]]

SUFFIX = ".journal"
# The suffix of the bytes of logged files, until they are stored.
BYTES = ".bytes"
# The size at which the next file begins: a file is removed as a whole once it is stored.
ROTATE_BYTES = 32 * 1024 * 1024
# The most that is held in memory while the journal cannot be written.
HELD_BYTES = 64 * 1024 * 1024
# Limits the memory of a script that uses new metric names in every call.
_MAX_KEYS = 4096
# Appended to the name of a journal that is kept because parts of it cannot be read.
DAMAGED = ".damaged"
_FLUSH_FRAMES = 4096
# In place of the names of the call before, if there are none in this file.
_NO_NAMES: tuple[list[str] | None, Axis, TextKind, int] = None, "step", "text", -1


class Kept(NamedTuple):
    """The bytes of a logged file: their number, SHA-256 in hex, and the name of their file."""

    size: int
    sha256: str
    name: str


class JournalWriter:
    """Appends frames to the journals of one writer: `<start>-<uid>-<number>.journal`.

    The `append` methods do not raise disk errors: frames that cannot be written are held in memory.

    A signal handler may raise inside any method, as Ctrl-C does. Only the interrupted call of log()
    is lost then: calls that returned before, and later calls, are stored.

    Attributes:
        lock: held by callers that use several threads.
        opened: the first frame of every file.
        failure: the error because of which frames are held; None if no frames are held.
        dropped: the number of calls lost because `HELD_BYTES` were held already.
    """

    def __init__(
        self,
        folder: Path,
        opened: Opened,
        *,
        rotate_bytes: int = ROTATE_BYTES,
        held_bytes: int = HELD_BYTES,
        sync_each: bool = False,
        lazy: bool = False,
        bound: Callable[[], bool] | None = None,
    ) -> None:
        """Create the first file.

        Args:
            rotate_bytes: the size at which the next file begins.
            held_bytes: the most that is held in memory while frames cannot be written.
            sync_each: flush each frame to disk.
            lazy: create the first file with the first frame instead.
            bound: whether the folder has as many bytes as it may have; asked from time to time.
                Frames are held in memory then.

        Raises:
            OSError: the file cannot be created.
        """
        # Reentrant: a signal handler may finish a run in the middle of a call of log().
        self.lock = threading.RLock()
        self.failure: OSError | None = None
        self.dropped = 0
        self.opened = opened
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._max_held_bytes = held_bytes
        self._sync = sync_each
        self._bound = bound
        self._next_file = 0
        self._numbers: Numbers = defaultdict(dict)
        self._recent = _NO_NAMES
        self._next_number = 0  # continues from file to file
        # Files stay open, and therefore locked, until they are stored: others do not recover them.
        self._files: dict[Path, int] = {}
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._is_full = False
        self._fd, self._size, self._limit = -1, 0, -1
        if not lazy:
            self._open_next()

    @property
    def paths(self) -> list[Path]:
        """The files that have not been stored and removed, the oldest first."""
        return list(self._files)

    @property
    def held(self) -> int:
        """The number of frames held in memory."""
        return sum(map(bool, self._held))

    def append_points(
        self,
        axis: Axis,
        keys: Sequence[str],
        step: Step,
        timestamp: int,
        values: list[Value],
        kind: TextKind = "text",
    ) -> None:
        """Append the values of one call; on return they survive a crash of this process.

        Args:
            axis: "step" or "time"; on the time axis `step` is 0.
            keys: the metric names.
            timestamp: microseconds since the epoch.
            values: one for each name.
            kind: the kind of the values that are texts.

        Raises:
            InvalidInputError: the values are longer than a frame can be, or a name is invalid.
            TypeError: a name is not a str.
        """
        if self._size > self._limit:
            self._rotate()
        # Comparing lists takes half as long as looking a tuple up. Most calls log the names of the
        # call before.
        recent_keys, recent_axis, recent_kind, number = self._recent
        if keys != recent_keys or axis != recent_axis or kind != recent_kind:
            number = self._number_of(axis, tuple(keys), kind)
        # Like `append`, inlined: log() spends its time here.
        payload = encode_payload(Points(number, step, timestamp, values))
        length = len(payload)
        if length > MAX_PAYLOAD:
            raise too_long()
        frame = pack_header(length, crc32(payload)) + payload
        if self._held:
            return self._hold(frame)
        try:
            written = write(self._fd, frame)
        except OSError as error:
            return self._fail(frame, error)
        if written != len(frame):
            return self._complete(frame, written)
        self._size += written
        if self._sync:
            self._synchronise()
        return None

    def keep(self, write_to: Callable[[BinaryIO], object]) -> Kept:
        """Write the bytes of a logged file to the folder of the journal.

        Append a `Filed` with the result afterwards.

        Args:
            write_to: a function that writes the bytes to an open file.

        Raises:
            OSError: the file cannot be written.
        """
        opened = self.opened
        name = f"{opened.started_at:016x}-{opened.writer_uid}-{uuid.uuid4().hex}{BYTES}"
        path = self._folder / name
        self._check_bound()
        try:
            with path.open("x+b") as file:
                write_to(file)
                file.flush()
                if self._sync:
                    sync(file.fileno())
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256")
                return Kept(file.tell(), digest.hexdigest(), name)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def append(
        self, *frames: Configured | Described | Environment | Filed | Versioned | Used | Ended
    ) -> None:
        """Append frames other than `Points`, in one go: all of them survive a crash, or none.

        Raises:
            InvalidInputError: a frame is too long; nothing is appended.
        """
        data = b"".join(map(encode, frames))
        if self._size > self._limit:
            self._rotate()
        self._write(data, needed=True)

    def retry(self) -> bool:
        """Write the frames that are held; False if they still cannot be written."""
        try:
            self._check_bound()
            if self._fd < 0:
                self._open_next()
            while self._held:
                frames = list(islice(self._held, _FLUSH_FRAMES))
                self._flush(frames)
                for frame in frames:
                    self._held_bytes -= len(frame)
                    self._held.popleft()
            self._held_bytes = 0
            if self._sync:
                self._synchronise_all()
        except OSError as error:
            self.failure = error
            return False
        if self._is_full:
            self._is_full = False
            self._forget_keys()  # their declarations may have been dropped
        self.failure = None
        return True

    def _flush(self, frames: list[bytes]) -> None:
        """Write held frames to this file, or to the next one if this one is at its largest."""
        data = b"".join(frames)
        try:
            self._write_rest(data)
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            self._continue_in_next(frames)
        else:
            self._size += len(data)

    def _continue_in_next(self, frames: list[bytes]) -> None:
        """Begin the next file with `frames`, as many of them as fit, and write the others.

        Raises:
            OSError: the file cannot be created.
        """
        fitting = len(frames)
        while frames:
            try:
                self._open_next([*self._declared(), *frames[:fitting]])
            except OSError as error:
                if error.errno != errno.EFBIG:
                    raise
                if fitting > 1:
                    fitting = fitting // 2
                    continue
                self.dropped += 1  # larger than any file can be
            frames = frames[fitting:]

    def _declared(self) -> list[bytes]:
        """Frames that declare the names of this file in another one."""
        return [
            encode(Keys(number, axis, keys, kind))
            for (axis, kind), numbers in self._numbers.items()
            for keys, number in numbers.items()
        ]

    def restore(self) -> list[Path]:
        """Recreate files that were deleted while open, from their open descriptors.

        Returns:
            The recreated files. Failures are retried on the next call.
        """
        restored = []
        for path, fd in list(self._files.items()):
            if _is_file(path, fd):
                continue
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                new = create_locked(path, _content(fd))
            except OSError as error:
                self.failure = self.failure or error
                continue
            if fd == self._fd:
                self._fd = new
            self._files[path] = new
            os.close(fd)
            restored.append(path)
        return restored

    def rescue(self, folder: Path) -> list[Path]:
        """Write held frames and deleted files as journals in another folder.

        Returns:
            The new journals.

        Raises:
            OSError: they cannot be written there, either.
        """
        rescued = []
        for path, fd in list(self._files.items()):
            if not _is_file(path, fd):
                held = b"".join(self._held) if fd == self._fd else b""
                os.close(create_locked(folder / path.name, _content(fd) + held))
                rescued.append(folder / path.name)
                os.close(self._files.pop(path))
                if fd == self._fd:
                    self._held.clear()
                    self._fd = -1
        if self._held:
            path = folder / self._name(self._next_file)
            frames = [encode(self.opened), *self._declared(), *self._held]
            os.close(create_locked(path, b"".join(frames)))
            rescued.append(path)
            self._held.clear()
        self._held_bytes = 0
        self.failure = None  # no frames are left to write here
        return rescued

    def remove(self, path: Path) -> None:
        """Remove a file that has been stored."""
        remove_locked(path, self._files[path])
        del self._files[path]

    def set_aside(self, path: Path) -> Path:
        """Rename a file that has been stored except for damaged parts; returns the new path."""
        renamed = path.with_name(path.name + DAMAGED)
        rename_locked(path, self._files[path], renamed)
        del self._files[path]
        return renamed

    def close(self) -> None:
        """Close all files; other processes may now recover those that remain."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()
        self._fd = -1

    def heir(self, opened: Opened) -> JournalWriter:
        """In a forked process: close the inherited files, and create a journal for `opened`."""
        self.close()
        return JournalWriter(
            self._folder,
            opened,
            rotate_bytes=self._rotate_bytes,
            held_bytes=self._max_held_bytes,
            sync_each=self._sync,
            lazy=True,
            bound=self._bound,
        )

    def _number_of(self, axis: Axis, keys: tuple[str, ...], kind: TextKind) -> int:
        """The number of metric names in this file, which it declares if they have none."""
        number = self._numbers[axis, kind].get(keys)
        if number is None:
            number = self._declare(axis, keys, kind)
        self._recent = [*keys], axis, kind, number
        return number

    def _declare(self, axis: Axis, keys: tuple[str, ...], kind: TextKind) -> int:
        for path in keys:
            if not issubclass(type(path), str):  # isinstance() would ask it for its class
                # Without the name, whose repr may raise anything.
                raise TypeError(
                    f"the name of a metric must be a str, got {type(path).__qualname__}"
                )
            if problem := path_problem(path):
                raise InvalidInputError(f"metric {path[:80]!r}", f"the name {problem}")
        if self._next_number % _MAX_KEYS == 0:
            self._forget_keys()
        number = self._next_number
        self._next_number += 1  # before writing: a number is never used twice
        self._write(encode(Keys(number, axis, keys, kind)))
        self._numbers[axis, kind][keys] = number
        return number

    def _forget_keys(self) -> None:
        self._numbers, self._recent = defaultdict(dict), _NO_NAMES

    def _write(self, frame: bytes, *, needed: bool = False) -> None:
        """Write a frame, or hold it; a `needed` one is held regardless of the limit."""
        if self._held or self._fd < 0:
            return self._hold(frame, needed=needed)
        try:
            written = write(self._fd, frame)
        except OSError as error:
            return self._fail(frame, error, needed=needed)
        if written != len(frame):
            return self._complete(frame, written, needed=needed)
        self._size += written
        if self._sync:
            self._synchronise()
        return None

    def _synchronise(self) -> None:
        try:
            sync(self._fd)
        except OSError as error:
            raise_if_foreign(error)
            self.failure = error  # `retry` synchronises again

    def _complete(self, frame: bytes, written: int, *, needed: bool = False) -> None:
        """Write the rest of a frame, of which the system has written a part."""
        try:
            self._write_rest(frame, written)
        except OSError as error:
            return self._fail(frame, error, needed=needed)
        self._size += len(frame)
        return None

    def _write_rest(self, data: bytes, written: int = 0) -> None:
        """Write `data` after its first `written` bytes.

        Raises:
            OSError: the data cannot be written; the file has no part of it.
        """
        try:
            while written < len(data):
                count = write(self._fd, data[written:])
                if not count:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                written += count
        except OSError:
            self._take_back(written)
            raise

    def _fail(self, frame: bytes, error: OSError, *, needed: bool = False) -> None:
        raise_if_foreign(error)
        if error.errno == errno.EFBIG:  # of this file: the next one can be written
            try:
                return self._continue_in_next([frame])
            except OSError as next_error:
                raise_if_foreign(next_error)
                error = next_error
        self.failure = error
        self._hold(frame, needed=needed)
        return None

    def _take_back(self, written: int) -> None:
        """Truncate a partially written frame."""
        if written:
            # Relative to the actual size: `_size` lacks what interrupted calls have written.
            with suppress(OSError):  # readers skip an incomplete frame
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)

    def _hold(self, frame: bytes, *, needed: bool = False) -> None:
        # After the first dropped frame all are dropped: they may depend on its `Keys`.
        full = self._held_bytes + len(frame) > self._max_held_bytes or self._is_full
        if full and not needed:
            self._is_full = True
            self.dropped += 1
            return
        self._held.append(frame)
        self._held_bytes += len(frame)

    def _rotate(self) -> None:
        """Begin the next file, or continue with this one if that fails."""
        if self._held:
            return
        if self._fd >= 0:
            self._limit = self._size + self._rotate_bytes // 8
        try:
            self._check_bound()
        except OSError as error:
            raise_if_foreign(error)
            self.failure = error
            self._hold(b"", needed=True)  # so that all that follow are held, too
            return
        try:
            self._open_next()
        except OSError as error:
            raise_if_foreign(error)
            if self._fd < 0:
                self.failure = error

    def _open_next(self, frames: Sequence[bytes] = ()) -> None:
        """Begin the next file.

        Args:
            frames: to write to it, preceded by the declarations of their names.
        """
        path = self._folder / self._name(self._next_file)
        self._next_file += 1  # before creating it: a file with calls in it is never replaced
        first, fd = b"".join([encode(self.opened), *frames]), -1
        try:
            fd = create_locked(path, first)
            if self._sync:
                self._synchronise_new(fd)
            files = {**self._files, path: fd}
            # Declared in each file again.
            numbers: Numbers = self._numbers if frames else defaultdict(dict)
            # Signal handlers run only at calls, so that this assignment is atomic.
            self._files, self._numbers, self._recent, self._fd, self._size, self._limit = (
                files, numbers, _NO_NAMES, fd, len(first), self._rotate_bytes
            )  # fmt: skip
        except BaseException:
            if fd >= 0:
                os.close(fd)
            path.unlink(missing_ok=True)
            raise

    def _synchronise_new(self, fd: int) -> None:
        try:
            sync(fd)
            sync_folder(self._folder)
        except OSError as error:
            raise_if_foreign(error)
            self.failure = error  # `retry` synchronises again

    def _synchronise_all(self) -> None:
        sync(self._fd)
        sync_folder(self._folder)

    def _check_bound(self) -> None:
        if self._bound is not None and self._bound():
            raise OSError(errno.EDQUOT, "the folder has as much as it may have", str(self._folder))

    def _name(self, number: int) -> str:
        return name_of(self.opened.started_at, self.opened.writer_uid, number)


def name_of(started_at: int, writer_uid: str, number: int) -> str:
    """The name of a journal, which is one of several of its writer."""
    return f"{started_at:016x}-{writer_uid}-{number:06d}{SUFFIX}"


def is_journal(name: str) -> bool:
    """Whether a text could be the name of a journal."""
    return re.fullmatch(f"[0-9a-f]{{16}}-[0-9a-f]{{32}}-[0-9]{{6,}}{SUFFIX}", name) is not None


def writer_uid(name: str) -> str:
    """The identity of the writer in the name of a journal; "" for any other name."""
    return name.split("-")[1] if name.count("-") == 2 else ""


def is_alive(folder: Path, uid: str, pid: int | None) -> bool:
    """Whether a writer still has a journal open.

    Args:
        uid: the identity of the writer.
        pid: its process id, if it runs on this machine; None otherwise. The lock alone is not
            conclusive: a process that recovers a journal holds it for a moment.
    """
    if pid is not None and not process_exists(pid):
        return False
    for path in folder.glob(f"*-{uid}-*{SUFFIX}"):
        fd = open_lock(path, create=False)
        if fd is None:
            continue
        try:
            if not try_lock(fd):
                return True
        except OSError:  # no locks on this file system
            return True
        finally:
            os.close(fd)
    return False


def raise_if_foreign(error: OSError) -> None:
    """Raise an error that is not from the disk, such as the TimeoutError of a signal handler."""
    if error.errno is None:
        raise error


def _is_file(path: Path, fd: int) -> bool:
    """Whether `fd` is the file at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116 - five times a second
    except OSError:
        return False


def _content(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)  # O_APPEND ignores the position
    parts = []
    while part := os.read(fd, 1 << 24):
        parts.append(part)
    return b"".join(parts)
