"""Where an import is stored: the interface that database files and servers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

import msgspec

from trackai.structs.exchange import RunHead

if TYPE_CHECKING:
    from types import TracebackType

    from trackai.structs.exchange import Block, Chunk, Item, NumberedFile, RunEnd


class Stored(msgspec.Struct, frozen=True):
    """What of an item was not stored before.

    Attributes:
        new: the number of runs, points, files, uses or configuration keys.
        facts: the number of facts of the environment, for the end of a run.
        version: the number of a logged version of an artifact; None if it was stored before.
    """

    new: int = 0
    facts: int = 0
    version: int | None = None


# Takes the outcome for an item, and the reasons why bytes of files are not stored, by file name.
Done: TypeAlias = Callable[[Stored, Mapping[str, str]], None]


class Target(Protocol):
    """Stores the items of an import; use it as a context manager.

    Items are stored together, in their order, but at the latest by `flush`.
    """

    async def __aenter__(self) -> Self:
        """Begin an import."""

    async def __aexit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""

    async def add_chunk(self, chunk: Chunk) -> None:
        """Take a piece of a file's bytes; the pieces of one file follow each other."""

    async def put(self, item: Item | RunEnd, done: Done) -> None:
        """Store an item of a run whose head was put before.

        Args:
            done: is told the outcome, now or later.
        """

    async def flush(self) -> None:
        """Store what has been put; all outcomes are told on return."""


def run_of(item: Item | NumberedFile | RunEnd) -> str:
    """Return the uid of the run of an item."""
    return item.uid if isinstance(item, RunHead) else item.run_uid


def pieces(block: Block, points: int, characters: int) -> list[Block]:
    """Split a block with more than so many points, or with large texts."""
    if len(block.steps) <= points and str not in set(map(type, block.values)):
        return [block]
    parts, start, size = [], 0, 0
    for at, value in enumerate(block.values):
        length = len(value) if isinstance(value, str) else 0
        if at > start and (size + length > characters or at - start >= points):
            parts.append(_part(block, start, at))
            start, size = at, 0
        size += length
    if start < len(block.values):
        parts.append(_part(block, start, len(block.values)))
    return parts


def _part(block: Block, start: int, stop: int) -> Block:
    own_steps = None if block.own_steps is None else block.own_steps[start:stop]
    return msgspec.structs.replace(
        block,
        steps=block.steps[start:stop],
        timestamps=block.timestamps[start:stop],
        values=block.values[start:stop],
        own_steps=own_steps,
    )
