"""Gathers single points into blocks of one series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.importers.uids import stable_uid
from trackai.structs.exchange import Block, WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.values.types import Axis, Kind, Step, Value

_POINTS_PER_BLOCK = 10_000
_MAX_PENDING_POINTS = 200_000


class _DuplicateCounter:
    """Counts the points of a series that share step and time.

    Only points at the latest time, and points that arrive late, are remembered: a time later than
    all before it cannot have duplicates yet.
    """

    __slots__ = ("_late", "_latest", "_steps")

    def __init__(self) -> None:
        self._latest: Step | None = None
        self._steps: dict[Step, int] = {}
        self._late: dict[tuple[Step, Step], int] = {}

    def rank(self, step: Step, time: Step) -> tuple[bool, int]:
        """Return whether a point is late, and the number of its earlier duplicates."""
        if self._latest is None or time > self._latest:
            self._latest, self._steps = time, {step: 1}
            return False, 0
        if time == self._latest:
            rank = self._steps.get(step, 0)
            self._steps[step] = rank + 1
            return False, rank
        rank = self._late.get((step, time), 0)
        self._late[step, time] = rank + 1
        return True, rank


class BlockBuilder:
    """Gathers the points of one source of a run into blocks.

    Reading a source again, even after it has grown, assigns the same writer to every point. That
    is how the store recognises points that it already has.

    Args:
        writer: the source. Points that share series, step and time get separate writers derived
            from it.
        has_times: False if the source has no times of points: those that share series and step
            get separate writers.
    """

    def __init__(self, run_uid: str, writer: WriterHead, *, has_times: bool = True) -> None:
        self._run_uid = run_uid
        self._writer = writer
        self._has_times = has_times
        self._duplicates: dict[tuple[str, Axis], _DuplicateCounter] = {}
        self._pending: dict[tuple[str, Axis, Kind, bool, int], Block] = {}
        self._pending_points = 0

    def add(
        self, metric: str, axis: Axis, kind: Kind, step: Step, time: int, value: Value
    ) -> Iterator[Block]:
        """Add a point; yield the blocks that are full.

        Args:
            time: microseconds since the epoch.
        """
        name = (metric, axis)
        if name not in self._duplicates:
            self._duplicates[name] = _DuplicateCounter()
        late, rank = self._duplicates[name].rank(step, time if self._has_times else step)
        key = (metric, axis, kind, late, rank)
        block = self._pending.get(key)
        if block is None:
            block = self._pending[key] = Block(
                run_uid=self._run_uid, metric=metric, axis=axis, kind=kind,
                writer=self._writer_for(late, rank), steps=[], timestamps=[], values=[],
                has_times=self._has_times,
            )  # fmt: skip
        block.steps.append(step)
        block.timestamps.append(time)
        block.values.append(value)
        self._pending_points += 1
        if len(block.steps) >= _POINTS_PER_BLOCK:
            del self._pending[key]
            self._pending_points -= len(block.steps)
            yield block
        elif self._pending_points >= _MAX_PENDING_POINTS:
            yield from self.flush()

    def flush(self) -> Iterator[Block]:
        """Yield all points that have not been yielded yet."""
        pending, self._pending, self._pending_points = self._pending, {}, 0
        yield from pending.values()

    def _writer_for(self, late: bool, rank: int) -> WriterHead:
        if not late and rank == 0:
            return self._writer
        uid = stable_uid(self._writer.uid, "late" if late else "", str(rank))
        return msgspec.structs.replace(self._writer, uid=uid, rank=rank)
