"""Takes the texts out of a series of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trackai.structs.exchange import Block


def apart(block: Block) -> tuple[Block, Block]:
    """Split a block into its numbers and its texts."""
    return _part(block, is_text=False), _part(block, is_text=True)


def _part(block: Block, *, is_text: bool) -> Block:
    at = [n for n, value in enumerate(block.values) if isinstance(value, str) == is_text]
    own_steps = block.own_steps
    return msgspec.structs.replace(
        block,
        kind="text" if is_text else block.kind,
        steps=[block.steps[n] for n in at],
        timestamps=[block.timestamps[n] for n in at],
        values=[block.values[n] for n in at],
        own_steps=None if own_steps is None else [own_steps[n] for n in at],
    )
