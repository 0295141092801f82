"""Points in SQLite: a row each in `metrics`, large values in `large_values`, own steps in
`system_steps`.

A query for several segments has one part for each, joined by UNION ALL: each part comes in order
from the clustered rows, and SQLite merges them without sorting.
"""

from __future__ import annotations

import math
import sqlite3
from functools import lru_cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.downsampling.buckets import Bucket
from trackai.errors import ConflictError
from trackai.store.engine import direct
from trackai.store.engine.bulk import execute_columns, numbered, placeholders
from trackai.store.engine.sql import VALUE, json_array
from trackai.store.points import duplicates, images, large_values, time_search
from trackai.store.points.queries import FARTHEST, bound
from trackai.store.points.series import NOT_SUPERSEDED, visible
from trackai.values.types import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from trackai.downsampling.buckets import Range
    from trackai.store.engine.connection import Connection
    from trackai.store.points.figures import Figures
    from trackai.store.points.images import Copied
    from trackai.store.points.large_values import LargeValue
    from trackai.store.points.lineage import Segment
    from trackai.store.points.queries import (
        Attempt,
        Batch,
        Columns,
        NewPoints,
        Position,
        Selection,
        Target,
    )
    from trackai.store.points.series import Series
    from trackai.structs.points import CurveRow, PointRow
    from trackai.values.types import Axis, StoredValue, Value

_ROWS_PER_STATEMENT = (1024, 256, 64, 16, 4, 1)
_PAGE = 20_000
# The order of points wherever they are read.
_ORDER = "step, timestamp, writer_id"
# The values of points, as a column of a query on `metrics`.
_VALUES = f"{VALUE} AS value"
_OF_ATTEMPT = """
    (SELECT writers.attempt FROM writers WHERE writers.id = metrics.writer_id) = ?3
"""
# A third faster than zip, which makes an iterator of each row.
_STEP, _VALUE, _TIME = map(itemgetter, range(3))

# The tables of points, with their primary keys after `series_id`, and the smallest number of rows
# that one transaction deletes.
TABLES = {
    "metrics": ("step, timestamp, writer_id", 200),
    "large_values": ("step, timestamp, writer_id", 1),
    "system_steps": ("timestamp, writer_id", 200),
}


async def insert(conn: Connection, new: Sequence[NewPoints]) -> list[Columns] | None:
    changes_before = conn.total_changes
    large = await _insert_points(conn, _insert, new)
    points = sum(len(column.steps) for item in new for _, column in item.columns)
    has_taken_keys = conn.total_changes - changes_before < points
    if large:
        await large_values.insert(conn, large)
    if not has_taken_keys:
        return None
    return [
        [
            (writer_id, await duplicates.move_apart(conn, item.series_id, writer_id, column))
            for writer_id, column in item.columns
        ]
        for item in new
    ]


async def insert_new(conn: Connection, new: Sequence[NewPoints]) -> None:
    try:
        large = await _insert_points(conn, _insert_new, new)
    except sqlite3.IntegrityError:
        raise ConflictError("points: some of them are stored already") from None
    if large:
        await large_values.insert(conn, large)
    await execute_columns(
        conn,
        _insert_steps,
        [
            (item.series_id, column.timestamps, writer_id, column.own_steps)
            for item in new
            for writer_id, column in item.columns
            if column.own_steps is not None
        ],
        width=4,
        sizes=_ROWS_PER_STATEMENT,
    )


async def note_own_steps(
    conn: Connection, series_id: int, writer_id: int, steps: Sequence[tuple[int, Step]]
) -> None:
    await conn.executemany(
        """
        INSERT INTO system_steps (series_id, timestamp, writer_id, step) VALUES (?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """,
        [(series_id, timestamp, writer_id, step) for timestamp, step in steps],
    )


async def _insert_points(
    conn: Connection, statement: Callable[[int], str], new: Sequence[NewPoints]
) -> list[LargeValue]:
    """Store points; returns the large values, which are stored after them."""
    blocks: list[tuple[Any, ...]] = []
    large: list[LargeValue] = []
    for series_id, _, columns, has_texts in new:
        writer_ids: int | list[int] = columns[0][0]
        if len(columns) > 1:
            # One block, even if many clients sent a point each.
            writer_ids = [writer_id for writer_id, column in columns for _ in column.steps]
        block = (series_id, *joined(columns), writer_ids)
        if has_texts:
            block, large_of_block = _set_apart(block)
            large += large_of_block
        blocks.append(block)
    await execute_columns(conn, statement, blocks, width=5, sizes=_ROWS_PER_STATEMENT)
    return large


