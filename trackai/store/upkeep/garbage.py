"""Delete the points of deleted runs, and return their space to the file system.

Deleting a run removes its row and those of its series, so it disappears at once. Its points, which
may be millions, are deleted later in short transactions. The pause after each is as long as the
transaction was, so that other processes can write. A collection that a crash interrupts is
continued by the next one.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import anyio

from trackai.store.engine import stamps
from trackai.store.engine.database import Database
from trackai.store.engine.sql import json_array
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

# How long a transaction should take.
_SECONDS = 0.02
_MAX_ROWS = 100_000
# How many series a transaction deletes at most; and the same statements, of short ones.
_SERIES = 10_000
_MANY = 256
_MIN_PAGES, _MAX_PAGES = 16, 8192
# Fewer free pages are left for points that will be logged.
_MIN_FREE_PAGES = 256
_INCREMENTAL = 2  # a value of `PRAGMA auto_vacuum`
# The table of rollups, as `PointStorage.TABLES` has those of points.
_ROLLUPS = {"rollups": ("level, block", 200)}
# Tables with a few rows of a series.
_SMALL_TABLES = ("rollup_levels", "stale_rollups")


async def collect(db: Store) -> int:
    """Delete the points of deleted runs, and return their space to the file system.

    Servers of one database on PostgreSQL may do it at the same time: each takes other series.

    Returns:
        The number of bytes by which the file has shrunk: 0 for a database created by a version
        without incremental vacuum, which reuses the space instead, and for one on PostgreSQL.
    """
    async with db.collecting:
        chunk_rows: dict[str, int] = {}
        smallest: dict[str, int] = {}
        deleted_any = False
        while True:
            table = await db.change(partial(_delete_chunk, chunk_rows=chunk_rows), bulk=True)
            seconds = db.held_seconds
            if table is None:
                if not isinstance(db, Database):
                    return 0
                async with db.read() as conn:
                    has_space = deleted_any or await free_bytes(conn) > 0
                return await _vacuum(db) if has_space else 0
            deleted_any = True
            if table in chunk_rows:
                rows = chunk_rows[table]
                least = smallest.setdefault(table, rows)
                chunk_rows[table] = _next_size(rows, seconds, least, _MAX_ROWS)
            await pause(db, seconds)


async def pending_series(conn: Connection) -> int:
    """The number of metrics of deleted runs whose points are not deleted yet."""
    return next(
        int(number)
        for (number,) in await conn.execute_fetchall("SELECT COUNT(*) FROM deleted_series")
    )


async def free_bytes(conn: Connection) -> int:
    """The space in the file that a deletion should have returned; 0 for a usual amount."""
    pages = await _pragma(conn, "freelist_count")
    usual = max(_MIN_FREE_PAGES, await _pragma(conn, "page_count") // 20)
    if pages <= usual or await _pragma(conn, "auto_vacuum") != _INCREMENTAL:
        return 0
    return pages * await _pragma(conn, "page_size")


def _next_size(size: int, seconds: float, smallest: int, largest: int) -> int:
    """The size of the next chunk, after one of `size` took `seconds`."""
    factor = min(2.0, max(0.25, _SECONDS / max(seconds, 1e-6)))
    return max(smallest, min(largest, int(size * factor)))


async def pause(db: Store, seconds: float = 0.0) -> None:
    """Checkpoint, and let other processes write for at least as many seconds.

    Without a checkpoint here a commit, perhaps of another process, would wait for the disk.
    """
    began = time.perf_counter()
    if isinstance(db, Database):
        await db.move_pages()
    await anyio.sleep(max(0.0, seconds - (time.perf_counter() - began)))


async def _delete_chunk(conn: Connection, *, chunk_rows: dict[str, int]) -> str | None:
    """Delete one chunk of rows of a long series, or several short series.

    Args:
        chunk_rows: rows of a chunk, by table; tables that are missing are added.

    Returns:
        The table of the chunk, "" after short series, None if there was nothing to delete.
    """
    until = time.perf_counter() + _SECONDS / 2
    rows = list(
        await conn.execute_fetchall(
            """
            SELECT series_id FROM deleted_series ORDER BY series_id
            LIMIT ? /*pg: FOR UPDATE SKIP LOCKED */
            """,
            (_SERIES,),
        )
    )
    series_ids = [series_id for (series_id,) in rows]
    tables = {**points_of(conn).TABLES, **_ROLLUPS}
    for table, (_, smallest) in tables.items():
        chunk_rows.setdefault(table, smallest)
    filled = await _filled(conn, series_ids, (*tables, *_SMALL_TABLES))
    while series_ids:
        short = await _short(conn, series_ids[:_MANY], chunk_rows) if filled else series_ids
        if len(short) == 1:
            for table, (key, _) in tables.items():
                rows_ = chunk_rows[table]
                if table in filled and await _delete_rows(conn, short[0], table, key, rows_):
                    return table
        await _delete_series(conn, short, filled)
        series_ids = series_ids[len(short) :]
        if time.perf_counter() > until:
            break
    return "" if rows else None


async def _filled(conn: Connection, series_ids: Sequence[int], tables: Iterable[str]) -> set[str]:
    """The tables that may have rows of the series; a look at each saves one for each series."""
    return {
        table
        for table in tables
        if series_ids
        and await conn.execute_fetchall(
            f"SELECT 1 FROM {table} WHERE series_id BETWEEN ? AND ? LIMIT 1",
            (series_ids[0], series_ids[-1]),
        )
    }


async def _short(
    conn: Connection, series_ids: Sequence[int], chunk_rows: Mapping[str, int]
) -> Sequence[int]:
    """The first of the series that together have fewer rows than a chunk; at least one."""
    ids = json_array(series_ids)
    for table, rows in chunk_rows.items() if len(series_ids) > 1 else ():
        has_more = await conn.execute_fetchall(
            f"""
            SELECT 1 FROM {table} WHERE series_id IN (SELECT value FROM json_each(?))
            LIMIT 1 OFFSET ?
            """,
            (ids, rows - 1),
        )
        if has_more:
            return await _short(conn, series_ids[: len(series_ids) // 4 or 1], chunk_rows)
    return series_ids


async def _delete_series(
    conn: Connection, series_ids: Sequence[int], tables: Iterable[str]
) -> None:
    ids = json_array(series_ids)
    for table in (*tables, "deleted_series"):
        await conn.execute(
            f"DELETE FROM {table} WHERE series_id IN (SELECT value FROM json_each(?))", (ids,)
        )


async def _delete_rows(conn: Connection, series_id: int, table: str, key: str, rows: int) -> bool:
    """Delete up to `rows` rows of a series, in order of a key; True if it had that many."""
    limit = await conn.execute_fetchall(
        f"SELECT {key} FROM {table} WHERE series_id = ? ORDER BY {key} LIMIT 1 OFFSET ?",
        (series_id, rows - 1),
    )
    for highest in limit:
        placeholders = ", ".join("?" * len(highest))
        await conn.execute(
            f"DELETE FROM {table} WHERE series_id = ? AND ({key}) <= ({placeholders})",
            (series_id, *highest),
        )
        return True
    await conn.execute(f"DELETE FROM {table} WHERE series_id = ?", (series_id,))
    return False


async def _vacuum(db: Database) -> int:
    """Return free pages to the file system, in short transactions; the number of bytes."""
    freed = 0
    pages = 16 * _MIN_PAGES
    while True:
        async with db.write(checkpoints=False) as conn:
            began = time.perf_counter()
            before = await _pragma(conn, "page_count")
            # The pragma frees one page a step. `execute` takes a single step of a statement without
            # columns; `executescript` takes all. It commits first, which has no effect here.
            await conn.executescript(f"BEGIN IMMEDIATE; PRAGMA incremental_vacuum({pages})")
            removed = before - await _pragma(conn, "page_count")
            if removed:
                await stamps.write(conn)
            size = await _pragma(conn, "page_size")
        seconds = time.perf_counter() - began
        if removed <= 0:
            break
        freed += removed * size
        db.vacuumed += removed * size
        pages = _next_size(pages, seconds, _MIN_PAGES, _MAX_PAGES)
        await pause(db, seconds)
    await db.checkpoint()
    return freed


async def _pragma(conn: Connection, name: str) -> int:
    return next(int(number) for (number,) in await conn.execute_fetchall(f"PRAGMA {name}"))
