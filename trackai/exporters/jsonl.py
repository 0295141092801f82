"""Writes JSON lines: a line for each run, then lines with up to thousands of points of one series.

The bytes of a file come before the first line that names it, one megabyte a line.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import msgspec

from trackai.structs.exchange import ArtifactHead, Block, Chunk, FileHead, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trackai.store.blobs.blob_store import Readable
    from trackai.structs.exchange import Item

    FindBytes = Callable[[FileHead], Readable | None]

_CHUNK = 1 << 20


class JsonLinesWriter:
    """Writes runs to a binary file.

    Args:
        find_bytes: returns the bytes of a file, or None if they are missing.
        written: the hashes of bytes that are left out; those that are written are added.
    """

    def __init__(
        self, file: IO[bytes], find_bytes: FindBytes, written: set[str] | None = None
    ) -> None:
        self._file = file
        self._find_bytes = find_bytes
        self._encode = msgspec.json.Encoder().encode
        self._written = set() if written is None else written

    def write(self, item: Item) -> None:
        """Write the head of a run, one of its files, or a block of its points."""
        for line in self.lines(item):
            self._file.write(line)

    def lines(self, item: Item) -> Iterator[bytes]:
        """Yield the lines of an item: of a file or an artifact, also those of its bytes."""
        if isinstance(item, Block):
            item = msgspec.structs.replace(item, values=to_json(item.values, item.kind))
        elif isinstance(item, FileHead):
            yield from self._bytes(item)
        elif isinstance(item, ArtifactHead):
            for file in item.file_heads():
                yield from self._bytes(file)
        yield self._encode(item) + b"\n"

    def _bytes(self, head: FileHead) -> Iterator[bytes]:
        if head.sha256 is None or head.sha256 in self._written:
            return
        stored = self._find_bytes(head)
        if stored is None:
            return
        self._written.add(head.sha256)
        with stored.open("rb") as file:
            # An empty file gets one empty chunk.
            data = file.read(_CHUNK)
            while True:
                yield self._encode(Chunk(sha256=head.sha256, data=data)) + b"\n"
                if not (data := file.read(_CHUNK)):
                    return

    def close(self) -> None:
        """Write what is buffered; the file stays open."""
        self._file.flush()
