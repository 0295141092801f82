"""What deleted runs leave behind: their points go little by little, and their space with them.

Deleting a run takes its row and those of its series, so it is gone for everybody at once. Its
points, which may be many millions, are deleted afterwards in transactions so short that others
get to write in between. What a crash interrupts, the next one to come here ends.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from trackai.store import rollups

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.store.database import Database

# How long a transaction may take: others wait for so long at most, some more where disks are slow.
_SECONDS = 0.03
_FEWEST_ROWS = 500
_PAGES = 256


async def abandon(conn: Connection, run_id: int) -> None:
    """Note that the points of a run belong to nobody, before its row is deleted."""
    await conn.execute(
        "INSERT INTO deleted_series (series_id) SELECT id FROM series WHERE run_id = ?", (run_id,)
    )


async def collect(db: Database) -> int:
    """Delete all points that belong to nobody, and give their space back to the file system.

    Returns:
        The number of bytes by which the file has become smaller. A database that was made before
        that was possible keeps its size, and uses the space again.
    """
    rows = 8 * _FEWEST_ROWS
    emptied = False
    while True:
        async with db.write() as conn:
            began = time.perf_counter()
            found = await conn.execute_fetchall("SELECT series_id FROM deleted_series LIMIT 1")
            series_id = next((one for (one,) in found), None)
            if series_id is None:
                break
            await _delete_some(conn, series_id, rows)
        emptied = True
        took = time.perf_counter() - began
        rows = max(_FEWEST_ROWS, int(rows * min(2.0, _SECONDS / took)))
    return await _give_back(db) if emptied else 0


async def _delete_some(conn: Connection, series_id: int, rows: int) -> None:
    for table, place in (("metrics", "step"), ("system_steps", "timestamp"), ("rollups", "level")):
        limit = await conn.execute_fetchall(
            f"SELECT {place} FROM {table} WHERE series_id = ? ORDER BY {place} LIMIT 1 OFFSET ?",
            (series_id, rows),
        )
        for (highest,) in limit:
            await conn.execute(
                f"DELETE FROM {table} WHERE series_id = ? AND {place} <= ?", (series_id, highest)
            )
            return
        await conn.execute(f"DELETE FROM {table} WHERE series_id = ?", (series_id,))
    await rollups.delete(conn, series_id)
    await conn.execute("DELETE FROM deleted_series WHERE series_id = ?", (series_id,))


async def _give_back(db: Database) -> int:
    freed = 0
    pages = _PAGES
    while True:
        async with db.write() as conn:
            began = time.perf_counter()
            before = await _pragma(conn, "page_count")
            # A pragma frees one page each time it is asked for a row.
            await conn.execute_fetchall(f"PRAGMA incremental_vacuum({pages})")
            gone = before - await _pragma(conn, "page_count")
            size = await _pragma(conn, "page_size")
        if gone <= 0:
            break
        freed += gone * size
        took = time.perf_counter() - began
        pages = max(16, int(pages * min(2.0, _SECONDS / took)))
    await db.checkpoint()
    return freed


async def _pragma(conn: Connection, name: str) -> int:
    return next(int(number) for (number,) in await conn.execute_fetchall(f"PRAGMA {name}"))
