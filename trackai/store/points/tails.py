"""The end of a run: the points that were logged last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.points.series import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosqlite import Connection

    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow


async def last_points(
    conn: Connection, wanted: Iterable[Series], limit: int
) -> list[tuple[Series, list[PointRow]]]:
    """Of each series the points with the highest steps, at most `limit`, in order of step."""
    found: list[tuple[Series, list[PointRow]]] = []
    for one in wanted:
        rows = await conn.execute_fetchall(
            f"""
            SELECT step, timestamp, value FROM metrics
            WHERE series_id = ? AND {visible(one.resumed)}
            ORDER BY step DESC, timestamp DESC, writer_id DESC
            LIMIT ?
            """,
            (one.id, limit),
        )
        found.append((one, list(rows)[::-1]))  # type: ignore[arg-type]
    return found
