"""Store items that wait at the same time in one transaction.

A commit takes as long for one item as for a hundred. Items that arrive during a commit wait, and
the first task to wake up stores all of them: many small requests need few commits, and a single one
hardly waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from trackai.errors import StoreError, TrackAIError
from trackai.store.engine.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

T = TypeVar("T")
R = TypeVar("R")

# Limits on one transaction, so that other writers get their turn.
_MAX_WEIGHT = 100_000
_ITEMS_PER_COMMIT = 512
# A request takes two turns of the event loop from its socket to `put`. Waiting for three lets in
# all that have arrived: clients that are answered together send their next requests together.
_TURNS = 3


class _Waiting(Generic[T, R]):
    """An item that waits for its transaction, and its outcome."""

    def __init__(self, item: T, weight: int) -> None:
        self.item = item
        self.weight = weight
        self.outcome: R | None = None
        self.error: TrackAIError | None = None


class GroupCommit(Generic[T, R]):
    """Stores items in a database, in groups."""

    def __init__(
        self,
        db: Store,
        store: Callable[[Connection, Sequence[T]], Coroutine[Any, Any, Sequence[R | TrackAIError]]],
    ) -> None:
        """Make a group commit; `store` returns one outcome for each item, in their order."""
        self._db = db
        self._store = store
        self._waiting: list[_Waiting[T, R]] = []
        # Exists while a task stores items; set once their outcomes are known.
        self._stored: anyio.Event | None = None
        self._pace = Pace(_MAX_WEIGHT // 4, smallest=_MAX_WEIGHT // 32, largest=_MAX_WEIGHT)

    @property
    def waiting(self) -> int:
        """The number of items that wait for a transaction."""
        return len(self._waiting)

    async def put(self, item: T, weight: int) -> R:
        """Store an item; it is committed on return.

        Args:
            weight: how long it takes to store, in points.

        Raises:
            TrackAIError: its outcome is an error.
            StoreError: the database cannot be written.
        """
        waiting: _Waiting[T, R] = _Waiting(item, weight)
        self._waiting.append(waiting)
        try:
            while waiting.outcome is None and waiting.error is None:
                if self._stored is not None:
                    await self._stored.wait()
                else:
                    await self._store_next_group()
        except BaseException:  # cancelled
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise
        if waiting.outcome is None:
            assert waiting.error is not None  # noqa: S101 - for mypy
            raise waiting.error
        return waiting.outcome

    async def _store_next_group(self) -> None:
        """Store the items that are waiting now; later ones wait for the next transaction."""
        self._stored = stored = anyio.Event()
        try:
            for _ in range(_TURNS):
                await checkpoint()
            await self._store_group(self._take_group())
        finally:
            self._stored = None
            stored.set()

    def _take_group(self) -> list[_Waiting[T, R]]:
        taken, weight = 0, 0
        for waiting in self._waiting[:_ITEMS_PER_COMMIT]:
            if taken and weight + waiting.weight > self._pace.size:
                break
            taken, weight = taken + 1, weight + waiting.weight
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _store_group(self, group: Sequence[_Waiting[T, R]]) -> None:
        failure: TrackAIError = StoreError("could not store the batch: send it again")
        items = [waiting.item for waiting in group]
        try:
            outcomes = await self._db.change(lambda conn: self._store(conn, items))
            for waiting, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, TrackAIError):
                    waiting.error = outcome
                else:
                    waiting.outcome = outcome
            self._pace.adapt(sum(waiting.weight for waiting in group), self._db.held_seconds)
        except StoreError as error:
            failure = error
        finally:
            # Even if this task is cancelled, the others must not wait forever.
            for waiting in group:
                if waiting.outcome is None:
                    waiting.error = waiting.error or failure
