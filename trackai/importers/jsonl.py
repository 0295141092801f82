"""JSON lines, as `trackai export` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.errors import InvalidInputError
from trackai.structs.exchange import Block, RunHead, from_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(path: Path) -> Iterator[RunHead | Block]:
    """The runs of a file, each a head and then blocks.

    Raises:
        InvalidInputError: a line is no such thing; it is named.
    """
    decode = msgspec.json.Decoder(RunHead | Block).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                item: RunHead | Block = decode(line)
                if isinstance(item, Block):
                    item = _checked(item)
            except (msgspec.MsgspecError, ValueError) as error:
                raise InvalidInputError(f"{path.name}, line {number}", str(error)) from None
            yield item


def _checked(block: Block) -> Block:
    if not len(block.steps) == len(block.timestamps) == len(block.values) > 0:
        raise ValueError("steps, timestamps and values must have one length, not 0")
    return msgspec.structs.replace(block, values=from_json(block.values, block.kind))
