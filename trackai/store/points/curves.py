"""Whole series, column by column, for data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trackai.store.points import images, lineage, reads
from trackai.store.points.storage import points_of
from trackai.values.non_finite import python_value
from trackai.values.types import Axis, Step, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment
    from trackai.store.points.queries import Position
    from trackai.structs.points import PointImage


class Columns(NamedTuple):
    """The points of a series in order of step, as lists of equal length."""

    axis: Axis
    steps: list[Step]
    timestamps: list[int]
    values: list[Value]


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    limit: int = -1,
) -> Columns:
    """Read the points of a series, with what it inherits, that are not superseded.

    Args:
        limit: the largest number of points; -1 for all.
    """
    steps, timestamps, values = await points_of(conn).read_columns(
        conn, segments, step_min=step_min, step_max=step_max, limit=limit
    )
    # Of segments that differ in kind, booleans are read as numbers.
    kind = lineage.as_one(segments).kind
    axis = segments[0].series.axis
    if all(part.kind == "number" and part.points == part.finite_points for part, _ in segments):
        return Columns(axis, steps, timestamps, values)  # type: ignore[arg-type]
    return Columns(axis, steps, timestamps, [python_value(value, kind) for value in values])


async def read_images(conn: Connection, segments: Sequence[Segment]) -> list[PointImage] | None:
    """Read the points of a series as images; None if some are not numbers."""
    parts: list[PointImage] = []
    position: Position | None = None
    while True:
        copy = await reads.copy(conn, segments, after=position, limit=images.MOST)
        if copy is None:
            return None
        parts.append(copy.image)
        position = copy.position
        if copy.points < images.MOST:
            return parts
