"""Points of deleted runs: marked here, deleted later by `trackai.store.upkeep.garbage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiosqlite import Connection


async def mark(conn: Connection, run_id: int) -> None:
    """Mark the points of a run for deletion, before its row is deleted."""
    await conn.execute(
        "INSERT INTO deleted_series (series_id) SELECT id FROM series WHERE run_id = ?", (run_id,)
    )
