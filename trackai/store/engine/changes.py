"""Changes that wait for the write connection at the same time share a transaction.

A commit takes as long for one small change as for ten: it writes whole pages, and ten runs that are
created together share most of theirs.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

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
        seconds: how long it took.
    """

    def __init__(
        self, work: Callable[[Connection], Coroutine[Any, Any, T]], *, bulk: bool = False
    ) -> None:
        self.work = work
        self.bulk = bulk
        self.is_done = False
        self.seconds = 0.0
        self._result: T | None = None
        self._error: Exception | None = None

    def outcome(self) -> T:
        """What `work` has returned.

        Raises:
            Exception: what `work` or the transaction has raised.
        """
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    def succeed(self, result: T) -> None:
        """Set what `work` has returned; the change is done after the commit."""
        self._result, self._error = result, None

    def fail(self, error: Exception) -> None:
        """Set what `work` has raised."""
        self._error = error


async def run_together(
    conn: Connection, waiting: deque[Change[Any]], taken: list[Change[Any]]
) -> None:
    """Run changes in the open transaction, in the order in which they wait.

    It ends before a change that needs a transaction of its own. What one change raises is kept for
    it, and undoes nothing of the others.

    Args:
        waiting: the changes; those that are run are removed.
        taken: the changes that were removed are added to it.

    Raises:
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
        await conn.execute("SAVEPOINT change")
        try:
            change.succeed(await change.work(conn))
        except sqlite3.OperationalError:  # such as a full disk
            raise
        except Exception as error:
            await conn.execute("ROLLBACK TO change")
            change.fail(error)
        await conn.execute("RELEASE change")
        ended = time.perf_counter()
        change.seconds, started = ended - started, ended
