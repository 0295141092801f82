"""Makes blocks of the points of a run, whole columns at a time."""

from __future__ import annotations

from array import array
from itertools import islice
from operator import lt
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.structs.exchange import Block, WriterHead
from trackai.values.times import FIRST_TIME, LAST_TIME
from trackai.values.types import INT64
from trackai.values.uids import stable_uid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trackai.importers.receipt import Receipt
    from trackai.values.types import Step

_POINTS_PER_BLOCK = 10_000
# Metrics that MLflow logs itself. Their steps count the readings.
_SYSTEM = "system/"


class Points:
    """The points of a run.

    Reading a source again, also after it has grown, gives each point the same writer.

    Attributes:
        last_time: the latest time, in microseconds since the epoch.
        number: how many there are.
    """

    def __init__(self, run_uid: str, writer: WriterHead, receipt: Receipt) -> None:
        self.last_time: int | None = None
        self.number = 0
        self._run_uid = run_uid
        self._writer = writer
        self._receipt = receipt
        self._orders: dict[str, _Order] = {}

    def blocks(
        self, metric: str, steps: list[Any], milliseconds: list[Any], values: list[Any]
    ) -> Iterator[Block]:
        """Yield points of a metric, which follow those of the calls before.

        Args:
            milliseconds: since the epoch.
        """
        is_system = metric.startswith(_SYSTEM)
        order = self._orders.get(metric)
        if order is None:
            order = self._orders[metric] = _Order()
        is_continued = False
        times: list[int] = []
        if _are_usual(steps, milliseconds, values):
            times = [time * 1000 for time in milliseconds]
            is_continued = order.is_continued_by(times if is_system else steps, times)
        if not is_continued:
            steps, times, values = self._valid(is_system, steps, milliseconds, values)
        if not times:
            return
        self.last_time = max(
            times[-1] if is_continued else max(times), self.last_time or FIRST_TIME
        )
        block = Block(
            run_uid=self._run_uid, metric=metric, writer=self._writer, steps=steps,
            timestamps=times, values=values,
        )  # fmt: skip
        if is_system:
            block.axis, block.steps, block.own_steps = "time", list(times), list(steps)
        if is_continued:
            yield from _pieces(block)
        else:
            yield from self._apart(block, order.places(block.steps, times))

    def _valid(
        self, is_system: bool, steps: list[Any], milliseconds: list[Any], values: list[Any]
    ) -> tuple[list[Any], list[int], list[Any]]:
        """Leave out points that cannot be stored."""
        type_ = "system metrics" if is_system else "metrics"
        points = []
        for step, time, value in zip(steps, milliseconds, values, strict=True):
            if not (_is_number(step) and -INT64 <= step < INT64):
                self._receipt.refuse(type_, "invalid step")
            elif not (_is_number(time) and FIRST_TIME <= time * 1000 <= LAST_TIME):
                self._receipt.refuse(type_, "invalid timestamp")
            elif not _is_number(value):
                self._receipt.refuse(type_, "not a number")
            else:
                points.append((step, round(time * 1000), value))
        return tuple(map(list, zip(*points, strict=True))) if points else ([], [], [])  # type: ignore[return-value]

    def _apart(self, block: Block, places: list[tuple[bool, int]]) -> Iterator[Block]:
        """Yield the points of each place in a block with a writer of its own."""
        for place in sorted(set(places)):
            at = [index for index, other in enumerate(places) if other == place]
            own_steps = block.own_steps
            yield from _pieces(
                msgspec.structs.replace(
                    block,
                    writer=self._writer_of(*place),
                    steps=[block.steps[index] for index in at],
                    timestamps=[block.timestamps[index] for index in at],
                    values=[block.values[index] for index in at],
                    own_steps=None if own_steps is None else [own_steps[index] for index in at],
                )
            )

    def _writer_of(self, late: bool, rank: int) -> WriterHead:
        if not late and rank == 0:
            return self._writer
        uid = stable_uid(self._writer.uid, "late" if late else "", str(rank))
        return msgspec.structs.replace(self._writer, uid=uid, rank=rank)


class _Order:
    """The order of the points of a metric, to tell those with the same step and time apart.

    Only points that are late are remembered: one behind all before it, by time and then by step,
    can only equal the last one.
    """

    __slots__ = ("_last", "_late", "_rank")

    def __init__(self) -> None:
        self._last: tuple[int, Step] = (FIRST_TIME - 1, 0)
        self._rank = 0
        self._late: dict[tuple[int, Step], int] = {}

    def is_continued_by(self, steps: Sequence[Step], times: Sequence[int]) -> bool:
        """Whether each of the points is behind all points before it; if so, they are counted."""
        if not times or (times[0], steps[0]) <= self._last:
            return False
        if not all(map(lt, times, islice(times, 1, None))):
            pairs = list(zip(times, steps, strict=True))
            if not all(map(lt, pairs, islice(pairs, 1, None))):
                return False
        if times[0] < FIRST_TIME or times[-1] > LAST_TIME:
            return False
        self._last, self._rank = (times[-1], steps[-1]), 0
        return True

    def places(self, steps: Sequence[Step], times: Sequence[int]) -> list[tuple[bool, int]]:
        """Return of each point whether it is late, and the number of those equal to it before."""
        return [self._place(pair) for pair in zip(times, steps, strict=True)]

    def _place(self, pair: tuple[int, Step]) -> tuple[bool, int]:
        if pair > self._last:
            self._last, self._rank = pair, 0
            return False, 0
        if pair == self._last:
            self._rank += 1
            return False, self._rank
        rank = self._late.get(pair, 0)
        self._late[pair] = rank + 1
        return True, rank


def _are_usual(steps: list[Any], milliseconds: list[Any], values: list[Any]) -> bool:
    """Whether all are integers and floats, as MLflow stores them."""
    try:
        # The quickest way to look at the types of all.
        array("q", steps)
        array("q", milliseconds)
        array("d", values)
    except (TypeError, OverflowError):
        return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _pieces(block: Block) -> Iterator[Block]:
    if len(block.steps) <= _POINTS_PER_BLOCK:
        yield block
        return
    for start in range(0, len(block.steps), _POINTS_PER_BLOCK):
        part = slice(start, start + _POINTS_PER_BLOCK)
        yield msgspec.structs.replace(
            block,
            steps=block.steps[part],
            timestamps=block.timestamps[part],
            values=block.values[part],
            own_steps=None if block.own_steps is None else block.own_steps[part],
        )
