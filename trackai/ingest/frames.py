"""What a journal says, frame by frame: the records, and how they are laid on disk.

    ┌────────────┬────────────┬─────────────────────────┐
    │ length u32 │ CRC-32 u32 │ msgpack, `length` bytes │   little-endian
    └────────────┴────────────┴─────────────────────────┘

A journal begins with `Opened`. `Keys` gives a number to the names of a call's metrics, so that
the `Points` of the thousands of calls that follow hold only numbers.
"""

from __future__ import annotations

import re
import struct
import zlib

import msgspec

from trackai.errors import InvalidInputError
from trackai.values.types import Axis, FileKind, State, Step, TextKind, Value

_HEADER = struct.Struct("<II")
HEADER_BYTES = _HEADER.size
pack_header = _HEADER.pack
# A longer frame is taken for damage; log() refuses a call that would make one.
MAX_PAYLOAD = 64 * 1024 * 1024


class Opened(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag=0):
    """Who writes this journal, to which run: enough to make the run in an empty database.

    Attributes:
        run_uid, writer_uid: identities, as 32 hexadecimal digits.
        project, run_slug, name, group: what people call the run.
        attempt: 1, and one more at every resume; rank: the writer's place beside others.
        created_at, started_at: of the run and of this writer, in microseconds since the epoch.
        parent: for a process that has inherited the run by a fork, the writer it was forked from.
            How such a process ends says nothing about the run.
    """

    run_uid: str
    writer_uid: str
    project: str
    run_slug: str
    name: str | None
    group: str | None
    attempt: int
    rank: int
    host: str
    pid: int
    created_at: int
    started_at: int
    parent: str | None = None


class Keys(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """From here on `number` stands for these metrics on this axis.

    Attributes:
        kind: what their texts are, where they do not say so themselves.
    """

    number: int
    axis: Axis
    paths: tuple[str, ...]
    kind: TextKind = "text"


class Points(msgspec.Struct, array_like=True, tag=2, gc=False):
    """One call of log(): a value for each of the keys. On the axis "time", step is 0."""

    keys: int
    step: Step
    timestamp: int
    values: list[Value]


class Configured(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Configuration that was set: flat keys, JSON texts.

    Attributes:
        replaced: keys that are gone, because another value stands in the place of a nested one.
    """

    values: dict[str, str]
    replaced: list[str] = []


class Described(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """What the run is called now, tagged with and said about ("" for nothing); None stays."""

    name: str | None = None
    tags: list[str] | None = None
    notes: str | None = None


class Filed(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A file that was logged; its bytes lie beside the journal until this is stored.

    Attributes:
        path, kind, name, step, timestamp, source: as in the table `files`.
        size, sha256: of its bytes.
        bytes_in: the name of the file beside the journal that holds them.
    """

    path: str
    kind: FileKind
    name: str
    step: Step | None
    timestamp: int
    source: str
    size: int
    sha256: str
    bytes_in: str


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The writer finished its run, with this state."""

    state: State
    timestamp: int


Frame = Opened | Keys | Points | Configured | Described | Filed | Ended

encode_payload = msgspec.msgpack.Encoder().encode
_decode_payload = msgspec.msgpack.Decoder(Frame).decode


def encode(frame: Frame) -> bytes:
    """A frame as it lies on disk.

    Raises:
        InvalidInputError: it is too long.
    """
    payload = encode_payload(frame)
    if len(payload) > MAX_PAYLOAD:
        raise too_long()
    return pack_header(len(payload), zlib.crc32(payload)) + payload


def too_long() -> InvalidInputError:
    """What to raise for a frame over the limit."""
    return InvalidInputError("metrics", f"one call may log {MAX_PAYLOAD} bytes at most")


def decode(
    data: bytes | memoryview, limit: int | None = None
) -> tuple[list[tuple[Frame, int]], str | None]:
    """All whole frames at the beginning of `data`, each with the offset at which it ends.

    Args:
        limit: how many frames at most.

    Returns:
        The frames, and what is wrong with the one that follows them: None if it is only not
        complete (yet).
    """
    frames: list[tuple[Frame, int]] = []
    view = memoryview(data)
    at = 0
    while at + HEADER_BYTES <= len(view) and (limit is None or len(frames) < limit):
        length, checksum = _HEADER.unpack_from(view, at)
        if not 0 < length <= MAX_PAYLOAD:
            return frames, f"a frame of {length} bytes"
        start, at = at + HEADER_BYTES, at + HEADER_BYTES + length
        if at > len(view):
            break
        payload = view[start:at]
        if zlib.crc32(payload) != checksum:
            return frames, "a wrong checksum"
        try:
            frames.append((_decode_payload(payload), at))
        except msgspec.MsgspecError as error:
            return frames, str(error)
    return frames, None


# How the payload of any frame begins: a short array, whose first item is a small integer.
_BEGINNING = re.compile(rb"[\x90-\x9f][\x00-\x0f]")


def find(data: bytes, start: int) -> int | None:
    """Where the next whole frame begins after `start`, where there is damage.

    A frame is recognised by a length that fits and by its checksum.
    """
    for match in _BEGINNING.finditer(data, start + HEADER_BYTES + 1):
        at = match.start() - HEADER_BYTES
        length, checksum = _HEADER.unpack_from(data, at)
        end = match.start() + length
        if (
            0 < length <= MAX_PAYLOAD
            and end <= len(data)
            and zlib.crc32(memoryview(data)[match.start() : end]) == checksum
            and decode(memoryview(data)[at:end])[0]
        ):
            return at
    return None
