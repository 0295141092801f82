"""How far each journal has been stored: what makes storing it again change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiosqlite import Connection


async def consumed(conn: Connection, name: str) -> int | None:
    """How many bytes of a journal are in this database; None if it has never seen it."""
    rows = await conn.execute_fetchall("SELECT consumed FROM journals WHERE name = ?", (name,))
    return next((int(number) for (number,) in rows), None)


async def advance(conn: Connection, name: str, offset: int) -> None:
    """Note that a journal is stored up to `offset` bytes."""
    await conn.execute(
        """
        INSERT INTO journals (name, consumed) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET consumed = excluded.consumed
        """,
        (name, offset),
    )


async def forget(conn: Connection, name: str) -> None:
    """Drop the row of a journal whose file is gone."""
    await conn.execute("DELETE FROM journals WHERE name = ?", (name,))


async def names(conn: Connection) -> list[str]:
    """The journals that this database knows."""
    rows = await conn.execute_fetchall("SELECT name FROM journals ORDER BY name")
    return [name for (name,) in rows]
