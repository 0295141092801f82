"""The end of a run: the points with the highest steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


async def last_points(
    conn: Connection, series: Iterable[Series], limit: int
) -> list[tuple[Series, list[PointRow]]]:
    """Read the points with the highest steps of each series, in order of step.

    Args:
        limit: the largest number of points of a series.
    """
    return await points_of(conn).last_points(conn, series, limit)


async def last_time(conn: Connection, run_id: int, until: Step | None) -> int | None:
    """Get the latest time of the last points of all metrics up to a step; None without any."""
    return await points_of(conn).last_time(conn, run_id, until)
