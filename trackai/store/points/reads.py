"""Points of a series with what it inherits, in order of step.

A query for several segments has one part for each, joined by UNION ALL: each part comes in order
from the clustered rows, and SQLite merges them without sorting.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trackai.store.engine.sql import VALUE, json_array
from trackai.store.points.series import visible
from trackai.values.types import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.attempts import Attempt
    from trackai.store.points.lineage import Segment
    from trackai.store.points.series import Series
    from trackai.structs.points import CurveRow, PointRow

_PAGE = 20_000
# The order of points wherever they are read.
ORDER = "step, timestamp, writer_id"
# The values of points, as a column of a query on `metrics`.
VALUES = f"{VALUE} AS value"
# A reader's position: the step and time of its last point, and how many points with just these it
# has read.
Position = tuple[Step, int, int]


def select(
    segments: Sequence[Segment],
    columns: str,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    after: Position | None = None,
) -> tuple[str, list[Step]]:
    """Build the query for points of segments; it has no ORDER BY yet.

    Args:
        columns: columns of `metrics`, or VALUES for the values. A compound SELECT can only be
            ordered by columns that it returns.
        after: omit the points before this step and time.

    Returns:
        The SQL text and its parameters.
    """
    cursor, cursor_values = "", list[Step]()
    if after is not None:
        # SQLite looks rows up by `step` alone, so this is its lower bound, too.
        step_min = after[0]
        cursor, cursor_values = "AND (step, timestamp) >= (?, ?)", list(after[:2])
    lowest = -math.inf if step_min is None else step_min
    highest = math.inf if step_max is None else step_max
    parts: list[str] = []
    values: list[Step] = []
    for series, until in segments:
        condition, attempt_values = _condition(series, attempt)
        parts.append(
            f"""
            SELECT {columns} FROM metrics
            WHERE series_id = ? AND step BETWEEN ? AND ? {cursor} AND {condition}
            """
        )
        values += [series.id, lowest, highest if until is None else min(highest, until)]
        values += cursor_values
        values += attempt_values
    return " UNION ALL ".join(parts), values


def _condition(series: Series, attempt: Attempt) -> tuple[str, list[int]]:
    if isinstance(attempt, int):
        return "writer_id IN (SELECT id FROM writers WHERE attempt = ?)", [attempt]
    return "TRUE" if attempt == "all" else visible(series.resumed), []


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    after: Position | None = None,
    limit: int,
    offset: int = 0,
) -> list[PointRow]:
    """Read points in order of step.

    Args:
        attempt: an attempt's number reads only points of the run itself, none that it inherits.
        after: resume after this position without scanning up to it; `offset` is ignored.
        limit: the largest number of points; -1 for all.
    """
    if isinstance(attempt, int):
        segments = [segment for segment in segments if segment.until is None]
    if not segments:
        return []
    columns = _point_columns(segments)
    query, values = select(
        segments, columns, step_min=step_min, step_max=step_max, attempt=attempt, after=after
    )
    if after is not None:
        offset = after[2]
    rows: Any = await conn.execute_fetchall(
        f"{query} ORDER BY {ORDER} LIMIT ? OFFSET ?", (*values, limit, offset)
    )
    return _point_rows(segments, rows)


def next_position(rows: Sequence[PointRow], position: Position | None) -> Position:
    """The reader's position after these rows, given its previous position."""
    step, time, _ = rows[-1]
    count = 0
    for row_step, row_time, _ in reversed(rows):
        if (row_step, row_time) != (step, time):
            break
        count += 1
    if count == len(rows) and position is not None and position[:2] == (step, time):
        count += position[2]
    return step, time, count


async def pages(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step,
    step_max: Step,
    stored: bool = False,
) -> AsyncIterator[list[PointRow]]:
    """Read all points page by page, in order of step; the connection must be in a transaction.

    Args:
        stored: read the values as they are in `metrics`, where large ones have a marker.
    """
    columns = _point_columns(segments, "value" if stored else VALUES)
    query, values = select(segments, columns, step_min=step_min, step_max=step_max)
    async with conn.execute(f"{query} ORDER BY {ORDER}", values) as cursor:
        while rows := await cursor.fetchmany(_PAGE):
            yield _point_rows(segments, rows)


def _point_columns(segments: Sequence[Segment], values: str = VALUES) -> str:
    # What a single SELECT is ordered by need not be fetched.
    return f"step, timestamp, {values} {'' if len(segments) == 1 else ', writer_id'}"


def _point_rows(segments: Sequence[Segment], rows: Any) -> list[PointRow]:
    if len(segments) == 1:
        return rows  # type: ignore[no-any-return]
    return [(step, timestamp, value) for step, timestamp, value, _ in rows]


async def read_many(conn: Connection, many: Sequence[Sequence[Segment]]) -> list[list[CurveRow]]:
    """Read all points of several series, each with what it inherits, without their times.

    The connection must be in a transaction.
    """
    alone = [segments[0].series for segments in many if _is_alone(segments)]
    rows = await _read_alone(conn, alone)
    return [
        rows[segments[0].series.id]
        if _is_alone(segments)
        else [(step, value) for step, _, value in await read(conn, segments, limit=-1)]
        for segments in many
    ]


def _is_alone(segments: Sequence[Segment]) -> bool:
    # The only segment of a fork may be the beginning of its parent's series.
    return len(segments) == 1 and segments[0].until is None


async def _read_alone(conn: Connection, many: Sequence[Series]) -> dict[int, list[CurveRow]]:
    """Read all points of series that inherit nothing, by row id, with two statements."""
    points: dict[int, list[CurveRow]] = {series.id: [] for series in many}
    for resumed in (0, 1):
        ids = [series.id for series in many if bool(series.resumed) == bool(resumed)]
        if not ids:
            continue
        condition = f"series_id IN (SELECT value FROM json_each(?)) AND {visible(resumed)}"
        sizes = await conn.execute_fetchall(
            f"SELECT series_id, COUNT(*) FROM metrics WHERE {condition} GROUP BY series_id",
            (json_array(ids),),
        )
        # A further column would cost a tenth of the whole query, so the sizes tell which rows
        # belong to which series.
        rows: Any = await conn.execute_fetchall(
            f"""
            SELECT step, {VALUES} FROM metrics WHERE {condition}
            ORDER BY series_id, {ORDER}
            """,
            (json_array(ids),),
        )
        start = 0
        for series_id, size in sizes:
            points[series_id] = rows[start : start + size]
            start += size
    return points


async def count(conn: Connection, segments: Sequence[Segment]) -> int:
    """Count the points of a series with what it inherits."""
    total = sum(series.points for series, until in segments if until is None)
    for series, until in segments:
        if until is not None:
            rows = await conn.execute_fetchall(
                f"""
                SELECT COUNT(*) FROM metrics
                WHERE series_id = ? AND step <= ? AND {visible(series.resumed)}
                """,
                (series.id, until),
            )
            total += sum(number for (number,) in rows)
    return total


async def count_up_to(
    conn: Connection, segments: Sequence[Segment], limit: int, *, step_min: Step, step_max: Step
) -> int | None:
    """Count stored points between two steps, superseded ones included; None if over `limit`."""
    total = 0
    for series, until in segments:
        rows = await conn.execute_fetchall(
            """
            SELECT COUNT(*) FROM (
                SELECT 1 FROM metrics WHERE series_id = ? AND step BETWEEN ? AND ? LIMIT ?
            )
            """,
            (
                series.id,
                step_min,
                step_max if until is None else min(step_max, until),
                limit - total + 1,
            ),
        )
        total += sum(number for (number,) in rows)
        if total > limit:
            return None
    return total
