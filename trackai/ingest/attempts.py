"""Attempts: which run, which attempt and which step a script begins or continues with.

An attempt is one execution of a script. A script that resumes a run starts a new attempt, whose
points supersede those of earlier attempts from its first step on, even if a process of an earlier
attempt still logs. Processes that log to one run together, such as the ranks of distributed
training, share an attempt.
"""

from __future__ import annotations

import math
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import ConflictError, InvalidInputError, NotFoundError, RunNotFoundError
from trackai.ingest.frames import Opened
from trackai.ingest.journal import is_alive
from trackai.store.catalogue import configs, projects, runs, slugs, tags, writers
from trackai.store.catalogue.writers import Writer  # noqa: TC001 - for msgspec
from trackai.store.engine.sql import lock
from trackai.store.points import series
from trackai.structs.records import Project, Run  # noqa: TC001 - for msgspec
from trackai.values.run_names import generate
from trackai.values.steps import step_after
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trackai.ingest.launch import Process
    from trackai.ingest.run_request import RunRequest
    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step

# A writer on another machine that the server has not heard from for so long has failed. Clients
# send something every few seconds, also when there is nothing to store.
SILENT_SECONDS = 120.0


class Attempt(msgspec.Struct, frozen=True):
    """A process's attempt at a run.

    Attributes:
        project, run: as they are in the database.
        config: the configuration of the run, flat.
        first_step: the step of the first call of `log` without a step.
        opened: the first record of the journal.
        superseded: the writers of the former attempt that are still running.
        restored: whether it took the run out of the trash or the archive.
    """

    project: Project
    run: Run
    config: dict[str, Any]
    first_step: int
    opened: Opened
    superseded: list[Writer]
    restored: bool = False


async def start_attempt(
    conn: Connection,
    request: RunRequest,
    process: Process,
    *,
    is_running: Callable[[Writer], bool],
    now: int,
    may_be_late: bool = False,
) -> Attempt:
    """Create or resume the requested run, and add a writer for a process to it.

    Args:
        conn: a connection in a transaction.
        is_running: whether the process of a writer of the run is alive.
        now: when the process began or resumed the run, microseconds since the epoch.
        may_be_late: whether the process may have begun long ago: it then also joins an attempt of
            its launch that has ended, or that another attempt has followed.

    Raises:
        RunNotFoundError: `resume` is "must", and the run does not exist.
        ConflictError: `resume` is "never", and there is a run with this id.
        InvalidInputError: the run has logged a step that is too large to count on from, or
            `resume` is "must" and there is neither a name nor an id.
    """
    project = await projects.get_or_create(conn, request.project, now=now)
    await projects.touch(conn, project.id, now=now)
    run_id = await _find_or_create_run(conn, project.id, request, process.run_uid, now=now)
    await lock(conn, "runs", [run_id])
    await tags.add(conn, run_id, request.tags)
    if request.notes is not None:
        await runs.update(conn, run_id, notes=request.notes)
    run = await runs.get(conn, run_id)
    latest = await writers.of_latest_attempt(conn, run_id)
    peers = latest
    superseded: list[Writer] = []
    resumed_after = None
    if not shares_attempt(
        latest, process, is_shared=request.run_id is not None, is_running=is_running
    ):
        peers = await _find_past_peers(conn, run_id, process) if may_be_late else []
    if peers:
        attempt = peers[0].attempt
        first_step = int(peers[0].first_step or 0)
    else:
        superseded = [writer for writer in latest if _is_alive(writer, is_running)]
        attempt = await writers.next_attempt(conn, run_id)
        first_step = step_after(await _last_step(conn, run_id, request))
        last_activity = await series.last_activity(conn, run_id) if attempt > 1 else None
        resumed_after = None if last_activity is None else min(last_activity, now)
    if not latest or attempt >= latest[0].attempt:
        run = await runs.set_state(conn, run_id, "running", now=now)
    # Who resumes a run wants to see it.
    restored = not peers and not (run.archived_at is None and run.trashed_at is None)
    if restored:
        run = await runs.update(conn, run_id, archived_at=None, trashed_at=None)
    rank = _free_rank(request.rank, {writer.rank for writer in peers})
    opened = await _first_record(conn, project, run, process, attempt=attempt, rank=rank, now=now)
    writer_id = await writers.get_or_create(
        conn,
        uid=opened.writer_uid,
        run_id=run_id,
        attempt=opened.attempt,
        rank=opened.rank,
        host=opened.host,
        pid=opened.pid,
        state="running",
        first_step=first_step,
        launch=process.launch.facts,
        resumed_after=resumed_after,
        now=now,
    )
    if request.resume_from is not None and not peers:
        await _rewind(conn, run_id, writer_id, after=request.resume_from.step)
    config = await configs.get(conn, run_id)
    return Attempt(project, run, config, first_step, opened, superseded, restored)


