"""Writes logs in the format of LevelDB, as `trackai.importers.wandb.records` reads them."""

from __future__ import annotations

import struct
import zlib
from typing import IO

_BLOCK = 32 * 1024
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_CHECKSUMS = [zlib.crc32(bytes([kind])) for kind in range(5)]


class LogWriter:
    """Appends records to a file.

    Args:
        file: a new binary file.
        header: the first bytes of the file, which count towards the first block.
    """

    def __init__(self, file: IO[bytes], header: bytes) -> None:
        self._file = file
        file.write(header)
        self._left = _BLOCK - len(header)

    def write(self, record: bytes) -> None:
        """Write a record, as one chunk or several."""
        at, is_first = 0, True
        while is_first or at < len(record):
            if self._left < _CHUNK.size:
                self._file.write(bytes(self._left))
                self._left = _BLOCK
            data = record[at : at + self._left - _CHUNK.size]
            at += len(data)
            is_last = at == len(record)
            kind = (_FULL if is_last else _FIRST) if is_first else (_LAST if is_last else _MIDDLE)
            checksum = zlib.crc32(data, _CHECKSUMS[kind])
            self._file.write(_CHUNK.pack(checksum, len(data), kind) + data)
            self._left -= _CHUNK.size + len(data)
            is_first = False
