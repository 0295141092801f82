"""Check a database: its file, its large values, and the figures of series against their points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.sql import VALUE
from trackai.store.points import recounts
from trackai.store.points.series import COLUMNS, Series
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection


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
    return await points_of(conn).wrong_figures(conn)


async def recount(conn: Connection, series_ids: Iterable[int]) -> None:
    """Compute the figures of series from their points."""
    for series_id in series_ids:
        rows = await conn.execute_fetchall(
            f"SELECT {COLUMNS} FROM series WHERE id = ?", (series_id,)
        )
        for row in rows:
            await recounts.recount(conn, Series(*row))
