"""The messages between the process that stores an import and those that read the export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.importers.counts import Counts
from trackai.importers.neptune.layout import Problem
from trackai.values.types import Axis, Step

if TYPE_CHECKING:
    from trackai.store.points.figures import Figures

# Reasons that the table `imports` holds: earlier imports are recognised by them, so they must not
# change. The second is the start of a reason, before the name of a column that is missing or
# cannot be read.
DAMAGED = "the file is damaged"
COLUMN = "the column "


class Points(msgspec.Struct):
    """Points of several series, sorted by series, step and time.

    Attributes:
        type: their attribute type in the export.
        rank: the number of earlier points with the same series, step and time; it is the same
            for all these points.
        paths: the path of each series.
        bounds: the position of the first point of each series, and the number of points.
        steps: on the time axis, the timestamps.
        timestamps: microseconds since the epoch.
        values: with `steps` and `timestamps`, a NumPy array or a list.
        figures: the figures of each series.
        own_steps: on the time axis, the steps in the export.
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
        """Convert all arrays to lists of Python numbers."""
        for name in ("steps", "timestamps", "values", "own_steps"):
            column = getattr(self, name)
            if column is not None and not isinstance(column, list):
                setattr(self, name, column.tolist())


class Param(msgspec.Struct, frozen=True):
    """A parameter.

    Attributes:
        json: its value as JSON.
        stored_type: its type, if JSON has none for it.
    """

    type: str
    path: str
    json: str
    stored_type: str | None


class FileRow(msgspec.Struct, frozen=True):
    """A file, file series, file set or artifact.

    Attributes:
        source: the path in the export.
    """

    type: str
    path: str
    step: Step | None
    timestamp: int | None
    source: str


class Batch(msgspec.Struct):
    """The rows of a part from `start` up to, but not including, `end`.

    Attributes:
        counts: by type, rows that were read, have no value or cannot be stored. Stored rows are
            counted when they are stored.
        problems: rows that cannot be stored, for the receipt.
    """

    start: int
    end: int
    points: list[Points]
    params: list[Param]
    files: list[FileRow]
    counts: dict[str, Counts]
    problems: list[str]

    def counts_of(self, type_: str) -> Counts:
        """Return the counts of a type, which may be changed."""
        return self.counts.setdefault(type_, Counts())


class Header(msgspec.Struct, frozen=True):
    """The project and run that a part belongs to.

    Attributes:
        project: Neptune's project id.
        run: Neptune's run id.
        rows: the number of rows.
        fingerprint: the SHA-256 of the file, in hex.
    """

    project: str
    run: str
    rows: int
    fingerprint: str


class Inspect(msgspec.Struct, frozen=True):
    """Requests the header of a part; the answer is one Header or Problem."""

    path: Path
    name: str


class Decode(msgspec.Struct, frozen=True):
    """Requests the rows of a part from `start` on; the answers are batches."""

    path: Path
    header: Header
    start: int = 0


Request = Inspect | Decode
Answer = Header | Problem | Batch
