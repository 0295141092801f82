"""Writers: the processes that log to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosqlite import Connection


async def next_attempt(conn: Connection, run_id: int) -> int:
    """The number of the attempt that begins when a process takes up a run; the first is 1."""
    rows = await conn.execute_fetchall(
        "SELECT coalesce(max(attempt), 0) + 1 FROM writers WHERE run_id = ?", (run_id,)
    )
    return next(int(number) for (number,) in rows)


async def attempts(conn: Connection, writer_ids: Iterable[int]) -> dict[int, int]:
    """The attempt to which each of these writers belongs."""
    rows = await conn.execute_fetchall(
        "SELECT id, attempt FROM writers WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(writer_ids)).decode(),),
    )
    return dict(rows)  # type: ignore[arg-type]


async def find(conn: Connection, uids: Iterable[str]) -> dict[str, int]:
    """The row ids of those of the writers that exist, by identity."""
    rows = await conn.execute_fetchall(
        "SELECT uid, id FROM writers WHERE uid IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(uids)).decode(),),
    )
    return dict(rows)  # type: ignore[arg-type]


async def get_or_create(
    conn: Connection,
    *,
    uid: str,
    run_id: int,
    attempt: int,
    rank: int,
    host: str,
    pid: int,
    now: int,
) -> int:
    """The row id of the writer with that identity, which is made if there is none."""
    await conn.execute(
        """
        INSERT INTO writers (uid, run_id, attempt, rank, host, pid, started_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (uid) DO NOTHING
        """,
        (uid, run_id, attempt, rank, host, pid, now),
    )
    rows = await conn.execute_fetchall("SELECT id FROM writers WHERE uid = ?", (uid,))
    return next(int(writer_id) for (writer_id,) in rows)
