"""Batches that have been stored, so that a batch that is sent twice is stored once."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from trackai.store.engine.bulk import filled_up, placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection

# The row id of the run, and the id that the client gave the batch.
BatchKey = tuple[int, str]
_KEYS_PER_STATEMENT = (1, 4, 16, 64)


async def stored(conn: Connection, keys: Sequence[BatchKey]) -> set[BatchKey]:
    """Those of the batches that have been stored before."""
    stored: set[BatchKey] = set()
    for part in filled_up(keys, _KEYS_PER_STATEMENT):
        stored.update(await conn.execute_fetchall(_look_up(len(part)), [*chain(*part)]))
    return stored


@lru_cache
def _look_up(keys: int) -> str:
    return f"""
        WITH keys (run_id, batch_id) AS (VALUES {placeholders(keys, 2, types=["bigint", "text"])})
        SELECT batches.run_id, batches.batch_id
        FROM keys CROSS JOIN batches
        WHERE batches.run_id = keys.run_id AND batches.batch_id = keys.batch_id
    """


async def add(conn: Connection, batches: Iterable[tuple[BatchKey, int]], *, now: int) -> None:
    """Record batches as stored, each with its number of points."""
    await conn.executemany(
        "INSERT INTO batches (run_id, batch_id, points, stored_at) VALUES (?, ?, ?, ?)",
        [(run_id, batch_id, points, now) for (run_id, batch_id), points in batches],
    )
