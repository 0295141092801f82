"""Runs as a sequence of records, for copying them to another store, directly or through a file.

A run is a `RunHead` followed by any number of `Block`s, `Rewind`s, `FileHead`s and `ArtifactHead`s.
The records keep the `uid`s, so loading a run twice changes nothing. In a file, the bytes of a
`FileHead` or an `ArtifactHead` precede it, as `Chunk`s.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from trackai.structs.records import ArtifactFile  # noqa: TC001 - for msgspec
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

AttemptNumber: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=INT64 - 1)]


class ImportHead(msgspec.Struct, kw_only=True):
    """How much of a part of an export is imported; `counts` is JSON."""

    part: str
    fingerprint: str
    consumed: Integer
    complete: bool
    counts: str


class RunHead(msgspec.Struct, kw_only=True, tag="run"):
    """A run without its points; times are microseconds since the epoch.

    Attributes:
        config_types: the types of those configuration values for which JSON has none.
        environment: facts about where the run ran, flat, by attempt.
        imports: the parts of exports that the run was imported from.
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
    archived_at: Microseconds | None = None
    trashed_at: Microseconds | None = None
    fork_uid: str | None = None
    fork_step: BoundedStep | None = None
    tags: list[str] = []
    config: dict[str, Any] = {}
    config_types: dict[str, str] = {}
    environment: dict[AttemptNumber, dict[str, Any]] = {}
    imports: list[ImportHead] = []


class WriterHead(msgspec.Struct, kw_only=True):
    """The process that logged the points of a block.

    Attributes:
        part: the part of an export that the points were imported from; None if they were logged.
    """

    uid: str
    attempt: AttemptNumber = 1
    rank: Integer = 0
    host: str = ""
    pid: Integer = 0
    started_at: Microseconds = 0
    state: State | None = None
    first_step: BoundedStep | None = None
    ended_at: Microseconds | None = None
    part: str | None = None


class Block(msgspec.Struct, kw_only=True, tag="points"):
    """Points of one series by one writer, as lists of equal length.

    In JSON, NaN is null, the infinities are "Infinity" and "-Infinity", and a text in a series of
    numbers is {"text": ...}.

    Attributes:
        own_steps: the steps that the points of a system metric had where it was imported from,
            null without any.
        has_times: false if the times are only those of the files: a stored point with the same
            step and value is the same point, whatever its time. The steps of a writer differ.
        follows_start: true if the times only count from `started_at` of the writer. A stored
            writer keeps its start, so that the same points have the same times.
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
    has_times: bool = True
    follows_start: bool = False


class Rewind(msgspec.Struct, kw_only=True, tag="rewind"):
    """Supersedes the points of earlier attempts from a step on.

    It follows those points. A resumed run that logs a metric again needs none: the first step that
    an attempt logs to a series supersedes the earlier points of that series.

    Attributes:
        writer: one of the attempt whose points count from this step on.
        metric: the series on the axis of steps; None for all of them.
    """

    run_uid: str
    writer: WriterHead
    step: BoundedStep
    metric: str | None = None


class FileHead(msgspec.Struct, kw_only=True, tag="file"):
    """A file of a run; without a hash, its bytes are not stored."""

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


class ArtifactHead(msgspec.Struct, kw_only=True, tag="artifact"):
    """A version of an artifact that a run has logged or used.

    Attributes:
        project: the name of the project of the artifact.
        artifact_type: "" for an artifact without a type.
        digest: of the contents; a version is recognised by it.
        timestamp: when this run logged or used it.
        logged_at: when it was logged last by any run.
        files: empty for a version that the run has used.
    """

    run_uid: str
    role: Literal["logged", "used"] = "logged"
    project: str
    artifact_type: str = ""
    name: str
    version: Annotated[int, msgspec.Meta(ge=0, le=INT64 - 2)]
    digest: str
    timestamp: Microseconds
    created_at: Microseconds
    logged_at: Microseconds
    description: str | None = None
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    aliases: list[str] = []
    files: list[ArtifactFile] = []

    def file_heads(self) -> list[FileHead]:
        """The files that are kept here, to find their bytes by."""
        return [
            FileHead(
                run_uid=self.run_uid, writer=WriterHead(uid=""), path=self.name, kind="artifact",
                name=file.name, size=file.size, sha256=file.sha256,
            )
            for file in self.files
            if file.sha256 is not None
        ]  # fmt: skip


class Chunk(msgspec.Struct, kw_only=True, tag="bytes"):
    """A part of the bytes with this hash, in order; Base64 in JSON."""

    sha256: str
    data: bytes


class NumberedFile(msgspec.Struct, kw_only=True, tag="numbered_file"):
    """A file whose bytes are stored, or that has none, then without a size and a hash.

    Files are repeated if they have the same run, writer, names, step, time and source, and the
    same bytes or none.

    Attributes:
        earlier: how many such files came before it in the import.
        without_bytes: how many such files without bytes came before it.
    """

    head: FileHead
    earlier: Integer = 0
    without_bytes: Integer = 0

    @property
    def run_uid(self) -> str:
        """The run."""
        return self.head.run_uid


class RunEnd(msgspec.Struct, kw_only=True, tag="end"):
    """The end of a run: its head with the state, configuration, tags and environment."""

    head: RunHead

    @property
    def run_uid(self) -> str:
        """The run."""
        return self.head.uid


Item: TypeAlias = RunHead | Block | FileHead | ArtifactHead | Rewind


def to_json(values: list[Value], kind: Kind) -> list[Any]:
    """Convert the values of a block to JSON values."""
    if kind != "number":
        return list(values)
    return [_json_value(value) for value in values]


def _json_value(value: Value) -> Any:
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, float) and not math.isfinite(value):
        return None if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def from_json(values: list[Any], kind: Kind) -> list[Value]:
    """Convert JSON values to the values of a block.

    Raises:
        ValueError: one of them cannot be the value of a metric.
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
    raise ValueError(f"values: must be numbers, booleans or text, got {value!r}")


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("values: an integer is too large for a float") from None
