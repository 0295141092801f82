"""What a part holds, on its way from the process that reads it to the one that stores it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.importers.counts import Counts
from trackai.importers.neptune.layout import Problem
from trackai.values.types import Axis, Step

if TYPE_CHECKING:
    from trackai.store.points.figures import Figures

DAMAGED = "the file is damaged"
# How the reasons begin for which all values of a type in a part are lost.
COLUMN = "the column "


class Points(msgspec.Struct):
    """Points of several series, sorted by series, step and time.

    Attributes:
        type: the attribute type that they had.
        rank: points that share series, step and time have ranks 0, 1, 2 and so on.
        bounds: where each series begins, and where the last one ends.
        steps, timestamps, values: NumPy arrays or lists; timestamps are in microseconds.
        figures: those of each series.
        own_steps: of system metrics, whose `steps` are their timestamps.
    """

    type: str
    axis: Axis
    rank: int
    paths: list[str]
    bounds: list[int]
    steps: Any
    timestamps: Any
    values: Any
    figures: list[Figures]
    own_steps: Any = None

    def make_lists(self) -> None:
        """Turn what is an array into a list of Python numbers."""
        for name in ("steps", "timestamps", "values", "own_steps"):
            column = getattr(self, name)
            if column is not None and not isinstance(column, list):
                setattr(self, name, column.tolist())


class Param(msgspec.Struct, frozen=True):
    """A parameter: its value as JSON, and what JSON cannot say about it."""

    type: str
    path: str
    json: str
    stored_type: str | None


class FileRow(msgspec.Struct, frozen=True):
    """A file, file of a series, set of files or artifact; `source` as the export says it."""

    type: str
    path: str
    step: Step | None
    timestamp: int | None
    source: str


class Batch(msgspec.Struct):
    """The rows of a part from `start` up to `end`.

    `counts` has what was read, what says nothing and what cannot be stored; what is stored is
    counted by whoever does.
    """

    start: int
    end: int
    points: list[Points]
    params: list[Param]
    files: list[FileRow]
    counts: dict[str, Counts]
    problems: list[str]

    def of(self, type_: str) -> Counts:
        """The counts of a type."""
        return self.counts.setdefault(type_, Counts())


class Header(msgspec.Struct, frozen=True):
    """What a part says about itself: whose it is, how many rows it has, what its bytes are."""

    project: str
    run: str
    rows: int
    fingerprint: str


class Inspect(msgspec.Struct, frozen=True):
    """Ask for the header of a part; the answer is one Header or Problem."""

    path: Path
    name: str


class Decode(msgspec.Struct, frozen=True):
    """Ask for the rows of a part from `start` on; the answer are batches."""

    path: Path
    header: Header
    start: int = 0


Request = Inspect | Decode
Answer = Header | Problem | Batch
Answers = Sequence[Answer]
