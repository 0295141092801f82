"""JSON lines: a line for each run, then lines with some thousands of points of one series."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import msgspec

from trackai.structs.exchange import Block, to_json

if TYPE_CHECKING:
    from trackai.structs.exchange import RunHead


class JsonLinesWriter:
    """Writes runs to a binary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._encode = msgspec.json.Encoder().encode

    def write(self, item: RunHead | Block) -> None:
        """Write a run's head, or a block of its points."""
        if isinstance(item, Block):
            item = msgspec.structs.replace(item, values=to_json(item.values, item.kind))
        self._file.write(self._encode(item) + b"\n")

    def close(self) -> None:
        """Complete the file."""
        self._file.flush()
