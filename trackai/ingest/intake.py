"""Store batches of HTTP clients, those that wait at the same time in one transaction.

A commit takes as long for one batch as for a hundred. Batches that arrive during a commit wait, and
the first task to wake up stores all of them: many small requests need few commits, and a single one
hardly waits. `put` returns after the commit, so that an acknowledged batch survives a crash.
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
from trackai.store.engine.pace import Pace
from trackai.store.points import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aiosqlite import Connection

    from trackai.ingest.batches import Batch
    from trackai.store.engine.database import Database
    from trackai.structs.points import Column

# Above these limits, clients have to try again later.
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_WAITING_BATCHES = 2048
# Limits on one transaction, so that other writers get their turn.
_MAX_WEIGHT = 100_000
_BATCHES_PER_COMMIT = 512
# Storing a point takes as long as so many characters of a text.
_CHARACTERS = 64
# A request takes two turns of the event loop from its socket to `put`. Waiting for three lets in
# all that have arrived: clients that are answered together send their next requests together.
_TURNS = 3
# Batches of more points are validated in a thread, so that other requests are answered meanwhile.
_THREAD_POINTS = 1000


class Receipt(msgspec.Struct):
    """The number of points of a batch, and whether it had been stored before."""

    points: int
    duplicate: bool


class _Waiting:
    """A batch that waits for its transaction, and its outcome."""

    def __init__(self, run_id: int, batch: Batch, columns: list[Column], host: str) -> None:
        self.run_id = run_id
        self.batch_id = batch.batch_id
        self.writer = batch.writer
        self.host = host
        self.columns = columns
        self.points = sum(len(column.steps) for column in columns)
        self.weight = self.points + sum(map(_characters, columns)) // _CHARACTERS
        self.outcome: Receipt | TrackAIError | None = None


def _characters(column: Column) -> int:
    """The characters of the texts of a column; mixed columns are rare and not counted."""
    if column.steps and type(column.values[0]) is str:
        return sum(len(text) for text in column.values if isinstance(text, str))
    return 0


class Intake:
    """Stores batches in a database.

    Attributes:
        bytes: size of the requests, complete or not, that have not been answered.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[_Waiting] = []
        # Exists while a task stores batches; set once their outcomes are known.
        self._stored: anyio.Event | None = None
        self._pace = Pace(_MAX_WEIGHT // 4, smallest=_MAX_WEIGHT // 32, largest=_MAX_WEIGHT)
        self.bytes = 0
        self._last_time = 0

    @property
    def waiting(self) -> int:
        """The number of batches that wait for a transaction."""
        return len(self._waiting)

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Account for the memory of a request.

        Bytes count when they arrive: an announced size that never arrives takes no room.

        Yields:
            A function to call with the size of each chunk; it raises OverloadedError as well.

        Raises:
            OverloadedError: too many requests are waiting.
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
        """Store a batch atomically; it is committed on return.

        Args:
            run_id: the row id of the run.
            host: the address of the client.

        Raises:
            InvalidInputError: the batch is invalid.
            NotFoundError: the run does not exist.
            StoreError: the database cannot be written.
        """
        points = batch.count()
        now = max(time.time_ns() // 1000, self._last_time + 1)
        # Points at the same time are moved apart, and may run ahead of the clock.
        self._last_time = now + points
        if points > _THREAD_POINTS:
            columns = await to_thread.run_sync(partial(to_columns, batch, now=now))
        else:
            columns = to_columns(batch, now=now)
        waiting = _Waiting(run_id, batch, columns, host)
        self._waiting.append(waiting)
        try:
            while waiting.outcome is None:
                if self._stored is not None:
                    await self._stored.wait()
                else:
                    await self._store_next_group()
        except BaseException:  # cancelled
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise
        if isinstance(waiting.outcome, Receipt):
            return waiting.outcome
        raise waiting.outcome

    async def _store_next_group(self) -> None:
        """Store the batches that are waiting now; later ones wait for the next transaction."""
        self._stored = stored = anyio.Event()
        try:
            for _ in range(_TURNS):
                await checkpoint()
            await self._store(self._take_group())
        finally:
            self._stored = None
            stored.set()

    def _take_group(self) -> list[_Waiting]:
        taken, weight = 0, 0
        for waiting in self._waiting[:_BATCHES_PER_COMMIT]:
            if taken and weight + waiting.weight > self._pace.size:
                break
            taken, weight = taken + 1, weight + waiting.weight
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _store(self, group: list[_Waiting]) -> None:
        failure: TrackAIError = StoreError("could not store the batch: send it again")
        try:
            outcomes = await self._db.change(lambda conn: _store_group(conn, group))
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
            self._pace.adapt(sum(waiting.weight for waiting in group), self._db.held_seconds)
        except StoreError as error:
            failure = error
        finally:
            # Even if this task is cancelled, the others must not wait forever.
            for waiting in group:
                waiting.outcome = waiting.outcome or failure


async def _store_group(conn: Connection, group: Sequence[_Waiting]) -> list[Receipt | TrackAIError]:
    """Store a group of batches in one transaction; one outcome for each."""
    now = time.time_ns() // 1000
    uids = await runs.uids(conn, {waiting.run_id for waiting in group})
    known = await batches.stored(
        conn, [(waiting.run_id, waiting.batch_id) for waiting in group if waiting.batch_id]
    )
    new_keys: list[tuple[batches.BatchKey, int]] = []
    storing: list[_Waiting] = []
    outcomes: list[Receipt | TrackAIError] = []
    for waiting in group:
        if waiting.run_id not in uids:
            outcomes.append(NotFoundError(f"run {waiting.run_id} not found"))
            continue
        duplicate = False
        if waiting.batch_id is not None:
            key = (waiting.run_id, waiting.batch_id)
            duplicate = key in known
            if not duplicate:
                known.add(key)
                new_keys.append((key, waiting.points))
        if not duplicate:
            storing.append(waiting)
        outcomes.append(Receipt(waiting.points, duplicate))
    if storing:
        ids = await _writers(conn, uids, storing, now)
        await metrics.append_parts(
            conn,
            [
                (waiting.run_id, ids[waiting.run_id, waiting.writer], waiting.columns)
                for waiting in storing
            ],
        )
        await runs.touch(conn, *{waiting.run_id for waiting in storing}, now=now)
    if new_keys:
        await batches.add(conn, new_keys, now=now)
    return outcomes


async def _writers(
    conn: Connection, run_uids: Mapping[int, str], storing: Sequence[_Waiting], now: int
) -> dict[tuple[int, str], int]:
    """The row ids of the clients as writers of the latest attempts of their runs."""
    attempts = {
        run_id: max(1, await writers.next_attempt(conn, run_id) - 1)
        for run_id in {waiting.run_id for waiting in storing}
    }
    clients = {}
    for waiting in storing:
        uid = f"http-{run_uids[waiting.run_id]}-{waiting.writer}"
        attempt = attempts[waiting.run_id]
        if attempt > 1:  # a writer belongs to one attempt
            uid = f"{uid}-{attempt}"
        clients[waiting.run_id, waiting.writer] = uid, waiting.host
    known = await writers.find(conn, [uid for uid, _ in clients.values()])
    ids: dict[tuple[int, str], int] = {}
    for (run_id, writer), (uid, host) in clients.items():
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
