"""Begin and resume runs for processes on other machines.

Attaching is idempotent: a process whose answer was lost asks again, and gets the same attempt.
Times of the client are moved to the clock of the server, so that a wrong clock changes no order.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import InvalidInputError, NotFoundError
from trackai.ingest import attempts, deliveries
from trackai.ingest.attempts import Attempt
from trackai.ingest.frames import Opened
from trackai.ingest.journal import is_journal, writer_uid
from trackai.ingest.launch import Process  # noqa: TC001 - for msgspec
from trackai.ingest.recovery import store_running
from trackai.ingest.run_request import Moment, RunRequest  # noqa: TC001 - for msgspec
from trackai.store.catalogue import configs, journals, projects, runs, writers
from trackai.store.engine.sql import lock
from trackai.values.names import (
    MAX_NAME,
    identifier_problem,
    name_problem,
    notes_problem,
    refuse,
)
from trackai.values.steps import STEP_LIMIT
from trackai.values.times import FIRST_TIME, LAST_TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.store.catalogue.keys import Grant
    from trackai.store.catalogue.writers import Writer
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

# Clocks that differ by less are taken for right.
CLOCK_SECONDS = 60.0
MAX_TAGS = 1000
# Variables of a launch, and ids of processes in the lineage of one.
_MAX_FACTS = 100
_MAX_LINEAGE = 1000
# Ranks and process ids are smaller; the next free rank after any of them can be stored.
_MAX_NUMBER = 1 << 32


class Attach(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A process that begins or resumes a run.

    Attributes:
        request: the run; its config, launch, sync_each and strict are not used here.
        process: the process, with times of the client's clock.
        journal: the name of its first journal.
        now: when the client sends this, microseconds since the epoch by its clock.
        begun_at: when the run began by the same clock: earlier than `now` for a run that began
            without a connection to the server.
    """

    request: RunRequest
    process: Process
    journal: str
    now: int
    begun_at: int


class Attached(msgspec.Struct, kw_only=True):
    """The attempt of a process that has attached.

    Attributes:
        attempt: the attempt, with times of the server's clock.
        time: the server's clock, microseconds since the epoch.
    """

    attempt: Attempt
    time: int


async def attach(
    db: Store, message: Attach, grant: Grant, *, is_running: Callable[[Writer], bool]
) -> Attached:
    """Begin or resume a run for a process, unless it has attached already.

    Args:
        grant: what the sender may do.
        is_running: whether the process of a writer of the run is alive.

    Raises:
        InvalidInputError: a field has a value that is not allowed.
        PermissionDeniedError: the sender may not log to this project.
        NotFoundError: `resume` is "must", and the run does not exist; or the process has attached
            before, and its run was deleted.
        ConflictError: `resume` is "never", and there is a run with this id.
        StoreError: the database cannot be written.
    """
    _check(message)
    async with db.read() as conn:
        run_uid = await attempts.find_requested_run(conn, message.request)
    if run_uid is not None:
        # Of processes on this machine: the first step is behind all that they have logged.
        await store_running(db, run_uid)

    async def begin(conn: Connection) -> Attached:
        now = time.time_ns() // 1000
        attempt = await _known_attempt(conn, message.process, grant)
        if attempt is None:
            attempt = await _start(conn, message, grant, is_running=is_running, now=now)
        uid = message.process.writer_uid
        place = (await writers.locate(conn, [uid]))[uid]
        await deliveries.note_heard(conn, uid, place, grant.name, now=now)
        return Attached(attempt=attempt, time=now)

    return await db.change(begin)


async def _known_attempt(conn: Connection, process: Process, grant: Grant) -> Attempt | None:
    """The attempt of a process that has attached before; None for any other process."""
    origin = await writers.find_origin(conn, process.writer_uid)
    if origin is None:
        return None
    run = await runs.find_by_uid(conn, origin.run_uid)
    assert run is not None  # noqa: S101 - of the same transaction
    await _check_project(conn, grant, run.project_id)
    await writers.complete_launch(conn, process.writer_uid, process.launch.facts)
    return Attempt(
        project=await projects.get(conn, run.project_id),
        run=run,
        config=await configs.get(conn, run.id),
        first_step=await writers.first_step(conn, process.writer_uid),
        opened=Opened(**msgspec.structs.asdict(origin)),
        superseded=[],
    )


