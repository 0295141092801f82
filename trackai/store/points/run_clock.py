"""The step that a run had reached at a time, for what is logged without steps, such as output."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.points import reads
from trackai.store.points.lineage import Segment
from trackai.store.points.series import COLUMNS, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.queries import Attempt
    from trackai.values.types import Step

# Points of a probe. Lines are often printed so closely that the next one is among them.
_PLACES = 32
# Steps are mostly even in time, so a guess between two points is near. A search is bounded, for
# metrics where they are not.
_MAX_PROBES = 80


class _Metric(NamedTuple):
    """A metric with steps, and the times of its first and last point."""

    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int
    series: Series


class _Place(NamedTuple):
    """A point of a metric."""

    step: Step
    timestamp: int


async def steps_at(conn: Connection, run_id: int, times: Sequence[int]) -> list[Step | None]:
    """Find the latest step that a run had logged at each time.

    Args:
        times: microseconds since the epoch, rising.

    Returns:
        None where no step was logged yet, in the attempt that ran at that time.
    """
    metrics = await _metrics(conn, run_id)
    starts = await _starts(conn, run_id)
    steps: list[Step | None] = []
    last: tuple[_Metric, int, _Place] | None = None
    for time in times:
        metric = _metric_at(metrics, time)
        if metric is None:
            steps.append(None)
            continue
        attempt = max((number for number, start in starts if start <= time), default=1)
        known = None
        if last is not None and last[0] is metric and last[1] == attempt:
            known = last[2]  # times rise, so the search goes on from there
        place = await _search(conn, metric, attempt, time, known)
        steps.append(None if place is None else place.step)
        last = None if place is None else (metric, attempt, place)
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
        SELECT first_step, last_step, first_timestamp, last_timestamp, {COLUMNS}
        FROM series
        WHERE run_id = ? AND axis = 'step' AND kind IN ('number', 'bool') AND points > 0
        ORDER BY points DESC, id
        """,
        (run_id,),
    )
    return [
        _Metric(first, last, begin, end, Series(*fields))
        for first, last, begin, end, *fields in rows
    ]


async def _starts(conn: Connection, run_id: int) -> list[tuple[int, int]]:
    """The attempts of a run, and when each started."""
    rows = await conn.execute_fetchall(
        "SELECT attempt, min(started_at) FROM writers WHERE run_id = ? GROUP BY attempt", (run_id,)
    )
    return [(attempt, start) for attempt, start in rows]


async def _search(
    conn: Connection, metric: _Metric, attempt: int, time: int, known: _Place | None
) -> _Place | None:
    """Find the last point of an attempt that is not later than `time`.

    Points of one attempt are in order of time as well as of steps. Each probe reads a few of them.
    """
    is_resumed = bool(metric.series.resumed)
    if not is_resumed and metric.last_timestamp <= time:
        return _Place(metric.last_step, metric.last_timestamp)
    # An attempt may have superseded points above the last step, so its end is not known.
    high = None if is_resumed else _Place(metric.last_step, metric.last_timestamp)
    low, step, width = known, metric.first_step if known is None else known.step, 1
    for probe in range(_MAX_PROBES):
        places = await _places_from(conn, metric.series, attempt if is_resumed else "latest", step)
        reached = list(takewhile(lambda place: place.timestamp <= time, places))
        if reached and (len(reached) < len(places) or len(places) < _PLACES):
            return reached[-1]
        if reached:
            low = reached[-1]
        elif low is None:
            return None
        else:
            high = places[0]._replace(step=step) if places else _Place(step, time + 1)
        if high is None:
            width *= 2
            step = low.step + width
        else:
            step = _between(low, high, time, halve=probe % 3 == 2)
            if not low.step < step < high.step:
                break
    return low


def _between(low: _Place, high: _Place, time: int, *, halve: bool) -> Step:
    """The step to look at next: in the middle, or where it is if steps are even in time."""
    share = 0.5 if halve else (time - low.timestamp) / max(high.timestamp - low.timestamp, 1)
    width = (high.step - low.step) * min(max(share, 0), 1)
    if isinstance(low.step, int) and isinstance(high.step, int):
        return low.step + min(max(int(width), 1), high.step - low.step - 1)
    return low.step + width


async def _places_from(
    conn: Connection, series: Series, attempt: Attempt, step: Step
) -> list[_Place]:
    """The first points from a step on."""
    rows = await reads.read(
        conn, [Segment(series, None)], step_min=step, attempt=attempt, limit=_PLACES
    )
    return [_Place(step, timestamp) for step, timestamp, _ in rows]