def joined(columns: Columns) -> tuple[list[Step], list[int], list[Value]]:
    """The steps, timestamps and values of several columns."""
    if len(columns) == 1:
        _, column = columns[0]
        return column.steps, column.timestamps, column.values
    return (
        [step for _, column in columns for step in column.steps],
        [time for _, column in columns for time in column.timestamps],
        [value for _, column in columns for value in column.values],
    )


def _set_apart(block: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[LargeValue]]:
    """Replace the large values of a block by markers."""
    series_id, steps, times, values, writer_ids = block
    marked, positions = large_values.marked(values)
    if not positions:
        return block, []
    large = [
        (
            series_id, steps[at], times[at],
            writer_ids if isinstance(writer_ids, int) else writer_ids[at],
            values[at],
        )
        for at in positions
    ]  # fmt: skip
    return (series_id, steps, times, marked, writer_ids), large


@lru_cache
def _insert(rows: int) -> str:
    return f"{_insert_new(rows)} ON CONFLICT DO NOTHING"


@lru_cache
def _insert_new(rows: int) -> str:
    # A fifth faster than with a conflict clause.
    return f"""
        INSERT OR FAIL INTO metrics (series_id, step, timestamp, value, writer_id)
        VALUES {placeholders(rows, 5)}
    """


@lru_cache
def _insert_steps(rows: int) -> str:
    return f"""
        INSERT OR FAIL INTO system_steps (series_id, timestamp, writer_id, step)
        VALUES {placeholders(rows, 4)}
    """


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


async def compute(
    conn: Connection,
    selections: Sequence[Selection],
    *,
    resumed: int,
    plain: bool,
    times: bool,
) -> dict[int, dict[int, Bucket]]:
    computed: dict[int, dict[int, Bucket]] = {}
    query, values = _computation(selections, resumed=resumed, plain=plain, times=times)
    for series_id, number, *fields in await conn.execute_fetchall(query, values):
        computed.setdefault(series_id, {})[number] = Bucket(*fields)
    return computed


# Scaling by a power of two is exact. The cast rounds towards zero; the subtraction makes it a
# floor. SQLite shifts to the left by a negative number.
_NUMBER = """
    CASE typeof(step) WHEN 'integer' THEN step >> selected_level
    ELSE CAST(step * scale AS INTEGER) - (step < CAST(step * scale AS INTEGER) * width) END
"""
_PLAIN_FIGURES = """
    COUNT(*) AS finite_points, 0 AS nan_points, 0 AS infinite_points,
    min(value) AS min_value, max(value) AS max_value, total(value) AS sum
"""
_FINITE = "CASE WHEN value BETWEEN ?1 AND ?2 THEN value END"
_FIGURES = f"""
    COUNT({_FINITE}) AS finite_points,
    COUNT(*) - COUNT(value) AS nan_points,
    COUNT(CASE WHEN typeof(value) = 'real' AND value NOT BETWEEN ?1 AND ?2 THEN 1 END)
        AS infinite_points,
    min({_FINITE}) AS min_value, max({_FINITE}) AS max_value, total({_FINITE}) AS sum
"""


def _computation(
    selections: Sequence[Selection], *, resumed: int, plain: bool, times: bool
) -> tuple[str, list[Any]]:
    """The query of `compute` and its parameters."""
    values: list[Any] = [-FARTHEST, FARTHEST]
    for series_id, level, low, high in selections:
        values += [series_id, level, bound(low), bound(high), 2.0**-level, 2.0**level]
    query = f"""
        WITH selected (selected_id, selected_level, low, high, scale, width) AS (
            VALUES {numbered(len(selections), 6, after=2)}
        )
        SELECT
            *,
            (
                SELECT value FROM metrics
                WHERE series_id = bucket_series AND step = first_step AND {visible(resumed)}
                ORDER BY timestamp, writer_id LIMIT 1
            ) AS first_value,
            (
                SELECT value FROM metrics
                WHERE series_id = bucket_series AND step = last_step AND {visible(resumed)}
                ORDER BY timestamp DESC, writer_id DESC LIMIT 1
            ) AS last_value
        FROM (
            SELECT
                selected_id AS bucket_series,
                {_NUMBER} AS number,
                COUNT(*) AS points,
                {_PLAIN_FIGURES if plain else _FIGURES},
                min(step) AS first_step,
                max(step) AS last_step,
                {"min(timestamp)" if times else "0"} AS first_timestamp,
                {"max(timestamp)" if times else "0"} AS last_timestamp
            FROM selected CROSS JOIN metrics
            WHERE series_id = selected_id AND step BETWEEN low AND high AND {visible(resumed)}
            GROUP BY 1, 2
        )
    """
    return query, values


