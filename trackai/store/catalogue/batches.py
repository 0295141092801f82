"""Batches that have been stored, so that a batch that is sent twice is stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.sql import json_array

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection

# The row id of the run, and the id that the client gave the batch.
BatchKey = tuple[int, str]


async def stored(conn: Connection, keys: Iterable[BatchKey]) -> set[BatchKey]:
    """Those of the batches that have been stored before."""
    keys = set(keys)
    rows = await conn.execute_fetchall(
        """
        SELECT run_id, batch_id FROM batches
        WHERE run_id IN (SELECT value FROM json_each(?))
          AND batch_id IN (SELECT value FROM json_each(?))
        """,
        (json_array({run_id for run_id, _ in keys}), json_array({key for _, key in keys})),
    )
    # A client may use the id of a batch in each of its runs.
    return {(run_id, batch_id) for run_id, batch_id in rows} & keys


async def add(conn: Connection, batches: Iterable[tuple[BatchKey, int]], *, now: int) -> None:
    """Record batches as stored, each with its number of points."""
    await conn.executemany(
        "INSERT INTO batches (run_id, batch_id, points, stored_at) VALUES (?, ?, ?, ?)",
        [(run_id, batch_id, points, now) for (run_id, batch_id), points in batches],
    )
