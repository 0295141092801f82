"""Tags of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosqlite import Connection


async def get(conn: Connection, run_id: int) -> list[str]:
    """A run's tags, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT tag FROM tags WHERE run_id = ? ORDER BY tag", (run_id,)
    )
    return [tag for (tag,) in rows]


async def add(conn: Connection, run_id: int, tags: Iterable[str]) -> None:
    """Tag a run; a tag that it has stays."""
    await conn.executemany(
        "INSERT INTO tags (run_id, tag) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(run_id, tag) for tag in tags],
    )


async def remove(conn: Connection, run_id: int, tags: Iterable[str]) -> None:
    """Take tags from a run; one that it does not have is no error."""
    await conn.executemany(
        "DELETE FROM tags WHERE run_id = ? AND tag = ?", [(run_id, tag) for tag in tags]
    )


async def replace(conn: Connection, run_id: int, tags: Iterable[str]) -> None:
    """Give a run these tags and no others."""
    wanted = set(tags)
    await remove(conn, run_id, set(await get(conn, run_id)) - wanted)
    await add(conn, run_id, wanted)