async def read_each(
    conn: Connection,
    selections: Sequence[Selection],
    use: Callable[[Selection, list[Step], list[Any], list[int] | None], None],
    *,
    resumed: int,
    times: bool,
) -> None:
    query = f"""
        SELECT step, value {", timestamp" if times else ""} FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {visible(resumed)}
        ORDER BY step, timestamp, writer_id
    """

    async def work(own: Connection) -> None:
        for selection in selections:
            series_id, _, low, high = selection
            rows: Any = await own.execute_fetchall(query, (series_id, bound(low), bound(high)))
            if not rows:
                continue
            # Each series is processed before the next one is read, while it is in the
            # processor's caches.
            steps = list(map(_STEP, rows))
            values = list(map(_VALUE, rows))
            use(selection, steps, values, list(map(_TIME, rows)) if times else None)

    await direct.run(conn, work)


_CONDITIONS: dict[Target, str] = {
    "nan": "value IS NULL",
    "inf": "value IN (9e999, -9e999)",
    "min": "value = ?",
    "max": "value = ?",
}


async def find_first(
    conn: Connection, series: Series, steps: Range, kind: Target, extreme: Step | None
) -> PointRow | None:
    values = [] if extreme is None else [extreme]
    rows = await conn.execute_fetchall(
        f"""
        SELECT step, timestamp, value FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {_CONDITIONS[kind]}
          AND {visible(series.resumed)}
        ORDER BY {_ORDER} LIMIT 1
        """,
        (series.id, *map(bound, steps), *values),
    )
    return next((row for row in rows), None)


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


async def dump(
    conn: Connection, series_id: int
) -> AsyncIterator[list[tuple[Step, int, StoredValue, int, Step | None]]]:
    has_own_steps = bool(
        list(
            await conn.execute_fetchall(
                "SELECT 1 FROM system_steps WHERE series_id = ? LIMIT 1", (series_id,)
            )
        )
    )
    query = _dump_query(own_steps=has_own_steps)
    after: tuple[Step, int, int] = (-math.inf, 0, 0)
    while True:
        rows: list[Any] = list(await conn.execute_fetchall(query, (series_id, *after)))
        if not rows:
            return
        yield rows
        step, timestamp, _, writer_id, _ = rows[-1]
        after = (step, timestamp, writer_id)


def _dump_query(*, own_steps: bool) -> str:
    column, join = "NULL", ""
    if own_steps:
        column = "system_steps.step"
        join = """
            LEFT JOIN system_steps
                   ON system_steps.series_id = metrics.series_id
                  AND system_steps.timestamp = metrics.timestamp
                  AND system_steps.writer_id = metrics.writer_id
        """
    return f"""
        SELECT metrics.step, metrics.timestamp, {VALUE}, metrics.writer_id, {column}
        FROM metrics
        {join}
        WHERE metrics.series_id = ?
          AND (metrics.step, metrics.timestamp, metrics.writer_id) > (?, ?, ?)
        ORDER BY metrics.step, metrics.timestamp, metrics.writer_id
        LIMIT {_PAGE}
    """


async def find_rewinds(conn: Connection, series_id: int) -> list[tuple[int, Step]]:
    rows = await conn.execute_fetchall(
        """
        SELECT min(writers.id), attempts.first_step
        FROM attempts
        JOIN writers ON writers.run_id = (SELECT run_id FROM series WHERE id = ?1)
                    AND writers.attempt = attempts.attempt
        WHERE series_id = ?1
          AND NOT EXISTS (
              SELECT 1 FROM metrics
              JOIN writers AS loggers ON loggers.id = metrics.writer_id
              WHERE metrics.series_id = ?1
                AND metrics.step = attempts.first_step
                AND loggers.attempt = attempts.attempt
          )
        GROUP BY attempts.attempt
        ORDER BY attempts.attempt
        """,
        (series_id,),
    )
    return [(writer_id, step) for writer_id, step in rows]


