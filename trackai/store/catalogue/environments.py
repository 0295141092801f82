"""Environments of runs: facts about where each attempt runs, flat keys with JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trackai.store.engine.connection import Connection


async def add(conn: Connection, run_id: int, attempt: int, facts: Mapping[str, str]) -> None:
    """Add facts, as JSON texts, to those of an attempt; an existing fact is not changed."""
    await conn.executemany(
        """
        INSERT INTO environment (run_id, attempt, key, value) VALUES (?, ?, ?, ?)
        ON CONFLICT (run_id, attempt, key) DO NOTHING
        """,
        [(run_id, attempt, key, value) for key, value in facts.items()],
    )


async def get(conn: Connection, run_id: int) -> dict[str, Any]:
    """The facts of the latest attempt of a run that has any, sorted by key."""
    rows = await conn.execute_fetchall(
        "SELECT key, value FROM latest_environment WHERE run_id = ? ORDER BY key", (run_id,)
    )
    return {key: msgspec.json.decode(value) for key, value in rows}


async def of_attempts(conn: Connection, run_id: int) -> dict[int, dict[str, Any]]:
    """The facts of a run by attempt, sorted by key."""
    rows = await conn.execute_fetchall(
        "SELECT attempt, key, value FROM environment WHERE run_id = ? ORDER BY attempt, key",
        (run_id,),
    )
    facts: dict[int, dict[str, Any]] = {}
    for attempt, key, value in rows:
        facts.setdefault(attempt, {})[key] = msgspec.json.decode(value)
    return facts
