"""Configurations of runs: flat keys with JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trackai.store.engine.connection import Connection


async def put(conn: Connection, run_id: int, values: Mapping[str, str]) -> None:
    """Set keys of a configuration to JSON texts."""
    await conn.executemany(
        """
        INSERT INTO configs (run_id, key, value) VALUES (?, ?, ?)
        ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
        """,
        [(run_id, key, value) for key, value in values.items()],
    )


async def remove(conn: Connection, run_id: int, keys: Iterable[str]) -> None:
    """Remove keys from a configuration; keys that do not exist are ignored."""
    await conn.executemany(
        "DELETE FROM configs WHERE run_id = ? AND key = ?", [(run_id, key) for key in keys]
    )


async def get(conn: Connection, run_id: int) -> dict[str, Any]:
    """The configuration of a run, sorted by key."""
    rows = await conn.execute_fetchall(
        "SELECT key, value FROM configs WHERE run_id = ? ORDER BY key", (run_id,)
    )
    return {key: msgspec.json.decode(value) for key, value in rows}


async def types(conn: Connection, run_id: int) -> dict[str, str]:
    """Types of values that JSON cannot express, by key."""
    rows = await conn.execute_fetchall(
        "SELECT key, type FROM configs WHERE run_id = ? AND type IS NOT NULL ORDER BY key",
        (run_id,),
    )
    return dict(rows)


async def set_types(conn: Connection, run_id: int, new: Mapping[str, str]) -> None:
    """Set the types of values that JSON cannot express."""
    await conn.executemany(
        "UPDATE configs SET type = ? WHERE run_id = ? AND key = ?",
        [(type_, run_id, key) for key, type_ in new.items()],
    )
