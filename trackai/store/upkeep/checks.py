"""Check a database: its file, its large values, and the figures of series against their points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.sql import VALUE
from trackai.store.points import recounts
from trackai.store.points.series import COLUMNS, NOT_SUPERSEDED, Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection


# The value of a point; NULL if it is text, a marker of a large text, NaN or infinite.
_FINITE_VALUE = """
    CASE
        WHEN typeof(value) IN ('integer', 'real') AND value > -9e999 AND value < 9e999 THEN value
    END
"""


async def integrity(conn: Connection) -> list[str]:
    """Problems that SQLite finds in the file."""
    rows = await conn.execute_fetchall("PRAGMA integrity_check")
    return [problem for (problem,) in rows if problem != "ok"]


# Large values without a point; garbage collection deletes those of deleted runs.
_WITHOUT_POINT = """
    NOT EXISTS (
        SELECT 1 FROM metrics
        WHERE metrics.series_id = large_values.series_id
          AND metrics.step = large_values.step
          AND metrics.timestamp = large_values.timestamp
          AND metrics.writer_id = large_values.writer_id
          AND metrics.value IS x''
    ) AND series_id NOT IN (SELECT series_id FROM deleted_series)
"""


async def missing_large_values(conn: Connection) -> int:
    """The number of points whose large value is missing."""
    rows = await conn.execute_fetchall(
        f"SELECT COUNT(*) FROM metrics WHERE value IS x'' AND {VALUE} IS NULL"
    )
    return next(int(number) for (number,) in rows)


async def unused_large_values(conn: Connection) -> int:
    """The number of large values that no point has."""
    rows = await conn.execute_fetchall(f"SELECT COUNT(*) FROM large_values WHERE {_WITHOUT_POINT}")
    return next(int(number) for (number,) in rows)


async def delete_unused_large_values(conn: Connection) -> None:
    """Delete the large values that no point has."""
    await conn.execute(f"DELETE FROM large_values WHERE {_WITHOUT_POINT}")


async def wrong_figures(conn: Connection) -> list[int]:
    """The row ids of series whose figures differ from their points."""
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


async def recount(conn: Connection, series_ids: Iterable[int]) -> None:
    """Compute the figures of series from their points."""
    for series_id in series_ids:
        rows = await conn.execute_fetchall(
            f"SELECT {COLUMNS} FROM series WHERE id = ?", (series_id,)
        )
        for row in rows:
            await recounts.recount(conn, Series(*row))