def _free_rank(requested: int | None, ranks: set[int]) -> int:
    """The rank of this process: the one it asks for, or the next that no other writer has."""
    return 1 + max(ranks, default=-1) if requested is None or requested in ranks else requested


async def _first_record(
    conn: Connection,
    project: Project,
    run: Run,
    process: Process,
    *,
    attempt: int,
    rank: int,
    now: int,
) -> Opened:
    """The first record of the process's journal, which identifies the run in any database."""
    fork_uid, fork_step = await runs.get_fork(conn, run.id)
    return Opened(
        run_uid=await runs.get_uid(conn, run.id),
        writer_uid=process.writer_uid,
        project=project.name,
        run_slug=run.run_id,
        name=run.name,
        group=run.group_name,
        attempt=attempt,
        rank=rank,
        host=process.launch.host,
        pid=process.pid,
        created_at=microseconds(run.created_at),
        started_at=now,
        fork_uid=fork_uid,
        fork_step=fork_step,
    )


async def _rewind(conn: Connection, run_id: int, writer_id: int, *, after: int) -> None:
    """Supersede all points after a step, also in metrics that this attempt never logs."""
    # Imported here: few runs continue from one of their steps.
    from trackai.store.points import metrics

    first_step: Step = after + 1
    if abs(after) < 1 << 53:  # beyond, floats have no fractions
        first_step = math.nextafter(after, math.inf)
    for listed in await series.list_of_run(conn, run_id):
        if listed.axis == "step" and listed.last_step is not None and listed.last_step > after:
            await metrics.rewind(conn, run_id, writer_id, first_step, listed.path)


async def find_requested_run(conn: Connection, request: RunRequest) -> str | None:
    """The identity of the run that a request resumes; None if it creates one."""
    if request.resume == "never":
        return None
    with suppress(NotFoundError):
        project = await projects.find(conn, request.project)
        run = await _find_run(conn, project.id, request)
        return None if run is None else await runs.get_uid(conn, run.id)
    return None


async def _last_step(conn: Connection, run_id: int, request: RunRequest) -> Step | None:
    """The step after which this attempt continues; None if it begins."""
    if request.resume_from is not None:
        return request.resume_from.step
    last_step = await series.last_step(conn, run_id)
    if last_step is None and request.fork_from is not None:
        return request.fork_from.step
    return last_step


async def _find_past_peers(conn: Connection, run_id: int, process: Process) -> list[Writer]:
    """The writers of the launch of a process that logged after it had started; or none."""
    itself = process.launch.host, process.pid
    for group in await writers.beside(conn, run_id, process.started_at):
        has_itself = any((writer.host, writer.pid) == itself for writer in group)
        if not has_itself and process.launch.includes(group):
            return group
    return []


def shares_attempt(
    latest: Sequence[Writer],
    process: Process,
    *,
    is_shared: bool,
    is_running: Callable[[Writer], bool],
) -> bool:
    """Whether a process joins the latest attempt of a run instead of starting a new one.

    It does if it belongs to the launch of that attempt, and one of its writers is alive. If the run
    is shared, it also joins writers that have ended since the process started: one rank may finish
    before another starts.

    Args:
        latest: the writers of the latest attempt.
        is_shared: whether the processes agreed on the id of the run.
        is_running: whether the process of a writer is alive.
    """
    if not process.launch.includes(latest):
        return False
    if any(_is_alive(writer, is_running) for writer in latest):
        return True
    itself = process.launch.host, process.pid
    return (
        is_shared
        and all(
            writer.state == "completed" and (writer.host, writer.pid) != itself for writer in latest
        )
        and any((writer.ended_at or 0) > process.started_at for writer in latest)
    )


