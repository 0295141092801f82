"""Gathers single points into blocks of one series."""

from __future__ import annotations

import operator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from trackai.structs.exchange import Block, WriterHead
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackai.values.types import Axis, Kind, Step, Value

_POINTS_PER_BLOCK = 10_000
_MAX_PENDING_POINTS = 200_000
# The number of points of a column that is a block of its own.
_LONG_COLUMN = 1000
# Metric, axis and kind; whether the points are late, and the number of their earlier duplicates.
_Key: TypeAlias = tuple[str, "Axis", "Kind", bool, int]


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

    def skip(self, steps: Sequence[Step], times: Sequence[int]) -> bool:
        """Add points if none can be a duplicate or late; return whether they were added."""
        if self._latest is not None and times[0] <= self._latest:
            return False
        if not all(map(operator.lt, times, islice(times, 1, None))):
            return False
        self._latest, self._steps = times[-1], {steps[-1]: 1}
        return True


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
        self._pending: dict[_Key, Block] = {}
        self._pending_points = 0

    def add(
        self, metric: str, axis: Axis, kind: Kind, step: Step, time: int, value: Value
    ) -> Iterable[Block]:
        """Add a point; return the blocks that are full.

        Args:
            time: microseconds since the epoch.
        """
        name = (metric, axis)
        if name not in self._duplicates:
            self._duplicates[name] = _DuplicateCounter()
        late, rank = self._duplicates[name].rank(step, time if self._has_times else step)
        key = (metric, axis, kind, late, rank)
        block = self._pending.get(key) or self._begin(key)
        block.steps.append(step)
        block.timestamps.append(time)
        block.values.append(value)
        self._pending_points += 1
        if len(block.steps) >= _POINTS_PER_BLOCK or self._pending_points >= _MAX_PENDING_POINTS:
            return self._take_full(key)
        return ()

    def add_column(
        self,
        metric: str,
        axis: Axis,
        kind: Kind,
        steps: list[Any],
        times: list[int],
        values: list[Any],
    ) -> Iterable[Block]:
        """Add points of one series, as `add` does. The lists must not be changed afterwards."""
        counter = self._duplicates.setdefault((metric, axis), _DuplicateCounter())
        if not counter.skip(steps, times if self._has_times else steps):
            points = zip(steps, times, values, strict=True)
            return chain.from_iterable(self.add(metric, axis, kind, *point) for point in points)
        key = (metric, axis, kind, False, 0)
        if len(steps) >= _LONG_COLUMN:
            pending = self._take(key) if key in self._pending else []
            return [*pending, self._block(key, steps, times, values)]
        block = self._pending.get(key) or self._begin(key)
        block.steps += steps
        block.timestamps += times
        block.values += values
        self._pending_points += len(steps)
        return self._take_full(key)

    def flush(self) -> Iterator[Block]:
        """Return all points that have not been returned yet."""
        blocks = list(self._pending.values())
        self._pending, self._pending_points = {}, 0
        return iter(blocks)

    def _take_full(self, key: _Key) -> Iterable[Block]:
        if len(self._pending[key].steps) >= _POINTS_PER_BLOCK:
            return self._take(key)
        return self.flush() if self._pending_points >= _MAX_PENDING_POINTS else []

    def _take(self, key: _Key) -> list[Block]:
        block = self._pending.pop(key)
        self._pending_points -= len(block.steps)
        return [block]

    def _begin(self, key: _Key) -> Block:
        block = self._pending[key] = self._block(key, [], [], [])
        return block

    def _block(self, key: _Key, steps: list[Step], times: list[int], values: list[Value]) -> Block:
        metric, axis, kind, late, rank = key
        return Block(
            run_uid=self._run_uid, metric=metric, axis=axis, kind=kind,
            writer=self._writer_for(late, rank), steps=steps, timestamps=times, values=values,
            has_times=self._has_times,
        )  # fmt: skip

    def _writer_for(self, late: bool, rank: int) -> WriterHead:
        if not late and rank == 0:
            return self._writer
        uid = stable_uid(self._writer.uid, "late" if late else "", str(rank))
        return msgspec.structs.replace(self._writer, uid=uid, rank=rank)
