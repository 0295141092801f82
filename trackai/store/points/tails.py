"""The end of a run: the points with the highest steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.sql import VALUE
from trackai.store.points.series import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow


async def last_points(
    conn: Connection, series: Iterable[Series], limit: int
) -> list[tuple[Series, list[PointRow]]]:
    """Read the points with the highest steps of each series, in order of step.

    Args:
        limit: the largest number of points of a series.
    """
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
