"""A database: one write connection, a pool of read connections, and transactions.

The file may be removed or replaced at any time; the next transaction opens the new one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

import anyio

from trackai.errors import StoreBusyError
from trackai.store.blobs.folder import FolderBlobs
from trackai.store.engine import changes, direct, opening, transactions, write_ahead_log
from trackai.store.engine.changes import Change
from trackai.store.engine.database_file import Identity, identity
from trackai.store.engine.driver_errors import driver_errors
from trackai.store.engine.opening import opening_lock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import Any

    import aiosqlite

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.handles import Handle

T = TypeVar("T")

READERS = 4
# How long opening waits for other connections of this process to be closed.
_REOPEN_SECONDS = 2.0
# A request takes two turns of the event loop from its socket to `change`.
_TURNS = 2
# How long a checkpoint waits for readers; it blocks writers meanwhile.
_CHECKPOINT_SECONDS = 0.05

_databases: WeakSet[Database] = WeakSet()
_databases_lock = threading.Lock()


class Database:
    """A TrackAI database at `path`.

    Attributes:
        path: the SQLite file.
        blobs: the bytes of files, in a folder next to it.
        generation: incremented when the write connection is reopened because another process
            changed the file; row ids that were read before may then be wrong.
        held_seconds: how long the last call of `change` kept other processes from writing.
        transactions, transaction_seconds: how many calls of `change` have committed, and how long
            they kept other processes from writing, together.
        collecting: the lock of garbage collection, of which one at a time is enough.
        vacuumed: how many bytes this process has returned to the file system so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs = FolderBlobs.beside(path)
        self.generation = 0
        self.held_seconds = 0.0
        self.transactions = 0
        self.transaction_seconds = 0.0
        self._writer: Handle | None = None
        self._started: Identity | None = None  # the file that was opened last for writing
        self._idle: list[Handle] = []
        self._handles: set[Handle] = set()
        self._changes = 0  # blocks inside `_own_change`
        self.collecting = anyio.Lock()
        self.vacuumed = 0
        self._writing = anyio.Lock(fast_acquire=True)
        self._waiting: deque[Change[Any]] = deque()
        self._has_leader = False  # a task runs the changes that wait, or is about to
        self._is_shared = False  # the last transaction had several changes
        self._isolates = False  # each change of a transaction can be undone alone
        self._reading = anyio.Semaphore(READERS, fast_acquire=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()
        with _databases_lock:
            _databases.add(self)

    @property
    def spool(self) -> Path:
        """The folder of the journals, next to the file."""
        return self.path.with_name(self.path.name + "-spool")

    @property
    def is_read_only(self) -> bool:
        """Whether this process cannot write the file that it has opened."""
        return self._writer is not None and self._writer.access != "write"

    async def open(self) -> None:
        """Open the database; create the file, its folders and its tables if they do not exist.

        Raises:
            StoreError: the file cannot be used; it has not been changed.
        """
        async with self._writing:
            with driver_errors(self.path):
                await self._current_writer()

    async def close(self) -> None:
        """Close all connections. The last one of all processes removes the write-ahead log."""
        writer, self._writer = self._writer, None
        idle, self._idle = self._idle, []
        for handle in (*idle, writer):
            if handle is not None:
                await self._discard(handle)

    @asynccontextmanager
    async def write(self, *, checkpoints: bool = True) -> AsyncIterator[aiosqlite.Connection]:
        """Run a write transaction: committed at the end of the block, or rolled back.

        Args:
            checkpoints: False if the caller checkpoints afterwards. SQLite does it in the commit
                otherwise, and other tasks wait for that.
        """
        async with self._writing:
            with driver_errors(self.path):
                handle = await self._current_writer()
                with self._own_change(handle):
                    try:
                        # Inside `try`: a task that is cancelled here may have begun a transaction.
                        before = await direct.run(handle.connection, transactions.begin)
                        yield handle.connection
                        commit = partial(transactions.commit, handle=handle, before=before)
                        if not checkpoints:
                            commit = partial(transactions.without_checkpoint, commit)
                        await direct.run(handle.connection, commit)
                    except BaseException:
                        with anyio.CancelScope(shield=True):
                            await handle.connection.rollback()
                        raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[aiosqlite.Connection]:
        """Borrow a read-only connection."""
        async with self._reader() as handle:
            yield handle.connection

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Handle]:
        async with self._reading:
            with driver_errors(self.path):
                handle = await self._current_reader()
                idle = self._idle
                try:
                    yield handle
                    self._check_frozen(handle)
                finally:
                    if idle is self._idle:
                        idle.append(handle)
                    else:  # the database was closed meanwhile
                        await self._discard(handle)

    def _check_frozen(self, handle: Handle) -> None:
        """Refuse what was read from a file without a lock if another process has changed it."""
        if handle.access == "frozen" and not handle.is_current(self.path):
            raise StoreBusyError(f"{self.path} was changed while it was being read; try again")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[aiosqlite.Connection]:
        """Borrow a read-only connection on which all reads see one state of the database."""
        async with self.read() as connection:
            try:
                # Inside `try`: a task that is cancelled here may have begun a transaction.
                await connection.execute("BEGIN")
                yield connection
            finally:
                with anyio.CancelScope(shield=True):
                    await connection.rollback()

    async def look(self, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
        """Run `work` in a read transaction, in one visit to SQLite's thread.

        Args:
            work: a function that takes the connection, and awaits only its statements.

        Returns:
            What `work` returns.
        """

        async def in_snapshot(conn: Connection) -> T:
            await conn.execute("BEGIN")
            try:
                return await work(conn)
            finally:
                await conn.rollback()

        async with self.read() as connection:
            return await direct.run(connection, in_snapshot)

    async def change(
        self, work: Callable[[Connection], Coroutine[Any, Any, T]], *, bulk: bool = False
    ) -> T:
        """Like `look`, in a write transaction: committed on return, rolled back on an exception.

        Changes that wait at the same time may share a transaction, so `work` may run several times;
        only what it does the last time is stored. A task that is cancelled while `work` runs waits
        for the outcome.

        Args:
            bulk: whether `work` changes thousands of rows, and deletes rows together with all that
                refer to them. SQLite then need not look for these row by row, which takes as long
                as the deletion itself. The caller has to checkpoint.
        """
        change = Change(work, bulk=bulk)
        self._waiting.append(change)
        try:
            if self._has_leader:
                await change.wait()
            if not change.is_done:
                await self._lead(change)
        except BaseException:
            if not (self._withdraw(change) or change.leads or change.is_done):
                change.is_cancelled = True  # another task runs it; the outcome must be known
                await change.wait_to_end()
            if change.leads:
                self._appoint_leader()
            raise
        self.held_seconds = change.seconds
        if change.has_failed:
            with driver_errors(self.path):
                change.raise_error()
        return change.result

    def _withdraw(self, change: Change[Any]) -> bool:
        """Remove a change from those that wait; False if SQLite's thread has taken it."""
        try:
            self._waiting.remove(change)
        except ValueError:
            return False
        return True

    async def _lead(self, change: Change[Any]) -> None:
        """Run a change and those that wait with it, and let the task of the next one go on."""
        self._has_leader = change.leads = True
        if self._is_shared:  # clients that are answered together send the next requests together
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        async with self._writing:
            with driver_errors(self.path):
                await self._run_waiting(change)
        self._appoint_leader()

    def _appoint_leader(self) -> None:
        """Let the first task that waits run all changes."""
        # A change in bulk may be cancelled while SQLite's thread looks at it, and then waits again.
        while self._waiting and self._waiting[0].is_cancelled:
            self._waiting.popleft().wake()
        self._has_leader = bool(self._waiting)
        if self._has_leader:
            self._waiting[0].leads = True
            self._waiting[0].wake()

    async def _run_waiting(self, change: Change[Any]) -> None:
        """Run a change, and as many as possible of those that wait as well."""
        taken: list[Change[Any]] = []
        try:
            if len(self._waiting) > 1:
                await self._run_together(taken)
        finally:
            self._is_shared = len(taken) > 1
            for item in taken:
                if item.is_done:
                    item.wake()
            self._put_back([item for item in taken if not item.is_done])
        if not change.is_done:
            self._withdraw(change)
            await self._run_alone(change)

    def _put_back(self, taken: list[Change[Any]]) -> None:
        """Let changes wait again, except for those whose tasks were cancelled meanwhile."""
        for change in reversed(taken):
            if change.is_cancelled:
                change.wake()
            else:
                self._waiting.appendleft(change)
        taken.clear()

    async def _run_together(self, taken: list[Change[Any]]) -> None:
        """Run waiting changes in one transaction; those that it cannot do have to be run alone.

        Args:
            taken: the changes that were removed from those that wait are added to it.
        """

        async def in_transaction(conn: Connection) -> None:
            await changes.run_together(conn, self._waiting, taken, isolated=self._isolates)

        handle = await self._current_writer()
        waiting = list(self._waiting)
        with anyio.CancelScope(shield=True):
            try:
                try:
                    await self._in_transaction(handle, in_transaction)
                except changes.NotIsolatedError:
                    self._put_back(taken)
                    self._isolates = True
                    handle = await self._current_writer()  # the file may have been replaced
                    await self._in_transaction(handle, in_transaction)
            except sqlite3.Error as error:
                if not taken and _has_code(error, sqlite3.SQLITE_BUSY):
                    self._fail(waiting, error)
                return
        for change in taken:
            change.is_done = True
        # A client whose changes fail, as it sends names that exist, often sends more of them.
        self._isolates = any(change.has_failed for change in taken)

    def _fail(self, waiting: list[Change[Any]], error: sqlite3.Error) -> None:
        """Fail changes that have waited too long for another process, except for withdrawn ones."""
        for change in filter(self._withdraw, waiting):
            change.fail(copy(error))  # each task adds its frames to the traceback
            change.is_done = True
            change.wake()

    async def _run_alone(self, change: Change[Any]) -> None:
        """Run a change in a transaction of its own."""
        run = partial(self._in_transaction, work=change.work, bulk=change.bulk)
        handle = await self._current_writer()
        # The thread finishes its work even if this task is cancelled; the outcome of the
        # transaction must be known.
        with anyio.CancelScope(shield=True):
            try:
                try:
                    result = await run(handle)
                except sqlite3.OperationalError as error:
                    if not (_has_code(error, sqlite3.SQLITE_IOERR) and handle.has_lost_log()):
                        raise
                    handle = await self._current_writer()
                    result = await run(handle)
            except Exception as error:
                change.fail(error)
            else:
                change.succeed(result)
            change.seconds = self.held_seconds
            change.is_done = True

    async def _in_transaction(
        self,
        handle: Handle,
        work: Callable[[Connection], Coroutine[Any, Any, T]],
        *,
        bulk: bool = False,
    ) -> T:
        async def run(conn: Connection) -> T:
            before = await transactions.begin(conn)
            began = time.perf_counter()
            try:
                result = await work(conn)
                await transactions.commit(conn, handle=handle, before=before)
            except BaseException:
                await conn.rollback()
                raise
            self.held_seconds = time.perf_counter() - began
            self.transactions += 1
            self.transaction_seconds += self.held_seconds
            return result

        transaction = partial(transactions.in_bulk, run) if bulk else run
        with self._own_change(handle):
            return await direct.run_to_end(handle.connection, transaction)

    async def move_pages(self) -> bool:
        """Checkpoint as many pages as readers allow, without blocking writers.

        Returns:
            Whether these are all pages.
        """
        async with self._reader() as handle:
            with self._own_change(handle):
                are_all = await write_ahead_log.checkpoint(handle.connection)
        return are_all

    async def checkpoint(self) -> bool:
        """Checkpoint all pages and empty the log.

        Returns:
            Whether the log is empty; False if a reader still needs it. It is on disk then.
        """
        await self.move_pages()  # most pages, before writers have to wait
        async with self._writing:
            with driver_errors(self.path):
                handle = await self._current_writer()
                await transactions.set_busy_timeout(handle.connection, _CHECKPOINT_SECONDS)
                try:
                    with self._own_change(handle):
                        is_empty = await write_ahead_log.checkpoint_and_truncate(handle.connection)
                finally:
                    with anyio.CancelScope(shield=True):
                        await transactions.set_busy_timeout(handle.connection, opening.BUSY_SECONDS)
                if not is_empty:
                    await anyio.to_thread.run_sync(write_ahead_log.synchronise, self.path)
                return is_empty

    @contextmanager
    def _own_change(self, handle: Handle) -> Iterator[None]:
        """Mark work that may checkpoint, so that its change to the file is known as ours.

        Otherwise all other connections would be reopened, which blocks the event loop.
        """
        self._changes += 1
        try:
            yield
        finally:
            self._changes -= 1
        # Not the state at the beginning: work that overlapped may have updated it for all.
        before = handle.state
        handle.record_state(self.path)
        for peer in self._handles:
            if peer.state == before:
                peer.state = handle.state

    def _is_current(self, handle: Handle) -> bool:
        # During a checkpoint the state of the file is undefined; its identity has to do.
        return not handle.has_lost_log() and (
            handle.is_current(self.path)
            or (self._changes > 0 and handle.file == identity(self.path))
        )

    async def _current_writer(self) -> Handle:
        handle = self._writer
        if handle is not None and self._is_current(handle):
            return handle
        if handle is not None and handle.has_lost_log():
            await self.close()
            handle = None
        self._writer = await self._open()
        # Once for each file: the checkpoint makes other processes open it again, too.
        self._writer.starts_log = self._writer.starts_log and self._writer.file != self._started
        self._started = self._writer.file
        self.generation += 1
        if handle is not None:
            await self._discard(handle)
        return self._writer

    async def _current_reader(self) -> Handle:
        outdated: list[Handle] = []
        try:
            while self._idle:
                handle = self._idle.pop()
                if self._is_current(handle):
                    return handle
                if handle.has_lost_log():
                    await self._discard(handle)
                else:
                    outdated.append(handle)
            return await self._open(read_only=True)
        finally:
            for handle in outdated:
                await self._discard(handle)

    async def _open(self, *, read_only: bool = False) -> Handle:
        """Open a connection.

        Connections of one process share the index of the log. After its files were removed, a new
        connection works only once all others are closed, in every thread.
        """
        self._loop = asyncio.get_running_loop()
        deadline = time.monotonic() + _REOPEN_SECONDS
        while True:
            now = identity(self.path)
            try:
                handle = await opening.connect(
                    self.path,
                    self.spool,
                    read_only=read_only,
                    is_outdated=any(handle.file != now for handle in self._handles),
                )
            except sqlite3.OperationalError as error:
                if not _has_code(error, sqlite3.SQLITE_IOERR) or time.monotonic() > deadline:
                    raise
            else:
                self._handles.add(handle)
                if not handle.has_lost_log():
                    return handle
                await self._discard(handle)
                if time.monotonic() > deadline:
                    raise StoreBusyError(
                        f"the write-ahead log of {self.path} was removed while this process uses "
                        "it: close its other connections to the database"
                    )
            _close_unused_of_all()
            await anyio.sleep(transactions.RETRY_SECONDS[1])

    async def _close_unused(self) -> None:
        """Close the connections that are not in use; those in use are closed on their return."""
        idle, self._idle = self._idle, []
        for handle in idle:
            await self._discard(handle)
        if not self._writing.locked():
            async with self._writing:
                writer, self._writer = self._writer, None
                if writer is not None:
                    await self._discard(writer)

    async def _discard(self, handle: Handle) -> None:
        """Close a connection, even if the task is cancelled: its caller may have opened another."""
        self._handles.discard(handle)
        # The last connection removes the log by its name. The lock keeps another database from
        # being created after SQLite has checked that the file is still the same.
        with anyio.CancelScope(shield=True):
            try:
                async with AsyncExitStack() as stack:
                    if self.spool.is_dir():
                        may_write = handle.access == "write"
                        await stack.enter_async_context(opening_lock(self.spool, create=may_write))
                    await handle.close()
            except OSError:  # a read-only folder: no database can be created there
                await handle.close()


def _close_unused_of_all() -> None:
    """Let all databases of this process close their connections, each in its event loop."""
    with _databases_lock:
        databases = list(_databases)
    for database in databases:
        if database._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                database._loop.call_soon_threadsafe(_start_closing, database)


def _start_closing(database: Database) -> None:
    task = asyncio.ensure_future(database._close_unused())
    database._closing.add(task)
    task.add_done_callback(database._closing.discard)


def _has_code(error: sqlite3.Error, code: int) -> bool:
    """Whether the primary result code of an error is `code`."""
    # Errors of the module itself have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == code
