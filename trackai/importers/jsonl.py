"""Reads JSON lines that `trackai export` wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.loader import check_items
from trackai.structs.exchange import (
    ArtifactHead,
    Block,
    Chunk,
    FileHead,
    Rewind,
    RunHead,
    from_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from trackai.structs.exchange import Item


def read(path: Path) -> Iterator[Item | Chunk]:
    """Yield the runs of a file: each head, then its files, bytes and points.

    All lines are checked before.

    Raises:
        InvalidInputError: a line is not valid; the error names it.
    """
    with path.open("rb") as file:
        check_items(read_lines(file, path.name))
        file.seek(0)
        yield from read_lines(file, path.name)


def read_lines(lines: Iterable[bytes], name: str) -> Iterator[Item | Chunk]:
    """Yield the runs of lines.

    Args:
        name: where the lines are from, for errors.

    Raises:
        InvalidInputError: a line is not valid; the error names it.
    """
    decode = msgspec.json.Decoder(RunHead | Block | FileHead | ArtifactHead | Rewind | Chunk).decode
    for number, line in enumerate(lines, start=1):
        try:
            item: Item | Chunk = decode(line)
            if isinstance(item, Block):
                item = _decoded(item)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidInputError(f"{name}, line {number}", str(error)) from None
        yield item


def _decoded(block: Block) -> Block:
    if not len(block.steps) == len(block.timestamps) == len(block.values) > 0:
        raise ValueError("steps, timestamps and values must have the same length, at least 1")
    if block.own_steps is not None and len(block.own_steps) != len(block.steps):
        raise ValueError("own_steps must be as long as steps")
    return msgspec.structs.replace(block, values=from_json(block.values, block.kind))
