"""Batches of a journal on their way to a server: their format.

A batch is known by the name of its journal and the bytes [start, end) that it was read from. It
carries its writer and the names of its metrics, so that a server needs nothing it has seen before.

The format is msgpack, with numbers packed as in `trackai.values.packing`.
"""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.ingest.frames import (
    Configured,
    Described,
    Ended,
    Filed,
    Keys,
    Opened,
    Used,
    Versioned,
)
from trackai.ingest.reader import Batch, Calls
from trackai.store.catalogue.slugs import slugify
from trackai.values import artifact_names, packing
from trackai.values.names import (
    MAX_NAME,
    MAX_NOTES,
    identifier_problem,
    notes_problem,
    path_problem,
    refuse,
)
from trackai.values.nesting import MAX_LEVELS, is_deeper
from trackai.values.times import FIRST_TIME, LAST_TIME
from trackai.values.types import INT64, Axis, TextKind, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

# Incremented when servers of this version could not read batches of the former one.
PROTOCOL = 1
# Limits on what a batch decodes to, which is many times its size if it is made for that.
MAX_POINTS = packing.MAX_LENGTH
MAX_ITEMS = 100_000
MAX_CONFIG_VALUE = 8 * 1024 * 1024
# Of attempts, ranks and process ids: the number after any of them can be stored, too.
_MAX_NUMBER = 1 << 32

_Position = Annotated[int, msgspec.Meta(ge=0)]
_PerPoint = msgspec.Meta(max_length=MAX_POINTS)
_PerItem = msgspec.Meta(max_length=MAX_ITEMS)


class _Calls(msgspec.Struct, array_like=True):
    """Packed `Calls`."""

    keys: Keys
    steps: packing.Packed
    timestamps: packing.Deltas
    values: list[packing.Packed]


class _Batch(msgspec.Struct, array_like=True):
    """A packed `Batch`; see there."""

    opened: Opened
    start: int
    end: int
    frames: int
    calls: list[_Calls]
    configured: Configured
    described: list[Described]
    files: list[Filed]
    ended: Ended | None
    environment: dict[str, str]  # older servers ignore it, as all that follows what they know
    artifacts: list[Versioned]
    used: list[Used]


# What arrives is the same with limits, and columns are decoded one by one until they are too many.


class _ReceivedKeys(msgspec.Struct, array_like=True, tag=1):
    number: int
    axis: Axis
    paths: Annotated[tuple[str, ...], _PerItem]
    kind: TextKind = "text"


class _ReceivedCalls(msgspec.Struct, array_like=True):
    keys: _ReceivedKeys
    steps: packing.Packed
    timestamps: packing.Deltas
    values: Annotated[list[msgspec.Raw], _PerItem]


class _ReceivedConfig(msgspec.Struct, array_like=True, tag=3):
    values: Annotated[dict[str, str], _PerItem]
    replaced: Annotated[list[str], _PerItem] = []


class _ReceivedDescription(msgspec.Struct, array_like=True, tag=6):
    name: str | None = None
    tags: Annotated[list[str], msgspec.Meta(max_length=1000)] | None = None
    notes: str | None = None


class _Received(msgspec.Struct, array_like=True):
    opened: Opened
    start: _Position
    end: _Position
    frames: _Position
    calls: Annotated[list[msgspec.Raw], _PerItem]
    configured: _ReceivedConfig
    described: Annotated[list[_ReceivedDescription], _PerItem]
    files: Annotated[list[Filed], _PerItem]
    ended: Ended | None
    environment: Annotated[dict[str, str], _PerItem] = {}  # older clients do not send it
    artifacts: Annotated[list[Versioned], _PerItem] = []
    used: Annotated[list[Used], _PerItem] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Received).decode
_decode_calls = msgspec.msgpack.Decoder(_ReceivedCalls).decode
_decode_column = msgspec.msgpack.Decoder(packing.Packed).decode


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
                    packing.pack(calls.steps),
                    packing.Deltas(packing.differences(calls.timestamps)),
                    [packing.pack(values) for values in calls.values],
                )
                for calls in batch.calls
            ],
            Configured(batch.config, sorted(batch.replaced)),
            batch.described,
            batch.files,
            batch.ended,
            batch.environment,
            batch.artifacts,
            batch.used,
        )
    )


