"""Stamps: tell whether a write-ahead log belongs to a database file.

SQLite finds a log by its name, and applies it to whatever file has the name of the database. If a
backup was moved into place after a crash, the log still belongs to the file that was replaced, and
its pages would destroy the backup.

Every transaction therefore writes a stamp to the header of the file (`PRAGMA user_version`): 16
random bits, and before them the 16 bits of the preceding transaction. A log belongs to a file if
its first stamp succeeds that of the file, or if the file has a stamp from the log: then a part of
the log has been moved to the file already. The contents decide, and not names, inodes or times: a
database that is moved or copied together with its log keeps it.

The layout of the log: https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trackai.store.engine.connection import Connection

# "empty": no transaction; "unknown": no stamp, because another program has written it.
Origin = Literal["empty", "same file", "other file", "unknown"]

_HEADER_BYTES, _FRAME_BYTES, _DATABASE_HEADER_BYTES = 32, 24, 100
_PAGE_ONE = (1).to_bytes(4, "big")
# The lowest bit tells the byte order of the checksums.
_MAGIC = 0x377F0682


class Header(NamedTuple):
    """Fields of the header of a database file.

    Attributes:
        schema: incremented by SQLite with each change of the schema, and by VACUUM.
    """

    stamp: int
    schema: int
    page_size: int


class _Log(NamedTuple):
    """An open log, after its header.

    Attributes:
        words: the format of the numbers that checksums are made of.
        checksum: that of the header, which the first frame continues.
    """

    file: BinaryIO
    words: str
    page_size: int
    salts: bytes
    checksum: tuple[int, int]


async def write(conn: Connection) -> None:
    """Replace the stamp; call it in every transaction that changes the database."""
    for (stamp,) in await conn.execute_fetchall("PRAGMA user_version"):
        await conn.execute(f"PRAGMA user_version = {successor(stamp)}")


def successor(stamp: int) -> int:
    """A random stamp that follows `stamp`, as a signed number."""
    # Not the module `random`, whose state belongs to the training script.
    step = 1 + int.from_bytes(os.urandom(2), "big") % 0xFFFF
    return _signed((stamp & 0xFFFF) << 16 | (stamp + step) & 0xFFFF)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number


def generation(log: Path) -> bytes | None:
    """The header of a log, which changes when SQLite rewrites the log; None without a log."""
    try:
        with log.open("rb") as file:
            return file.read(_HEADER_BYTES) or None
    except FileNotFoundError:
        return None


def origin(header: Header, log: Path) -> Origin:
    """Tell whether a log belongs to the file with this header.

    If the log may be in use, read the header first, and compare `generation` before and after.
    """
    try:
        file = log.open("rb")
    except FileNotFoundError:
        return "empty"
    with file:
        opened = _open(file)
        if opened is None or next(_frames(opened), None) is None:
            return "empty"
        if opened.page_size != header.page_size:
            return "other file"
        first = _first_header(opened)
        if first is None:
            return "unknown"
        if header.schema <= first.schema and _is_next(header.stamp, first.stamp):
            return "same file"
        stamps = {(at.stamp, at.schema) for at in _headers(opened)}
    return "same file" if (header.stamp, header.schema) in stamps else "other file"


def _is_next(stamp: int, following: int) -> bool:
    # Another program writes the first page without changing the stamp.
    return following == stamp or (following >> 16) & 0xFFFF == stamp & 0xFFFF


def _open(file: BinaryIO) -> _Log | None:
    """Read the header of a log; None if SQLite would ignore the log."""
    data = file.read(_HEADER_BYTES)
    if len(data) < _HEADER_BYTES:
        return None
    magic, _, page_size = struct.unpack_from(">3I", data)
    words = ">" if magic & 1 else "<"
    checksum = _checksum(words, data[:24], (0, 0))
    if magic & ~1 != _MAGIC or checksum != struct.unpack_from(">2I", data, 24):
        return None
    return _Log(file, words, page_size, data[16:24], checksum)


def _frames(log: _Log) -> Iterator[tuple[bytes, int]]:
    """The header of each frame, and the position of its page."""
    position = _HEADER_BYTES
    while True:
        log.file.seek(position)
        frame = log.file.read(_FRAME_BYTES)
        # Behind the end there are frames of earlier logs, with other salts.
        if len(frame) < _FRAME_BYTES or frame[8:16] != log.salts:
            return
        yield frame, position + _FRAME_BYTES
        position += _FRAME_BYTES + log.page_size


def _headers(log: _Log) -> Iterator[Header]:
    """The header in each version of the first page."""
    for frame, position in _frames(log):
        if frame[:4] == _PAGE_ONE:
            log.file.seek(position)
            yield _parse(log.file.read(_DATABASE_HEADER_BYTES), log.page_size)


def _first_header(log: _Log) -> Header | None:
    """The header in the first version of the first page; None if there is none.

    Checksums are verified: after a power failure, the pages of a frame may be missing.
    """
    checksum = log.checksum
    for frame, position in _frames(log):
        log.file.seek(position)
        page = log.file.read(log.page_size)
        checksum = _checksum(log.words, frame[:8] + page, checksum)
        if len(page) < log.page_size or checksum != struct.unpack_from(">2I", frame, 16):
            return None
        if frame[:4] == _PAGE_ONE:
            return _parse(page, log.page_size)
    return None


def _parse(page: bytes, page_size: int) -> Header:
    if len(page) < _DATABASE_HEADER_BYTES:
        return Header(0, -1, page_size)
    (schema,) = struct.unpack_from(">I", page, 40)
    (stamp,) = struct.unpack_from(">i", page, 60)
    return Header(stamp, schema, page_size)


def _checksum(words: str, data: bytes, checksum: tuple[int, int]) -> tuple[int, int]:
    first, second = checksum
    for even, odd in struct.iter_unpack(f"{words}2I", data):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
