"""The configuration of runs: flat keys, JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiosqlite import Connection


async def put(conn: Connection, run_id: int, values: Mapping[str, str]) -> None:
    """Set keys of a run's configuration; the values are JSON texts."""
    await conn.executemany(
        """
        INSERT INTO configs (run_id, key, value) VALUES (?, ?, ?)
        ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
        """,
        [(run_id, key, value) for key, value in values.items()],
    )


async def remove(conn: Connection, run_id: int, keys: Iterable[str]) -> None:
    """Remove keys from a run's configuration; one that is not there is no error."""
    await conn.executemany(
        "DELETE FROM configs WHERE run_id = ? AND key = ?", [(run_id, key) for key in keys]
    )


async def get(conn: Connection, run_id: int) -> dict[str, Any]:
    """A run's configuration, sorted by key."""
    rows = await conn.execute_fetchall(
        "SELECT key, value FROM configs WHERE run_id = ? ORDER BY key", (run_id,)
    )
    return {key: msgspec.json.decode(value) for key, value in rows}


async def types(conn: Connection, run_id: int) -> dict[str, str]:
    """What JSON cannot say about values of a run's configuration, by key."""
    rows = await conn.execute_fetchall(
        "SELECT key, type FROM configs WHERE run_id = ? AND type IS NOT NULL ORDER BY key",
        (run_id,),
    )
    return dict(rows)  # type: ignore[arg-type]


async def set_types(conn: Connection, run_id: int, new: Mapping[str, str]) -> None:
    """Say of values of a run's configuration what JSON cannot."""
    await conn.executemany(
        "UPDATE configs SET type = ? WHERE run_id = ? AND key = ?",
        [(type_, run_id, key) for key, type_ in new.items()],
    )
