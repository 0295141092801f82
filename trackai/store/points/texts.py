"""Printed output: series of texts, read by line and searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.points import reads, run_clock
from trackai.store.points.lineage import Segment
from trackai.store.points.storage import points_of
from trackai.structs.records import LogLine, LogPage
from trackai.values.non_finite import shown_text
from trackai.values.times import microseconds, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step, StoredValue


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
        LogLine(number, step if on_steps else None, utc(time), _line(value))
        for number, step, time, value in rows
    ]
    return LogPage(lines, total)


def _line(value: StoredValue) -> str:
    return "NaN" if value is None else shown_text(value)


async def last_line(conn: Connection, segments: Sequence[Segment], until: Step) -> int:
    """The number of the last line up to a step, or to a time of a log without steps; 0 at least."""
    limited = [
        Segment(series, until if end is None else min(until, end)) for series, end in segments
    ]
    return max(0, await reads.count(conn, limited) - 1)


async def add_steps(conn: Connection, run_id: int, page: LogPage) -> None:
    """Set the step that the run had reached at each line that has no step itself."""
    lines = [line for line in page.lines if line.step is None]
    lines.sort(key=lambda line: line.timestamp)
    times = [microseconds(line.timestamp) for line in lines]
    steps = await run_clock.steps_at(conn, run_id, times)
    for line, step in zip(lines, steps, strict=True):
        line.run_step = step
