"""Browser sessions that were signed out before they expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection


async def add(conn: Connection, session_id: str, *, expires: int, now: int) -> None:
    """Add a session, and forget those that have expired; times are seconds since the epoch."""
    await conn.execute("DELETE FROM ended_sessions WHERE expires <= ?", (now,))
    await conn.execute(
        "INSERT INTO ended_sessions (id, expires) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (session_id, expires),
    )


async def list_all(conn: Connection) -> dict[str, int]:
    """When sessions that have been ended would expire, by their id."""
    rows = await conn.execute_fetchall("SELECT id, expires FROM ended_sessions")
    return dict(rows)
