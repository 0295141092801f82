"""Read a journal in batches, also while it is being written, and skip damaged bytes."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.ingest.frames import (
    HEADER_BYTES,
    MAX_PAYLOAD,
    Configured,
    Described,
    Ended,
    Environment,
    Filed,
    Frame,
    Keys,
    Opened,
    Points,
    Used,
    Versioned,
    decode,
    find,
    frame_bytes,
)
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.values.types import Axis, Step, Value

# Bytes per transaction: some 50,000 points in calls with ten metrics.
READ_BYTES = 512 * 1024


class Damage(msgspec.Struct, frozen=True):
    """Bytes of a journal that are not a frame, or a frame that depends on a lost one."""

    offset: int
    length: int
    problem: str

    def __str__(self) -> str:
        return f"{self.problem} at byte {self.offset} ({self.length} bytes)"


class Calls(msgspec.Struct):
    """Calls of log() with the same metrics.

    Attributes:
        keys: their metrics.
        steps, timestamps: one for each call.
        values: for each metric, one value for each call.
    """

    keys: Keys
    steps: list[Step]
    timestamps: list[int]
    values: list[Sequence[Value]]


class Batch(msgspec.Struct, kw_only=True):
    """The frames of a journal between two positions, with calls grouped by their metrics.

    Attributes:
        start, end: positions in bytes.
        frames: the number of frames.
        config, replaced: configuration keys to set, and keys to remove before.
        environment: facts about where the writer runs, JSON by flat key.
        ended: None if the writer has not recorded the end of its run.
    """

    opened: Opened
    start: int
    end: int
    frames: int
    calls: list[Calls]
    config: dict[str, str]
    replaced: set[str]
    described: list[Described]
    files: list[Filed]
    ended: Ended | None
    environment: dict[str, str] = {}
    artifacts: list[Versioned] = []
    used: list[Used] = []

    @property
    def all_files(self) -> list[Filed]:
        """The files of the run, and those of its artifacts."""
        return [*self.files, *(file for artifact in self.artifacts for file in artifact.files)]

    @property
    def last_timestamp(self) -> int:
        """The timestamp of the last point, microseconds since the epoch; 0 without points."""
        return max((calls.timestamps[-1] for calls in self.calls), default=0)

    @property
    def points(self) -> int:
        """The number of points."""
        return sum(len(calls.steps) * len(calls.values) for calls in self.calls)

    def shift(self, offset: int) -> None:
        """Add microseconds to all times, because the clock that they are from is wrong."""
        for calls in self.calls:
            calls.timestamps = [time + offset for time in calls.timestamps]
        self.files = [
            msgspec.structs.replace(file, timestamp=file.timestamp + offset) for file in self.files
        ]
        self.artifacts = [
            msgspec.structs.replace(artifact, timestamp=artifact.timestamp + offset)
            for artifact in self.artifacts
        ]
        self.used = [
            msgspec.structs.replace(use, timestamp=use.timestamp + offset) for use in self.used
        ]
        if self.ended is not None:
            self.ended = Ended(self.ended.state, self.ended.timestamp + offset)

    def columns(self) -> list[Column]:
        """The points grouped by metric; those that were logged together share lists."""
        if len(self.calls) == 1 and len(set(self.calls[0].keys.paths)) == len(self.calls[0].values):
            (calls,) = self.calls
            axis, kind = calls.keys.axis, calls.keys.kind
            steps, timestamps = self._steps_and_times(axis, (0,))
            return [
                Column(
                    path, axis, steps, timestamps,
                    values if type(values) is list else list(values), kind=kind,
                )
                for path, values in zip(calls.keys.paths, calls.values, strict=True)
            ]  # fmt: skip
        parts_of: dict[tuple[Axis, str], list[tuple[int, int]]] = {}
        for number, calls in enumerate(self.calls):
            for index, path in enumerate(calls.keys.paths):
                parts_of.setdefault((calls.keys.axis, path), []).append((number, index))
        # Metrics that were logged together share their lists, which nobody changes.
        shared: dict[tuple[Axis, tuple[int, ...]], tuple[list[Step], list[int]]] = {}
        columns = []
        for (axis, path), parts in parts_of.items():
            numbers = tuple(number for number, _ in parts)
            if (axis, numbers) not in shared:
                shared[axis, numbers] = self._steps_and_times(axis, numbers)
            steps, timestamps = shared[axis, numbers]
            number, index = parts[0]
            values = self.calls[number].values[index]
            if len(parts) > 1:
                lists = [self.calls[number].values[index] for number, index in parts]
                values = list(chain.from_iterable(lists))
            elif type(values) is not list:
                values = list(values)
            kind = self.calls[numbers[-1]].keys.kind
            columns.append(Column(path, axis, steps, timestamps, values, kind=kind))
        return columns

    def _steps_and_times(
        self, axis: Axis, numbers: tuple[int, ...]
    ) -> tuple[list[Step], list[int]]:
        """The steps and timestamps of some of the calls together."""
        some = [self.calls[number] for number in numbers]
        timestamps: list[Any] = some[0].timestamps
        steps: list[Any] = some[0].steps
        if len(some) > 1:
            timestamps = list(chain.from_iterable(calls.timestamps for calls in some))
            steps = list(chain.from_iterable(calls.steps for calls in some))
        return (steps if axis == "step" else timestamps), timestamps


class JournalReader:
    """Reads a journal in batches, also while it is being written.

    Attributes:
        damages: what could not be read so far.
        position: the position in bytes up to which frames have been read.
        opened: the writer of the journal; None before its first frame has been read.
        has_end: whether the end of its run has been read, also before the position of `rewind`.
    """

    def __init__(self, path: Path, presumed: Opened | None = None) -> None:
        """Create a reader; `presumed` is the writer in case the first frame is damaged."""
        self.path = path
        self._presumed = presumed
        self.rewind(0)

    def rewind(self, start: int) -> None:
        """Start over. Frames up to the byte `start` are read for their `Keys`, but not returned."""
        self.position = 0
        self.damages: list[Damage] = []
        self.opened: Opened | None = None
        self.has_end = False
        self._mark = start  # the end of the last batch
        self._searched = 0  # the size of the file when no frame was found after damage
        self._keys: dict[int, Keys] = {}

    def read(
        self, size: int = READ_BYTES, *, limit: int | None = None, final: bool = False
    ) -> Batch | None:
        """Read the next batch; None if no complete frame is left.

        Args:
            size: the approximate number of bytes.
            limit: the largest number of frames.
            final: whether the journal is complete. An incomplete frame is then damage, and complete
                frames may follow it.
        """
        while True:
            frames, problem = self._read_frames(size, limit)
            if frames:
                batch = self._gather(frames)
                if batch is not None:
                    return batch
            elif not self._skip_damage(problem, final=final):
                return None

    def peek(self) -> Opened | None:
        """The writer in the first frame; None if that is missing or damaged."""
        with self.path.open("rb") as file:
            frames, _ = decode(file.read(READ_BYTES), 1)
        first = frames[0][0] if frames else None
        return first if isinstance(first, Opened) else None

    def _read_frames(
        self, size: int, limit: int | None
    ) -> tuple[list[tuple[Frame, int]], str | None]:
        size = max(size, HEADER_BYTES)
        longest = size + MAX_PAYLOAD
        if self.position < self._mark:  # read again up to the mark, without a limit
            longest = self._mark - self.position
            size, limit = min(size, longest), None
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read(size)
            frames, problem = decode(data, limit)
            if not frames and problem is None and len(data) == size:  # one very long frame
                data += file.read(min(longest, frame_bytes(data)) - size)
                frames, problem = decode(data, limit)
        return frames, problem

    def _skip_damage(self, problem: str | None, *, final: bool) -> bool:
        """Move on to the next complete frame; False if there is not one yet."""
        if problem is None and not final:
            return False
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read()
        size = self.position + len(data)
        if size == self._searched:
            return False
        offset = find(data, 0)
        if offset is None:
            self._searched = size
            if final and problem is not None:
                self._note_damage(self.position, len(data), problem)
            return False
        self._note_damage(self.position, offset, problem or "incomplete frame")
        self.position += offset
        return True

    def _note_damage(self, offset: int, length: int, problem: str) -> None:
        if self.damages:
            last = self.damages[-1]
            if last.offset + last.length == offset and last.problem == problem:
                self.damages[-1] = Damage(last.offset, last.length + length, problem)
                return
        self.damages.append(Damage(offset, length, problem))

    def _gather(self, frames: list[tuple[Frame, int]]) -> Batch | None:
        base, start, begin = self.position, self._mark, self.position
        self.position = base + frames[-1][1]
        calls: dict[int, list[Points]] = {}
        config: dict[str, str] = {}
        replaced: set[str] = set()
        described: list[Described] = []
        files: list[Filed] = []
        environment: dict[str, str] = {}
        artifacts: list[Versioned] = []
        used: list[Used] = []
        ended = None
        for frame, end in frames:
            if type(frame) is Points:
                if base + end > start:
                    keys = self._keys.get(frame.keys)
                    if keys is not None and len(keys.paths) == len(frame.values):
                        calls.setdefault(frame.keys, []).append(frame)
                    else:
                        self._note_damage(begin, base + end - begin, "values without names")
            elif type(frame) is Opened:
                self.opened = frame
            elif type(frame) is Keys:
                self._keys[frame.number] = frame
            elif type(frame) is Ended:
                self.has_end = True
                if base + end > start:
                    ended = frame
            elif base + end <= start:
                pass
            elif type(frame) is Configured:
                for key in frame.replaced:
                    config.pop(key, None)
                replaced.update(frame.replaced)
                config.update(frame.values)
            elif type(frame) is Described:
                described.append(frame)
            elif type(frame) is Filed:
                files.append(frame)
            elif type(frame) is Environment:
                environment.update(frame.facts)
            elif type(frame) is Versioned:
                artifacts.append(frame)
            elif type(frame) is Used:
                used.append(frame)
            begin = base + end
        self.opened = self.opened or self._presumed
        if self.opened is None:
            self._note_damage(base, self.position - base, "frames of an unknown writer")
            return None
        if self.position <= start:
            return None
        self._mark = self.position
        return Batch(
            opened=self.opened,
            start=start,
            end=self.position,
            frames=len(frames),
            calls=[_transposed(self._keys[number], points) for number, points in calls.items()],
            config=config,
            replaced=replaced,
            described=described,
            files=files,
            ended=ended,
            environment=environment,
            artifacts=artifacts,
            used=used,
        )


def _transposed(keys: Keys, points: list[Points]) -> Calls:
    """Convert calls, with a row of values each, to lists of the values of one metric each."""
    return Calls(
        keys,
        [point.step for point in points],
        [point.timestamp for point in points],
        list(zip(*(point.values for point in points), strict=True)),
    )
