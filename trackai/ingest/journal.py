"""A journal: the files to which log() appends, of one process that logs to a run.

Nothing here knows of a database. A point is safe from the death of its process as soon as
`append` has returned: the bytes are the operating system's then.
"""

from __future__ import annotations

import os
from os import write
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from trackai.ingest.frames import (
    MAX_PAYLOAD,
    Configured,
    Ended,
    Frame,
    Keys,
    Opened,
    Points,
    decode,
    encode,
    encode_payload,
    pack_header,
    too_long,
)
from trackai.locks import try_lock
from trackai.structs.columns import Column

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.structs.values import Axis, Step, Value

SUFFIX = ".journal"
# A journal is removed whole; a small one gives its space back early.
ROTATE_BYTES = 32 * 1024 * 1024
# What one transaction stores: some 50 000 points of calls with ten metrics.
READ_BYTES = 512 * 1024
# Programs that make up a new metric name in every call must not fill the memory with them.
_MAX_KEYS = 4096


class JournalWriter:
    """Appends frames to the journals of one writer: `<start>-<uid>-<number>.journal`.

    Not safe to share between threads: the run that owns it has a lock.
    """

    def __init__(self, folder: Path, opened: Opened, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._folder = folder
        self._opened = opened
        self._rotate_bytes = rotate_bytes
        self._next_file = 0
        self._numbers: dict[Axis, dict[tuple[str, ...], int]] = {"step": {}, "time": {}}
        # Files stay open, and so locked, until they are stored: nobody else need look at them.
        self._files: dict[Path, int] = {}
        self._rotate()

    @property
    def paths(self) -> list[Path]:
        """The files that have not been removed yet, the oldest first."""
        return list(self._files)

    def append_points(
        self, axis: Axis, keys: tuple[str, ...], step: Step, timestamp: int, values: list[Value]
    ) -> None:
        """Append one call's values; on return they survive the death of this process."""
        if self._size > self._rotate_bytes:
            self._rotate()
        number = self._numbers[axis].get(keys)
        if number is None:
            number = self._declare(axis, keys)
        # As `_write(encode(...))`, without the calls: this is where log() spends its time.
        payload = encode_payload(Points(number, step, timestamp, values))
        length = len(payload)
        if length > MAX_PAYLOAD:
            raise too_long()
        write(self._fd, pack_header(length, crc32(payload)) + payload)
        self._size += length

    def append(self, frame: Configured | Ended) -> None:
        """Append any other frame."""
        self._write(encode(frame))

    def remove(self, path: Path) -> None:
        """Remove a file that is stored."""
        path.unlink(missing_ok=True)
        os.close(self._files.pop(path))

    def close(self) -> None:
        """Close all files; what is left of them is now for other processes to store."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()

    def _declare(self, axis: Axis, keys: tuple[str, ...]) -> int:
        for path in keys:
            if not isinstance(path, str):
                raise TypeError(f"metric {path!r}: a name is a str, not {type(path).__qualname__}")
        if self._next_number % _MAX_KEYS == 0:
            self._forget_keys()
        number = self._next_number
        self._write(encode(Keys(number, axis, keys)))
        self._next_number += 1
        self._numbers[axis][keys] = number
        return number

    def _forget_keys(self) -> None:
        for numbers in self._numbers.values():
            numbers.clear()

    def _write(self, frame: bytes) -> None:
        write(self._fd, frame)
        self._size += len(frame)

    def _rotate(self) -> None:
        name = f"{self._opened.started_at:016x}-{self._opened.writer_uid}-{self._next_file:06d}"
        path = self._folder / (name + SUFFIX)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._files[path] = self._fd
        self._next_file += 1
        self._size = 0
        self._next_number = 0
        self._forget_keys()
        try_lock(self._fd)
        self._write(encode(self._opened))


class Batch(msgspec.Struct, kw_only=True):
    """Frames of one journal, from the byte `start` to the byte `end`, gathered by metric."""

    opened: Opened
    start: int
    end: int
    columns: list[Column]
    config: dict[str, str]
    ended: Ended | None

    @property
    def last_timestamp(self) -> int:
        """When its last point was logged, 0 without points; microseconds since the epoch."""
        return max((column.timestamps[-1] for column in self.columns), default=0)


class JournalReader:
    """Reads a journal batch by batch, also while it is being written.

    Attributes:
        damage: what is wrong at `position`, where reading has stopped; None if nothing is.
        position: the byte up to which frames have been read.
        opened: who writes the journal; None before that has been read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rewind(0)

    def rewind(self, start: int) -> None:
        """Begin again; the frames up to the byte `start` are read, but not returned."""
        self.position = 0
        self.damage: str | None = None
        self._start = start
        self.opened: Opened | None = None
        self._keys: dict[int, Keys] = {}

    def read(self, size: int = READ_BYTES) -> Batch | None:
        """The next batch, of about `size` bytes; None at the (present) end of the file."""
        while self.damage is None:
            frames = self._read_frames(size)
            if not frames:
                return None
            batch = self._gather(frames)
            if batch is not None:
                return batch
        return None

    def _read_frames(self, size: int) -> list[tuple[Frame, int]]:
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read(size)
            frames, damage = decode(data)
            if not frames and damage is None and len(data) == size:  # one very long frame
                data += file.read(MAX_PAYLOAD)
                frames, damage = decode(data)
        if damage is not None and not frames:
            self.damage = damage
        return frames

    def _gather(self, frames: list[tuple[Frame, int]]) -> Batch | None:
        base, start = self.position, max(self.position, self._start)
        self.position = base + frames[-1][1]
        calls: dict[int, list[Points]] = {}
        config: dict[str, str] = {}
        ended = None
        for frame, end in frames:
            if type(frame) is Opened:
                self.opened = frame
            elif type(frame) is Keys:
                self._keys[frame.number] = frame
            elif base + end <= self._start:
                continue
            elif type(frame) is Points:
                calls.setdefault(frame.keys, []).append(frame)
            elif type(frame) is Configured:
                config.update(frame.values)
            elif type(frame) is Ended:
                ended = frame
        if self.opened is None:
            self.damage, self.position = "no opening frame", base
            return None
        if self.position <= self._start:
            return None
        return Batch(
            opened=self.opened,
            start=start,
            end=self.position,
            columns=_columns(self._keys, calls),
            config=config,
            ended=ended,
        )


def _columns(keys: dict[int, Keys], calls: dict[int, list[Points]]) -> list[Column]:
    """Turn calls, a row of values each, into series, a column of values each."""
    columns: dict[tuple[Axis, str], Column] = {}
    for number, points in calls.items():
        axis = keys[number].axis
        timestamps = [point.timestamp for point in points]
        steps: list[Step] = [point.step for point in points] if axis == "step" else list(timestamps)
        by_path = zip(*(point.values for point in points), strict=True)
        for path, values in zip(keys[number].paths, by_path, strict=True):
            column = columns.get((axis, path))
            if column is None:
                columns[axis, path] = Column(path, axis, steps[:], timestamps[:], list(values))
            else:
                column.steps += steps
                column.timestamps += timestamps
                column.values += values
    return list(columns.values())
