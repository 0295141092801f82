"""The frames of an event file: length, checksum of it, payload, checksum of that.

The format is TensorFlow's TFRecord: little-endian, CRC-32C, masked.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from google_crc32c import value as crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEAD = struct.Struct("<QI")
_FOOT = struct.Struct("<I")
_MASK = 0xA282EAD8


class TruncatedError(Exception):
    """The last record is not complete: its writer was killed, or is still writing."""


class DamagedError(Exception):
    """A record is not what was written; where the next one begins, nobody knows."""


def read(path: Path) -> Iterator[tuple[int, bytes]]:
    """The payloads of a file, each with the position after it.

    Raises:
        TruncatedError: the file ends within a record.
        DamagedError: a checksum is wrong.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        position = 0
        while head := file.read(_HEAD.size):
            if len(head) < _HEAD.size:
                raise TruncatedError(f"it ends within the record at byte {position}")
            length, checksum = _HEAD.unpack(head)
            if _masked(head[:8]) != checksum:
                if not any(head) and not any(file.read()):
                    # A crash of the machine leaves zeros where nothing was written any more.
                    raise TruncatedError(f"from byte {position} on there are only zeros")
                raise DamagedError(f"the record at byte {position} is damaged")
            rest = file.read(length + _FOOT.size)
            if len(rest) < length + _FOOT.size:
                raise TruncatedError(f"it ends within the record at byte {position}")
            payload = rest[:length]
            if _masked(payload) != _FOOT.unpack_from(rest, length)[0]:
                raise DamagedError(f"the record at byte {position} is damaged")
            position += _HEAD.size + len(rest)
            yield position, payload


def _masked(data: bytes) -> int:
    checksum: int = crc32c(data)
    return ((checksum >> 15 | checksum << 17 & 0xFFFFFFFF) + _MASK) & 0xFFFFFFFF
