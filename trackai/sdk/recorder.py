"""The part of a run that lives in the event loop: it takes up the run, drains, and ends it."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import msgspec

from trackai.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    StoreBusyError,
    StoreError,
    StoreUnreachableError,
)
from trackai.guard import guarded
from trackai.ingest.drain import Drain
from trackai.ingest.frames import Opened
from trackai.ingest.journal import JournalWriter, is_alive
from trackai.ingest.recovery import Children, recover, report_damage
from trackai.sdk.names import generate
from trackai.sdk.progress import Progress
from trackai.sdk.values import step_after
from trackai.store.catalogue import configs, journals, projects, runs, slugs, tags, writers
from trackai.store.engine.database import Database
from trackai.store.points import series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiosqlite import Connection
    from anyio.from_thread import BlockingPortal

    from trackai.store.catalogue.writers import Writer
    from trackai.structs.records import Project, Run

logger = logging.getLogger("trackai")

Resume = Literal["never", "allow", "must"]
# How long a point may wait in the journal before it is looked for.
_POLL_SECONDS = 0.2
# How long init() waits for a database that another program keeps locked.
_INIT_SECONDS = 300.0
# How long finish() waits for room on the disk for what is held in memory.
_ROOM_SECONDS = 5.0
# How long a fork waits for the drain to be between two batches, and the drain for the fork.
_FORK_SECONDS = 5.0
# The longest pause after a mistake of ours.
_MAX_PAUSE = 60.0
# When this process began, as far as other ranks are concerned.
_BEGAN = time.time_ns() // 1000


class RunRequest(msgspec.Struct, kw_only=True, frozen=True):
    """Which run a script asks for.

    Attributes:
        run_id: the id of a run that several processes write together.
        rank: the place of this process beside them; None takes the next free one.
        tags, notes: of the run.
        sync_each: whether each call waits until it is on the disk itself.
    """

    project: str
    name: str | None
    group: str | None
    resume: Resume
    run_id: str | None = None
    rank: int | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    sync_each: bool = False


class Recorder:
    """A run that is being logged.

    Attributes:
        run, project: as they are in the database.
        journal: to which the run's calls are appended.
        first_step: the step of the first call that names none.
        config: its configuration so far, flat.
        forked: whether processes may have inherited the run.
        closing: whether nobody logs any more.
    """

    run: Run
    project: Project
    journal: JournalWriter
    first_step: int
    config: dict[str, Any]

    def __init__(self, db_path: Path, portal: BlockingPortal) -> None:
        """`portal` is that of the event loop in which everything here happens."""
        self._portal = portal
        self.forked = False
        self.closing = False
        self._db = Database(db_path)
        self._stop = anyio.Event()
        self._turn = anyio.Lock()  # held while the database is used
        self._storing = anyio.Lock()  # held from one batch to the next
        # What has been said of each, until it is well again.
        self._said_of_database: set[str] = set()
        self._said_of_journal: set[str] = set()
        self._dropped = 0
        self._dropped_by: OSError | None = None
        self._progress: Progress | None = None

    async def start(self, request: RunRequest) -> None:
        """Open the store, and make or take up the run.

        Raises:
            StoreError: the store cannot be used.
            NotFoundError: `resume="must"`, and there is no such run.
            ConflictError: `resume="never"`, and there is a run with that id.
            InvalidInputError: the run has logged up to a step from which nothing can be counted on.
        """
        deadline = time.monotonic() + _INIT_SECONDS
        async with self._turn:
            try:
                while True:
                    try:
                        await self._db.open()
                        await self._recover()
                        await self._begin(request)
                    except StoreBusyError as error:
                        if time.monotonic() > deadline:
                            raise
                        self._complain(
                            "waiting for the database: %s", error, self._said_of_database
                        )
                    else:
                        return
            except BaseException:
                await self._db.close()
                raise

    async def _recover(self) -> None:
        """Store what others have left behind, but do not fail because of it."""
        try:
            await recover(self._db)
        except StoreBusyError:
            raise
        except StoreError as error:
            logger.warning("what dead processes left behind cannot be stored: %s", error)

    async def _begin(self, request: RunRequest) -> None:
        try:
            await self._take_up_run(request)
        except BaseException:
            if hasattr(self, "journal"):  # of a run that is not in the database
                for path in self.journal.paths:
                    self.journal.remove(path)
            raise

    async def _take_up_run(self, request: RunRequest) -> None:
        now = time.time_ns() // 1000
        async with self._db.write() as conn:
            self.project = await projects.get_or_create(conn, request.project, now=now)
            await projects.touch(conn, self.project.id, now=now)
            self.run = await _find_or_create(conn, self.project.id, request, now=now)
            await tags.add(conn, self.run.id, request.tags)
            if request.notes is not None:
                await runs.update(conn, self.run.id, notes=request.notes)
            self.run = await runs.get(conn, self.run.id)
            self.config = await configs.get(conn, self.run.id)
            beside = await self._writers_beside(conn, request)
            if beside:
                attempt = beside[0].attempt
                self.first_step = int(beside[0].first_step or 0)
            else:
                attempt = await writers.next_attempt(conn, self.run.id)
                self.first_step = step_after(await series.last_step(conn, self.run.id))
            opened = Opened(
                run_uid=await runs.get_uid(conn, self.run.id),
                writer_uid=uuid.uuid4().hex,
                project=self.project.name,
                run_slug=self.run.run_id,
                name=self.run.name,
                group=self.run.group_name,
                attempt=attempt,
                rank=_rank(request, beside),
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
                state="running",
                first_step=self.first_step,
                now=now,
            )
            # Inside the transaction: a run in the database always has a journal that speaks for
            # it, and a process that dies here leaves either nothing or a run to be recovered.
            try:
                self.journal = JournalWriter(self._db.spool, opened, sync_each=request.sync_each)
            except OSError as error:
                raise StoreUnreachableError(
                    f"cannot write to {self._db.spool} ({error}): set TRACKAI_DB_PATH to a file "
                    "in a folder that you can write to"
                ) from error
            self._drain = Drain(self._db, self.journal.paths[0])
            await journals.advance(conn, self._drain.path.name, 0)
        self._children = Children(self._db, opened.writer_uid)

    async def _writers_beside(self, conn: Connection, request: RunRequest) -> list[Writer]:
        """The writers of the latest attempt, if this one joins them instead of beginning its own.

        It does while one of them is alive. Under a common run id it also joins those that have
        ended since this process began: a rank may be done before another one has started.
        """
        latest = await writers.of_latest_attempt(conn, self.run.id)
        here, pid = socket.gethostname(), os.getpid()
        for writer in latest:
            its_pid = writer.pid if writer.host == here else None
            if writer.state == "running" and is_alive(self._db.spool, writer.uid, its_pid):
                return latest
        if request.run_id is not None and all(
            writer.state == "completed" and (writer.host, writer.pid) != (here, pid)
            for writer in latest
        ):
            return latest if any((writer.ended_at or 0) > _BEGAN for writer in latest) else []
        return []

    async def record(self) -> None:
        """Store what is logged until `stop` is called, then everything that is left."""
        pause = _POLL_SECONDS
        try:
            while not self._stop.is_set():
                with anyio.move_on_after(pause):
                    await self._stop.wait()
                pause = min(pause * 2, _MAX_PAUSE)
                with guarded("storing points"):
                    async with self._storing:
                        await self._take_turn()
                    pause = _POLL_SECONDS
            with guarded("storing the last points"):
                async with self._storing:
                    await self._finish()
        finally:
            async with self._turn:
                await self._db.close()
            self.journal.close()

    def before_fork(self) -> Callable[[], object]:
        """Close the database between two transactions, so that a fork inherits no connection.

        SQLite keeps what a process has locked in memory, where a child would believe it. What is
        returned is to be called after the fork; the next use opens the database again.
        """
        self.forked = True  # from now on there may be journals of children
        is_closed = threading.Event()
        try:
            forking = self._portal.start_task_soon(self._let_go, is_closed)
        except RuntimeError:  # the event loop's own thread forks, or it has ended
            return _nothing
        is_closed.wait(_FORK_SECONDS)
        return forking.cancel

    async def _let_go(self, is_closed: threading.Event) -> None:
        async with self._turn:
            with anyio.CancelScope(shield=True):
                await self._db.close()
            is_closed.set()
            await anyio.sleep(_FORK_SECONDS)  # unless it is cancelled, as it is after the fork

    def close_inherited(self) -> None:
        """In a child: hold no lock that would make a dead parent look alive."""
        if hasattr(self, "journal"):
            self.journal.close()

    async def catch_up(self) -> None:
        """Store what has been logged by now, if that is possible."""
        with guarded("storing points"):
            async with self._storing:
                if not self._stop.is_set():
                    await self._take_turn()

    def stop(self) -> None:
        """Make `record` come to its end; the journal must not be written to any more."""
        self._stop.set()

    async def _take_turn(self) -> None:
        self._tend_journal()
        try:
            await self._store_new()
            if self.forked:
                async with self._turn:
                    await self._children.store()
                    await self._children.collect()
        except (StoreError, OSError) as error:
            self._complain(f"points wait in {self._db.spool}: %s", error, self._said_of_database)
        else:
            self._said_of_database.clear()

    def _tend_journal(self) -> None:
        """Make deleted files anew, write what was held."""
        with self._owning_journal():
            restored = self.journal.restore()
            failure = self.journal.failure
            written = self.journal.retry() if failure is not None else True
            dropped = self.journal.dropped
        for path in restored:
            logger.warning("%s was deleted while it was written to: it has been made anew", path)
        if not written:
            self._complain(
                "the journal cannot be written, points are kept in memory for now: %s",
                failure, self._said_of_journal,
            )  # fmt: skip
        if dropped > self._dropped:
            self._dropped, self._dropped_by = dropped, failure
            self._complain(
                "more cannot be kept in memory: points are lost (%s)",
                failure, self._said_of_journal,
            )  # fmt: skip
        if written and failure is not None:
            logger.warning("the journal can be written again")
            self._said_of_journal.clear()

    @contextmanager
    def _owning_journal(self) -> Iterator[None]:
        # A signal handler may finish the run in the middle of a call of log(), which holds the
        # lock and does not go on before that is done.
        owned = self.journal.lock.acquire(timeout=0.05)
        while not owned and not self.closing:
            owned = self.journal.lock.acquire(timeout=0.05)
        try:
            yield
        finally:
            if owned:
                self.journal.lock.release()

    def _complain(self, message: str, error: BaseException | None, said: set[str]) -> None:
        """Say it once, until things are well again."""
        if message not in said:
            said.add(message)
            logger.warning(message, error)

    async def _store_new(self) -> None:
        while True:
            newest = self.journal.paths[-1]  # before reading: this one may still be growing
            final = self._drain.path != newest or self._stop.is_set()
            before = self._drain.position
            while await self._store_batch(final=final):
                if self._progress is not None:
                    self._progress.advance(self._drain.position - before)
                before = self._drain.position
            if self._drain.path == newest:
                return
            await self._remove_stored()
            self._drain = Drain(self._db, self.journal.paths[0])

    async def _store_batch(self, *, final: bool) -> bool:
        async with self._turn:
            return await self._drain.store_next(final=final)

    async def _finish(self) -> None:
        await self._wait_for_room()
        self._progress = Progress(sum(_size(path) for path in self.journal.paths))
        try:
            while self.journal.paths:
                self._tend_journal()
                await self._store_new()
                async with self._turn:
                    await self._db.checkpoint()
                await self._remove_stored()
            if self.forked:
                async with self._turn:
                    await self._children.store()
                    await self._children.collect()
                    await self._db.checkpoint()
        except (StoreError, OSError) as error:
            kept = ", ".join(str(path) for path in self.journal.paths)
            logger.warning(
                "not everything could be stored (%s): the rest is kept in %s and will be stored "
                "by the next trackai.init(), trackai serve or trackai recover",
                error, kept,
            )  # fmt: skip
        finally:
            self._progress.close()

    async def _wait_for_room(self) -> None:
        """Give what is held in memory a last chance, then put it wherever there is room."""
        deadline = time.monotonic() + _ROOM_SECONDS
        self._tend_journal()
        while self.journal.failure is not None and time.monotonic() < deadline:
            await anyio.sleep(_POLL_SECONDS)
            self._tend_journal()
        failure, held, dropped = self.journal.failure, self.journal.held, self.journal.dropped
        if held or failure is not None:
            try:
                rescued = self.journal.rescue(Path(tempfile.gettempdir()))
            except OSError:
                dropped += held
            else:
                kept = " ".join(str(path) for path in rescued)
                logger.warning(
                    "the journal cannot be written (%s): the last points lie in %s; store them "
                    "with trackai recover %s",
                    failure, kept, kept,
                )  # fmt: skip
        if dropped:
            why = failure or self._dropped_by
            logger.warning("%d calls of log() could not be stored: %s", dropped, why)

    async def _remove_stored(self) -> None:
        async with self._turn:
            await self._remove_if_stored()

    async def _remove_if_stored(self) -> None:
        """Remove the journal that has been drained, if the database really holds it."""
        path = self._drain.path
        if not path.exists():
            raise FileNotFoundError(f"{path} was deleted")
        if await self._drain.is_stored():
            with self._owning_journal():
                if self._drain.damages:
                    report_damage(self._drain, self.journal.set_aside(path))
                else:
                    self.journal.remove(path)
            async with self._db.write() as conn:
                await journals.forget(conn, path.name)
        else:  # the database was replaced meanwhile: store it once more
            self._drain = Drain(self._db, path)


def _nothing() -> None:
    pass


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _rank(request: RunRequest, beside: list[Writer]) -> int:
    if request.rank is not None:
        return request.rank
    return 1 + max((writer.rank for writer in beside), default=-1)


async def _find_or_create(
    conn: Connection, project_id: int, request: RunRequest, *, now: int
) -> Run:
    run = await _find(conn, project_id, request)
    if run is not None:
        return await runs.set_state(conn, run.id, "running", now=now)
    name = request.name or request.run_id or generate(await runs.count(conn, project_id) + 1)
    return await runs.create(
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


async def _find(conn: Connection, project_id: int, request: RunRequest) -> Run | None:
    """The run to go on with; None if a new one is to be made."""
    if request.run_id is not None:
        run = await runs.find_by_slug(conn, project_id, slugs.from_run_id(request.run_id))
        if run is None:  # one whose slug does not tell its id from others
            run = await runs.find_by_slug(conn, project_id, slugs.slugify(request.run_id))
            run = run if run is not None and run.name == request.run_id else None
        wanted = request.run_id
        if run is not None and request.resume == "never":
            raise ConflictError(
                f"there is a run {run.run_id!r} in the project {request.project!r} already: use "
                'resume="allow" to go on with it, or another id'
            )
    elif request.name is not None and request.resume != "never":
        run = await runs.find_latest(conn, project_id, request.name)
        wanted = request.name
    elif request.resume == "must":
        raise InvalidInputError("name", 'resume="must" needs the name of the run')
    else:
        return None
    if run is None and request.resume == "must":
        raise NotFoundError(
            f"there is no run {wanted!r} in the project {request.project!r} to resume: "
            'use resume="allow" to begin it'
        )
    return run
