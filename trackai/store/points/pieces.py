"""Points in PostgreSQL: packed into pieces, each of which is a row with many points.

Pieces of one series and writer do not overlap: sorted by their first points, they have all points
in order of step and time. Those of several writers may overlap, and are merged as they are read.
The columns `first_step` and `last_step` are floats, rounded so that all steps are between them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.downsampling import buckets
from trackai.store.points import piece_scan
from trackai.store.points.piece import rounded_down
from trackai.store.points.piece_buckets import compute, find_first, read_each
from trackai.store.points.piece_inserts import insert, insert_new, note_own_steps
from trackai.store.points.piece_scan import ALL, Scan, Window, Writers, chunks, cuts_of
from trackai.store.points.piece_transfer import (
    count_imported,
    dump,
    find_rewinds,
    keys_of_writer,
    read_imported,
    values_of_writer,
    wrong_figures,
)
from trackai.values.non_finite import shown_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.figures import Figures
    from trackai.store.points.lineage import Segment
    from trackai.store.points.piece_scan import Cuts
    from trackai.store.points.queries import Attempt, Batch, Position
    from trackai.store.points.series import Series
    from trackai.structs.points import CurveRow, PointRow
    from trackai.values.types import Step, StoredValue

__all__ = [
    "TABLES", "compute", "copy", "count_imported", "count_until", "count_up_to", "delete_imported",
    "dump", "find_first", "find_pauses", "find_rewinds", "first_steps", "insert", "insert_new",
    "keys_of_writer", "last_points", "last_time", "note_own_steps", "pages", "range_before", "read",
    "read_batches", "read_columns", "read_each", "read_imported", "read_many", "search", "spread",
    "step_after", "steps_at", "values_of_writer", "with_last_values", "wrong_figures",
]  # fmt: skip

TABLES = {"pieces": ("writer_id, last_step, id", 20)}
# Fewer points are not worth a query that finds out where to begin.
_LONG_OFFSET = 2000


def _windows(
    segments: Sequence[Segment], step_min: Step | None, step_max: Step | None
) -> list[Window]:
    low = -math.inf if step_min is None else step_min
    high = math.inf if step_max is None else step_max
    return [
        Window(series.id, low, high if until is None else min(high, until))
        for series, until in segments
    ]


async def _cuts(conn: Connection, many: Iterable[Series]) -> Cuts:
    return await cuts_of(conn, [series.id for series in many if series.resumed])


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None,
    step_max: Step | None,
    attempt: Attempt,
    after: Position | None,
    limit: int,
    offset: int,
) -> list[PointRow]:
    windows = _windows(segments, step_min if after is None else after[0], step_max)
    writers, cuts = ALL, {}
    if isinstance(attempt, int):
        writers = Writers("writers.attempt = ?", attempt)
    elif attempt == "latest":
        cuts = await _cuts(conn, (series for series, _ in segments))
    if offset > _LONG_OFFSET and after is None and writers == ALL and not cuts:
        windows, offset = await _skip(conn, windows, offset)
    rows: list[PointRow] = []
    end = math.inf if limit < 0 else offset + limit
    async for columns in chunks(conn, Scan(windows, writers, cuts), points=end):
        steps, timestamps, values = columns.steps, columns.timestamps, columns.values
        start = 0
        if after is not None:
            start = bisect_right(steps, after[0])
            while start and (steps[start - 1], timestamps[start - 1]) >= after[:2]:
                start -= 1
            after = None if start < len(steps) else after
        rows += list(zip(steps, timestamps, values, strict=True))[start:]
        if len(rows) >= end:
            break
    return rows[offset:] if limit < 0 else rows[offset : offset + limit]


async def _skip(conn: Connection, windows: list[Window], offset: int) -> tuple[list[Window], int]:
    """Where to begin instead of at an offset, and the rest of the offset.

    Pieces are only counted where all of the following ones begin later.
    """
    if len(windows) > 1 or windows[0].low > -math.inf:
        return windows, offset
    ((series_id, low, high, _),) = windows
    rows = await conn.execute_fetchall(
        """
        SELECT first_step, last_step, points FROM pieces WHERE series_id = ?
        ORDER BY first_step, last_step
        """,
        (series_id,),
    )
    skipped, total, highest = 0, 0, -math.inf
    for first, last, points in rows:
        if total > offset or first > high:
            break
        if first > highest:
            low, skipped = first, total
        highest = max(highest, last)
        total += points
    return [Window(series_id, low, high)], offset - skipped


async def pages(
    conn: Connection, segments: Sequence[Segment], *, step_min: Step, step_max: Step, stored: bool
) -> AsyncIterator[list[PointRow]]:
    cuts = await _cuts(conn, (series for series, _ in segments))
    async for columns in chunks(conn, Scan(_windows(segments, step_min, step_max), ALL, cuts)):
        yield list(zip(columns.steps, columns.timestamps, columns.values, strict=True))


async def read_columns(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None,
    step_max: Step | None,
    limit: int,
) -> tuple[list[Step], list[int], list[StoredValue]]:
    cuts = await _cuts(conn, (series for series, _ in segments))
    steps: list[Step] = []
    timestamps: list[int] = []
    values: list[StoredValue] = []
    scan = Scan(_windows(segments, step_min, step_max), ALL, cuts)
    async for columns in chunks(conn, scan, points=math.inf if limit < 0 else limit):
        steps += columns.steps
        timestamps += columns.timestamps
        values += columns.values
        if 0 <= limit <= len(steps):
            break
    if limit >= 0:
        del steps[limit:], timestamps[limit:], values[limit:]
    return steps, timestamps, values


async def copy(conn: Connection, segments: Sequence[Segment], **selection: Any) -> None:
    """Points have no images here."""


async def read_many(conn: Connection, many: Sequence[Series]) -> dict[int, list[CurveRow]]:
    cuts = await _cuts(conn, many)
    windows = [Window(series.id, -math.inf, math.inf) for series in many]
    points: dict[int, list[CurveRow]] = {series.id: [] for series in many}
    async for window, columns in piece_scan.each(conn, Scan(windows, ALL, cuts)):
        points[window.series_id] += zip(columns.steps, columns.values, strict=True)
    return points


async def steps_at(
    conn: Connection, series: Series, attempt: int | None, times: Sequence[int]
) -> list[Step | None]:
    rows = await conn.execute_fetchall(
        """
        SELECT pieces.first_timestamp, pieces.writer_id, pieces.first_step, pieces.last_step
        FROM pieces
        JOIN writers ON writers.id = pieces.writer_id
        WHERE pieces.series_id = ?1 AND (?2 = 0 OR writers.attempt = ?2)
          AND pieces.first_timestamp <= ?4
          AND pieces.last_timestamp >= coalesce((
              SELECT max(before.first_timestamp) FROM pieces AS before
              JOIN writers ON writers.id = before.writer_id
              WHERE before.series_id = ?1 AND (?2 = 0 OR writers.attempt = ?2)
                AND before.first_timestamp <= ?3
          ), ?3)
        ORDER BY pieces.first_timestamp
        """,
        (series.id, attempt or 0, times[0], times[-1]),
    )
    by_writer: dict[int, list[tuple[int, Window]]] = {}
    for begin, writer_id, low, high in rows:
        # They are floats, which integers beyond 2**53 may be next to.
        low, high = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
        window = Window(series.id, low, high, writer_id)
        by_writer.setdefault(writer_id, []).append((begin, window))
    # Of each writer, the piece that a time is in or behind.
    indexes: dict[Window, list[int]] = {}
    for windows in by_writer.values():
        begins = [begin for begin, _ in windows]
        for index, time in enumerate(times):
            before = bisect_right(begins, time)
            if before:
                indexes.setdefault(windows[before - 1][1], []).append(index)
    latest: list[tuple[int, Step] | None] = [None] * len(times)
    async for window, columns in piece_scan.each(conn, Scan(list(indexes), ALL, values=False)):
        for index in indexes[window]:
            at = bisect_right(columns.timestamps, times[index]) - 1
            place = (columns.timestamps[at], columns.steps[at]) if at >= 0 else None
            latest[index] = max(filter(None, (latest[index], place)), default=None)
    return [None if place is None else place[1] for place in latest]


async def count_until(conn: Connection, series: Series, until: Step) -> int:
    cuts = await _cuts(conn, [series])
    if cuts:
        scan = Scan([Window(series.id, -math.inf, until)], ALL, cuts, values=False)
        return sum([len(columns.steps) async for columns in chunks(conn, scan)])
    low = rounded_down(until)
    rows = await conn.execute_fetchall(
        """
        SELECT coalesce(sum(points), 0)::bigint FROM pieces WHERE series_id = ? AND last_step < ?
        """,
        (series.id, low),
    )
    total = sum(int(points) for (points,) in rows)
    parts = await piece_scan.parts(conn, Scan([Window(series.id, low, until)], ALL, values=False))
    return total + sum(bisect_right(part.points.steps, until) for part in parts)


async def count_up_to(conn: Connection, series_id: int, low: Step, high: Step, limit: int) -> int:
    total = 0
    scan = Scan([Window(series_id, low, high)], ALL, values=False)
    async for columns in chunks(conn, scan, points=limit):
        total += len(columns.steps)
        if total >= limit:
            return limit
    return total


async def search(
    conn: Connection, segments: Sequence[Segment], text: str, limit: int, offset: int
) -> tuple[list[Any], int]:
    cuts = await _cuts(conn, (series for series, _ in segments))
    searched = text.casefold()
    rows: list[Any] = []
    number = matches = 0
    async for columns in chunks(conn, Scan(_windows(segments, None, None), ALL, cuts)):
        for index, value in enumerate(columns.values):
            if value is not None and searched in shown_text(value).casefold():
                if offset <= matches and (limit < 0 or len(rows) < limit):
                    step, time = columns.steps[index], columns.timestamps[index]
                    rows.append((number + index, step, time, value))
                matches += 1
        number += len(columns.steps)
    return rows, matches


async def spread(
    conn: Connection, segments: Sequence[Segment], count: int
) -> tuple[list[PointRow], int]:
    cuts = await _cuts(conn, (series for series, _ in segments))
    scan = Scan(_windows(segments, None, None), ALL, cuts, values=False)
    # Values are long, so they are only read for the points that are returned.
    keys: list[tuple[Step, int]] = []
    async for columns in chunks(conn, scan):
        keys += zip(columns.steps, columns.timestamps, strict=True)
    total = len(keys)
    if not total:
        return [], 0
    selected = keys[:: max(1, (total + count - 2) // (count - 1))]
    if selected[-1] is not keys[-1]:
        selected.append(keys[-1])
    unread = Counter(selected)
    windows = [
        window
        for step, _ in dict.fromkeys(selected)
        for window in _windows(segments, step, step)
        if window.low <= window.high
    ]
    rows: list[PointRow] = []
    async for _, columns in piece_scan.each(conn, Scan(list(dict.fromkeys(windows)), ALL, cuts)):
        for row in zip(columns.steps, columns.timestamps, columns.values, strict=True):
            if unread[row[:2]]:
                unread[row[:2]] -= 1
                rows.append(row)
    return sorted(rows, key=itemgetter(0, 1)), total


async def read_batches(
    conn: Connection, batches: Sequence[tuple[Series, Batch]]
) -> list[list[PointRow]]:
    windows = [
        Window(series.id, batch.first_step, batch.last_step, batch.writer_id)
        for series, batch in batches
    ]
    scan = Scan(windows, ALL, await _cuts(conn, (series for series, _ in batches)))
    rows: dict[Window, list[PointRow]] = {window: [] for window in windows}
    async for window, columns in piece_scan.each(conn, scan._replace(windows=list(rows))):
        rows[window] += zip(columns.steps, columns.timestamps, columns.values, strict=True)
    return [
        [
            row for row in rows[window]
            if batch.first_timestamp <= row[1] <= batch.last_timestamp
        ]
        for window, (_, batch) in zip(windows, batches, strict=True)
    ]  # fmt: skip


async def range_before(
    conn: Connection, series_id: int, step: Step
) -> tuple[Step | None, Step | None]:
    window = Window(series_id, -math.inf, buckets.below(step))
    scan = Scan([window], ALL, values=False)
    async for columns in chunks(conn, scan, points=1):
        (tail,) = await piece_scan.tails(conn, scan, 1)
        return columns.steps[0], tail.steps[-1]
    return None, None


async def first_steps(conn: Connection, series_id: int, limit: int) -> list[Step]:
    steps: list[Step] = []
    scan = Scan([Window(series_id, -math.inf, math.inf)], ALL, values=False)
    async for columns in chunks(conn, scan, points=limit):
        steps += columns.steps
        if len(steps) >= limit:
            break
    return steps[:limit]


async def step_after(conn: Connection, series_id: int, low: Step, points: int) -> Step | None:
    scan = Scan([Window(series_id, low, math.inf)], ALL, values=False)
    async for columns in chunks(conn, scan, points=points + 1):
        if points < len(columns.steps):
            return columns.steps[points]
        points -= len(columns.steps)
    return None


async def last_points(
    conn: Connection, series: Iterable[Series], limit: int
) -> list[tuple[Series, list[PointRow]]]:
    many = list(series)
    windows = [Window(metric.id, -math.inf, math.inf) for metric in many]
    tails = await piece_scan.tails(conn, Scan(windows, ALL, await _cuts(conn, many)), limit)
    return [
        (metric, list(zip(tail.steps, tail.timestamps, tail.values, strict=True)))
        for metric, tail in zip(many, tails, strict=True)
    ]


async def last_time(conn: Connection, run_id: int, until: Step | None) -> int | None:
    if until is None:
        return None
    rows = await conn.execute_fetchall(
        "SELECT id FROM series WHERE run_id = ? AND axis = 'step'", (run_id,)
    )
    windows = [Window(series_id, -math.inf, until) for (series_id,) in rows]
    tails = await piece_scan.tails(conn, Scan(windows, ALL, values=False), 1)
    return max((tail.timestamps[-1] for tail in tails if tail.steps), default=None)


async def find_pauses(conn: Connection, run_id: int) -> list[tuple[int, int]]:
    resumed = await conn.execute_fetchall(
        """
        SELECT id, attempt, started_at FROM writers
        WHERE run_id = ? AND attempt > 1 AND resumed_after IS NULL
        """,
        (run_id,),
    )
    pauses = []
    for writer_id, attempt, started_at in resumed:
        began = await _last_time_before(conn, run_id, attempt, started_at)
        if began is not None:
            pauses.append((began, writer_id))
    return pauses


async def _last_time_before(conn: Connection, run_id: int, attempt: int, time: int) -> int | None:
    """The latest time of points of attempts before one, at most `time`."""
    rows = await conn.execute_fetchall(
        """
        SELECT
            CASE WHEN pieces.last_timestamp <= ?1 THEN pieces.last_timestamp END,
            CASE WHEN pieces.last_timestamp > ?1 THEN pieces.packed END
        FROM series
        JOIN writers ON writers.run_id = series.run_id AND writers.attempt < ?2
        JOIN pieces ON pieces.series_id = series.id AND pieces.writer_id = writers.id
        WHERE series.run_id = ?3 AND pieces.first_timestamp <= ?1
        """,
        (time, attempt, run_id),
    )
    return max(
        (
            latest if packed is None else piece_scan.latest_time(packed, time)
            for latest, packed in rows
        ),
        default=None,
    )


async def with_last_values(
    conn: Connection, additions: Iterable[tuple[int, Figures]]
) -> Iterable[tuple[int, Figures]]:
    additions = list(additions)
    return await piece_scan.with_last_values(conn, additions)


async def delete_imported(conn: Connection, run_id: int) -> None:
    await conn.execute(
        """
        DELETE FROM pieces USING series, writers
        WHERE series.run_id = ? AND pieces.series_id = series.id
          AND writers.id = pieces.writer_id AND writers.import_id IS NOT NULL
        """,
        (run_id,),
    )
