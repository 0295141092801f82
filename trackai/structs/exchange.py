"""Whole runs on their way from one store to another, through a file or directly.

A run is a `RunHead` and then any number of `Block`s and `FileHead`s. Identities (`uid`) go with
them: loading the same run twice changes nothing. In a file, the bytes of a `FileHead` come before
it, as `Chunk`s.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

import msgspec

from trackai.values.times import Microseconds
from trackai.values.types import (
    INT64,
    Axis,
    BoundedStep,
    FileKind,
    Integer,
    Kind,
    State,
    Value,
)


class ImportHead(msgspec.Struct, kw_only=True):
    """How far a part of an export is stored: `counts` is JSON."""

    part: str
    fingerprint: str
    consumed: Integer
    complete: bool
    counts: str


class RunHead(msgspec.Struct, kw_only=True, tag="run"):
    """A run without its points; times are microseconds since the epoch.

    Attributes:
        config_types: of configuration values that JSON has no type for.
        imports: what of the run was imported, and from which parts.
    """

    uid: str
    project: str
    project_slug: str | None = None
    run_id: str
    name: str | None = None
    group_name: str | None = None
    state: State = "completed"
    created_at: Microseconds
    updated_at: Microseconds | None = None
    finished_at: Microseconds | None = None
    notes: str | None = None
    fork_uid: str | None = None
    fork_step: BoundedStep | None = None
    tags: list[str] = []
    config: dict[str, Any] = {}
    config_types: dict[str, str] = {}
    imports: list[ImportHead] = []


class WriterHead(msgspec.Struct, kw_only=True):
    """Who logged the points of a block; `part` is the one of an export, if it was imported."""

    uid: str
    attempt: Annotated[int, msgspec.Meta(ge=1, le=INT64 - 1)] = 1
    rank: Integer = 0
    host: str = ""
    pid: Integer = 0
    started_at: Microseconds = 0
    state: State | None = None
    first_step: BoundedStep | None = None
    ended_at: Microseconds | None = None
    part: str | None = None


class Block(msgspec.Struct, kw_only=True, tag="points"):
    """Points of one series by one writer, column by column.

    In JSON NaN is null, the infinities are "Infinity" and "-Infinity", and a text among the
    numbers of a series is {"text": ...}. `own_steps` are those that system metrics had where they
    come from, null where they had none.
    """

    run_uid: str
    metric: str
    axis: Axis = "step"
    kind: Kind = "number"
    writer: WriterHead
    steps: list[BoundedStep]
    timestamps: list[Microseconds]
    values: list[Any]
    own_steps: list[BoundedStep | None] | None = None


class FileHead(msgspec.Struct, kw_only=True, tag="file"):
    """A file of a run; without a hash, its bytes were not there to be stored."""

    run_uid: str
    writer: WriterHead
    path: str
    kind: FileKind
    name: str
    step: BoundedStep | None = None
    timestamp: Microseconds | None = None
    size: Integer | None = None
    sha256: str | None = None
    source: str = ""


class Chunk(msgspec.Struct, kw_only=True, tag="bytes"):
    """Some of the bytes with that hash, in their order; Base64 in JSON."""

    sha256: str
    data: bytes


Item: TypeAlias = RunHead | Block | FileHead


def to_json(values: list[Value], kind: Kind) -> list[Any]:
    """Values of a block as JSON holds them."""
    if kind != "number":
        return list(values)
    return [_plain(value) for value in values]


def _plain(value: Value) -> Any:
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, float) and not math.isfinite(value):
        return None if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def from_json(values: list[Any], kind: Kind) -> list[Value]:
    """Values of a block from JSON.

    Raises:
        ValueError: one is nothing that a metric can have.
    """
    return [_value(value, kind) for value in values]


def _value(value: Any, kind: Kind) -> Value:
    if value is None:
        return math.nan
    if kind == "number" and value in ("Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    if isinstance(value, int) and not -INT64 <= value < INT64:
        return _float(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{value!r} is no value of a metric")


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number is too large") from None
