"""Batches of a journal on their way to a server: their format.

A batch is known by the name of its journal and the bytes [start, end) that it was read from. It
carries its writer and the names of its metrics, so that a server needs nothing it has seen before.

The format is msgpack. Numbers are packed: floats as 8 little-endian bytes each, integer steps and
timestamps as the first one and the differences to the one before.
"""

from __future__ import annotations

import re
import sys
from array import array
from functools import lru_cache
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.ingest.frames import Configured, Described, Ended, Filed, Keys, Opened
from trackai.ingest.reader import Batch, Calls
from trackai.store.catalogue.slugs import slugify
from trackai.values.names import (
    MAX_NAME,
    MAX_NOTES,
    identifier_problem,
    notes_problem,
    path_problem,
    refuse,
)
from trackai.values.times import FIRST_TIME, LAST_TIME
from trackai.values.types import INT64, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

# Incremented when servers of this version could not read batches of the former one.
PROTOCOL = 1
MAX_POINTS = 1_000_000

_Position = Annotated[int, msgspec.Meta(ge=0)]


class _Deltas(msgspec.Struct, array_like=True, tag=0):
    """Integers: the first one, and the differences to the one before."""

    numbers: list[int]


class _Floats(msgspec.Struct, array_like=True, tag=1):
    """Floats, as little-endian bytes."""

    data: bytes


class _Plain(msgspec.Struct, array_like=True, tag=2):
    """Values of several types."""

    values: list[Value]


_Packed = _Deltas | _Floats | _Plain


class _Calls(msgspec.Struct, array_like=True):
    """Packed `Calls`."""

    keys: Keys
    steps: _Packed
    timestamps: _Deltas
    values: list[_Packed]


class _Batch(msgspec.Struct, array_like=True):
    """A packed `Batch`; see there."""

    opened: Opened
    start: _Position
    end: _Position
    frames: _Position
    calls: list[_Calls]
    configured: Configured
    described: list[Described]
    files: list[Filed]
    ended: Ended | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Batch).decode


def pack(batch: Batch) -> bytes:
    """Encode a batch."""
    return _encode(
        _Batch(
            batch.opened,
            batch.start,
            batch.end,
            batch.frames,
            [
                _Calls(
                    calls.keys,
                    _pack(calls.steps),
                    _Deltas(_differences(calls.timestamps)),
                    [_pack(values) for values in calls.values],
                )
                for calls in batch.calls
            ],
            Configured(batch.config, sorted(batch.replaced)),
            batch.described,
            batch.files,
            batch.ended,
        )
    )


def unpack(data: bytes) -> Batch:
    """Decode and check a batch.

    Raises:
        msgspec.MsgspecError: it is not a batch.
        InvalidInputError: something in it cannot be stored; the field is named.
    """
    packed = _decode(data)
    if not packed.start <= packed.end < INT64:
        raise InvalidInputError("end", "must not be before start")
    calls = [_unpacked(calls) for calls in packed.calls]
    points = sum(len(each.steps) * len(each.values) for each in calls)
    if points > MAX_POINTS:
        raise InvalidInputError("calls", f"must have at most {MAX_POINTS} points, got {points}")
    batch = Batch(
        opened=packed.opened,
        start=packed.start,
        end=packed.end,
        frames=packed.frames,
        calls=calls,
        config=packed.configured.values,
        replaced=set(packed.configured.replaced),
        described=packed.described,
        files=packed.files,
        ended=packed.ended,
    )
    _check(batch)
    return batch


def _pack(values: Sequence[Value]) -> _Packed:
    types = set(map(type, values))
    if types == {float}:
        numbers = array("d", values)  # type: ignore[type-var]
        if sys.byteorder == "big":
            numbers.byteswap()
        return _Floats(numbers.tobytes())
    if types == {int} and max(values) - min(values) < INT64:  # type: ignore[operator]
        return _Deltas(_differences(values))  # type: ignore[arg-type]
    return _Plain(list(values))


def _differences(numbers: Sequence[int]) -> list[int]:
    return [*numbers[:1], *map(sub, numbers[1:], numbers)]


