"""What a run has printed: series of texts, read by lines, and searched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trackai.store.points import lineage
from trackai.store.points.series import visible
from trackai.structs.records import LogLine, LogPage
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection

    from trackai.store.points.lineage import Segment


async def read(
    conn: Connection, segments: Sequence[Segment], *, search: str | None, limit: int, offset: int
) -> LogPage:
    """A page of lines in order of step; with `search`, of those that hold it, whatever the case.

    Lines are numbered from 0 among all of the series, so that a hit can be found in its place.
    """
    on_steps = segments[0].series.axis == "step"
    if not search:
        rows: Any = await lineage.read(conn, segments, limit=limit, offset=offset)
        total = await lineage.count(conn, segments)
        found = [(offset + place, *row) for place, row in enumerate(rows)]
    else:
        found, total = await _find(conn, segments, search, limit, offset)
    lines = [
        LogLine(number, step if on_steps else None, utc(time), "NaN" if text is None else str(text))
        for number, step, time, text in found
    ]
    return LogPage(lines, total)


async def _find(
    conn: Connection, segments: Sequence[Segment], search: str, limit: int, offset: int
) -> tuple[list[Any], int]:
    parts = " UNION ALL ".join(
        f"""
        SELECT step, timestamp, value, writer_id FROM metrics
        WHERE series_id = ? AND step <= ? AND {visible(segment.series.resumed)}
        """
        for segment in segments
    )
    values: list[Any] = []
    for one, until in segments:
        values += [one.id, math.inf if until is None else until]
    matching = f"""
        WITH numbered AS (
            SELECT
                ROW_NUMBER() OVER (ORDER BY step, timestamp, writer_id) - 1 AS number,
                step, timestamp, value
            FROM ({parts})
        )
        SELECT %s FROM numbered WHERE instr(casefold(CAST(value AS TEXT)), ?)
    """
    values.append(search.casefold())
    rows = await conn.execute_fetchall(
        f"{matching % 'number, step, timestamp, value'} ORDER BY number LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    counted = await conn.execute_fetchall(matching % "COUNT(*)", values)
    return list(rows), next(int(number) for (number,) in counted)
