"""What is asked of the points of series, whichever tables hold them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from trackai.values.types import INT64, Step

if TYPE_CHECKING:
    from trackai.structs.points import Column
    from trackai.values.types import Axis

FARTHEST = sys.float_info.max
# Which points of a resumed run to read: those that are not superseded, all of them, or those that
# one attempt logged.
Attempt: TypeAlias = Literal["latest", "all"] | int
# A reader's position: the step and time of its last point, and how many points with just these it
# has read.
Position = tuple[Step, int, int]
# New points of one series, each column with the row id of its writer.
Columns: TypeAlias = "list[tuple[int, Column]]"
# Points of a kind, of which the first is looked for.
Target = Literal["nan", "inf", "min", "max"]


class NewPoints(NamedTuple):
    """Points to store.

    Attributes:
        columns: the points, in order of writer.
        has_texts: False if all values are finite numbers.
    """

    series_id: int
    axis: Axis
    columns: Columns
    has_texts: bool


class Selection(NamedTuple):
    """The points of a series between two steps, to be put into buckets of a level."""

    series_id: int
    level: int
    low: Step
    high: Step


class Batch(NamedTuple):
    """The points of one writer, series and batch: the ranges of their steps and times."""

    series_id: int
    writer_id: int
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int


def bound(step: Step) -> Step:
    """The nearest step that SQLite can compare with: integers have 64 bits there."""
    if isinstance(step, int) and not -INT64 <= step < INT64:
        return max(-FARTHEST, min(FARTHEST, float(step)))
    return step
