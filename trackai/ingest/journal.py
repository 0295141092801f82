"""A journal: the files to which log() appends, of one process that logs to a run.

Nothing here knows of a database. A point is safe from the death of its process as soon as
`append` has returned: the bytes are the operating system's then. If they cannot be written, they
are held in memory until they can be.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import uuid
from collections import defaultdict, deque
from contextlib import suppress
from os import write
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from zlib import crc32

from trackai.ingest.frames import (
    MAX_PAYLOAD,
    Configured,
    Described,
    Ended,
    Filed,
    Keys,
    Opened,
    Points,
    encode,
    encode_payload,
    pack_header,
    too_long,
)
from trackai.locks import (
    create_locked,
    process_exists,
    remove_locked,
    rename_locked,
    sync,
    sync_folder,
    try_lock,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.values.types import Axis, Step, TextKind, Value

    # By axis and kind of texts: what stands for the names of a call.
    Numbers = dict[tuple[Axis, TextKind], dict[tuple[str, ...], int]]

SUFFIX = ".journal"
# Of the bytes of files that are logged, until they are stored.
BYTES = ".bytes"
# A journal is removed whole; a small one gives its space back early.
ROTATE_BYTES = 32 * 1024 * 1024
# How much is held in memory while the journal cannot be written.
HELD_BYTES = 64 * 1024 * 1024
# Programs that make up a new metric name in every call must not fill the memory with them.
_MAX_KEYS = 4096
# What is added to the name of a journal that is kept because some of it cannot be read.
DAMAGED = ".damaged"
_FLUSH_FRAMES = 4096


class Kept(NamedTuple):
    """Bytes beside a journal: their number, SHA-256 in hex, and the name of the file."""

    size: int
    sha256: str
    name: str


class JournalWriter:
    """Appends frames to the journals of one writer: `<start>-<uid>-<number>.journal`.

    No method raises because of the disk: what cannot be written is held in memory, in order.

    Where a signal raises, as Ctrl-C does, any method may end at any call that it makes. It is the
    call of log() that is lost then, and none that has returned before or does afterwards.

    Attributes:
        lock: whoever calls a method from several threads holds it.
        failure: why frames are held at present; None if none are.
        dropped: how many calls were lost because more than `HELD_BYTES` would have been held.
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
    ) -> None:
        """Begin a journal; a `lazy` one has no file before the first frame.

        Args:
            sync_each: wait after each frame until it is on the disk itself.

        Raises:
            OSError: the file cannot be made.
        """
        # A signal handler may finish a run in the middle of a call of log(): hence the R.
        self.lock = threading.RLock()
        self.failure: OSError | None = None
        self.dropped = 0
        self.opened = opened
        self._folder = folder
        self._rotate_bytes = rotate_bytes
        self._most_held = held_bytes
        self._sync = sync_each
        self._next_file = 0
        self._numbers: Numbers = defaultdict(dict)
        self._next_number = 0  # goes on from file to file
        # Files stay open, and so locked, until they are stored: nobody else need look at them.
        self._files: dict[Path, int] = {}
        self._held: deque[bytes] = deque()
        self._bytes_held = 0
        self._is_full = False
        self._fd, self._size, self._limit = -1, 0, -1
        if not lazy:
            self._open_next()

    @property
    def paths(self) -> list[Path]:
        """The files that have not been removed yet, the oldest first."""
        return list(self._files)

    @property
    def held(self) -> int:
        """How many frames are in memory only."""
        return len(self._held)

    def append_points(
        self,
        axis: Axis,
        keys: tuple[str, ...],
        step: Step,
        timestamp: int,
        values: list[Value],
        kind: TextKind = "text",
    ) -> None:
        """Append one call's values; on return they survive the death of this process.

        Args:
            kind: what the texts among them are.
        """
        if self._size > self._limit:
            self._rotate()
        number = self._numbers[axis, kind].get(keys)
        if number is None:
            number = self._declare(axis, keys, kind)
        # As `append(...)`, without the calls: this is where log() spends its time.
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
            return self._fail(frame, _short(), written)
        self._size += written
        if self._sync:
            self._synchronise()
        return None

    def keep(self, write_to: Callable[[BinaryIO], object]) -> Kept:
        """Write a file beside the journal, for a `Filed` that is appended then.

        Raises:
            OSError: it cannot be written.
        """
        opened = self.opened
        name = f"{opened.started_at:016x}-{opened.writer_uid}-{uuid.uuid4().hex}{BYTES}"
        path = self._folder / name
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

    def append(self, frame: Configured | Described | Filed | Ended) -> None:
        """Append any other frame."""
        if self._size > self._limit:
            self._rotate()
        self._append(encode(frame), needed=True)

    def retry(self) -> bool:
        """Write what is held; False if that is not possible yet."""
        try:
            if self._fd < 0:
                self._open_next()
            while self._held:
                some = [self._held[at] for at in range(min(len(self._held), _FLUSH_FRAMES))]
                data = b"".join(some)
                written = write(self._fd, data)
                if written != len(data):
                    self._take_back(written)
                    raise _short()
                self._size += written
                for frame in some:
                    self._bytes_held -= len(frame)
                    self._held.popleft()
            self._bytes_held = 0
            if self._sync:
                self._synchronise_all()
        except OSError as error:
            self.failure = error
            return False
        if self._is_full:
            self._is_full = False
            self._forget_keys()  # what declared them may have been dropped
        self.failure = None
        return True

    def restore(self) -> list[Path]:
        """Make the files anew that somebody has deleted: their content is still at hand.

        Returns:
            Those that were made anew. One that cannot be is tried again the next time.
        """
        made = []
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
            made.append(path)
        return made

    def rescue(self, folder: Path) -> list[Path]:
        """Write what is held, and files that were deleted, as journals in another folder.

        Raises:
            OSError: that is not possible either.
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
        if self._held:
            path = folder / self._name(self._next_file)
            declared = [
                encode(Keys(number, axis, keys, kind))
                for (axis, kind), numbers in self._numbers.items()
                for keys, number in numbers.items()
            ]
            os.close(create_locked(path, b"".join([encode(self.opened), *declared, *self._held])))
            rescued.append(path)
            self._held.clear()
        return rescued

    def remove(self, path: Path) -> None:
        """Remove a file that is stored."""
        remove_locked(path, self._files[path])
        del self._files[path]

    def set_aside(self, path: Path) -> Path:
        """Keep a file that is stored but for what is damaged, under another name."""
        kept = path.with_name(path.name + DAMAGED)
        rename_locked(path, self._files[path], kept)
        del self._files[path]
        return kept

    def close(self) -> None:
        """Close all files; what is left of them is now for other processes to store."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()
        self._fd = -1

    def heir(self, opened: Opened) -> JournalWriter:
        """After a fork, in the child: let go of the inherited files, log to others."""
        self.close()
        return JournalWriter(
            self._folder,
            opened,
            rotate_bytes=self._rotate_bytes,
            held_bytes=self._most_held,
            sync_each=self._sync,
            lazy=True,
        )

    def _declare(self, axis: Axis, keys: tuple[str, ...], kind: TextKind) -> int:
        for path in keys:
            if not isinstance(path, str):
                raise TypeError(f"metric {path!r}: a name is a str, not {type(path).__qualname__}")
        if self._next_number % _MAX_KEYS == 0:
            self._forget_keys()
        number = self._next_number
        self._next_number += 1  # first: a number has one meaning, whatever becomes of its frame
        self._append(encode(Keys(number, axis, keys, kind)))
        self._numbers[axis, kind][keys] = number
        return number

    def _forget_keys(self) -> None:
        self._numbers = defaultdict(dict)

    def _append(self, frame: bytes, *, needed: bool = False) -> None:
        if self._held or self._fd < 0:
            return self._hold(frame, needed=needed)
        try:
            written = write(self._fd, frame)
        except OSError as error:
            return self._fail(frame, error, needed=needed)
        if written != len(frame):
            return self._fail(frame, _short(), written, needed=needed)
        self._size += written
        if self._sync:
            self._synchronise()
        return None

    def _synchronise(self) -> None:
        try:
            sync(self._fd)
        except OSError as error:
            _raise_if_foreign(error)
            self.failure = error  # `retry` tries again

    def _fail(
        self, frame: bytes, error: OSError, written: int = 0, *, needed: bool = False
    ) -> None:
        _raise_if_foreign(error)
        self.failure = error
        self._take_back(written)
        self._hold(frame, needed=needed)

    def _take_back(self, written: int) -> None:
        """Cut off what has just been written of a frame that did not fit."""
        if written:
            # From the end that the file has now: `_size` lacks what was written by calls that a
            # signal has ended.
            with suppress(OSError):  # a reader finds its way around half a frame
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)

    def _hold(self, frame: bytes, *, needed: bool = False) -> None:
        # Once one was dropped, so is all that follows: it may lean on it.
        full = self._bytes_held + len(frame) > self._most_held or self._is_full
        if full and not needed:
            self._is_full = True
            self.dropped += 1
            return
        self._held.append(frame)
        self._bytes_held += len(frame)

    def _rotate(self) -> None:
        """Begin the next file, or stay with this one while that is not possible."""
        if self._held:
            return
        if self._fd >= 0:
            self._limit = self._size + self._rotate_bytes // 8
        try:
            self._open_next()
        except OSError as error:
            _raise_if_foreign(error)
            if self._fd < 0:
                self.failure = error

    def _open_next(self) -> None:
        path = self._folder / self._name(self._next_file)
        self._next_file += 1  # first: no file is ever made in the place of one that has calls in it
        first, fd = encode(self.opened), -1
        try:
            fd = create_locked(path, first)
            if self._sync:
                self._synchronise_new(fd)
            files = {**self._files, path: fd}
            numbers: Numbers = defaultdict(dict)  # what they stand for is forgotten with the file
            # Python looks for signals where something is called: all of this happens, or nothing.
            self._files, self._numbers, self._fd, self._size, self._limit = (
                files, numbers, fd, len(first), self._rotate_bytes
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
            _raise_if_foreign(error)
            self.failure = error  # `retry` tries again

    def _synchronise_all(self) -> None:
        sync(self._fd)
        sync_folder(self._folder)

    def _name(self, number: int) -> str:
        return f"{self.opened.started_at:016x}-{self.opened.writer_uid}-{number:06d}{SUFFIX}"


def writer_uid(path: Path) -> str:
    """Whose journal that is, by its name."""
    return path.name.split("-")[1] if path.name.count("-") == 2 else ""


def is_alive(folder: Path, uid: str, pid: int | None) -> bool:
    """Whether a writer still holds a journal.

    Args:
        pid: its process, if that runs on this machine. Others may hold the journal of a dead
            process for a moment, to store it.
    """
    if pid is not None and not process_exists(pid):
        return False
    for path in folder.glob(f"*-{uid}-*{SUFFIX}"):
        try:
            fd = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            if not try_lock(fd):
                return True
        except OSError:  # nobody can tell
            return True
        finally:
            os.close(fd)
    return False


def _short() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _raise_if_foreign(error: OSError) -> None:
    """A TimeoutError, say, that the handler of a signal has raised is none of the disk's."""
    if error.errno is None:
        raise error


def _is_file(path: Path, fd: int) -> bool:
    """Whether what is open is what lies there."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))  # noqa: PTH116 - five times a second
    except OSError:
        return False


def _content(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)  # appending does not care
    parts = []
    while part := os.read(fd, 1 << 24):
        parts.append(part)
    return b"".join(parts)
