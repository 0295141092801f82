"""Resuming: which run, which attempt and which step a script continues with.

An attempt is one execution of a script. A script that resumes a run starts a new attempt, whose
points supersede those of earlier attempts from its first step on, even if a process of an earlier
attempt still logs. Processes that log to one run together, such as the ranks of distributed
training, share an attempt.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import ConflictError, InvalidInputError, NotFoundError
from trackai.ingest.frames import Opened
from trackai.sdk.launch import Launch
from trackai.sdk.run_names import generate
from trackai.sdk.steps import step_after
from trackai.store.catalogue import configs, projects, runs, slugs, tags, writers
from trackai.store.points import series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiosqlite import Connection

    from trackai.sdk.run_request import RunRequest
    from trackai.store.catalogue.writers import Writer
    from trackai.structs.records import Project, Run

# The start of this process; writers that ended later ran beside it.
_STARTED_AT = time.time_ns() // 1000


class Attempt(msgspec.Struct, frozen=True):
    """This process's attempt at a run.

    Attributes:
        project, run: as they are in the database.
        config: the configuration of the run, flat.
        first_step: the step of the first call of `log` without a step.
        opened: the first record of the journal.
        superseded: the writers of the former attempt that are still running.
    """

    project: Project
    run: Run
    config: dict[str, Any]
    first_step: int
    opened: Opened
    superseded: list[Writer]


async def start_attempt(
    conn: Connection, request: RunRequest, *, is_running: Callable[[Writer], bool]
) -> Attempt:
    """Create or resume the requested run, and add a writer for this process to it.

    Args:
        conn: a connection in a transaction.
        is_running: whether the process of a writer of the run is alive.

    Raises:
        NotFoundError: `resume` is "must", and the run does not exist.
        ConflictError: `resume` is "never", and there is a run with this id.
        InvalidInputError: the run has logged a step that is too large to count on from, or
            `resume` is "must" and there is neither a name nor an id.
    """
    now = time.time_ns() // 1000
    project = await projects.get_or_create(conn, request.project, now=now)
    await projects.touch(conn, project.id, now=now)
    run_id = await _find_or_create_run(conn, project.id, request, now=now)
    await tags.add(conn, run_id, request.tags)
    if request.notes is not None:
        await runs.update(conn, run_id, notes=request.notes)
    run = await runs.get(conn, run_id)
    latest = await writers.of_latest_attempt(conn, run_id)
    launch = Launch.of_this_process(request.launch)
    superseded: list[Writer] = []
    resumed_after = None
    if shares_attempt(latest, launch, is_shared=request.run_id is not None, is_running=is_running):
        attempt = latest[0].attempt
        first_step = int(latest[0].first_step or 0)
    else:
        superseded = [writer for writer in latest if _is_alive(writer, is_running)]
        latest = []
        attempt = await writers.next_attempt(conn, run_id)
        first_step = step_after(await series.last_step(conn, run_id))
        if attempt > 1:
            resumed_after = await series.last_activity(conn, run_id)
    ranks = {writer.rank for writer in latest}
    rank = request.rank
    if rank is None or rank in ranks:
        rank = 1 + max(ranks, default=-1)
    opened = Opened(
        run_uid=await runs.get_uid(conn, run_id),
        writer_uid=uuid.uuid4().hex,
        project=project.name,
        run_slug=run.run_id,
        name=run.name,
        group=run.group_name,
        attempt=attempt,
        rank=rank,
        host=socket.gethostname(),
        pid=os.getpid(),
        created_at=now,
        started_at=now,
    )
    await writers.get_or_create(
        conn,
        uid=opened.writer_uid,
        run_id=run_id,
        attempt=opened.attempt,
        rank=opened.rank,
        host=opened.host,
        pid=opened.pid,
        state="running",
        first_step=first_step,
        launch=launch.facts,
        resumed_after=resumed_after,
        now=now,
    )
    config = await configs.get(conn, run_id)
    return Attempt(project, run, config, first_step, opened, superseded)


async def find_requested_run(conn: Connection, request: RunRequest) -> str | None:
    """The identity of the run that a request resumes; None if it creates one."""
    if request.resume == "never":
        return None
    with suppress(NotFoundError):
        project = await projects.find(conn, request.project)
        run = await _find_run(conn, project.id, request)
        return None if run is None else await runs.get_uid(conn, run.id)
    return None


def shares_attempt(
    latest: Sequence[Writer],
    launch: Launch,
    *,
    is_shared: bool,
    is_running: Callable[[Writer], bool],
) -> bool:
    """Whether this process joins the latest attempt of a run instead of starting a new one.

    It does if it belongs to the launch of that attempt, and one of its writers is alive. If the run
    is shared, it also joins writers that have ended since this process started: one rank may finish
    before another starts.

    Args:
        latest: the writers of the latest attempt.
        launch: what this process knows about the processes that log together with it.
        is_shared: whether the processes agreed on the id of the run.
        is_running: whether the process of a writer is alive.
    """
    if not launch.includes(latest):
        return False
    if any(_is_alive(writer, is_running) for writer in latest):
        return True
    here, pid = socket.gethostname(), os.getpid()
    return (
        is_shared
        and all(
            writer.state == "completed" and (writer.host, writer.pid) != (here, pid)
            for writer in latest
        )
        and any((writer.ended_at or 0) > _STARTED_AT for writer in latest)
    )


def _is_alive(writer: Writer, is_running: Callable[[Writer], bool]) -> bool:
    return writer.state == "running" and is_running(writer)


async def _find_or_create_run(
    conn: Connection, project_id: int, request: RunRequest, *, now: int
) -> int:
    run = await _find_run(conn, project_id, request)
    if run is not None:
        return (await runs.set_state(conn, run.id, "running", now=now)).id
    name = request.name or request.run_id or generate(await runs.count(conn, project_id) + 1)
    run = await runs.create(
        conn,
        uid=uuid.uuid4().hex,
        project_id=project_id,
        slug=slugs.from_run_id(request.run_id)
        if request.run_id
        else await slugs.for_new_run(conn, project_id, name),
        name=name,
        group_name=request.group,
        now=now,
    )
    return run.id


async def _find_run(conn: Connection, project_id: int, request: RunRequest) -> Run | None:
    """Find the run to resume; None if a new one is to be created."""
    if request.run_id is not None:
        run = await _find_by_id(conn, project_id, request.run_id)
        if run is not None and request.resume == "never":
            raise ConflictError(
                f"run {run.run_id!r} already exists in project {request.project!r}: use "
                'resume="allow" to resume it, or another id'
            )
    elif request.name is not None and request.resume != "never":
        run = await runs.find_latest(conn, project_id, request.name)
    elif request.resume == "must":
        raise InvalidInputError("name", 'resume="must" needs the name or the id of the run')
    else:
        return None
    if run is None and request.resume == "must":
        raise NotFoundError(
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
