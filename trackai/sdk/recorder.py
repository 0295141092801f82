"""The part of a run that works in the event loop: it starts the run, stores points, and ends it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import anyio

from trackai.errors import StoreBusyError, TrackAIError
from trackai.guard import guarded
from trackai.ingest.frames import Configured, encode
from trackai.ingest.recovery import report_damage
from trackai.lazy_imports import import_lock
from trackai.sdk.children import Children
from trackai.sdk.progress import Progress
from trackai.sdk.turns import short_turns
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from trackai.ingest.journal import JournalWriter
    from trackai.ingest.run_request import RunRequest
    from trackai.sdk.destination import Destination
    from trackai.structs.records import Project, Run


_POLL_SECONDS = 0.2
# How long a server has to answer before finish() says that it waits, and when it has not answered
# before.
_ANSWER_SECONDS = 3.0
# How long init() waits for a database that another program keeps locked.
_INIT_SECONDS = 300.0
# How long finish() waits for room on the disk for points that are held in memory.
_ROOM_SECONDS = 5.0
# How long finish() waits for readers that keep points out of the main file.
_READER_SECONDS = 2.0
# How long a fork waits for the drain to be between two batches, and the drain for the fork.
_FORK_SECONDS = 5.0
# The longest pause after an internal error.
_MAX_PAUSE = 60.0
_WAITING = "finish() waits for a while: %s"
_SILENT = "finish() waits for a while for an answer of %s"
# Why a call is lost although the journal can be written.
_TOO_LARGE = "larger than the file-size limit (ulimit -f)"


class Recorder:
    """Moves the points of one run from its journal to its destination.

    Attributes:
        run, project: as they are in the database.
        journal: the journal that the run appends to.
        first_step: the step of the first call of `log` without a step.
        config: the configuration of the run when it started, flat.
        forked: True if processes may have inherited the run.
        closing: True once logging has stopped.
    """

    run: Run
    project: Project
    journal: JournalWriter
    first_step: int
    config: dict[str, Any]

    def __init__(self, destination: Destination, portal: BlockingPortal) -> None:
        """Make a recorder; `portal` is that of the event loop it works in."""
        self._portal = portal
        self.forked = False
        self.closing = False
        self._destination = destination
        self._stop = anyio.Event()
        self._lock = anyio.Lock()  # held while the destination is used
        self._storing = anyio.Lock()  # held from one batch to the next
        # The warnings that have been given since the destination, or the journal, last worked.
        self._store_warnings: set[str] = set()
        self._journal_warnings: set[str] = set()
        self._dropped = 0
        self._dropped_by: OSError | None = None
        # The number of points that were not stored because the run was deleted; None before that.
        self._deleted_points: int | None = None
        self._progress: Progress | None = None
        self._waiting = f"points wait in {destination.spool}: %s"
        self._is_superseded = False
        self._points_checked = 0

    async def start(self, request: RunRequest, is_abandoned: threading.Event) -> None:
        """Create or resume the run.

        Args:
            request: the run.
            is_abandoned: stops waiting for the database.

        Raises:
            StoreError: the database cannot be used.
            ServerUnreachableError: `resume` is "must", and the server does not answer.
            NotFoundError: `resume` is "must", and the run does not exist.
            ConflictError: `resume` is "never", and there is a run with this id.
            InvalidInputError: the run has logged a step that is too large to count on from, or
                its configuration is too large.
        """
        encode(Configured(request.config))  # raises before there is a run
        deadline = time.monotonic() + _INIT_SECONDS
        async with self._lock:
            try:
                while True:
                    try:
                        begun = await self._destination.begin(request)
                    except StoreBusyError as error:
                        if time.monotonic() > deadline or is_abandoned.is_set():
                            raise
                        self._warn("waiting for the database: %s", error, self._store_warnings)
                    else:
                        break
            except BaseException:
                await self._destination.close()
                raise
        attempt, self.journal, self._drain = begun
        if self._destination.is_offline:
            self._store_warnings.add(self._waiting)
        self.project, self.run = attempt.project, attempt.run
        self.first_step, self.config = attempt.first_step, attempt.config
        self._children = Children(self._destination, self.journal.opened.writer_uid)
        if attempt.restored:
            logger.warning(
                "run %r was archived or in the trash: resuming it takes it out", self.run.run_id
            )
        for writer in attempt.superseded:
            logger.warning(
                "process %d on %s is still logging to run %r: this process starts a new attempt, "
                "which supersedes it from step %d on; processes that log to a run together need a "
                "rank (TRACKAI_RANK)",
                writer.pid, writer.host, self.run.run_id, self.first_step,
            )  # fmt: skip

    async def record(self) -> None:
        """Store points as they are logged until `stop` is called, then all that are left."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._destination.work_beside)
                await self._store_regularly()
                tasks.cancel_scope.cancel()
            with guarded("storing the last points"):
                async with self._storing:
                    await self._finish()
        finally:
            async with self._lock:
                await self._destination.close()
            self.journal.close()

    def _load(self) -> None:
        """Import what `init` has not needed.

        Also if there is nothing to store yet: the process may run out of file handles later, or
        change the working directory, in which Python may look for modules.
        """
        # Without file handles nothing can be imported. Storing tries again, and warns once.
        with guarded("importing what stores points"), suppress(ImportError, OSError):
            self._destination.load()
            with import_lock:
                import tempfile  # noqa: F401 - for `_write_held_calls`

    async def _store_regularly(self) -> None:
        pause = self._destination.poll_seconds
        async with anyio.create_task_group() as tasks:
            if self._destination.patience is not None:
                tasks.start_soon(self._interrupt, tasks.cancel_scope)
            while not self._stop.is_set():
                with anyio.move_on_after(pause):
                    await self._stop.wait()
                self._load()
                pause = min(pause * 2, _MAX_PAUSE)
                with guarded("storing points"):
                    async with self._storing:
                        error = await self._store_pending()
                    pause = (
                        self._destination.poll_seconds
                        if error is None
                        else self._destination.pause_after(error, pause)
                    )
            tasks.cancel_scope.cancel()

    async def _interrupt(self, storing: anyio.CancelScope) -> None:
        """Interrupt what waits for an answer when the run finishes."""
        await self._stop.wait()
        await anyio.sleep(_ANSWER_SECONDS)
        storing.cancel()

    def before_fork(self) -> Callable[[], object]:
        """Close the database between two transactions, so that a child inherits no connection.

        SQLite remembers in memory which locks a process holds, and a child would trust that. The
        next use opens the database again.

        Returns:
            What to call after the fork.
        """
        self.forked = True  # from now on there may be journals of children
        if not self._destination.closes_for_forks:
            return _do_nothing
        is_closed = threading.Event()
        try:
            forking = self._portal.start_task_soon(self._close_for_fork, is_closed)
        except RuntimeError:  # the thread of the event loop forks, or the loop has ended
            return _do_nothing
        is_closed.wait(_FORK_SECONDS)
        return forking.cancel

    async def _close_for_fork(self, is_closed: threading.Event) -> None:
        async with self._lock:
            with anyio.CancelScope(shield=True):
                await self._destination.close()
            is_closed.set()
            await anyio.sleep(_FORK_SECONDS)  # cancelled after the fork

    def close_inherited(self) -> None:
        """In a child: close the journal, whose lock would make a dead parent look alive."""
        if hasattr(self, "journal"):
            self.journal.close()

    async def catch_up(self) -> bool:
        """Store what has been logged so far; False if that is not possible now."""
        with guarded("storing points"):
            async with self._storing:
                if not self._stop.is_set():
                    return await self._store_pending() is None
        return False

    def stop(self) -> None:
        """Make `record` store what is left and return. The journal must be complete."""
        self._stop.set()

    def say_what_is_left(self) -> None:
        """Warn that `record` will not store what is left, because the process ends."""
        logger.warning(
            "finish() of run %r was interrupted: what is not stored yet is kept in %s and %s",
            self.run.run_id, self._destination.spool, self._destination.later,
        )  # fmt: skip

    async def _store_pending(self) -> Exception | None:
        """Store what has been logged so far; warn if that is not possible, and return the error."""
        self._repair_journal()
        try:
            await self._drain_journals()
            await self._look_for_successor()
            async with self._lock:
                await self._destination.look_after(self._drain)
            if self.forked:
                await self._store_children()
        except (TrackAIError, OSError) as error:
            self._warn(self._waiting, error, self._store_warnings)
            return error
        if self._store_warnings:
            self._store_warnings.clear()
        return None

    async def _store_children(self) -> None:
        async with self._lock:
            await self._children.store(self._drain.path.name)
            await self._children.collect()

    def _repair_journal(self) -> None:
        """Recreate deleted journal files, and write the calls that are held in memory."""
        with self._holding_journal():
            restored = self.journal.restore()
            failure = self.journal.failure
            written = self.journal.retry() if failure is not None else True
            dropped = self.journal.dropped
        for path in restored:
            logger.warning("%s was deleted during the run and has been recreated", path)
        if not written:
            self._warn(
                "the journal cannot be written, points are held in memory for now: %s",
                failure, self._journal_warnings,
            )  # fmt: skip
        if dropped > self._dropped:
            self._dropped, self._dropped_by = dropped, failure
            if failure is None:
                logger.warning("a call of log() was %s: it is lost", _TOO_LARGE)
            else:
                self._warn(
                    "no more points can be held in memory: points are lost (%s)",
                    failure, self._journal_warnings,
                )  # fmt: skip
        if written and failure is not None:
            logger.warning("the journal can be written again")
            self._journal_warnings.clear()

    async def _look_for_successor(self) -> None:
        """Warn once if another process has resumed the run, and this one has logged since."""
        if self._is_superseded or self._drain.points == self._points_checked:
            return
        self._points_checked = self._drain.points
        async with self._lock:
            successor = await self._destination.find_successor(self._drain)
        if successor is not None:
            self._is_superseded = True
            logger.warning(
                "run %r was resumed by %s: what this process logs is kept as a "
                "former attempt, and no longer affects the state of the run",
                self.run.run_id, successor,
            )  # fmt: skip

    @contextmanager
    def _holding_journal(self) -> Iterator[None]:
        # A signal handler may finish the run in the middle of a call of log(). That call holds the
        # lock, and cannot release it before the handler returns.
        owned = self.journal.lock.acquire(timeout=0.05)
        while not owned and not self.closing:
            owned = self.journal.lock.acquire(timeout=0.05)
        try:
            yield
        finally:
            if owned:
                self.journal.lock.release()

    def _warn(self, message: str, error: object, warned: set[str]) -> None:
        """Log a warning, unless it is in `warned`, which is cleared when things work again."""
        if message not in warned:
            warned.add(message)
            logger.warning(message, error)

    async def _drain_journals(self) -> None:
        """Store the points of all journal files, and remove the files that are complete."""
        while True:
            newest = self.journal.paths[-1]  # before reading, as it may still grow
            final = self._drain.path != newest or self._stop.is_set()
            before = self._drain.position
            while await self._store_batch(final=final):
                if self._progress is not None:
                    self._progress.advance(self._drain.position - before)
                before = self._drain.position
            if self._drain.path == newest:
                return
            await self._remove_stored()

    async def _store_batch(self, *, final: bool) -> bool:
        async with self._lock:
            with short_turns():
                is_stored = await self._drain.store_next(final=final)
        if self._drain.is_in_new_file:
            self._drain.is_in_new_file = False
            logger.warning(
                "%s was removed or replaced while run %r was being logged: the run was created "
                "again there, with the points that are still in its journal",
                self._destination.name, self.run.run_id,
            )  # fmt: skip
        if self._drain.deleted_points is not None:
            self._count_deleted(self._drain.deleted_points)
            self._drain.deleted_points = 0
        return is_stored

    def _count_deleted(self, points: int) -> None:
        if self._deleted_points is None:
            logger.warning(
                "run %r of project %r was deleted while it was being logged: what is logged to it "
                "from now on is not stored",
                self.run.run_id, self.project.name,
            )  # fmt: skip
        self._deleted_points = (self._deleted_points or 0) + points

    async def _finish(self) -> None:
        """Store everything that is left, or warn where it is."""
        await self._write_held_calls()
        self._progress = Progress(
            sum(_size(path) for path in self.journal.paths), self._destination.name
        )
        try:
            await self._store_rest()
        except (TrackAIError, OSError) as error:
            paths = ", ".join(str(path) for path in self.journal.paths)
            logger.warning(
                "not all points could be stored (%s): the rest is kept in %s and %s",
                error, paths, self._destination.later,
            )  # fmt: skip
        finally:
            self._progress.close()
        if self._deleted_points:
            logger.warning(
                "%d values were logged to run %r after it had been deleted, and were not stored",
                self._deleted_points, self.run.run_id,
            )  # fmt: skip

    async def _store_rest(self) -> None:
        """Store everything that is left.

        Raises:
            TrackAIError: it cannot be stored now.
            OSError: likewise.
        """
        patience = self._destination.patience
        if patience is None:
            return await self._try_to_store_rest()
        if self._store_warnings and self._destination.is_down:  # which has been said
            patience = _ANSWER_SECONDS
            self._store_warnings.update((_WAITING, _SILENT))
        failure: Exception | None = TimeoutError(f"no answer within {patience:.0f} s")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._limit_patience, patience, tasks.cancel_scope)
            while True:
                try:
                    await self._try_to_store_rest()
                    failure = None
                    break
                except (TrackAIError, OSError) as error:
                    failure = error
                    self._warn(_WAITING, error, self._store_warnings)
                await anyio.sleep(_POLL_SECONDS)
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return None

    async def _limit_patience(self, patience: float, storing: anyio.CancelScope) -> None:
        """Cancel what stores the last points when it makes no progress for `patience` seconds."""
        progress, since = self._destination.progress, time.monotonic()
        while time.monotonic() < since + patience:
            await anyio.sleep(_POLL_SECONDS)
            if progress != self._destination.progress:
                progress, since = self._destination.progress, time.monotonic()
            elif time.monotonic() > since + _ANSWER_SECONDS:
                self._warn(_SILENT, self._destination.name, self._store_warnings)
        storing.cancel()

    async def _try_to_store_rest(self) -> None:
        has_moved = False
        while self.journal.paths:
            self._repair_journal()
            await self._drain_journals()
            await self._look_for_successor()
            async with self._lock:
                has_moved = await self._destination.settle(thoroughly=False)
            await self._remove_stored()
        if self.forked:
            await self._store_children()
        if self.forked or not has_moved:
            await self._move_to_main_file()
        async with self._lock:
            await self._destination.finish()

    async def _move_to_main_file(self) -> None:
        """Move all points to the main file, or warn that a reader does not allow it."""
        deadline, pause = time.monotonic() + _READER_SECONDS, 0.01
        while True:
            async with self._lock:
                if await self._destination.settle(thoroughly=True):
                    return
            if time.monotonic() > deadline:
                break
            await anyio.sleep(pause)
            pause = min(2 * pause, _POLL_SECONDS)
        logger.warning(
            "another program is reading %s, so the newest points are still in %s-wal: copy the "
            "database with trackai backup, not as a file, until that program has ended",
            self._destination.name, PurePath(self._destination.name).name,
        )  # fmt: skip

    async def _write_held_calls(self) -> None:
        """Write the calls held in memory to the journal, or else to the temporary folder."""
        with anyio.move_on_after(self._destination.patience or _ROOM_SECONDS):
            self._repair_journal()
            while self.journal.failure is not None:
                if self._destination.patience is not None:  # what it has makes room here
                    with suppress(TrackAIError, OSError):
                        await self._drain_journals()
                await anyio.sleep(_POLL_SECONDS)
                self._repair_journal()
        failure, held, dropped = self.journal.failure, self.journal.held, self.journal.dropped
        if held or failure is not None:
            import tempfile

            try:
                rescued = self.journal.rescue(Path(tempfile.gettempdir()))
            except OSError:
                dropped += held
            else:
                paths = " ".join(str(path) for path in rescued)
                logger.warning(
                    "the journal cannot be written (%s): the last points are in %s; %s",
                    failure, paths, self._destination.how_to_store(paths),
                )  # fmt: skip
        if dropped:
            cause = failure or self._dropped_by or _TOO_LARGE
            logger.warning("%d calls of log() could not be stored: %s", dropped, cause)

    async def _remove_stored(self) -> None:
        async with self._lock:
            await self._remove_if_stored()

    async def _remove_if_stored(self) -> None:
        """Remove the drained journal file, if its points are in the database."""
        path = self._drain.path
        if not path.exists():
            raise FileNotFoundError(f"{path} was deleted")
        if not await self._drain.is_stored():  # the database was replaced meanwhile
            self._drain.restart()
            return
        with self._holding_journal():
            if self._drain.damages:
                report_damage(self._drain, self.journal.set_aside(path))
            else:
                self.journal.remove(path)
        for following in self.journal.paths[:1]:
            self._drain = await self._destination.drain(following, after=path.name)
        await self._destination.forget(path)


def _do_nothing() -> None:
    pass


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