def unpack(data: bytes) -> Batch:
    """Decode and check a batch.

    Raises:
        msgspec.MsgspecError: it is not a batch.
        InvalidInputError: something in it cannot be stored; the field is named.
    """
    received = _decode(data)
    if not received.start <= received.end < INT64:
        raise InvalidInputError("end", "must not be before start")
    if received.frames >= INT64:
        raise InvalidInputError("frames", "must be less than 2**63")
    batch = Batch(
        opened=received.opened,
        start=received.start,
        end=received.end,
        frames=received.frames,
        calls=_unpack_calls(received.calls),
        config=received.configured.values,
        replaced=set(received.configured.replaced),
        described=[Described(each.name, each.tags, each.notes) for each in received.described],
        files=received.files,
        ended=received.ended,
        environment=received.environment,
        artifacts=received.artifacts,
        used=received.used,
    )
    _check(batch)
    return batch


def _unpack_calls(packed: Sequence[msgspec.Raw]) -> list[Calls]:
    result = []
    points = names = 0
    for each in packed:
        received = _decode_calls(each)
        points += packing.count(received.steps) * max(1, len(received.values))
        names += len(received.keys.paths)
        if points > MAX_POINTS:
            raise InvalidInputError("calls", f"must have at most {MAX_POINTS} points, got {points}")
        if names > MAX_ITEMS:
            raise InvalidInputError("calls", f"must have at most {MAX_ITEMS} metrics, got {names}")
        result.append(_unpacked(received))
    return result


def _unpacked(packed: _ReceivedCalls) -> Calls:
    if len(packed.values) != len(packed.keys.paths):
        raise InvalidInputError("calls", "must have values for each metric")
    steps: list[Any] = packing.unpack(packed.steps)
    length = len(steps)
    values: list[Sequence[Value]] = []
    for column in map(_decode_column, packed.values):
        if packing.count(column) != length:
            break
        values.append(packing.unpack(column))
    if not length == len(packed.timestamps.numbers) > 0 or len(values) < len(packed.values):
        raise InvalidInputError("calls", "must have one step, timestamp and value for each call")
    keys = packed.keys
    return Calls(
        Keys(keys.number, keys.axis, keys.paths, keys.kind),
        steps,
        list(accumulate(packed.timestamps.numbers)),
        values,
    )


def _check(batch: Batch) -> None:
    """Check what the types do not say.

    Raises:
        InvalidInputError: something cannot be stored; the field is named.
    """
    _check_opened(batch.opened)
    for calls in batch.calls:
        paths = calls.keys.paths
        (_check_few_paths if len(paths) <= _MOST_CACHED_NAMES else _check_paths)(paths)
        check_numbers("steps", calls.steps)
        check_times("timestamps", calls.timestamps)
        for values in calls.values:
            check_values(values)
    for key, text in batch.config.items():
        refuse(f"config key {key[:80]!r}", path_problem(key) or json_problem(text))
    for key, text in batch.environment.items():
        refuse(f"environment key {key[:80]!r}", path_problem(key) or json_problem(text))
    for described in batch.described:
        refuse("name", notes_problem(described.name or "", MAX_NAME))
        refuse("notes", notes_problem(described.notes or "", MAX_NOTES))
        for tag in described.tags or ():
            refuse("tags", identifier_problem(tag))
    for file in batch.files:
        _check_file(file)
    for artifact in batch.artifacts:
        _check_artifact(artifact)
    for use in batch.used:
        check_times("timestamp", [use.timestamp])
        if not 0 <= use.version < INT64:
            raise InvalidInputError("version", "must be between 0 and 2**63 - 1")
    if batch.ended is not None:
        check_times("ended", [batch.ended.timestamp])


def _check_file(file: Filed) -> None:
    refuse(f"file {file.path[:80]!r}", path_problem(file.path) or file_name_problem(file.name))
    refuse("source", notes_problem(file.source, MAX_NOTES))
    check_numbers("step", [file.step or 0])
    check_times("timestamp", [file.timestamp])
    if not re.fullmatch("[0-9a-f]{64}", file.sha256) or not 0 <= file.size < INT64:
        raise InvalidInputError("files", "must have a size and a SHA-256 in hex")


