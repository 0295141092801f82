"""Reads the records of a log in the format of LevelDB, as wandb and SwanLab write it.

A file is a header of 7 bytes, and then blocks of 32 KiB, of which the header is the beginning of
the first. A block holds chunks: a checksum (CRC-32 of the kind and the data), a length, a kind and
the data. A record is one chunk, or several. Less than 7 bytes at the end of a block are zeros.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.importers.receipt import Receipt

HEADER_BYTES = 7
_BLOCK = 32 * 1024
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_KIND_CHECKSUMS = [zlib.crc32(bytes([kind])) for kind in range(5)]


class Log:
    """The records of a file.

    Args:
        path: the file.
        header: its first 7 bytes.

    Attributes:
        truncated_at: the position in bytes of a record that is incomplete at the end of the file:
            its writer was killed, or is still writing.
        damaged_at: the positions of blocks of which a part could not be read.
    """

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        self.truncated_at: int | None = None
        self.damaged_at: list[int] = []
        self._header = header
        self._parts: list[bytes] = []

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield each record, with the position in bytes of the block in which it ends.

        Raises: see `read_blocks`.
        """
        for position, records in self.read_blocks():
            for record in records:
                yield position, record

    def read_blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the position in bytes of each block, and the records that end in it.

        Raises:
            InvalidInputError: the file does not begin with the header.
            OSError: the file cannot be read.
        """
        with self.path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            if header != self._header[: len(header)]:
                raise InvalidInputError(str(self.path), "is not a record file")
            block, begin, position = file.read(_BLOCK - HEADER_BYTES), HEADER_BYTES, 0
            while block:
                yield position, self._read_block(block, position + begin)
                position += begin + len(block)
                block, begin = file.read(_BLOCK), 0
        if self._parts and self.truncated_at is None:
            self.truncated_at = position
        if len(header) < HEADER_BYTES:
            self.truncated_at = 0

    def report(self, receipt: Receipt) -> None:
        """Note what could not be read, after the records have been."""
        for position in self.damaged_at:
            problem = f"damaged at byte {position}; the rest of this block of 32 KiB is skipped"
            receipt.add_problem(self.path.name, problem)
        if self.truncated_at is not None:
            remark = f"ends within a record at byte {self.truncated_at}"
            receipt.add_remark(self.path.name, remark)

    def _read_block(self, block: bytes, position: int) -> list[bytes]:
        is_last = (position + len(block)) % _BLOCK != 0
        records: list[bytes] = []
        at = 0
        while at + _CHUNK.size <= len(block):
            checksum, length, kind = _CHUNK.unpack_from(block, at)
            start, end = at + _CHUNK.size, at + _CHUNK.size + length
            if kind == 0 and checksum == 0 and length == 0:
                return records  # zeros up to the end, such as after a crash of the machine
            if end > len(block) and is_last:
                self.truncated_at = position + at
                return records
            data = block[start:end]
            is_intact = _FULL <= kind <= _LAST and end <= len(block)
            if not is_intact or zlib.crc32(data, _KIND_CHECKSUMS[kind]) != checksum:
                self.damaged_at.append(position + at)
                self._parts = []
                return records  # the next chunk may begin anywhere; the next block is in its place
            at = end
            if kind == _FULL:
                self._parts = []
                records.append(data)
            elif kind == _FIRST:
                self._parts = [data]
            elif self._parts:
                self._parts.append(data)
                if kind == _LAST:
                    records.append(b"".join(self._parts))
                    self._parts = []
        if is_last and at < len(block) and any(block[at:]):
            self.truncated_at = position + at
        return records