async def _start(
    conn: Connection,
    message: Attach,
    grant: Grant,
    *,
    is_running: Callable[[Writer], bool],
    now: int,
) -> Attempt:
    request, process, requested = message.request, message.process, None
    with suppress(NotFoundError):
        requested = (await projects.find(conn, request.project)).id
    await _check_project(conn, grant, requested)
    ahead = now - message.now
    if abs(ahead) < CLOCK_SECONDS * 1e6:
        ahead = 0  # the time that the message took, rather than a wrong clock
    begun_at = message.begun_at + ahead
    project = await projects.get_or_create(conn, request.project, now=begun_at)
    await lock(conn, "projects", [project.id])
    # Another server may have answered the same process while this one waited for the lock.
    attempt = await _known_attempt(conn, process, grant)
    if attempt is not None:
        return attempt
    if await journals.knows_writer(conn, process.writer_uid):
        raise NotFoundError(
            f"the run of project {request.project!r} that this process logged to was deleted"
        )
    attempt = await attempts.start_attempt(
        conn,
        request,
        msgspec.structs.replace(process, started_at=process.started_at + ahead),
        is_running=is_running,
        now=begun_at,
        may_be_late=True,
    )
    # A database that knows the journal, but not the writer, is one in which the run was deleted.
    await journals.begin_remote(conn, message.journal)
    return attempt


async def _check_project(conn: Connection, grant: Grant, project_id: int | None) -> None:
    """Check that a sender may log to a project; None for one that does not exist.

    Raises:
        PermissionDeniedError: it may not. The answer does not tell what exists in other projects.
    """
    if grant.project_id is not None and grant.project_id != project_id:
        raise await deliveries.other_project(conn, grant.project_id)


def _check(message: Attach) -> None:
    """Check what the types do not say.

    Raises:
        InvalidInputError: a field has a value that is not allowed; the error names it.
    """
    _check_request(message.request)
    _check_process(message.process)
    if not is_journal(message.journal):
        raise InvalidInputError("journal", "must be the name of a journal")
    if writer_uid(message.journal) != message.process.writer_uid:
        raise InvalidInputError("journal", "its name must contain the writer of the process")
    now = time.time_ns() // 1000
    for field, moment in (
        ("now", message.now),
        ("begun_at", message.begun_at),
        ("process.started_at", message.process.started_at),
    ):
        for each in (moment, moment - message.now + now):
            if not FIRST_TIME <= each <= LAST_TIME:
                raise InvalidInputError(
                    field, "must be microseconds since the epoch, in years 1 to 9999"
                )
    if message.begun_at > message.now:
        raise InvalidInputError("begun_at", "must not be after now")


def _check_request(request: RunRequest) -> None:
    refuse("request.project", name_problem(request.project))
    if request.name is not None:
        refuse("request.name", name_problem(request.name))
    for field in ("group", "run_id"):
        if (text := getattr(request, field)) is not None:
            refuse(f"request.{field}", identifier_problem(text))
    if len(request.tags) > MAX_TAGS:
        raise InvalidInputError(
            "request.tags", f"must have at most {MAX_TAGS} items, got {len(request.tags)}"
        )
    for tag in request.tags:
        refuse("request.tags", identifier_problem(tag))
    refuse("request.notes", notes_problem(request.notes or ""))
    _check_number("request.rank", request.rank or 0)
    _check_moment("request.fork_from", request.fork_from)
    _check_moment("request.resume_from", request.resume_from)
    moment = request.resume_from
    if moment is not None and (
        request.run_id != moment.run_id or request.resume != "must" or request.fork_from
    ):
        raise InvalidInputError(
            "request.resume_from",
            'must name the run in run_id, with resume="must" and without fork_from',
        )


def _check_moment(field: str, moment: Moment | None) -> None:
    if moment is not None:
        refuse(field, identifier_problem(moment.run_id))
        if not 0 <= moment.step <= STEP_LIMIT:
            raise InvalidInputError(field, "must have a step between 0 and 2**62")


def _check_process(process: Process) -> None:
    for field in ("writer_uid", "run_uid"):
        if not re.fullmatch("[0-9a-f]{32}", getattr(process, field)):
            raise InvalidInputError(f"process.{field}", "must be 32 hexadecimal digits")
    _check_number("process.pid", process.pid)
    launch = process.launch
    refuse("process.launch.host", notes_problem(launch.host, MAX_NAME))
    if len(launch.facts) > _MAX_FACTS:
        raise InvalidInputError("process.launch.facts", f"must have at most {_MAX_FACTS} items")
    for text in (*launch.facts.keys(), *launch.facts.values()):
        refuse("process.launch.facts", notes_problem(text, MAX_NAME))
    if len(launch.lineage) > _MAX_LINEAGE:
        raise InvalidInputError("process.launch.lineage", f"must have at most {_MAX_LINEAGE} items")


def _check_number(field: str, number: int) -> None:
    if not 0 <= number < _MAX_NUMBER:
        raise InvalidInputError(field, f"must be between 0 and {_MAX_NUMBER - 1}")
