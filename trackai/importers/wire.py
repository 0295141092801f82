"""Batches of an import on their way to a server: their format.

A batch is a msgpack list of items, each with its type. It begins with the heads of the runs that
its other items belong to, so that a server needs nothing that it has seen before. Numbers are
packed as in `trackai.values.packing`. Values of the configuration and the environment are JSON.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.importers.names import artifact_problem, logged_file_problem, valid_head
from trackai.importers.target import run_of
from trackai.ingest.wire import (
    MAX_ITEMS,
    MAX_POINTS,
    check_numbers,
    check_times,
    check_values,
    json_problem,
    object_problem,
)
from trackai.structs.exchange import (
    ArtifactHead,
    AttemptNumber,
    Block,
    ImportHead,
    NumberedFile,
    Rewind,
    RunEnd,
    RunHead,
    WriterHead,
)
from trackai.structs.records import ArtifactFile  # noqa: TC001 - for msgspec
from trackai.values import packing
from trackai.values.names import notes_problem, path_problem, refuse
from trackai.values.types import Axis, BoundedStep, Kind

if TYPE_CHECKING:
    from trackai.importers.storing import Storable

_PerItem = msgspec.Meta(max_length=MAX_ITEMS)
_Texts = Annotated[list[str], _PerItem]
_Values = Annotated[dict[str, str], _PerItem]
# Of a text that is not limited elsewhere, in characters.
_MAX_TEXT = 1_000_000


class _Points(msgspec.Struct, kw_only=True, tag="points"):
    """A packed `Block`."""

    run_uid: str
    metric: str
    axis: Axis
    kind: Kind
    writer: WriterHead
    steps: packing.Packed
    timestamps: packing.Deltas
    values: packing.Packed
    own_steps: Annotated[list[BoundedStep | None], msgspec.Meta(max_length=MAX_POINTS)] | None
    has_times: bool = True
    follows_start: bool = False


class _Head(RunHead, kw_only=True, tag="run"):
    """A `RunHead` with limits; its values are JSON."""

    tags: _Texts = msgspec.field(default_factory=list)
    config: _Values = msgspec.field(default_factory=dict)
    config_types: _Values = msgspec.field(default_factory=dict)
    environment: Annotated[dict[AttemptNumber, _Values], _PerItem] = msgspec.field(
        default_factory=dict
    )
    imports: Annotated[list[ImportHead], _PerItem] = msgspec.field(default_factory=list)


class _End(msgspec.Struct, tag="end"):
    """A packed `RunEnd`."""

    head: _Head


class _Artifact(ArtifactHead, kw_only=True, tag="artifact"):
    """An `ArtifactHead` with limits; its metadata are JSON."""

    metadata: str  # type: ignore[assignment]
    tags: _Texts = msgspec.field(default_factory=list)
    aliases: _Texts = msgspec.field(default_factory=list)
    files: Annotated[list[ArtifactFile], _PerItem] = msgspec.field(default_factory=list)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Annotated[list[msgspec.Raw], _PerItem]).decode
_decode_item = msgspec.msgpack.Decoder(
    _Head | _Points | Rewind | NumberedFile | _Artifact | _End
).decode


def pack_item(item: Storable) -> msgspec.Raw:
    """Encode an item."""
    return msgspec.Raw(_encode(_packed(item)))


def pack(items: list[msgspec.Raw]) -> bytes:
    """Join encoded items to a batch."""
    return _encode(items)


def _packed(item: Storable) -> Any:
    if isinstance(item, Block):
        return _Points(
            run_uid=item.run_uid,
            metric=item.metric,
            axis=item.axis,
            kind=item.kind,
            writer=item.writer,
            steps=packing.pack(item.steps),
            timestamps=packing.Deltas(packing.differences(item.timestamps)),
            values=packing.pack(item.values),
            own_steps=item.own_steps,
            has_times=item.has_times,
            follows_start=item.follows_start,
        )
    if isinstance(item, RunHead):
        return _packed_head(item)
    if isinstance(item, RunEnd):
        return _End(_packed_head(item.head))
    if isinstance(item, ArtifactHead):
        metadata = msgspec.json.encode(item.metadata).decode()
        return _Artifact(**{**msgspec.structs.asdict(item), "metadata": metadata})
    return item


def _packed_head(head: RunHead) -> _Head:
    fields = msgspec.structs.asdict(head)
    fields["config"] = _json_texts(head.config)
    fields["environment"] = {
        attempt: _json_texts(facts) for attempt, facts in head.environment.items()
    }
    return _Head(**fields)


def _json_texts(values: dict[str, Any]) -> dict[str, str]:
    return {key: msgspec.json.encode(value).decode() for key, value in values.items()}


def unpack(data: bytes) -> list[Storable]:
    """Decode and check a batch.

    Raises:
        msgspec.MsgspecError: it is not a batch.
        InvalidInputError: something in it cannot be stored; the field is named.
    """
    items: list[Storable] = []
    heads: set[str] = set()
    points = entries = 0
    for raw in _decode(data):
        item = _decode_item(raw)
        if isinstance(item, _Points):
            points += packing.count(item.steps)
            if points > MAX_POINTS:
                raise InvalidInputError("steps", f"must be at most {MAX_POINTS} in a batch")
            items.append(_unpacked(item))
        elif isinstance(item, _Head):
            entries += _check_head(item)
            heads.add(item.uid)
            items.append(_with_json(item))
        elif isinstance(item, _End):
            entries += _check_head(item.head)
            items.append(RunEnd(head=_with_json(item.head)))
        elif isinstance(item, _Artifact):
            entries += len(item.files) + len(item.tags) + len(item.aliases)
            _check_artifact(item)
            metadata = msgspec.Raw(item.metadata.encode())
            items.append(msgspec.structs.replace(item, metadata=metadata))
        else:
            (_check_file if isinstance(item, NumberedFile) else _check_rewind)(item)
            items.append(item)
        if entries > MAX_ITEMS:
            raise InvalidInputError(
                "body", f"must have at most {MAX_ITEMS} keys, tags and names of files"
            )
        if run_of(items[-1]) not in heads:
            raise InvalidInputError("run_uid", "the head of this run must come before")
    return items


def _unpacked(packed: _Points) -> Block:
    refuse("run_uid", path_problem(packed.run_uid))
    refuse(f"metric {packed.metric[:80]!r}", path_problem(packed.metric))
    _check_writer(packed.writer)
    steps: list[Any] = packing.unpack(packed.steps)
    timestamps = list(accumulate(packed.timestamps.numbers))
    lengths = {len(steps), len(timestamps), packing.count(packed.values)}
    if packed.own_steps is not None:
        lengths.add(len(packed.own_steps))
    if len(lengths) > 1 or not steps:
        raise InvalidInputError("steps", "must be as many as timestamps and values, at least 1")
    values = packing.unpack(packed.values)
    check_numbers("own_steps", [step or 0 for step in packed.own_steps or [0]])
    check_numbers("steps", steps)
    check_times("timestamps", timestamps)
    check_values(values)
    return Block(
        run_uid=packed.run_uid,
        metric=packed.metric,
        axis=packed.axis,
        kind=packed.kind,
        writer=packed.writer,
        steps=steps,
        timestamps=timestamps,
        values=values,
        own_steps=packed.own_steps,
        has_times=packed.has_times,
        follows_start=packed.follows_start,
    )


def _check_head(head: _Head) -> int:
    """Check a head; return the number of its keys, tags and facts."""
    refuse("uid", path_problem(head.uid))
    refuse("fork_uid", path_problem(head.fork_uid or "-"))
    check_numbers("fork_step", [head.fork_step or 0])
    valid, _ = valid_head(head)
    for field in ("project", "project_slug", "run_id", "name", "notes", "group_name", "tags"):
        value = getattr(head, field)
        if getattr(valid, field) != value:
            raise InvalidInputError(field, "must be valid Unicode without control characters")
        for text in value if isinstance(value, list) else [value or ""]:
            refuse(field, notes_problem(text, _MAX_TEXT))
    for name, values in (
        ("config", head.config),
        *(("environment", facts) for facts in head.environment.values()),
    ):
        for key, text in values.items():
            refuse(f"{name} key {key[:80]!r}", path_problem(key) or json_problem(text))
    for text in head.config_types.values():
        refuse("config_types", path_problem(text))
    for part in head.imports:
        refuse("imports", path_problem(part.part) or object_problem(part.counts))
        refuse("fingerprint", notes_problem(part.fingerprint, _MAX_TEXT))
    facts = sum(map(len, head.environment.values()))
    return sum(map(len, (head.tags, head.config, head.config_types, head.imports))) + facts


def _with_json(head: _Head) -> RunHead:
    """Return the head with values that are encoded as the JSON that they are."""
    return msgspec.structs.replace(
        head,
        config=_raw(head.config),
        environment={attempt: _raw(facts) for attempt, facts in head.environment.items()},
    )


def _raw(texts: dict[str, str]) -> dict[str, Any]:
    return {key: msgspec.Raw(text.encode()) for key, text in texts.items()}


def _check_writer(writer: WriterHead) -> None:
    refuse("writer", path_problem(writer.uid) or notes_problem(writer.host, _MAX_TEXT))
    refuse("part", path_problem(writer.part or "-"))
    check_numbers("first_step", [writer.first_step or 0])


def _check_rewind(rewind: Rewind) -> None:
    _check_writer(rewind.writer)
    refuse("metric", path_problem(rewind.metric or "-"))
    check_numbers("step", [rewind.step])


def _check_file(file: NumberedFile) -> None:
    head = file.head
    _check_writer(head.writer)
    refuse(f"file {head.path[:80]!r}", path_problem(head.path) or logged_file_problem(head.name))
    refuse("name", notes_problem(head.name, _MAX_TEXT))
    refuse("source", notes_problem(head.source, _MAX_TEXT))
    check_numbers("step", [head.step or 0])
    check_numbers("earlier", [file.earlier, file.without_bytes])
    if not re.fullmatch("[0-9a-f]{64}", head.sha256 or "0" * 64):
        raise InvalidInputError("sha256", "must be 64 hexadecimal digits")
    if (head.sha256 is None) != (head.size is None) or (head.size or 0) < 0:
        raise InvalidInputError("size", "must be the number of bytes of a file with a SHA-256")


def _check_artifact(head: _Artifact) -> None:
    problem = artifact_problem(head)
    refuse("artifact", None if problem is None else f"a name {problem}")
    refuse("digest", path_problem(head.digest))
    refuse("metadata", object_problem(head.metadata))
    for file in head.files:
        refuse("reference", notes_problem(file.reference or "", _MAX_TEXT))
        check_numbers("size", [file.size or 0])
