"""Points that are stored as rows: what imports, exports and checks of a database read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trackai.store.engine.sql import VALUE
from trackai.store.points.series import NOT_SUPERSEDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Axis, Step, StoredValue

_PAGE = 20_000


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
