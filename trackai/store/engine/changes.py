"""Changes that wait for the write connection at the same time share a transaction.

A commit takes as long for one small change as for ten: it writes whole pages, and ten runs that are
created together share most of theirs.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine

    from trackai.store.engine.connection import Connection

T = TypeVar("T")

# How long a transaction goes on to take in changes; other processes wait for it.
_SHARED_SECONDS = 0.01


class Change(Generic[T]):
    """A change that waits for its transaction, and its outcome.

    Attributes:
        work: a function that takes the connection, and awaits only its statements.
        bulk: whether it needs a transaction of its own: see `Store.change`.
        is_done: whether the outcome is known: it was committed, or has failed and changed nothing.
        is_cancelled: whether its task was cancelled, and waits for the outcome.
        leads: whether its task is the one that runs the changes that wait.
        seconds: how long it took.
    """

    def __init__(
        self, work: Callable[[Connection], Coroutine[Any, Any, T]], *, bulk: bool = False
    ) -> None:
        self.work = work
        self.bulk = bulk
        self.is_done = False
        self.is_cancelled = False
        self.leads = False
        self.seconds = 0.0
        self._woken: asyncio.Future[None] | None = None
        self._result: T | None = None
        self._error: Exception | None = None

    async def wait(self) -> None:
        """Wait until the change is done, or its task leads, or the change is dropped."""
        self._woken = asyncio.get_running_loop().create_future()
        await self._woken

    async def wait_to_end(self) -> None:
        """Wait until another task has run the change, or dropped it, even if this one is cancelled.

        `Task.cancel()`, by which asyncio and uvicorn end tasks, ignores shielded cancel scopes.
        """
        woken = self._woken = asyncio.get_running_loop().create_future()
        with anyio.CancelScope(shield=True):
            while not woken.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([woken])

    def wake(self) -> None:
        """Let the task that waits go on."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    @property
    def result(self) -> T:
        """What `work` has returned, if it has not failed."""
        return cast("T", self._result)

    @property
    def has_failed(self) -> bool:
        """Whether `work` or the transaction has raised an exception."""
        return self._error is not None

    def raise_error(self) -> None:
        """Raise the exception."""
        assert self._error is not None  # noqa: S101 - for mypy
        raise self._error

    def succeed(self, result: T) -> None:
        """Set what `work` has returned; the change is done after the commit."""
        self._result, self._error = result, None

    def fail(self, error: Exception) -> None:
        """Set what `work` has raised."""
        self._error = error


class NotIsolatedError(Exception):
    """A change has failed whose part of the transaction cannot be undone alone."""


async def run_together(
    conn: Connection, waiting: deque[Change[Any]], taken: list[Change[Any]], *, isolated: bool
) -> None:
    """Run changes in the open transaction, in the order in which they wait.

    It ends before a change that needs a transaction of its own.

    Args:
        waiting: the changes; those that are run are removed.
        taken: the changes that were removed are added to it.
        isolated: whether what a change raises is kept for it, and undoes nothing of the others.
            SQLite then copies each page for each change that writes to it.

    Raises:
        NotIsolatedError: a change has failed, and they are not isolated.
        sqlite3.OperationalError: the transaction cannot go on; each change has to be run alone.
    """
    started = time.perf_counter()
    ends = started + _SHARED_SECONDS
    while started < ends:
        try:
            change = waiting.popleft()
        except IndexError:  # the event loop removes changes that are cancelled
            return
        if change.bulk:
            waiting.appendleft(change)
            return
        taken.append(change)
        if isolated:
            await conn.execute("SAVEPOINT change")
        try:
            change.succeed(await change.work(conn))
        except sqlite3.OperationalError:  # such as a full disk
            raise
        except Exception as error:
            if not isolated:
                raise NotIsolatedError from error
            await conn.execute("ROLLBACK TO change")
            change.fail(error)
        if isolated:
            await conn.execute("RELEASE change")
        ended = time.perf_counter()
        change.seconds, started = ended - started, ended
