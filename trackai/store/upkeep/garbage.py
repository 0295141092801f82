"""What deleted runs leave behind: their points go little by little, and their space with them.

Deleting a run takes its row and those of its series, so it is gone for everybody at once. Its
points, which may be many millions, are deleted afterwards in short transactions, and between any
two of them others have as much time to write as one took: a process of theirs that waits for its
turn has to find a gap. What a crash interrupts, the next one to come here ends.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import anyio

from trackai.store.engine import direct
from trackai.store.points import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiosqlite import Connection

    from trackai.store.engine.database import Database

# How long a transaction should take.
_SECONDS = 0.02
_FEWEST_ROWS, _MOST_ROWS = 200, 100_000
_FEWEST_PAGES, _MOST_PAGES = 16, 8192
# Tables that can be long, and the rest of their primary keys after the series. Their rows differ
# in size: each is deleted in pieces of its own, and in transactions of its own.
_KEYS = {
    "metrics": "step, timestamp, writer_id",
    "system_steps": "timestamp, writer_id",
    "rollups": "level, block",
}


async def collect(db: Database) -> int:
    """Delete all points that belong to nobody, and give their space back to the file system.

    Returns:
        The number of bytes by which the file has become smaller. A database that was made before
        that was possible keeps its size, and uses the space again.
    """
    async with db.collecting:
        rows = dict.fromkeys(_KEYS, 8 * _FEWEST_ROWS)
        emptied = False
        while True:
            async with db.write() as conn:
                began = time.perf_counter()
                found = await direct.run(conn, partial(_delete_for_a_while, rows=rows))
            took = time.perf_counter() - began
            if found is None:
                return await _give_back(db) if emptied else 0
            emptied = True
            if found in rows:
                rows[found] = _adapted(rows[found], took, _FEWEST_ROWS, _MOST_ROWS)
            await _let_others(db, took)


def _adapted(size: int, took: float, fewest: int, most: int) -> int:
    """The size of the next piece, after one of that size took so many seconds."""
    factor = min(2.0, max(0.25, _SECONDS / max(took, 1e-6)))
    return max(fewest, min(most, int(size * factor)))


async def _let_others(db: Database, took: float) -> None:
    # Here, so that no commit, of this process or another, has to move pages and wait for the disk.
    await db.move_pages()
    await anyio.sleep(took)


async def _delete_for_a_while(conn: Connection, *, rows: Mapping[str, int]) -> str | None:
    """Delete series whose run is gone: one large piece, or small ones as long as there is time.

    Args:
        rows: how many rows of each table are a large piece.

    Returns:
        The table of the large piece, "" after small ones, None if there is nothing to delete.
    """
    until = time.perf_counter() + _SECONDS / 2
    found = list(await conn.execute_fetchall("SELECT series_id FROM deleted_series LIMIT 1000"))
    for (series_id,) in found:
        for table in _KEYS:
            if await _delete_some(conn, series_id, table, rows[table]):
                return table
        await rollups.delete(conn, series_id)
        await conn.execute("DELETE FROM deleted_series WHERE series_id = ?", (series_id,))
        if time.perf_counter() > until:
            break
    return "" if found else None


async def _delete_some(conn: Connection, series_id: int, table: str, rows: int) -> bool:
    """Delete so many rows of a series, or all there are; whether it had so many."""
    key = _KEYS[table]
    limit = await conn.execute_fetchall(
        f"SELECT {key} FROM {table} WHERE series_id = ? ORDER BY {key} LIMIT 1 OFFSET ?",
        (series_id, rows - 1),
    )
    for highest in limit:
        places = ", ".join("?" * len(highest))
        await conn.execute(
            f"DELETE FROM {table} WHERE series_id = ? AND ({key}) <= ({places})",
            (series_id, *highest),
        )
        return True
    await conn.execute(f"DELETE FROM {table} WHERE series_id = ?", (series_id,))
    return False


async def _give_back(db: Database) -> int:
    freed = 0
    pages = 16 * _FEWEST_PAGES
    while True:
        async with db.write() as conn:
            began = time.perf_counter()
            before = await _pragma(conn, "page_count")
            # Only a script frees all of them: the pragma is done step by step, and any other way
            # of executing a statement that has no columns takes a single step. A script commits
            # what is under way, which is nothing, before it begins.
            await conn.executescript(f"BEGIN IMMEDIATE; PRAGMA incremental_vacuum({pages})")
            gone = before - await _pragma(conn, "page_count")
            size = await _pragma(conn, "page_size")
        took = time.perf_counter() - began
        if gone <= 0:
            break
        freed += gone * size
        pages = _adapted(pages, took, _FEWEST_PAGES, _MOST_PAGES)
        await _let_others(db, took)
    await db.checkpoint()
    return freed


async def _pragma(conn: Connection, name: str) -> int:
    return next(int(number) for (number,) in await conn.execute_fetchall(f"PRAGMA {name}"))
