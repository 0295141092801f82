"""Series of deleted runs, whose points `trackai.store.upkeep.garbage` deletes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.sql import json_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection


async def mark(conn: Connection, run_ids: Sequence[int]) -> None:
    """Mark the series of runs for deletion; call it before the rows of the runs are deleted."""
    await conn.execute(
        """
        INSERT INTO deleted_series (series_id)
        SELECT id FROM series WHERE run_id IN (SELECT value FROM json_each(?))
        """,
        (json_array(run_ids),),
    )
