"""Writers: the processes that log to a run, in attempts of one or more processes."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.store.engine.sql import json_array
from trackai.values.types import State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trackai.store.engine.connection import Connection


class Writer(msgspec.Struct, frozen=True):
    """A process that logs, or has logged, to a run.

    Attributes:
        uid: its identity, 32 hexadecimal digits.
        state: None for a writer that does not affect the state of its run.
        first_step: the step of its first call of log() without a step.
        ended_at: microseconds since the epoch.
        launch: what it knew about the processes that log together with it.
        seen_at: when the server last heard from it, microseconds since the epoch; None for a
            writer whose journal is beside the database.
    """

    uid: str
    attempt: int
    rank: int
    host: str
    pid: int
    state: State | None
    first_step: Step | None
    ended_at: int | None
    launch: dict[str, str] = {}
    seen_at: int | None = None


_WRITER = """
    uid, attempt, rank, host, pid, state, first_step, ended_at, coalesce(launch, '{}'), seen_at
"""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A writer and its run: enough to create both in an empty database.

    Attributes:
        run_uid: the identity of the run, 32 hexadecimal digits.
        writer_uid: the identity of the writer, 32 hexadecimal digits.
        project, run_slug, name, group: of the run.
        attempt: 1, and one more for every time the run is resumed.
        rank: the rank of the writer among those of its attempt.
        created_at: of the run, microseconds since the epoch.
        started_at: of the writer, microseconds since the epoch.
        parent: the identity of the writer that this one was forked from. The end of a forked
            process does not affect the state of the run.
        fork_uid, fork_step: the run that this run continues, and the last step that they share;
            None for a run that begins on its own.
    """

    # The frame `Opened` of journals has these fields in this order: add new ones at the end, with
    # defaults.
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
    parent: str | None = None
    fork_uid: str | None = None
    fork_step: Step | None = None


async def next_attempt(conn: Connection, run_id: int) -> int:
    """The number of the attempt that starts when a process resumes a run; 1 for a new run."""
    rows = await conn.execute_fetchall(
        "SELECT coalesce(max(attempt), 0) + 1 FROM writers WHERE run_id = ?", (run_id,)
    )
    return next(int(number) for (number,) in rows)


async def latest_attempts(conn: Connection, run_ids: Iterable[int]) -> dict[int, int]:
    """The numbers of the latest attempts of runs by row id; runs without writers are left out."""
    rows = await conn.execute_fetchall(
        """
        SELECT run_id, max(attempt) FROM writers
        WHERE run_id IN (SELECT value FROM json_each(?))
        GROUP BY run_id
        """,
        (json_array(run_ids),),
    )
    return dict(rows)


async def find(conn: Connection, uids: Iterable[str]) -> dict[str, int]:
    """Row ids of writers by identity; writers that do not exist are left out."""
    rows = await conn.execute_fetchall(
        "SELECT uid, id FROM writers WHERE uid IN (SELECT value FROM json_each(?))",
        (json_array(uids),),
    )
    return dict(rows)


class Place(NamedTuple):
    """The row ids of a run and of one of its writers, and the attempt and state of the writer.

    `is_superseded` if there is a later attempt.
    """

    run_id: int
    writer_id: int
    attempt: int
    state: State | None
    is_superseded: bool = False


class Joint(NamedTuple):
    """What the writers of the latest attempt of a run say about it.

    Attributes:
        state: the state that they give the run.
        ended_at: when the last of them ended, microseconds since the epoch.
        is_silent: whether one of them has failed because it is silent.
    """

    state: State
    ended_at: int | None
    is_silent: bool


# A remote writer that has failed without an end is silent, and may be heard again.
_IS_SILENT = "state = 'failed' AND ended_at IS NULL AND seen_at IS NOT NULL"


async def locate(conn: Connection, uids: Iterable[str]) -> dict[str, Place]:
    """Runs and row ids of writers, by the identity of the writer."""
    rows = await conn.execute_fetchall(
        """
        SELECT uid, run_id, id, attempt, state, EXISTS (
            SELECT 1 FROM writers AS later
            WHERE later.run_id = writers.run_id AND later.attempt > writers.attempt
        )
        FROM writers
        WHERE uid IN (SELECT value FROM json_each(?))
        """,
        (json_array(uids),),
    )
    return {
        uid: Place(run_id, writer_id, attempt, state, bool(is_superseded))
        for uid, run_id, writer_id, attempt, state, is_superseded in rows
    }


async def started_at(conn: Connection, writer_id: int) -> int:
    """Return when a writer began, in microseconds since the epoch."""
    ((started_at,),) = await conn.execute_fetchall(
        "SELECT started_at FROM writers WHERE id = ?", (writer_id,)
    )
    return int(started_at)


