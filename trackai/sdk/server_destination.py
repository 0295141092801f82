"""A server as the destination of a run, which may not answer now."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec

from trackai.client import leftovers, outbox
from trackai.client.connection import JSON, Connection
from trackai.client.forwarder import Forwarder, in_thread
from trackai.errors import (
    ConflictError,
    InvalidInputError,
    RunNotFoundError,
    ServerRefusedError,
    ServerUnreachableError,
    StoreUnreachableError,
    TrackAIError,
)
from trackai.guard import guarded
from trackai.ingest.attach import Attach
from trackai.ingest.attempts import Attempt
from trackai.ingest.frames import Opened
from trackai.ingest.journal import JournalWriter, name_of
from trackai.sdk.destination import Begun, Destination
from trackai.sdk.launch import this_process
from trackai.store.catalogue.slugs import slugify
from trackai.structs.records import Project, Run
from trackai.values.logger import logger
from trackai.values.run_names import generate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.client.outbox import Placement
    from trackai.ingest.drain import JournalDrain
    from trackai.ingest.launch import Process
    from trackai.ingest.run_request import RunRequest
    from trackai.settings import Settings

# How long init() waits for an answer, and the recorder, which has more to send.
_INIT_SECONDS = 10.0
_READ_SECONDS = 30.0
# Not the generator that scripts seed, whose numbers they expect to be the same again.
_random = random.SystemRandom()
# A server that has not heard from a process for two minutes takes it for dead.
_ALIVE_SECONDS = 20.0
_LONGEST_PAUSE = 60.0
# How long init() sends what ended processes have logged to the run that it resumes.
_FORMER_SECONDS = 30.0


class ServerDestination(Destination):
    """A server that is reached over the network. Points wait in the outbox until it has them."""

    later = "will be sent by the next trackai.init() with this server, or by trackai sync"
    poll_seconds = 1.0
    patience = 30.0

    def __init__(self, settings: Settings) -> None:
        assert settings.server_url is not None  # noqa: S101 - for mypy
        self._connect = partial(
            Connection, settings.server_url, settings.api_key, read_seconds=_READ_SECONDS
        )
        self._connection = self._connect()
        self.name = self._connection.url
        self.spool = outbox.folder_of(settings.outbox, self.name)
        self._bound = settings.outbox_bytes
        self._is_unknown = False  # the server has answered that it does not know this writer

    @property
    def progress(self) -> int:
        return self._connection.moved

    @property
    def is_down(self) -> bool:
        return time.monotonic() - self._connection.answered_at > _LONGEST_PAUSE

    async def begin(self, request: RunRequest) -> Begun:
        process, now = this_process(request.launch), time.time_ns() // 1000
        if request.name is None and request.run_id is None:
            # A server makes up a better one, from the number of runs. This one is for later.
            offline = msgspec.structs.replace(request, name=generate(_random.randrange(100, 1000)))
        else:
            offline = request
        placement = outbox.Placement(
            server_url=self.name,
            attach=Attach(
                request=msgspec.structs.replace(request, config={}, launch={}),
                process=process,
                journal=name_of(now, process.writer_uid, 0),
                now=now,
                begun_at=now,
            ),
        )
        try:
            self.spool.mkdir(parents=True, exist_ok=True)
            await self._send_former_attempts(request)
            attempt = await self._attach(placement)
            if attempt is None:
                placement.attach.request = msgspec.structs.replace(offline, config={}, launch={})
                placement.save(self.spool)
                attempt = _offline_attempt(offline, process, now)
            journal = JournalWriter(
                self.spool,
                msgspec.structs.replace(attempt.opened, started_at=now),
                sync_each=request.sync_each,
                bound=self._is_full,
            )
        except OSError as error:
            raise StoreUnreachableError(
                f"cannot write to {self.spool} ({error}): set TRACKAI_OUTBOX_PATH to a folder that "
                "you can write to"
            ) from error
        self._placement = placement
        (path,) = journal.paths
        return Begun(attempt, journal, Forwarder(self._connection, path, placement))

    async def _send_former_attempts(self, request: RunRequest) -> None:
        """Send what ended processes of this machine have logged to the run, if it is one to resume.

        The next step is behind all of it, and the server knows that they do not run any more.
        """
        if request.resume == "never":
            return
        with anyio.move_on_after(_FORMER_SECONDS), suppress(TrackAIError, OSError):
            for leftover in leftovers.find(self.spool):
                former = leftover.placement and leftover.placement.attach.request
                if former and (former.project, former.run_id or former.name) == (
                    request.project, request.run_id or request.name,
                ):  # fmt: skip
                    await leftovers.send(self._connection, leftover)

    async def _attach(self, placement: Placement) -> Attempt | None:
        """Begin the run on the server; None if it cannot be reached or refuses it for now."""
        request = placement.attach.request
        try:
            with self._connection.patience(_INIT_SECONDS):
                attached = await in_thread(partial(placement.begin, self._connection, self.spool))
        except (ServerUnreachableError, ServerRefusedError) as error:
            status = error.status if isinstance(error, ServerRefusedError) else None
            detail = str(error).removeprefix(f"{self.name}: ")
            if status in _LOCAL_ERRORS:
                raise _LOCAL_ERRORS[status](detail) from None
            if status == 422:
                field, _, problem = detail.partition(": ")
                raise InvalidInputError(field, problem) from None
            needed = "resume_from" if request.resume_from else "fork_from"
            if request.resume == "must" or request.fork_from is not None:
                what = 'resume="must"' if request.resume_from is None else needed
                raise type(error)(f"{what} needs the server: {error}") from None
            resumes = request.resume == "allow" and (request.run_id or request.name)
            logger.warning(
                "%s%s The run begins all the same: what it logs waits in %s, and is sent as soon "
                "as that is possible, or by trackai sync%s",
                error, "" if str(error).endswith("?") else ".", self.spool,
                "; steps count from 0, and if the run exists there, they supersede its own from "
                "the first one on" if resumes else "",
            )  # fmt: skip
            self.is_offline = True
            return None
        return attached.attempt

    def _is_full(self) -> bool:
        return outbox.size(self.spool) >= self._bound

    async def close(self) -> None:
        self._connection.close()

    async def drain(self, path: Path, after: str) -> Forwarder:
        return Forwarder(self._connection, path, self._placement)

    async def collect(self, paths: Sequence[Path]) -> None:
        await leftovers.send_of(self._connection, self.spool, paths)

    async def look_after(self, drain: JournalDrain) -> None:
        assert isinstance(drain, Forwarder)  # noqa: S101 - `begin` and `drain` make no others
        if self._is_unknown:
            self._is_unknown = False
            await drain.tell()

    async def find_successor(self, drain: JournalDrain) -> str | None:
        return "another process" if isinstance(drain, Forwarder) and drain.superseded else None

    async def finish(self) -> None:
        outbox.forget(self.spool, self._placement)

    async def work_beside(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send_leftovers)
            tasks.start_soon(self._send_life_signs)

    async def _send_life_signs(self) -> None:
        """Tell the server that this process lives, while nothing else is sent."""
        connection, uid = self._connect(), self._placement.attach.process.writer_uid
        body = msgspec.json.encode({"writer": uid})
        while True:
            await anyio.sleep(_ALIVE_SECONDS / 2)
            if time.monotonic() - self._connection.answered_at < _ALIVE_SECONDS:
                continue
            with suppress(TrackAIError):
                answer = await in_thread(
                    partial(connection.request, "POST", "/api/writers/alive", body, headers=JSON)
                )
                self._is_unknown = not answer.decode(dict[str, bool])["known"]

    async def _send_leftovers(self) -> None:
        """Send what processes left here that ended before the server had everything."""
        connection, pause = self._connect(), self.poll_seconds
        while True:
            try:
                with guarded("sending points of ended processes", but=(TrackAIError, OSError)):
                    await leftovers.send_of(connection, self.spool)
                    outbox.sweep(self.spool)
                connection.close()
                return
            except (TrackAIError, OSError) as error:
                pause = self.pause_after(error, pause)
            await anyio.sleep(pause)

    def how_to_store(self, paths: str) -> str:
        return f"move them to {self.spool}, and send them with trackai sync"

    def pause_after(self, error: Exception, pause: float) -> float:
        if isinstance(error, ServerUnreachableError) and error.retry_after is not None:
            return error.retry_after
        # Many clients of a server that has restarted should not all come back at once.
        return min(2 * pause, _LONGEST_PAUSE) * _random.uniform(0.75, 1.25)


# Answers that mean what the same errors of the database mean.
_LOCAL_ERRORS: dict[int | None, type[TrackAIError]] = {404: RunNotFoundError, 409: ConflictError}


def _offline_attempt(request: RunRequest, process: Process, now: int) -> Attempt:
    """What is known of the attempt without the server."""
    name = request.name or request.run_id or ""
    time_ = datetime.fromtimestamp(now / 1e6, UTC)
    slug = slugify(request.run_id or name)
    opened = Opened(
        run_uid=process.run_uid,
        writer_uid=process.writer_uid,
        project=request.project,
        run_slug=slug,
        name=name,
        group=request.group,
        attempt=1,
        rank=request.rank or 0,
        host=process.launch.host,
        pid=process.pid,
        created_at=now,
        started_at=now,
    )
    project = Project(
        id=0, name=request.project, project_id=slugify(request.project), created_at=time_,
        updated_at=time_,
    )  # fmt: skip
    run = Run(
        id=0, project_id=0, run_id=slug, name=name, group_name=request.group, state="running",
        created_at=time_, updated_at=time_, notes=request.notes, tags=list(request.tags),
    )  # fmt: skip
    return Attempt(project, run, {}, 0, opened, [])
