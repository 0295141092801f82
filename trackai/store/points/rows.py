"""Points in SQLite: a row each in `metrics`, large values in `large_values`, own steps in
`system_steps`.

A query for several segments has one part for each, joined by UNION ALL: each part comes in order
from the clustered rows, and SQLite merges them without sorting.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from trackai.store.engine import direct
from trackai.store.engine.sql import VALUE, json_array
from trackai.store.points import images, time_search
from trackai.store.points.queries import bound
from trackai.store.points.row_buckets import compute, find_first, read_each
from trackai.store.points.row_inserts import insert, insert_new, note_own_steps
from trackai.store.points.row_transfer import (
    count_imported,
    dump,
    find_rewinds,
    keys_of_writer,
    read_imported,
    values_of_writer,
    wrong_figures,
)
from trackai.store.points.series import visible
from trackai.values.types import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.figures import Figures
    from trackai.store.points.images import Copied
    from trackai.store.points.lineage import Segment
    from trackai.store.points.queries import Attempt, Batch, Position
    from trackai.store.points.series import Series
    from trackai.structs.points import CurveRow, PointRow
    from trackai.values.types import StoredValue

__all__ = [
    "TABLES", "compute", "copy", "count_imported", "count_until", "count_up_to", "delete_imported",
    "dump", "find_first", "find_pauses", "find_rewinds", "first_steps", "insert", "insert_new",
    "keys_of_writer", "last_points", "last_time", "note_own_steps", "pages", "range_before", "read",
    "read_batches", "read_columns", "read_each", "read_imported", "read_many", "search", "spread",
    "step_after", "steps_at", "values_of_writer", "with_last_values", "wrong_figures",
]  # fmt: skip

_PAGE = 20_000
# The order of points wherever they are read.
_ORDER = "step, timestamp, writer_id"
# The values of points, as a column of a query on `metrics`.
_VALUES = f"{VALUE} AS value"
_OF_ATTEMPT = """
    (SELECT writers.attempt FROM writers WHERE writers.id = metrics.writer_id) = ?3
"""

# The tables of points, with their primary keys after `series_id`, and the smallest number of rows
# that one transaction deletes.
TABLES = {
    "metrics": ("step, timestamp, writer_id", 200),
    "large_values": ("step, timestamp, writer_id", 1),
    "system_steps": ("timestamp, writer_id", 200),
}


def _select(
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
        columns: columns of `metrics`, or _VALUES for the values. A compound SELECT can only be
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
    step_min: Step | None,
    step_max: Step | None,
    attempt: Attempt,
    after: Position | None,
    limit: int,
    offset: int,
) -> list[PointRow]:
    columns = _point_columns(segments)
    query, values = _select(
        segments, columns, step_min=step_min, step_max=step_max, attempt=attempt, after=after
    )
    rows: Any = await conn.execute_fetchall(
        f"{query} ORDER BY {_ORDER} LIMIT ? OFFSET ?", (*values, limit, offset)
    )
    return _point_rows(segments, rows)


async def pages(
    conn: Connection, segments: Sequence[Segment], *, step_min: Step, step_max: Step, stored: bool
) -> AsyncIterator[list[PointRow]]:
    columns = _point_columns(segments, "value" if stored else _VALUES)
    query, values = _select(segments, columns, step_min=step_min, step_max=step_max)
    async with conn.execute(f"{query} ORDER BY {_ORDER}", values) as cursor:
        while rows := await cursor.fetchmany(_PAGE):
            yield _point_rows(segments, rows)


def _point_columns(segments: Sequence[Segment], values: str = _VALUES) -> str:
    # What a single SELECT is ordered by need not be fetched.
    return f"step, timestamp, {values} {'' if len(segments) == 1 else ', writer_id'}"


def _point_rows(segments: Sequence[Segment], rows: Any) -> list[PointRow]:
    if len(segments) == 1:
        return rows  # type: ignore[no-any-return]
    return [(step, timestamp, value) for step, timestamp, value, _ in rows]


async def read_columns(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None,
    step_max: Step | None,
    limit: int,
) -> tuple[list[Step], list[int], list[StoredValue]]:
    points, parameters = _select(
        segments, f"step, timestamp, {_VALUES}, writer_id", step_min=step_min, step_max=step_max
    )
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
        f"SELECT step, timestamp, value FROM ({points}) ORDER BY {_ORDER} LIMIT ?",
        (*parameters, limit),
    )
    async with statement as cursor:
        # Each row is split while it is in the processor's cache, and freed before the next one is
        # made. Splitting a list of all rows takes twice as long.
        cursor.row_factory = add
        await cursor.fetchall()
    return steps, timestamps, values


async def copy(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None,
    step_max: Step | None,
    attempt: Attempt,
    after: Position | None,
    limit: int,
    offset: int,
) -> Copied | None:
    points, parameters = _select(
        segments, "step, timestamp, value, writer_id",
        step_min=step_min, step_max=step_max, attempt=attempt, after=after,
    )  # fmt: skip
    query = f"SELECT step, timestamp, value FROM ({points}) ORDER BY {_ORDER} LIMIT ? OFFSET ?"
    parameters += [limit, offset]
    return await direct.run(conn, partial(images.copy, query=query, parameters=parameters))


async def read_many(conn: Connection, many: Sequence[Series]) -> dict[int, list[CurveRow]]:
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
            SELECT step, {_VALUES} FROM metrics WHERE {condition}
            ORDER BY series_id, {_ORDER}
            """,
            (json_array(ids),),
        )
        start = 0
        for series_id, size in sizes:
            points[series_id] = rows[start : start + size]
            start += size
    return points