async def note_heard(conn: Connection, heard: Iterable[tuple[int, str | None, int]]) -> None:
    """Record when the server heard from remote writers.

    Args:
        heard: microseconds since the epoch, name of the key, and row id of the writer.
    """
    await conn.executemany(
        "UPDATE writers SET seen_at = ?, key_name = coalesce(?, key_name) WHERE id = ?", heard
    )


async def revive(conn: Connection, uid: str) -> bool:
    """Record that a writer runs that had failed because it was silent; False for any other."""
    rows = await conn.execute_fetchall(
        f"UPDATE writers SET state = 'running' WHERE uid = ? AND {_IS_SILENT} RETURNING id", (uid,)
    )
    return bool(list(rows))


async def any_silent(conn: Connection, before: int) -> bool:
    """Whether a remote writer runs that was not heard since `before`.

    Args:
        before: microseconds since the epoch.
    """
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM writers WHERE seen_at < ? AND state = 'running' LIMIT 1", (before,)
    )
    return bool(list(rows))


async def silent_runs(conn: Connection, before: int) -> list[int]:
    """The row ids of the runs with remote writers that were not heard since `before`."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT run_id FROM writers WHERE seen_at < ? AND state = 'running'", (before,)
    )
    return [run_id for (run_id,) in rows]


async def fail_silent(conn: Connection, before: int) -> set[tuple[int, int]]:
    """Record that the remote writers failed that were not heard since `before`.

    Args:
        before: microseconds since the epoch.

    Returns:
        The row ids of their runs, and their attempts.
    """
    rows = await conn.execute_fetchall(
        """
        UPDATE writers SET state = 'failed' WHERE seen_at < ? AND state = 'running'
        RETURNING run_id, attempt
        """,
        (before,),
    )
    return {(run_id, attempt) for run_id, attempt in rows}


async def count_heard(conn: Connection) -> tuple[int, int | None]:
    """Count the running remote writers; and since when the most silent one was not heard.

    Returns:
        The number, and microseconds since the epoch; None without a writer.
    """
    rows = await conn.execute_fetchall(
        "SELECT count(*), min(seen_at) FROM writers WHERE seen_at IS NOT NULL AND state = 'running'"
    )
    return next((count, seen_at) for count, seen_at in rows)


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
    launch: Mapping[str, str] | None = None,
    resumed_after: int | None = None,
    key_name: str | None = None,
    now: int,
) -> int:
    """The row id of the writer with this identity, which is created if it does not exist.

    Args:
        state: None for a writer that does not affect the state of its run.
        first_step: the step of its first call of log() without a step.
        launch: what it knows about the processes that log together with it.
        resumed_after: the last activity of earlier attempts, in microseconds since the epoch.
        key_name: the name of the key with which it logs to a server.
        now: microseconds since the epoch.
    """
    await conn.execute(
        """
        INSERT INTO writers
            (uid, run_id, attempt, rank, host, pid, state, first_step, launch, resumed_after,
             key_name, started_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (uid) DO NOTHING
        """,
        (
            uid, run_id, attempt, rank, host, pid, state, first_step,
            msgspec.json.encode(launch).decode() if launch else None, resumed_after, key_name,
            now,
        ),
    )  # fmt: skip
    rows = await conn.execute_fetchall("SELECT id FROM writers WHERE uid = ?", (uid,))
    return next(int(writer_id) for (writer_id,) in rows)


async def of_latest_attempt(conn: Connection, run_id: int) -> list[Writer]:
    """The writers of the latest attempt that affect the state of the run, in order of creation."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT {_WRITER} FROM writers
        WHERE run_id = ?1 AND state IS NOT NULL
          AND attempt = (SELECT max(attempt) FROM writers WHERE run_id = ?1)
        ORDER BY id
        """,
        (run_id,),
    )
    return [_writer(row) for row in rows]


def _writer(row: Any) -> Writer:
    *fields, launch, seen_at = row
    return Writer(*(*fields, msgspec.json.decode(launch), seen_at))


async def beside(conn: Connection, run_id: int, since: int) -> list[list[Writer]]:
    """The writers of the attempts that had a writer at work after `since`, the latest first.

    Crashed processes with a journal beside the database do not count: when they ended is not known.

    Args:
        since: microseconds since the epoch.
    """
    rows = await conn.execute_fetchall(
        f"""
        SELECT {_WRITER} FROM writers
        WHERE run_id = ?1 AND state IS NOT NULL AND attempt IN (
            SELECT attempt FROM writers
            WHERE run_id = ?1 AND coalesce(ended_at, seen_at) > ?2
              AND (state = 'completed' OR seen_at IS NOT NULL)
        )
        ORDER BY attempt DESC, id
        """,
        (run_id, since),
    )
    by_attempt = groupby(map(_writer, rows), key=lambda writer: writer.attempt)
    return [list(group) for _, group in by_attempt]


async def complete_launch(conn: Connection, uid: str, launch: Mapping[str, str]) -> None:
    """Record what a writer knows about its launch, which batches that created it did not say."""
    if launch:
        await conn.execute(
            "UPDATE writers SET launch = ? WHERE uid = ? AND launch IS NULL",
            (msgspec.json.encode(launch).decode(), uid),
        )


async def first_step(conn: Connection, uid: str) -> int:
    """The step of the first call of log() without a step in a writer."""
    rows = await conn.execute_fetchall("SELECT first_step FROM writers WHERE uid = ?", (uid,))
    return next((int(step or 0) for (step,) in rows), 0)


async def find_successor(conn: Connection, uid: str) -> tuple[str, int] | None:
    """The host and process id of the first writer of a later attempt; None without any."""
    rows = await conn.execute_fetchall(
        """
        SELECT later.host, later.pid FROM writers AS later
        JOIN writers ON writers.run_id = later.run_id AND writers.attempt < later.attempt
        WHERE writers.uid = ?
        ORDER BY later.id
        LIMIT 1
        """,
        (uid,),
    )
    return next(((host, pid) for host, pid in rows), None)


async def is_running(conn: Connection, uid: str) -> bool:
    """Whether the writer affects the state of its run, and has not ended."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM writers WHERE uid = ? AND state = 'running'", (uid,)
    )
    return bool(list(rows))


