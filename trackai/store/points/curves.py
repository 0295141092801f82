"""Whole series, column by column, for data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.store.points import lineage, reads
from trackai.values.non_finite import python_value
from trackai.values.types import Axis, Step, StoredValue, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment


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
    points, parameters = reads.select(
        segments, f"step, timestamp, {reads.VALUES}, writer_id",
        step_min=step_min, step_max=step_max,
    )  # fmt: skip
    steps: list[Step] = []
    timestamps: list[int] = []
    values: list[StoredValue] = []
    add_step, add_timestamp, add_value = steps.append, timestamps.append, values.append

    def add(cursor: object, row: tuple[Step, int, StoredValue]) -> None:
        step, timestamp, value = row
        add_step(step)
        add_timestamp(timestamp)
        add_value(value)

    statement: Any = conn.execute(
        f"SELECT step, timestamp, value FROM ({points}) ORDER BY {reads.ORDER} LIMIT ?",
        (*parameters, limit),
    )
    async with statement as cursor:
        # Each row is split while it is in the processor's cache, and freed before the next one is
        # made. Splitting a list of all rows takes twice as long.
        cursor.row_factory = add
        await cursor.fetchall()
    # Of segments that differ in kind, booleans are read as numbers.
    kind = lineage.as_one(segments).kind
    axis = segments[0].series.axis
    if all(part.kind == "number" and part.points == part.finite_points for part, _ in segments):
        return Columns(axis, steps, timestamps, values)  # type: ignore[arg-type]
    return Columns(axis, steps, timestamps, [python_value(value, kind) for value in values])
