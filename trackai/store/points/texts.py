"""Printed output: series of texts, read by line and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.store.points import reads
from trackai.structs.records import LogLine, LogPage
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment


async def read(
    conn: Connection, segments: Sequence[Segment], *, search: str | None, limit: int, offset: int
) -> LogPage:
    """Read a page of lines in order of step.

    Lines are numbered from 0 over the whole series, also those that a search returns.

    Args:
        search: only lines that contain this text, ignoring case.
    """
    on_steps = segments[0].series.axis == "step"
    if search:
        rows, total = await _search(conn, segments, search, limit, offset)
    else:
        points = await reads.read(conn, segments, limit=limit, offset=offset)
        total = await reads.count(conn, segments)
        rows = [(number, *point) for number, point in enumerate(points, offset)]
    lines = [
        LogLine(number, step if on_steps else None, utc(time), "NaN" if text is None else str(text))
        for number, step, time, text in rows
    ]
    return LogPage(lines, total)


async def _search(
    conn: Connection, segments: Sequence[Segment], search: str, limit: int, offset: int
) -> tuple[list[Any], int]:
    points, values = reads.select(segments, f"step, timestamp, {reads.VALUES}, writer_id")
    matches = f"""
        WITH numbered AS (
            SELECT
                ROW_NUMBER() OVER (ORDER BY {reads.ORDER}) - 1 AS number,
                step, timestamp, value
            FROM ({points})
        )
        SELECT %s FROM numbered WHERE instr(casefold(CAST(value AS TEXT)), ?)
    """
    parameters = (*values, search.casefold())
    rows = await conn.execute_fetchall(
        f"{matches % 'number, step, timestamp, value'} ORDER BY number LIMIT ? OFFSET ?",
        (*parameters, limit, offset),
    )
    totals = await conn.execute_fetchall(matches % "COUNT(*)", parameters)
    return list(rows), next(int(total) for (total,) in totals)