async def states(conn: Connection, run_id: int) -> set[State]:
    """The distinct states of the writers that affect the state of the run."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT state FROM writers WHERE run_id = ? AND state IS NOT NULL", (run_id,)
    )
    return {state for (state,) in rows}


async def pauses(conn: Connection, run_ids: Iterable[int]) -> dict[int, list[tuple[int, int]]]:
    """When runs paused before they were resumed, in microseconds since the epoch, by row id."""
    rows = await conn.execute_fetchall(
        """
        SELECT run_id, min(resumed_after), min(started_at) FROM writers
        WHERE run_id IN (SELECT value FROM json_each(?)) AND resumed_after IS NOT NULL
        GROUP BY run_id, attempt
        """,
        (json_array(run_ids),),
    )
    pauses: dict[int, list[tuple[int, int]]] = {}
    for run_id, start, end in rows:
        pauses.setdefault(run_id, []).append((start, end))
    return pauses


async def end(conn: Connection, uid: str, state: State, *, now: int) -> bool:
    """Record how a writer ended, and when; False if it has ended so already."""
    # The clock of another machine may be behind the one that says when the writer started.
    rows = await conn.execute_fetchall(
        """
        UPDATE writers
        SET state = ?1, ended_at = CASE WHEN seen_at IS NULL THEN ?2 ELSE max(?2, started_at) END
        WHERE uid = ?3 AND NOT (state = ?1 AND ended_at IS NOT NULL)
        RETURNING id
        """,
        (state, now, uid),
    )
    return bool(list(rows))


async def joint(conn: Connection, run_id: int) -> Joint:
    """What the writers of the latest attempt say about their run."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT
            CASE
                WHEN COUNT(CASE state WHEN 'running' THEN 1 END) > 0 THEN 'running'
                WHEN COUNT(CASE state WHEN 'failed' THEN 1 END) > 0 THEN 'failed'
                ELSE 'completed'
            END,
            max(ended_at),
            COUNT(CASE WHEN {_IS_SILENT} THEN 1 END) > 0
        FROM writers
        WHERE run_id = ?1 AND attempt = (SELECT max(attempt) FROM writers WHERE run_id = ?1)
        """,
        (run_id,),
    )
    return next(Joint(state, ended_at, bool(silent)) for state, ended_at, silent in rows)


async def find_origin(conn: Connection, uid: str) -> Origin | None:
    """The writer with this identity, with its run.

    `parent` is the writer's own identity if it does not affect the state of the run.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT
            runs.uid, writers.uid, projects.name, runs.slug, runs.name, runs.group_name,
            attempt, rank, host, pid, runs.created_at, started_at,
            CASE WHEN writers.state IS NULL THEN writers.uid END, runs.fork_uid, runs.fork_step
        FROM writers
        JOIN runs ON runs.id = writers.run_id
        JOIN projects ON projects.id = runs.project_id
        WHERE writers.uid = ?
        """,
        (uid,),
    )
    fields = Origin.__struct_fields__
    return next((Origin(**dict(zip(fields, row, strict=True))) for row in rows), None)
