"""The step that a run had reached at a time, for what is logged without steps, such as output."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.points.series import COLUMNS, Series
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step


class _Metric(NamedTuple):
    """A metric with steps, and when its first and last point were logged."""

    first_timestamp: int
    last_timestamp: int
    series: Series


async def steps_at(conn: Connection, run_id: int, times: Sequence[int]) -> list[Step | None]:
    """Find the latest step that a run had logged at each time.

    Args:
        times: microseconds since the epoch, rising.

    Returns:
        None where no step was logged yet, in the attempt that ran at that time.
    """
    metrics = await _metrics(conn, run_id)
    starts = await _starts(conn, run_id)

    def place(time: int) -> tuple[_Metric, int | None] | None:
        metric = _metric_at(metrics, time)
        if metric is None:
            return None
        if not metric.series.resumed:  # no other attempt has points at these steps
            return metric, None
        return metric, max((number for number, start in starts if start <= time), default=1)

    steps: list[Step | None] = []
    for metric_of_attempt, group in groupby(times, place):
        same = list(group)
        if metric_of_attempt is None:
            steps += [None] * len(same)
        else:
            metric, attempt = metric_of_attempt
            steps += await points_of(conn).steps_at(conn, metric.series, attempt, same)
    return steps


def _metric_at(metrics: Sequence[_Metric], time: int) -> _Metric | None:
    """The metric that was logged at a time; of several, the first, which has most points."""
    begun = [metric for metric in metrics if metric.first_timestamp <= time]
    current = [metric for metric in begun if time <= metric.last_timestamp]
    if current:
        return current[0]
    return max(begun, key=lambda metric: metric.last_timestamp, default=None)


async def _metrics(conn: Connection, run_id: int) -> list[_Metric]:
    rows = await conn.execute_fetchall(
        f"""
        SELECT first_timestamp, last_timestamp, {COLUMNS}
        FROM series
        WHERE run_id = ? AND axis = 'step' AND kind IN ('number', 'bool') AND points > 0
        ORDER BY points DESC, id
        """,
        (run_id,),
    )
    return [_Metric(begin, end, Series(*fields)) for begin, end, *fields in rows]


async def _starts(conn: Connection, run_id: int) -> list[tuple[int, int]]:
    """The attempts of a run, and when each started."""
    rows = await conn.execute_fetchall(
        "SELECT attempt, min(started_at) FROM writers WHERE run_id = ? GROUP BY attempt", (run_id,)
    )
    return [(attempt, start) for attempt, start in rows]
