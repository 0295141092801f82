"""Secrets that the servers of a database on PostgreSQL share.

Servers of a file have them in its spool folder, so that copies of the file do not contain them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection


async def find(conn: Connection, name: str) -> bytes | None:
    """Read a secret; None if it does not exist."""
    rows = await conn.execute_fetchall("SELECT value FROM secrets WHERE name = ?", (name,))
    return next((bytes(value) for (value,) in rows), None)


async def find_or_create(conn: Connection, name: str, value: bytes) -> bytes:
    """Read a secret, which becomes `value` if it does not exist."""
    await conn.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value)
    )
    stored = await find(conn, name)
    assert stored is not None  # noqa: S101 - for mypy
    return stored
