"""Series of deleted runs, whose points `trackai.store.upkeep.garbage` deletes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection


async def mark(conn: Connection, run_id: int) -> None:
    """Mark the series of a run for deletion; call it before the row of the run is deleted."""
    await conn.execute(
        "INSERT INTO deleted_series (series_id) SELECT id FROM series WHERE run_id = ?", (run_id,)
    )
