"""Which batches have been stored: what makes sending one again change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosqlite import Connection

# A batch's identity: the row id of its run, and the id that its sender gave it.
BatchKey = tuple[int, str]


async def stored(conn: Connection, keys: Iterable[BatchKey]) -> set[BatchKey]:
    """Those of the batches that are in this database."""
    rows = await conn.execute_fetchall(
        """
        SELECT batches.run_id, batches.batch_id
        FROM json_each(?) AS wanted
        JOIN batches ON batches.run_id = wanted.value ->> 0
                    AND batches.batch_id = wanted.value ->> 1
        """,
        (msgspec.json.encode(list(keys)).decode(),),
    )
    return {(run_id, batch_id) for run_id, batch_id in rows}


async def note(conn: Connection, batches: Iterable[tuple[BatchKey, int]], *, now: int) -> None:
    """Note that batches are stored, each with its number of points."""
    await conn.executemany(
        "INSERT INTO batches (run_id, batch_id, points, stored_at) VALUES (?, ?, ?, ?)",
        [(run_id, batch_id, points, now) for (run_id, batch_id), points in batches],
    )
