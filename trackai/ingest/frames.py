"""Frames of a journal: their records, and their format on disk.

    ┌────────────┬────────────┬─────────────────────────┐
    │ length u32 │ CRC-32 u32 │ msgpack, `length` bytes │   little-endian
    └────────────┴────────────┴─────────────────────────┘

A journal begins with `Opened`. `Keys` assigns a number to the metric names of a call, so that the
`Points` of the calls that follow contain only that number and the values.
"""

from __future__ import annotations

import re
import struct
import zlib

import msgspec

from trackai.errors import InvalidInputError
from trackai.store.catalogue.writers import Origin
from trackai.values.types import Axis, FileKind, State, Step, TextKind, Value

_HEADER = struct.Struct("<II")
HEADER_BYTES = _HEADER.size
pack_header = _HEADER.pack
# A longer frame is taken for damage; log() refuses calls that would write one.
MAX_PAYLOAD = 64 * 1024 * 1024


class Opened(Origin, frozen=True, kw_only=True, array_like=True, tag=0):
    """The writer of the journal, and its run."""


class Keys(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The metric names and axis of the following `Points` with this `number`.

    Attributes:
        kind: the kind of values that are texts.
    """

    number: int
    axis: Axis
    paths: tuple[str, ...]
    kind: TextKind = "text"


class Points(msgspec.Struct, array_like=True, tag=2, gc=False):
    """The values of one call of log(), one for each name; the step is 0 on the axis "time"."""

    keys: int
    step: Step
    timestamp: int
    values: list[Value]


class Configured(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Changes of the configuration: flat keys with JSON texts.

    Attributes:
        replaced: keys to remove, because a value has replaced the mapping that they were in.
    """

    values: dict[str, str]
    replaced: list[str] = []


class Described(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Changes of the name, tags and notes of the run; None for no change, "" for no notes."""

    name: str | None = None
    tags: list[str] | None = None
    notes: str | None = None


class Filed(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """A file that was logged; its bytes are in the folder of the journal until it is stored.

    Attributes:
        path, kind, name, step, timestamp, source: as in the table `files`.
        size, sha256: of its bytes.
        bytes_in: the name of the file in the folder of the journal.
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


class Environment(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Facts about where the writer runs: flat keys with JSON texts."""

    facts: dict[str, str]


class Versioned(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """A version of an artifact. Its files are also logged as files of the run, by `Filed`.

    Attributes:
        type_, name: of the artifact; the type may be "".
        files: by their names in the artifact.
        references: by name, the URI of each file that is kept elsewhere.
        aliases, tags: of the version.
        description: None to keep that of an equal version.
        metadata: a JSON object; None to keep that of an equal version.
    """

    type_: str
    name: str
    files: list[Filed]
    references: dict[str, str]
    timestamp: int
    aliases: list[str] = []
    tags: list[str] = []
    description: str | None = None
    metadata: str | None = None


class Used(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """The use of a version of an artifact; `project` is the name of its project."""

    project: str
    type_: str
    name: str
    version: int
    timestamp: int


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The end of the writer's run."""

    state: State
    timestamp: int


Frame = (
    Opened | Keys | Points | Configured | Described | Filed | Ended | Environment | Versioned | Used
)

encode_payload = msgspec.msgpack.Encoder().encode
_decode_payload = msgspec.msgpack.Decoder(Frame).decode


def encode(frame: Frame) -> bytes:
    """Encode a frame with its header.

    Raises:
        InvalidInputError: the payload is longer than `MAX_PAYLOAD`.
    """
    payload = encode_payload(frame)
    if len(payload) > MAX_PAYLOAD:
        raise too_long("config" if isinstance(frame, Configured) else "metrics")
    return pack_header(len(payload), zlib.crc32(payload)) + payload


def too_long(field: str = "metrics") -> InvalidInputError:
    """The error for a payload longer than `MAX_PAYLOAD`."""
    return InvalidInputError(field, f"must be at most {MAX_PAYLOAD} bytes in one call")


def decode(
    data: bytes | memoryview, limit: int | None = None
) -> tuple[list[tuple[Frame, int]], str | None]:
    """Decode the complete frames at the beginning of `data`.

    Args:
        limit: the largest number of frames.

    Returns:
        The frames, each with the offset of its end, and the problem of the frame after them: None
        if that is only incomplete.
    """
    frames: list[tuple[Frame, int]] = []
    view, at = memoryview(data), HEADER_BYTES
    size = len(view)
    # The drain spends a fifth of its time in this loop.
    unpack, checksum_of, decode_payload = _HEADER.unpack_from, zlib.crc32, _decode_payload
    append = frames.append
    try:
        while at <= size and (limit is None or len(frames) < limit):
            length, checksum = unpack(view, at - HEADER_BYTES)
            if not 0 < length <= MAX_PAYLOAD:
                return frames, f"invalid frame length {length}"
            end = at + length
            if end > size:
                break
            payload = view[at:end]
            if checksum_of(payload) != checksum:
                return frames, "wrong checksum"
            append((decode_payload(payload), end))
            at = end + HEADER_BYTES
    except msgspec.MsgspecError as error:
        return frames, str(error)
    return frames, None


# The first bytes of every payload: a short array whose first item is a small integer.
_PAYLOAD_START = re.compile(rb"[\x90-\x9f][\x00-\x0f]")


def frame_bytes(data: bytes) -> int:
    """The length of the frame at the beginning of `data`, with its header."""
    length, _ = _HEADER.unpack_from(data)
    return HEADER_BYTES + int(length)


def find(data: bytes, start: int) -> int | None:
    """Find the offset of the next complete frame after damage at `start`.

    A frame is recognised by a valid length and checksum.
    """
    for match in _PAYLOAD_START.finditer(data, start + HEADER_BYTES + 1):
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