_OF_SERIES = "series_id = (SELECT id FROM series WHERE run_id = ? AND path = ? AND axis = ?)"


async def keys_of_writer(
    conn: Connection, name: tuple[int, str, Axis], writer_id: int, low: Step, high: Step
) -> set[tuple[Step, int]]:
    rows = await conn.execute_fetchall(
        f"""
        SELECT step, timestamp FROM metrics
        WHERE {_OF_SERIES} AND step BETWEEN ? AND ? AND writer_id = ?
        """,
        (*name, low, high, writer_id),
    )
    return set(rows)


async def values_of_writer(
    conn: Connection, name: tuple[int, str, Axis], writer_id: int, low: Step, high: Step
) -> set[tuple[Step, StoredValue | bytes]]:
    rows = await conn.execute_fetchall(
        f"""
        SELECT step, CASE WHEN typeof(value) = 'blob' THEN x'' ELSE value END FROM metrics
        WHERE {_OF_SERIES} AND step BETWEEN ? AND ? AND writer_id = ?
        """,
        (*name, low, high, writer_id),
    )
    return set(rows)


async def count_imported(
    conn: Connection, name: tuple[int, str, Axis], import_id: int, low: Step, high: Step
) -> dict[tuple[Step, int], int]:
    rows = await conn.execute_fetchall(
        f"""
        SELECT step, timestamp, COUNT(*) FROM metrics
        WHERE {_OF_SERIES} AND step BETWEEN ? AND ?
          AND writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        GROUP BY step, timestamp
        """,
        (*name, low, high, import_id),
    )
    return {(step, timestamp): count for step, timestamp, count in rows}


async def read_imported(
    conn: Connection, run_id: int, import_id: int
) -> AsyncIterator[list[tuple[Any, ...]]]:
    async with conn.execute(
        f"""
        SELECT
            series.path, series.kind,
            CASE series.axis WHEN 'step' THEN metrics.step ELSE system_steps.step END,
            metrics.timestamp, {VALUE}
        FROM series
        JOIN metrics ON metrics.series_id = series.id
        LEFT JOIN system_steps
               ON series.axis = 'time'
              AND system_steps.series_id = metrics.series_id
              AND system_steps.timestamp = metrics.timestamp
              AND system_steps.writer_id = metrics.writer_id
        WHERE series.run_id = ?
          AND metrics.writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        """,
        (run_id, import_id),
    ) as cursor:
        while rows := await cursor.fetchmany(10_000):
            yield list(rows)


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


# The value of a point; NULL if it is text, a marker of a large text, NaN or infinite.
_FINITE_VALUE = """
    CASE
        WHEN typeof(value) IN ('integer', 'real') AND value > -9e999 AND value < 9e999 THEN value
    END
"""


async def wrong_figures(conn: Connection) -> list[int]:
    rows = await conn.execute_fetchall(
        f"""
        WITH counted AS (
            SELECT series_id, COUNT(*) AS points, min(step) AS first_step, max(step) AS last_step,
                   sum(value IS NULL) AS nans, min({_FINITE_VALUE}) AS low,
                   max({_FINITE_VALUE}) AS high, COUNT({_FINITE_VALUE}) AS finite,
                   total({_FINITE_VALUE}) AS sum,
                   total(abs(CAST({_FINITE_VALUE} AS REAL))) AS magnitude
            FROM metrics
            WHERE {NOT_SUPERSEDED}
            GROUP BY series_id
        )
        SELECT series.id
        FROM series
        LEFT JOIN counted ON counted.series_id = series.id
        WHERE series.points != coalesce(counted.points, 0)
           OR series.nan_points != coalesce(counted.nans, 0)
           OR series.finite_points != coalesce(counted.finite, 0)
           -- The order of additions affects the sum. No check where it overflows.
           OR abs(series.sum - coalesce(counted.sum, 0)) > 1e-9 * coalesce(counted.magnitude, 0)
           OR series.first_step IS NOT counted.first_step
           OR series.last_step IS NOT counted.last_step
           OR series.min_value IS NOT counted.low
           OR series.max_value IS NOT counted.high
           OR series.last_value IS NOT (
               SELECT value FROM metrics
               WHERE series_id = series.id AND step = counted.last_step AND {NOT_SUPERSEDED}
               ORDER BY timestamp DESC, writer_id DESC LIMIT 1
           )
        ORDER BY series.id
        """
    )
    return [series_id for (series_id,) in rows]
