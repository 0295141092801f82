"""Browser sessions that were signed out before they expired, and sign-in codes that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection


async def add(conn: Connection, session_id: str, *, expires: int, now: int) -> bool:
    """Add a session or a code, and forget those that have expired.

    Args:
        expires, now: seconds since the epoch.

    Returns:
        False if it was added before.
    """
    await conn.execute("DELETE FROM ended_sessions WHERE expires <= ?", (now,))
    rows = await conn.execute_fetchall(
        """
        INSERT INTO ended_sessions (id, expires) VALUES (?, ?) ON CONFLICT DO NOTHING
        RETURNING id
        """,
        (session_id, expires),
    )
    return bool(list(rows))


async def list_all(conn: Connection) -> dict[str, int]:
    """When sessions and codes that have been ended would expire, by their id."""
    rows = await conn.execute_fetchall("SELECT id, expires FROM ended_sessions")
    return dict(rows)