def _unpack(packed: _Packed) -> list[Value]:
    if isinstance(packed, _Plain):
        return packed.values
    if isinstance(packed, _Deltas):
        return list(accumulate(packed.numbers))
    numbers = array("d")
    try:
        numbers.frombytes(packed.data)
    except ValueError:
        raise InvalidInputError("values", "floats must have 8 bytes each") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return [*numbers]


def _unpacked(packed: _Calls) -> Calls:
    steps: list[Any] = _unpack(packed.steps)
    calls = Calls(
        packed.keys,
        steps,
        list(accumulate(packed.timestamps.numbers)),
        [_unpack(values) for values in packed.values],
    )
    lengths = {len(calls.steps), len(calls.timestamps), *map(len, calls.values)}
    if len(lengths) > 1 or lengths == {0} or len(calls.values) != len(packed.keys.paths):
        raise InvalidInputError("calls", "must have one step, timestamp and value for each call")
    return calls


def _check(batch: Batch) -> None:
    """Check what the types do not say.

    Raises:
        InvalidInputError: something cannot be stored; the field is named.
    """
    _check_opened(batch.opened)
    for calls in batch.calls:
        _check_paths(calls.keys.paths)
        _check_numbers("steps", calls.steps)
        _check_times("timestamps", calls.timestamps)
        for values in calls.values:
            _check_values(values)
    for key, text in batch.config.items():
        refuse(f"config key {key[:80]!r}", path_problem(key))
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise InvalidInputError(f"config key {key!r}", "must be valid JSON") from None
    for described in batch.described:
        refuse("name", notes_problem(described.name or "", MAX_NAME))
        refuse("notes", notes_problem(described.notes or "", MAX_NOTES))
        for tag in described.tags or ():
            refuse("tags", identifier_problem(tag))
    for file in batch.files:
        refuse(f"file {file.path[:80]!r}", path_problem(file.path) or path_problem(file.name))
        refuse("source", notes_problem(file.source, MAX_NOTES))
        _check_numbers("step", [file.step or 0])
        _check_times("timestamp", [file.timestamp])
        if not re.fullmatch("[0-9a-f]{64}", file.sha256) or not 0 <= file.size < INT64:
            raise InvalidInputError("files", "must have a size and a SHA-256 in hex")
    if batch.ended is not None:
        _check_times("ended", [batch.ended.timestamp])


# The next batch of a writer has the same writer and metrics again.
@lru_cache(1024)
def _check_paths(paths: tuple[str, ...]) -> None:
    for path in paths:
        refuse(f"metric {path[:80]!r}", path_problem(path))


@lru_cache(1024)
def _check_opened(opened: Opened) -> None:
    for field in ("run_uid", "writer_uid", "parent"):
        if not re.fullmatch("[0-9a-f]{32}", getattr(opened, field) or "0" * 32):
            raise InvalidInputError(field, "must be 32 hexadecimal digits")
    for field in ("project", "name", "group", "host"):
        refuse(field, notes_problem(getattr(opened, field) or "", MAX_NAME))
    if not opened.project.strip():
        raise InvalidInputError("project", "must not be empty")
    if slugify(opened.run_slug) != opened.run_slug:
        raise InvalidInputError("run_slug", f"must be a slug, got {opened.run_slug[:80]!r}")
    _check_numbers("attempt", [opened.attempt, opened.rank, opened.pid])
    _check_times("started_at", [opened.created_at, opened.started_at])


def _check_times(field: str, times: Sequence[int]) -> None:
    if not FIRST_TIME <= min(times) <= max(times) <= LAST_TIME:
        raise InvalidInputError(field, "must be microseconds since the epoch, in years 1 to 9999")


def _check_numbers(field: str, numbers: Sequence[Value]) -> None:
    """Check that numbers are finite and fit into 64 bits."""
    if set(map(type, numbers)) <= {int, float}:
        low, high = min(numbers), max(numbers)
        if low >= -INT64 and high < INT64 and not any(number != number for number in numbers):  # type: ignore[operator]
            return
    raise InvalidInputError(field, "must be finite numbers between -2**63 and 2**63")


def _check_values(values: Sequence[Value]) -> None:
    for value in values if set(map(type, values)) != {float} else ():
        if isinstance(value, int) and not -INT64 <= value < INT64:
            raise InvalidInputError("values", "must be integers between -2**63 and 2**63")