def _check_artifact(artifact: Versioned) -> None:
    refuse("artifact name", path_problem(artifact.name))
    refuse("artifact type", path_problem(artifact.type_ or "-"))
    refuse("description", notes_problem(artifact.description or "", MAX_NOTES))
    refuse("metadata", object_problem(artifact.metadata or "{}"))
    for alias in artifact.aliases:
        refuse("aliases", artifact_names.alias_problem(alias))
    for tag in artifact.tags:
        refuse("tags", identifier_problem(tag))
    for file in artifact.files:
        _check_file(file)
    for name in (*(file.name for file in artifact.files), *artifact.references):
        refuse(f"file {name[:80]!r}", artifact_names.file_problem(name))
    for uri in artifact.references.values():
        refuse("reference", notes_problem(uri))
    check_times("timestamp", [artifact.timestamp])
    lengths = map(len, (artifact.files, artifact.references, artifact.aliases, artifact.tags))
    if max(lengths) > MAX_ITEMS:
        raise InvalidInputError("artifact", f"must have at most {MAX_ITEMS} files")


def object_problem(text: str) -> str | None:
    """Say why a text is not a JSON object that can be stored, or None."""
    if problem := json_problem(text):
        return problem
    return None if text.lstrip().startswith("{") else "must be a JSON object"


def json_problem(text: str) -> str | None:
    """Say why a text is not JSON that can be stored, or None."""
    if len(text) > MAX_CONFIG_VALUE:
        return f"must have at most {MAX_CONFIG_VALUE} characters, got {len(text)}"
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return "must be valid JSON"
    if is_deeper(value, MAX_LEVELS):
        return f"must have at most {MAX_LEVELS} levels"
    return None


def file_name_problem(name: str) -> str | None:
    """Say why a text cannot be the file name of a logged file, or None."""
    # Files of an artifact have their path in it. Nothing is stored under it here, but readers may
    # save files under their names.
    if name.startswith("/") or ".." in name.split("/"):
        return f"its file name must not lead out of a folder, got {name[:80]!r}"
    return path_problem(name)


def _check_paths(paths: tuple[str, ...]) -> None:
    for path in paths:
        refuse(f"metric {path[:80]!r}", path_problem(path))


# The next batch of a writer has the same writer and metrics again. Not more names, so that those of
# a hostile client do not fill the memory.
_MOST_CACHED_NAMES = 32
_check_few_paths = lru_cache(256)(_check_paths)


@lru_cache(256)
def _check_opened(opened: Opened) -> None:
    for field in ("run_uid", "writer_uid", "parent", "fork_uid"):
        if not re.fullmatch("[0-9a-f]{32}", getattr(opened, field) or "0" * 32):
            raise InvalidInputError(field, "must be 32 hexadecimal digits")
    for field in ("project", "name", "group", "host"):
        refuse(field, notes_problem(getattr(opened, field) or "", MAX_NAME))
    if not opened.project.strip():
        raise InvalidInputError("project", "must not be empty")
    if slugify(opened.run_slug) != opened.run_slug:
        raise InvalidInputError("run_slug", f"must be a slug, got {opened.run_slug[:80]!r}")
    for field in ("attempt", "rank", "pid"):
        if not 0 <= getattr(opened, field) < _MAX_NUMBER:
            raise InvalidInputError(field, f"must be between 0 and {_MAX_NUMBER - 1}")
    check_numbers("fork_step", [opened.fork_step or 0])
    check_times("started_at", [opened.created_at, opened.started_at])


def check_times(field: str, times: Sequence[int]) -> None:
    """Check that times are in the years that datetimes have."""
    if not FIRST_TIME <= min(times) <= max(times) <= LAST_TIME:
        raise InvalidInputError(field, "must be microseconds since the epoch, in years 1 to 9999")


def check_numbers(field: str, numbers: Sequence[Value]) -> None:
    """Check that numbers are finite and fit into 64 bits."""
    if (types := set(map(type, numbers))) <= {int, float}:
        low, high = min(numbers), max(numbers)
        has_nan = float in types and any(map(operator.ne, numbers, numbers))
        if low >= -INT64 and high < INT64 and not has_nan:  # type: ignore[operator]
            return
    raise InvalidInputError(field, "must be finite numbers between -2**63 and 2**63")


def check_values(values: Sequence[Value]) -> None:
    """Check that integers fit into 64 bits."""
    for value in values if set(map(type, values)) != {float} else ():
        if isinstance(value, int) and not -INT64 <= value < INT64:
            raise InvalidInputError("values", "must be integers between -2**63 and 2**63")