async def steps_at(
    conn: Connection, series: Series, attempt: int | None, times: Sequence[int]
) -> list[Step | None]:
    ends = await conn.execute_fetchall(
        "SELECT first_step, last_step, last_timestamp FROM series WHERE id = ?", (series.id,)
    )
    ((first_step, last_step, last_timestamp),) = ends
    # An attempt may have superseded points above the last step.
    last = time_search.Place(last_step, last_timestamp) if attempt is None else None
    query = f"""
        SELECT step, timestamp FROM metrics
        WHERE series_id = ?1 AND step >= ?2 AND {"TRUE" if attempt is None else _OF_ATTEMPT}
        ORDER BY {_ORDER} LIMIT {time_search.PLACES}
    """

    async def places_from(step: Step) -> list[time_search.Place]:
        values = (series.id, step) if attempt is None else (series.id, step, attempt)
        rows: Any = await conn.execute_fetchall(query, values)
        return [time_search.Place(*row) for row in rows]

    return await time_search.steps_at(places_from, first_step, last, times)


async def count_until(conn: Connection, series: Series, until: Step) -> int:
    rows = await conn.execute_fetchall(
        f"""
        SELECT COUNT(*) FROM metrics
        WHERE series_id = ? AND step <= ? AND {visible(series.resumed)}
        """,
        (series.id, until),
    )
    return sum(number for (number,) in rows)


async def count_up_to(conn: Connection, series_id: int, low: Step, high: Step, limit: int) -> int:
    rows = await conn.execute_fetchall(
        """
        SELECT COUNT(*) FROM (
            SELECT 1 FROM metrics WHERE series_id = ? AND step BETWEEN ? AND ? LIMIT ?
        )
        """,
        (series_id, low, high, limit),
    )
    return sum(number for (number,) in rows)


async def search(
    conn: Connection, segments: Sequence[Segment], text: str, limit: int, offset: int
) -> tuple[list[Any], int]:
    points, values = _select(segments, f"step, timestamp, {_VALUES}, writer_id")
    matches = f"""
        WITH numbered AS (
            SELECT
                ROW_NUMBER() OVER (ORDER BY {_ORDER}) - 1 AS number,
                step, timestamp, value
            FROM ({points})
        )
        SELECT %s FROM numbered WHERE instr(casefold(number_text(value)), ?)
    """
    parameters = (*values, text.casefold())
    rows = await conn.execute_fetchall(
        f"{matches % 'number, step, timestamp, value'} ORDER BY number LIMIT ? OFFSET ?",
        (*parameters, limit, offset),
    )
    totals = await conn.execute_fetchall(matches % "COUNT(*)", parameters)
    return list(rows), next(int(total) for (total,) in totals)


async def spread(
    conn: Connection, segments: Sequence[Segment], count: int
) -> tuple[list[PointRow], int]:
    points, values = _select(segments, "step, timestamp, writer_id")
    # Values are long, so they are only read for the points that are returned.
    rows = await conn.execute_fetchall(
        f"""
        WITH numbered AS (
            SELECT
                ROW_NUMBER() OVER (ORDER BY {_ORDER}) - 1 AS number,
                COUNT(*) OVER () AS total,
                step, timestamp, writer_id
            FROM ({points})
        )
        SELECT total, step, timestamp, (
            SELECT {VALUE} FROM metrics
            WHERE series_id IN (SELECT value FROM json_each(?))
              AND metrics.step = numbered.step AND metrics.timestamp = numbered.timestamp
              AND metrics.writer_id = numbered.writer_id
        )
        FROM numbered
        WHERE number % max(1, (total + ? - 2) / (? - 1)) = 0 OR number = total - 1
        ORDER BY number
        """,
        (*values, json_array(segment.series.id for segment in segments), count, count),
    )
    total = next((int(total) for total, *_ in rows), 0)
    return [(step, time, value) for _, step, time, value in rows], total


