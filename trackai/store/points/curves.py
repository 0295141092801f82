"""Whole series, column by column: what data frames are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.points.series import visible
from trackai.values.non_finite import python_value
from trackai.values.types import Axis, Step, StoredValue, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection

    from trackai.store.points.lineage import Segment


class Columns(NamedTuple):
    """The points of a series, in order of step; the lists have one length."""

    axis: Axis
    steps: list[Step]
    timestamps: list[int]
    values: list[Value]


async def read(conn: Connection, segments: Sequence[Segment]) -> Columns:
    """All points of a series that are not superseded, with what it inherits."""
    parts = " UNION ALL ".join(
        f"""
        SELECT step, timestamp, value, writer_id FROM metrics
        WHERE series_id = ? AND step <= ? AND {visible(one.resumed)}
        """
        for one, _ in segments
    )
    bounds: list[Step] = []
    for one, until in segments:
        bounds += [one.id, math.inf if until is None else until]
    steps: list[Step] = []
    timestamps: list[int] = []
    values: list[StoredValue] = []
    add_step, add_timestamp, add_value = steps.append, timestamps.append, values.append

    def take(cursor: object, row: tuple[Step, int, StoredValue]) -> None:
        step, timestamp, value = row
        add_step(step)
        add_timestamp(timestamp)
        add_value(value)

    async with conn.execute(
        f"SELECT step, timestamp, value FROM ({parts}) ORDER BY step, timestamp, writer_id", bounds
    ) as cursor:
        # Each row is taken apart while the processor has it at hand, and is gone before the next
        # one comes: a list of all rows would take twice as long to turn into columns.
        cursor.row_factory = take  # type: ignore[assignment]
        await cursor.fetchall()
    one = segments[0].series
    if all(part.kind == "number" and part.points == part.finite_points for part, _ in segments):
        return Columns(one.axis, steps, timestamps, values)  # type: ignore[arg-type]
    return Columns(one.axis, steps, timestamps, [python_value(value, one.kind) for value in values])
