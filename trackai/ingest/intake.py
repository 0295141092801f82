"""Batches of many clients into the store: those that wait together are one transaction.

A commit costs the same for one batch as for a hundred. While one is under way the next ones
gather, and whoever is woken first stores them all: many small requests cost few commits, and a
single one hardly waits. `put` returns when its batch is committed; what was answered cannot be
lost with the process.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio import to_thread
from anyio.lowlevel import checkpoint

from trackai.errors import NotFoundError, OverloadedError, StoreError, TrackAIError
from trackai.ingest.batches import to_columns
from trackai.store.catalogue import batches, runs, writers
from trackai.store.points import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aiosqlite import Connection

    from trackai.ingest.batches import Batch
    from trackai.store.engine.database import Database
    from trackai.structs.points import Column

# What may wait: beyond that, clients are asked to come again.
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_WAITING_BATCHES = 2048
# What one transaction takes, so that other writers get their turn.
_POINTS_PER_COMMIT = 100_000
_BATCHES_PER_COMMIT = 512
# From its socket to here a request takes two turns of the event loop. What has arrived by the time
# that somebody begins to store is let in first: clients that are answered together come together.
_TURNS = 3
# Batches of more points are looked through in a thread: other requests are answered meanwhile.
_FEW = 1000


class Receipt(msgspec.Struct):
    """How many points a batch has, and whether it had been stored before."""

    points: int
    duplicate: bool


class _Waiting:
    """A batch on its way, and what became of it."""

    def __init__(self, run_id: int, batch: Batch, columns: list[Column], host: str) -> None:
        self.run_id = run_id
        self.batch_id = batch.batch_id
        self.writer = batch.writer
        self.host = host
        self.columns = columns
        self.points = sum(len(column.steps) for column in columns)
        self.outcome: Receipt | TrackAIError | None = None


class Intake:
    """Takes batches into a database.

    Attributes:
        bytes: of requests that have come in, wholly or in part, and are not yet answered.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[_Waiting] = []
        # There while somebody stores; set when the outcomes are there.
        self._stored: anyio.Event | None = None
        self.bytes = 0
        self._last_time = 0

    @property
    def waiting(self) -> int:
        """How many batches wait for a transaction."""
        return len(self._waiting)

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Memory for a request: what this gives is called with how many bytes of it have come in.

        What is announced, and may never come, takes none.

        Raises:
            OverloadedError: too much is under way already; also by what this gives.
        """
        if len(self._waiting) >= MAX_WAITING_BATCHES:
            raise OverloadedError
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self.bytes + size > MAX_WAITING_BYTES:
                raise OverloadedError
            self.bytes += size
            taken += size

        try:
            yield take
        finally:
            self.bytes -= taken

    async def put(self, run_id: int, batch: Batch, *, host: str) -> Receipt:
        """Store a batch, whole or not at all; it is committed when this returns.

        Raises:
            InvalidInputError: it cannot be stored.
            NotFoundError: there is no such run.
            StoreError: the database could not take it.
        """
        points = batch.count()
        now = max(time.time_ns() // 1000, self._last_time + 1)
        # Where points have to be told apart, their times run ahead of the clock.
        self._last_time = now + points
        if points > _FEW:
            columns = await to_thread.run_sync(partial(to_columns, batch, now=now))
        else:
            columns = to_columns(batch, now=now)
        mine = _Waiting(run_id, batch, columns, host)
        self._waiting.append(mine)
        try:
            while mine.outcome is None:
                if self._stored is not None:
                    await self._stored.wait()
                else:
                    await self._store_some()
        except BaseException:  # cancelled
            if mine in self._waiting:
                self._waiting.remove(mine)
            raise
        if isinstance(mine.outcome, Receipt):
            return mine.outcome
        raise mine.outcome

    async def _store_some(self) -> None:
        """Store the batches that are there by now; those that come meanwhile wait."""
        self._stored = stored = anyio.Event()
        try:
            for _ in range(_TURNS):
                await checkpoint()
            await self._store(self._take())
        finally:
            self._stored = None
            stored.set()

    def _take(self) -> list[_Waiting]:
        taken, points = 0, 0
        for waiting in self._waiting[:_BATCHES_PER_COMMIT]:
            if taken and points + waiting.points > _POINTS_PER_COMMIT:
                break
            taken, points = taken + 1, points + waiting.points
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _store(self, group: list[_Waiting]) -> None:
        failure: TrackAIError = StoreError("the batch could not be stored: send it again")
        try:
            outcomes = await self._db.change(lambda conn: _apply(conn, group))
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
        except StoreError as error:
            failure = error
        finally:
            # Whatever has happened to the one that stores, the others must not wait for ever.
            for waiting in group:
                waiting.outcome = waiting.outcome or failure


async def _apply(conn: Connection, group: Sequence[_Waiting]) -> list[Receipt | TrackAIError]:
    """Store a group of batches in one transaction: what one writer sends goes in together."""
    now = time.time_ns() // 1000
    uids = await runs.uids(conn, {waiting.run_id for waiting in group})
    known = await batches.stored(
        conn, [(waiting.run_id, waiting.batch_id) for waiting in group if waiting.batch_id]
    )
    fresh: list[tuple[batches.BatchKey, int]] = []
    storing: list[_Waiting] = []
    outcomes: list[Receipt | TrackAIError] = []
    for waiting in group:
        if waiting.run_id not in uids:
            outcomes.append(NotFoundError(f"there is no run with the id {waiting.run_id}"))
            continue
        duplicate = False
        if waiting.batch_id is not None:
            key = (waiting.run_id, waiting.batch_id)
            duplicate = key in known
            if not duplicate:
                known.add(key)
                fresh.append((key, waiting.points))
        if not duplicate:
            storing.append(waiting)
        outcomes.append(Receipt(waiting.points, duplicate))
    if storing:
        ids = await _writers(conn, uids, storing, now)
        await metrics.append_parts(
            conn,
            [(one.run_id, ids[one.run_id, one.writer], one.columns) for one in storing],
        )
        await runs.touch_many(conn, {one.run_id for one in storing}, now=now)
    if fresh:
        await batches.note(conn, fresh, now=now)
    return outcomes


async def _writers(
    conn: Connection, run_uids: Mapping[int, str], storing: Sequence[_Waiting], now: int
) -> dict[tuple[int, str], int]:
    """The row ids of clients, which log to their runs' present attempts."""
    attempts = {
        run_id: max(1, await writers.next_attempt(conn, run_id) - 1)
        for run_id in {one.run_id for one in storing}
    }
    wanted = {}
    for one in storing:
        uid, attempt = f"http-{run_uids[one.run_id]}-{one.writer}", attempts[one.run_id]
        # Behind a resume it is another writer: the present attempt's.
        wanted[one.run_id, one.writer] = uid if attempt == 1 else f"{uid}-{attempt}", one.host
    known = await writers.find(conn, [uid for uid, _ in wanted.values()])
    ids: dict[tuple[int, str], int] = {}
    for (run_id, writer), (uid, host) in wanted.items():
        ids[run_id, writer] = known.get(uid) or await writers.get_or_create(
            conn,
            uid=uid,
            run_id=run_id,
            attempt=attempts[run_id],
            rank=0,
            host=host,
            pid=0,
            now=now,
        )
    return ids
