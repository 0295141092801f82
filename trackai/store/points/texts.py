"""Printed output: series of texts, read by line and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.points import reads
from trackai.store.points.storage import points_of
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
        rows, total = await points_of(conn).search(conn, segments, search, limit, offset)
    else:
        points = await reads.read(conn, segments, limit=limit, offset=offset)
        total = await reads.count(conn, segments)
        rows = [(number, *point) for number, point in enumerate(points, offset)]
    lines = [
        LogLine(number, step if on_steps else None, utc(time), "NaN" if text is None else str(text))
        for number, step, time, text in rows
    ]
    return LogPage(lines, total)
