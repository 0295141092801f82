"""Writers: the processes that log to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.values.types import State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosqlite import Connection


class Writer(msgspec.Struct, frozen=True):
    """A process that logs, or has logged, to a run; `state` is None if it has no say in its end."""

    uid: str
    attempt: int
    rank: int
    host: str
    pid: int
    state: State | None
    first_step: Step | None
    ended_at: int | None


class Origin(msgspec.Struct, frozen=True):
    """What a journal says of its writer, from the database."""

    run_uid: str
    writer_uid: str
    project: str
    run_slug: str
    name: str | None
    group: str | None
    attempt: int
    rank: int
    host: str
    pid: int
    created_at: int
    started_at: int
    state: State | None


async def next_attempt(conn: Connection, run_id: int) -> int:
    """The number of the attempt that begins when a process takes up a run; the first is 1."""
    rows = await conn.execute_fetchall(
        "SELECT coalesce(max(attempt), 0) + 1 FROM writers WHERE run_id = ?", (run_id,)
    )
    return next(int(number) for (number,) in rows)


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
    state: State | None = None,
    first_step: Step | None = None,
    now: int,
) -> int:
    """The row id of the writer with that identity, which is made if there is none.

    Args:
        state: None for a writer that has no say in the state of its run.
        first_step: the step of its first call without one.
    """
    await conn.execute(
        """
        INSERT INTO writers
            (uid, run_id, attempt, rank, host, pid, state, first_step, started_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (uid) DO NOTHING
        """,
        (uid, run_id, attempt, rank, host, pid, state, first_step, now),
    )
    rows = await conn.execute_fetchall("SELECT id FROM writers WHERE uid = ?", (uid,))
    return next(int(writer_id) for (writer_id,) in rows)


async def of_latest_attempt(conn: Connection, run_id: int) -> list[Writer]:
    """The writers of the latest attempt that decide about the state of a run, first come first."""
    rows = await conn.execute_fetchall(
        """
        SELECT uid, attempt, rank, host, pid, state, first_step, ended_at FROM writers
        WHERE run_id = ?1 AND state IS NOT NULL
          AND attempt = (SELECT max(attempt) FROM writers WHERE run_id = ?1)
        ORDER BY id
        """,
        (run_id,),
    )
    return [Writer(*row) for row in rows]


async def is_running(conn: Connection, uid: str) -> bool:
    """Whether a writer has not said how it ended."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM writers WHERE uid = ? AND state = 'running'", (uid,)
    )
    return bool(list(rows))


async def states(conn: Connection, run_id: int) -> set[State]:
    """How those of a run's writers that have a say in it ended, or that they have not."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT state FROM writers WHERE run_id = ? AND state IS NOT NULL", (run_id,)
    )
    return {state for (state,) in rows}


async def end(conn: Connection, uid: str, state: State, *, now: int) -> None:
    """Note how a writer ended."""
    await conn.execute(
        "UPDATE writers SET state = ?, ended_at = ? WHERE uid = ?", (state, now, uid)
    )


async def joint_state(conn: Connection, run_id: int, attempt: int) -> State:
    """The state of a run by those of the writers of an attempt."""
    rows = await conn.execute_fetchall(
        """
        SELECT CASE
            WHEN max(state = 'running') THEN 'running'
            WHEN max(state = 'failed') THEN 'failed'
            ELSE 'completed'
        END
        FROM writers WHERE run_id = ? AND attempt = ?
        """,
        (run_id, attempt),
    )
    return next(state for (state,) in rows)


async def find_origin(conn: Connection, uid: str) -> Origin | None:
    """Who that writer is, and to which run it logs."""
    rows = await conn.execute_fetchall(
        """
        SELECT
            runs.uid, writers.uid, projects.name, runs.slug, runs.name, runs.group_name,
            attempt, rank, host, pid, runs.created_at, started_at, writers.state
        FROM writers
        JOIN runs ON runs.id = writers.run_id
        JOIN projects ON projects.id = runs.project_id
        WHERE writers.uid = ?
        """,
        (uid,),
    )
    return next((Origin(*row) for row in rows), None)
