"""JSON lines, as `trackai export` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.errors import InvalidInputError
from trackai.structs.exchange import Block, Chunk, FileHead, RunHead, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.structs.exchange import Item


def read(path: Path) -> Iterator[Item | Chunk]:
    """The runs of a file, each a head and then files and blocks.

    Raises:
        InvalidInputError: a line is no such thing; it is named.
    """
    decode = msgspec.json.Decoder(RunHead | Block | FileHead | Chunk).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                item: Item | Chunk = decode(line)
                if isinstance(item, Block):
                    item = _checked(item)
            except (msgspec.MsgspecError, ValueError) as error:
                raise InvalidInputError(f"{path.name}, line {number}", str(error)) from None
            yield item


def _checked(block: Block) -> Block:
    if not len(block.steps) == len(block.timestamps) == len(block.values) > 0:
        raise ValueError("steps, timestamps and values must have one length, not 0")
    if block.own_steps is not None and len(block.own_steps) != len(block.steps):
        raise ValueError("own_steps must have the length of steps")
    return msgspec.structs.replace(block, values=from_json(block.values, block.kind))
