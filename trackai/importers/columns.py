"""Points one by one, gathered into blocks of a series; those that share step and time, apart."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from trackai.structs.exchange import Block, WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackai.values.types import Axis, Kind, Step, Value

_POINTS_PER_BLOCK = 10_000
_POINTS_WAITING = 200_000
# Any fixed UUID would do: identities depend on nothing but what they are of.
_NAMESPACE = uuid.UUID("0b9d7a52-9d0c-4a5e-8a55-6d2c0f6f3c11")


def identity(*parts: str) -> str:
    """A uid that follows from what something is."""
    return uuid.uuid5(_NAMESPACE, "\0".join(parts)).hex


class _Alike:
    """Counts the points of a series that share step and time.

    Times that grow cannot be the same: only those at the latest time are kept in mind, and those
    that come late.
    """

    __slots__ = ("_late", "_latest", "_steps")

    def __init__(self) -> None:
        self._latest: int | None = None
        self._steps: dict[Step, int] = {}
        self._late: dict[tuple[Step, int], int] = {}

    def rank(self, step: Step, time: int) -> tuple[bool, int]:
        """Whether a point comes late, and how many like it came before."""
        if self._latest is None or time > self._latest:
            self._latest, self._steps = time, {step: 1}
            return False, 0
        if time == self._latest:
            before = self._steps.get(step, 0)
            self._steps[step] = before + 1
            return False, before
        before = self._late.get((step, time), 0)
        self._late[step, time] = before + 1
        return True, before


class Columns:
    """Gathers the points of one source of a run.

    The same source read again, also when it has grown, gives every point the writer that it had:
    what is in the store already is found there.

    Args:
        writer: who the source is. Points that share series, step and time with others get a
            writer beside it.
    """

    def __init__(self, run_uid: str, writer: WriterHead) -> None:
        self._run_uid = run_uid
        self._writer = writer
        self._alike: dict[tuple[str, Axis], _Alike] = {}
        self._waiting: dict[tuple[str, Axis, Kind, bool, int], Block] = {}
        self._points = 0

    def add(
        self, metric: str, axis: Axis, kind: Kind, step: Step, time: int, value: Value
    ) -> Iterator[Block]:
        """Take a point; when there are enough of them, they come out as blocks."""
        name = (metric, axis)
        if name not in self._alike:
            self._alike[name] = _Alike()
        late, rank = self._alike[name].rank(step, time)
        key = (metric, axis, kind, late, rank)
        block = self._waiting.get(key)
        if block is None:
            block = self._waiting[key] = Block(
                run_uid=self._run_uid, metric=metric, axis=axis, kind=kind,
                writer=self._writer_of(late, rank), steps=[], timestamps=[], values=[],
            )  # fmt: skip
        block.steps.append(step)
        block.timestamps.append(time)
        block.values.append(value)
        self._points += 1
        if len(block.steps) >= _POINTS_PER_BLOCK:
            del self._waiting[key]
            self._points -= len(block.steps)
            yield block
        elif self._points >= _POINTS_WAITING:
            yield from self.rest()

    def rest(self) -> Iterator[Block]:
        """The points that have not come out yet."""
        waiting, self._waiting, self._points = self._waiting, {}, 0
        yield from waiting.values()

    def _writer_of(self, late: bool, rank: int) -> WriterHead:
        if not late and rank == 0:
            return self._writer
        uid = identity(self._writer.uid, "late" if late else "", str(rank))
        return msgspec.structs.replace(self._writer, uid=uid, rank=rank)
