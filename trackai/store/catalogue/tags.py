"""Tags of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.engine.connection import Connection


async def get(conn: Connection, run_id: int) -> list[str]:
    """The tags of a run, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT tag FROM tags WHERE run_id = ? ORDER BY tag", (run_id,)
    )
    return [tag for (tag,) in rows]


async def add(conn: Connection, run_id: int, tags: Iterable[str]) -> None:
    """Add tags to a run; tags that it already has are ignored."""
    await conn.executemany(
        "INSERT INTO tags (run_id, tag) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(run_id, tag) for tag in tags],
    )


async def remove(conn: Connection, run_id: int, tags: Iterable[str]) -> None:
    """Remove tags from a run; tags that it does not have are ignored."""
    await conn.executemany(
        "DELETE FROM tags WHERE run_id = ? AND tag = ?", [(run_id, tag) for tag in tags]
    )


async def replace(conn: Connection, run_id: int, tags: Iterable[str]) -> None:
    """Replace the tags of a run."""
    new = set(tags)
    await remove(conn, run_id, set(await get(conn, run_id)) - new)
    await add(conn, run_id, new)
