"""Reads the records of an event file.

The format is TensorFlow's TFRecord, little-endian: the length of the payload, a masked CRC-32C of
the length, the payload, and a masked CRC-32C of the payload.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from google_crc32c import value as crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK = 0xA282EAD8


class TruncatedError(Exception):
    """The last record is incomplete: its writer was killed, or is still writing."""


class DamagedError(Exception):
    """A record is damaged, and the start of the next one is unknown."""


def read(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the payload of each record, with the position of the next record in bytes.

    Raises:
        TruncatedError: the file ends within a record.
        DamagedError: a checksum is wrong.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        position = 0
        while header := file.read(_HEADER.size):
            if len(header) < _HEADER.size:
                raise TruncatedError(f"the file ends within the record at byte {position}")
            length, checksum = _HEADER.unpack(header)
            if masked_checksum(header[:8]) != checksum:
                if not any(header) and not any(file.read()):
                    # After a crash of the machine, the end of a file may be zeros.
                    raise TruncatedError(f"the file has only zeros from byte {position} on")
                raise DamagedError(f"the record at byte {position} is damaged")
            body = file.read(length + _FOOTER.size)
            if len(body) < length + _FOOTER.size:
                raise TruncatedError(f"the file ends within the record at byte {position}")
            payload = body[:length]
            if masked_checksum(payload) != _FOOTER.unpack_from(body, length)[0]:
                raise DamagedError(f"the record at byte {position} is damaged")
            position += _HEADER.size + len(body)
            yield position, payload


def masked_checksum(data: bytes) -> int:
    """Return the CRC-32C of some bytes, rotated and with a constant added, as TFRecord has it."""
    checksum: int = crc32c(data)
    return ((checksum >> 15 | checksum << 17 & 0xFFFFFFFF) + _MASK) & 0xFFFFFFFF