async def read_batches(
    conn: Connection, batches: Sequence[tuple[Series, Batch]]
) -> list[list[PointRow]]:
    return [await _read_batch(conn, series, batch) for series, batch in batches]


async def _read_batch(conn: Connection, series: Series, batch: Batch) -> list[PointRow]:
    return await conn.execute_fetchall(  # type: ignore[return-value]
        f"""
        SELECT step, timestamp, {VALUE} FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND timestamp BETWEEN ? AND ?
          AND writer_id = ? AND {visible(series.resumed)}
        ORDER BY step, timestamp
        """,
        (
            batch.series_id,
            batch.first_step,
            batch.last_step,
            batch.first_timestamp,
            batch.last_timestamp,
            batch.writer_id,
        ),
    )


async def range_before(
    conn: Connection, series_id: int, step: Step
) -> tuple[Step | None, Step | None]:
    rows = await conn.execute_fetchall(
        """
        SELECT
            (SELECT min(step) FROM metrics WHERE series_id = ?1 AND step < ?2),
            (SELECT max(step) FROM metrics WHERE series_id = ?1 AND step < ?2)
        """,
        (series_id, step),
    )
    return next((low, high) for low, high in rows)


async def first_steps(conn: Connection, series_id: int, limit: int) -> list[Step]:
    rows = await conn.execute_fetchall(
        "SELECT step FROM metrics WHERE series_id = ? ORDER BY step LIMIT ?", (series_id, limit)
    )
    return [step for (step,) in rows]


async def step_after(conn: Connection, series_id: int, low: Step, points: int) -> Step | None:
    rows = await conn.execute_fetchall(
        """
        SELECT step FROM metrics WHERE series_id = ? AND step >= ?
        ORDER BY step LIMIT 1 OFFSET ?
        """,
        (series_id, bound(low), points),
    )
    return next((step for (step,) in rows), None)


async def last_points(
    conn: Connection, series: Iterable[Series], limit: int
) -> list[tuple[Series, list[PointRow]]]:
    tails: list[tuple[Series, list[PointRow]]] = []
    for metric in series:
        rows = await conn.execute_fetchall(
            f"""
            SELECT step, timestamp, {VALUE} FROM metrics
            WHERE series_id = ? AND {visible(metric.resumed)}
            ORDER BY step DESC, timestamp DESC, writer_id DESC
            LIMIT ?
            """,
            (metric.id, limit),
        )
        tails.append((metric, list(rows)[::-1]))
    return tails


async def last_time(conn: Connection, run_id: int, until: Step | None) -> int | None:
    rows = await conn.execute_fetchall(
        """
        SELECT max((
            SELECT timestamp FROM metrics
            WHERE series_id = series.id AND step <= ?2
            ORDER BY step DESC, timestamp DESC
            LIMIT 1
        ))
        FROM series WHERE run_id = ?1 AND axis = 'step'
        """,
        (run_id, until),
    )
    return next((time for (time,) in rows), None)


async def find_pauses(conn: Connection, run_id: int) -> list[tuple[int, int]]:
    rows = await conn.execute_fetchall(
        """
        SELECT (
            SELECT max(timestamp) FROM series
            JOIN metrics ON metrics.series_id = series.id
            JOIN writers AS earlier ON earlier.id = metrics.writer_id
            WHERE series.run_id = writers.run_id
              AND earlier.attempt < writers.attempt
              AND timestamp <= writers.started_at
        ), id
        FROM writers
        WHERE run_id = ? AND attempt > 1 AND resumed_after IS NULL
        """,
        (run_id,),
    )
    return [(began, writer_id) for began, writer_id in rows if began is not None]


async def with_last_values(
    conn: Connection, additions: Iterable[tuple[int, Figures]]
) -> Iterable[tuple[int, Figures]]:
    # The statement that merges figures reads last values from `metrics` itself.
    return additions


async def delete_imported(conn: Connection, run_id: int) -> None:
    imported = "(SELECT id FROM writers WHERE run_id = ?1 AND import_id IS NOT NULL)"
    for table in TABLES:
        await conn.execute(
            f"""
            DELETE FROM {table}
            WHERE series_id IN (SELECT id FROM series WHERE run_id = ?1)
              AND writer_id IN {imported}
            """,
            (run_id,),
        )
