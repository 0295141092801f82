"""Batches that have been stored, so that a batch that is sent twice is stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection

# The row id of the run, and the id that the client gave the batch.
BatchKey = tuple[int, str]


async def stored(conn: Connection, keys: Iterable[BatchKey]) -> set[BatchKey]:
    """Those of the batches that have been stored before."""
    rows = await conn.execute_fetchall(
        """
        SELECT batches.run_id, batches.batch_id
        FROM json_each(?) AS pair
        JOIN batches ON batches.run_id = pair.value ->> 0
                    AND batches.batch_id = pair.value ->> 1
        """,
        (msgspec.json.encode(list(keys)).decode(),),
    )
    return {(run_id, batch_id) for run_id, batch_id in rows}


async def add(conn: Connection, batches: Iterable[tuple[BatchKey, int]], *, now: int) -> None:
    """Record batches as stored, each with its number of points."""
    await conn.executemany(
        "INSERT INTO batches (run_id, batch_id, points, stored_at) VALUES (?, ?, ?, ?)",
        [(run_id, batch_id, points, now) for (run_id, batch_id), points in batches],
    )