def is_running(writer: Writer, spool: Path | None, *, listening_since: int = 0) -> bool:
    """Whether the process of a writer is alive, judged from this machine.

    Args:
        spool: the folder of the journals of this machine; None if none of them has one.
        listening_since: since when this process has heard writers on other machines, in
            microseconds since the epoch.
    """
    if writer.seen_at is not None:
        heard_at = max(writer.seen_at, listening_since)
        return time.time_ns() // 1000 - heard_at < SILENT_SECONDS * 1e6
    pid = writer.pid if writer.host == socket.gethostname() else None
    return spool is not None and is_alive(spool, writer.uid, pid)


def _is_alive(writer: Writer, is_running: Callable[[Writer], bool]) -> bool:
    return writer.state == "running" and is_running(writer)


async def _find_or_create_run(
    conn: Connection, project_id: int, request: RunRequest, uid: str, *, now: int
) -> int:
    # A run with this identity was created for this process, when a process that it forked logged.
    run = await runs.find_by_uid(conn, uid) or await _find_run(conn, project_id, request)
    if run is not None and run.project_id != project_id:
        raise ConflictError(f"the run of this process was moved from project {request.project!r}")
    origin = await _find_origin(conn, project_id, request)
    if run is not None:
        if origin is not None and origin != await runs.get_fork(conn, run.id):
            raise ConflictError(
                f"run {run.run_id!r} already exists in project {request.project!r}, and does not "
                "continue the step in fork_from: use another id"
            )
        return run.id
    name = request.name or request.run_id or generate(await runs.count(conn, project_id) + 1)
    run = await runs.create(
        conn,
        uid=uid,
        project_id=project_id,
        slug=slugs.from_run_id(request.run_id)
        if request.run_id
        else await slugs.for_new_run(conn, project_id, name),
        name=name,
        group_name=request.group,
        now=now,
    )
    if origin is not None:
        await runs.set_fork(conn, run.id, *origin)
    return run.id


async def _find_origin(
    conn: Connection, project_id: int, request: RunRequest
) -> tuple[str, Step] | None:
    """Find the identity and the step of the run to fork; None if the request forks no run."""
    if request.fork_from is None:
        return None
    origin = await _find_by_id(conn, project_id, request.fork_from.run_id)
    if origin is None:
        raise RunNotFoundError(
            f"run {request.fork_from.run_id!r} to fork not found in project {request.project!r}"
        )
    return await runs.get_uid(conn, origin.id), request.fork_from.step


async def _find_run(conn: Connection, project_id: int, request: RunRequest) -> Run | None:
    """Find the run to resume; None if a new one is to be created."""
    if request.run_id is not None:
        run = await _find_by_id(conn, project_id, request.run_id)
        if run is not None and request.resume == "never":
            place = "" if run.trashed_at is None else " and is in the trash"
            raise ConflictError(
                f"run {run.run_id!r} already exists in project {request.project!r}{place}: use "
                'resume="allow" to resume it, or another id'
            )
    elif request.name is not None and request.resume != "never":
        run = await runs.find_latest(conn, project_id, request.name)
    elif request.resume == "must":
        raise InvalidInputError("name", 'resume="must" needs the name or the id of the run')
    else:
        return None
    if run is None and request.resume == "must":
        raise RunNotFoundError(
            f"run {request.run_id or request.name!r} not found in project {request.project!r}: "
            'use resume="allow" to create it'
        )
    return run


async def _find_by_id(conn: Connection, project_id: int, run_id: str) -> Run | None:
    run = await runs.find_by_slug(conn, project_id, slugs.from_run_id(run_id))
    if run is None:
        # Earlier versions made the slug of the id alone, without the digest.
        run = await runs.find_by_slug(conn, project_id, slugs.slugify(run_id))
        if run is not None and run.name != run_id:
            return None
    return run
