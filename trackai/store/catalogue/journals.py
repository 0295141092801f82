"""How far each journal has been stored, so that each byte of it is stored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.engine.sql import json_array

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from trackai.store.engine.connection import Connection


_IS_ORPHAN = """
    is_remote AND NOT EXISTS (SELECT 1 FROM writers WHERE uid = substr(journals.name, 18, 32))
"""


async def consumed(conn: Connection, name: str) -> int | None:
    """The number of bytes of a journal that are stored; None for an unknown journal."""
    rows = await conn.execute_fetchall("SELECT consumed FROM journals WHERE name = ?", (name,))
    return next((int(number) for (number,) in rows), None)


async def positions(conn: Connection, names: Iterable[str]) -> dict[str, int]:
    """The number of bytes that are stored, by journal; unknown journals are left out.

    Until the transaction ends, no other one can store more of these journals.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT name, consumed FROM journals
        WHERE name IN (SELECT value FROM json_each(?)) /*pg: ORDER BY name FOR UPDATE */
        """,
        (json_array(names),),
    )
    return dict(rows)


async def advance(conn: Connection, name: str, offset: int) -> None:
    """Record a journal as stored up to the byte `offset`."""
    await set_positions(conn, {name: offset})


async def set_positions(
    conn: Connection, positions: Mapping[str, int], *, remote: Collection[str] = ()
) -> None:
    """Record how many bytes of journals are stored.

    Args:
        remote: the names of those whose files are on other machines.
    """
    await conn.executemany(
        """
        INSERT INTO journals (name, consumed, is_remote) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET consumed = excluded.consumed
        """,
        [(name, consumed, name in remote) for name, consumed in positions.items()],
    )


async def begin_beside(conn: Connection, name: str, known: str) -> None:
    """Record a journal as begun if another one of its run is known.

    A database that knows the journal, but not the run, is one in which the run was deleted.
    """
    await conn.execute(
        """
        INSERT INTO journals (name, consumed)
        SELECT ?/*pg: ::text */, 0 WHERE EXISTS (SELECT 1 FROM journals WHERE name = ?)
        ON CONFLICT (name) DO NOTHING
        """,
        (name, known),
    )


async def begin_remote(conn: Connection, name: str) -> None:
    """Record a journal on another machine as begun, unless it is known."""
    await conn.execute(
        """
        INSERT INTO journals (name, consumed, is_remote) VALUES (?, 0, TRUE)
        ON CONFLICT (name) DO NOTHING
        """,
        (name,),
    )


async def knows_writer(conn: Connection, uid: str) -> bool:
    """Whether a remote journal of a writer is known."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM journals WHERE is_remote AND substr(name, 18, 32) = ? LIMIT 1", (uid,)
    )
    return bool(list(rows))


async def forget_orphans(conn: Connection, *, before: int, now: int) -> None:
    """Remove the records of remote journals whose runs were deleted before `before`.

    Args:
        before, now: microseconds since the epoch.
    """
    await conn.execute(
        f"UPDATE journals SET orphaned_at = ? WHERE orphaned_at IS NULL AND {_IS_ORPHAN}", (now,)
    )
    await conn.execute(f"DELETE FROM journals WHERE orphaned_at < ? AND {_IS_ORPHAN}", (before,))


async def any_orphan(conn: Connection, *, before: int) -> bool:
    """Whether `forget_orphans` would change anything."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT 1 FROM journals
        WHERE (orphaned_at IS NULL OR orphaned_at < ?) AND {_IS_ORPHAN}
        LIMIT 1
        """,
        (before,),
    )
    return bool(list(rows))


async def forget(conn: Connection, name: str) -> None:
    """Remove the record of a journal whose file has been removed."""
    await conn.execute("DELETE FROM journals WHERE name = ?", (name,))


async def names(conn: Connection) -> list[str]:
    """The file names of all known journals on this machine."""
    rows = await conn.execute_fetchall(
        "SELECT name FROM journals WHERE NOT is_remote ORDER BY name"
    )
    return [name for (name,) in rows]
