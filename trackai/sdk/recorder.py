"""The part of a run that lives in the event loop: it takes up the run, drains, and ends it."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any, Literal

import anyio
import msgspec

from trackai.errors import InvalidInputError, NotFoundError, StoreError
from trackai.ingest.drain import Drain, recover
from trackai.ingest.frames import Opened
from trackai.ingest.journal import JournalWriter
from trackai.sdk.names import generate
from trackai.store import configs, journals, projects, runs, series, writers
from trackai.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.structs.records import Project, Run
    from trackai.structs.values import Step

logger = logging.getLogger("trackai")

Resume = Literal["never", "allow", "must"]
# How long a point may wait in the journal before it is looked for.
_POLL_SECONDS = 0.2


class RunRequest(msgspec.Struct, kw_only=True, frozen=True):
    """Which run a script asks for."""

    project: str
    name: str | None
    group: str | None
    resume: Resume


class Recorder:
    """A run that is being logged.

    Attributes:
        run, project: as they are in the database.
        journal: to which the run's calls are appended.
        last_step: the highest step of the run so far; None for a new run.
        config: its configuration so far, flat.
    """

    run: Run
    project: Project
    journal: JournalWriter
    last_step: Step | None
    config: dict[str, Any]

    def __init__(self, db_path: Path) -> None:
        self._db = Database(db_path)
        self._stop = anyio.Event()

    @classmethod
    async def start(cls, db_path: Path, request: RunRequest) -> Recorder:
        """Open the store, and make or take up the run.

        Raises:
            StoreError: the store cannot be used.
            NotFoundError: `resume="must"`, and there is no such run.
        """
        recorder = cls(db_path)
        try:
            await recorder._db.open()
            await recover(recorder._db)
            await recorder._begin(request)
        except BaseException:
            await recorder._db.close()
            raise
        return recorder

    async def _begin(self, request: RunRequest) -> None:
        now = time.time_ns() // 1000
        async with self._db.write() as conn:
            self.project = await projects.get_or_create(conn, request.project, now=now)
            await projects.touch(conn, self.project.id, now=now)
            self.run = await _find_or_create(conn, self.project.id, request, now=now)
            self.last_step = await series.last_step(conn, self.run.id)
            self.config = await configs.get(conn, self.run.id)
            opened = Opened(
                run_uid=await runs.get_uid(conn, self.run.id),
                writer_uid=uuid.uuid4().hex,
                project=self.project.name,
                run_slug=self.run.run_id,
                name=self.run.name,
                group=self.run.group_name,
                attempt=await writers.next_attempt(conn, self.run.id),
                rank=0,
                host=socket.gethostname(),
                pid=os.getpid(),
                created_at=now,
                started_at=now,
            )
            await writers.get_or_create(
                conn,
                uid=opened.writer_uid,
                run_id=self.run.id,
                attempt=opened.attempt,
                rank=opened.rank,
                host=opened.host,
                pid=opened.pid,
                now=now,
            )
            # Inside the transaction: a run in the database always has a journal that speaks for
            # it, and a process that dies here leaves either nothing or a run to be recovered.
            self.journal = JournalWriter(self._db.spool, opened)
            self._drain = Drain(self._db, self.journal.paths[0])
            await journals.advance(conn, self._drain.path.name, 0)

    async def record(self) -> None:
        """Store what is logged until `stop` is called, then everything that is left."""
        complained = False
        try:
            while not self._stop.is_set():
                with anyio.move_on_after(_POLL_SECONDS):
                    await self._stop.wait()
                try:
                    await self._store_new()
                except (StoreError, OSError) as error:
                    if not complained:
                        logger.warning("points wait in %s: %s", self._db.spool, error)
                    complained = True
            await self._finish()
        finally:
            await self._db.close()
            self.journal.close()

    def stop(self) -> None:
        """Make `record` come to its end; the journal must not be written to any more."""
        self._stop.set()

    async def _store_new(self) -> None:
        while True:
            newest = self.journal.paths[-1]  # before reading: this one may still be growing
            await self._drain.store_all()
            if self._drain.path == newest:
                return
            await self._remove_stored()
            self._drain = Drain(self._db, self.journal.paths[0])

    async def _finish(self) -> None:
        try:
            while self.journal.paths:
                await self._store_new()
                await self._db.checkpoint()
                await self._remove_stored()
        except (StoreError, OSError) as error:
            kept = ", ".join(str(path) for path in self.journal.paths)
            logger.warning(
                "not everything could be stored (%s): the rest is kept in %s and will be stored "
                "by the next trackai.init() or trackai serve",
                error, kept,
            )  # fmt: skip

    async def _remove_stored(self) -> None:
        """Remove the journal that has been drained, if the database really holds it."""
        path = self._drain.path
        if await self._drain.is_stored():
            self.journal.remove(path)
            async with self._db.write() as conn:
                await journals.forget(conn, path.name)
        else:  # the database was replaced meanwhile: store it once more
            self._drain = Drain(self._db, path)


async def _find_or_create(
    conn: Connection, project_id: int, request: RunRequest, *, now: int
) -> Run:
    if request.resume == "must" and request.name is None:
        raise InvalidInputError("name", 'resume="must" needs the name of the run')
    if request.resume != "never" and request.name is not None:
        run = await runs.find_latest(conn, project_id, request.name)
        if run is not None:
            return await runs.set_state(conn, run.id, "running", now=now)
        if request.resume == "must":
            raise NotFoundError(
                f"there is no run {request.name!r} in the project {request.project!r} to resume: "
                'use resume="allow" to begin it'
            )
    name = request.name or generate(await runs.count(conn, project_id) + 1)
    return await runs.create(
        conn,
        uid=uuid.uuid4().hex,
        project_id=project_id,
        slug=await runs.unused_slug(conn, project_id, name),
        name=name,
        group_name=request.group,
        now=now,
    )
