"""Details of a run: its parent, its forks, and the processes that logged to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import NotFoundError
from trackai.store.catalogue import runs
from trackai.structs.records import Fork, Process, RunDetails
from trackai.values.times import utc

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection

# At most this many forks and processes are listed.
MAX_LISTED = 1000


async def get(conn: Connection, run_id: int) -> RunDetails:
    """The details of the run with this row id.

    Raises:
        NotFoundError: the run does not exist.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT run.uid, run.fork_uid, run.fork_step, parent.id
        FROM runs AS run
        LEFT JOIN runs AS parent ON parent.uid = run.fork_uid
        WHERE run.id = ?
        """,
        (run_id,),
    )
    for uid, fork_uid, fork_step, parent_id in rows:
        parent = None if parent_id is None else await runs.get(conn, parent_id)
        children = await conn.execute_fetchall(
            "SELECT uid, fork_step, id FROM runs WHERE fork_uid = ? ORDER BY id LIMIT ?",
            (uid, MAX_LISTED),
        )
        return RunDetails(
            uid=uid,
            forked_from=None if fork_uid is None else Fork(fork_uid, fork_step, parent),
            forks=[
                Fork(child_uid, step, await runs.get(conn, child))
                for child_uid, step, child in list(children)
            ],
            processes=await _processes(conn, run_id),
        )
    raise NotFoundError(f"run {run_id} not found")


async def _processes(conn: Connection, run_id: int) -> list[Process]:
    rows = await conn.execute_fetchall(
        """
        SELECT attempt, rank, host, pid, state, started_at, ended_at, key_name
        FROM writers WHERE run_id = ? AND import_id IS NULL
        ORDER BY attempt DESC, rank, id
        LIMIT ?
        """,
        (run_id, MAX_LISTED),
    )
    return [
        Process(
            attempt, rank, host, pid, state, utc(started),
            None if ended is None else utc(ended), key,
        )
        for attempt, rank, host, pid, state, started, ended, key in rows
    ]  # fmt: skip


async def key_names(conn: Connection, run_id: int) -> list[str]:
    """The names of the keys with which a run was logged to a server, sorted."""
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT key_name FROM writers
        WHERE run_id = ? AND key_name IS NOT NULL
        ORDER BY key_name
        LIMIT ?
        """,
        (run_id, MAX_LISTED),
    )
    return [name for (name,) in rows]
