"""How far each journal has been stored, so that each byte of it is stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiosqlite import Connection


async def consumed(conn: Connection, name: str) -> int | None:
    """The number of bytes of a journal that are stored; None for an unknown journal."""
    rows = await conn.execute_fetchall("SELECT consumed FROM journals WHERE name = ?", (name,))
    return next((int(number) for (number,) in rows), None)


async def advance(conn: Connection, name: str, offset: int) -> None:
    """Record a journal as stored up to the byte `offset`."""
    await conn.execute(
        """
        INSERT INTO journals (name, consumed) VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET consumed = excluded.consumed
        """,
        (name, offset),
    )


async def begin_beside(conn: Connection, name: str, known: str) -> None:
    """Record a journal as begun if another one of its run is known.

    A database that knows the journal, but not the run, is one in which the run was deleted.
    """
    await conn.execute(
        """
        INSERT INTO journals (name, consumed)
        SELECT ?, 0 WHERE EXISTS (SELECT 1 FROM journals WHERE name = ?)
        ON CONFLICT (name) DO NOTHING
        """,
        (name, known),
    )


async def forget(conn: Connection, name: str) -> None:
    """Remove the record of a journal whose file has been removed."""
    await conn.execute("DELETE FROM journals WHERE name = ?", (name,))


async def names(conn: Connection) -> list[str]:
    """The file names of all known journals."""
    rows = await conn.execute_fetchall("SELECT name FROM journals ORDER BY name")
    return [name for (name,) in rows]
