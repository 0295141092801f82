"""Store batches of HTTP clients, those that wait at the same time in one transaction.

`put` returns after the commit, so that an acknowledged batch survives a crash.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from anyio import to_thread

from trackai.errors import NotFoundError, OverloadedError, TrackAIError
from trackai.ingest.batches import to_columns
from trackai.ingest.group_commit import GroupCommit
from trackai.store.catalogue import batches, runs, writers
from trackai.store.catalogue.keys import Grant
from trackai.store.engine.sql import lock
from trackai.store.points import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trackai.ingest.batches import Batch
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.points import Column

_EVERYTHING = Grant("admin")
# Above these limits, clients have to try again later.
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_WAITING_BATCHES = 2048
# Storing a point takes as long as so many characters of a text.
_CHARACTERS = 64
# Batches of more points are validated in a thread, so that other requests are answered meanwhile.
_THREAD_POINTS = 1000


class Receipt(msgspec.Struct):
    """The number of points of a batch, and whether it had been stored before."""

    points: int
    duplicate: bool


class _Waiting(msgspec.Struct):
    """A batch that waits for its transaction."""

    run_id: int
    batch_id: str | None
    writer: str
    host: str
    columns: list[metrics.Prepared]
    points: int
    grant: Grant


def weigh(columns: Sequence[Column]) -> int:
    """How long it takes to store points, in points with a number as their value."""
    points = sum(len(column.steps) for column in columns)
    return points + sum(map(_characters, columns)) // _CHARACTERS


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

    def __init__(self, db: Store) -> None:
        self._batches: GroupCommit[_Waiting, Receipt] = GroupCommit(db, _store_group)
        self.bytes = 0
        self._last_time = 0

    @property
    def waiting(self) -> int:
        """The number of batches that wait for a transaction."""
        return self._batches.waiting

    @contextmanager
    def room(self, *, alone: bool = False) -> Iterator[Callable[[int], None]]:
        """Account for the memory of a request.

        Bytes count when they arrive: an announced size that never arrives takes no room.

        Args:
            alone: the request may be larger than the room if there is no other.

        Yields:
            A function to call with the size of each chunk; it raises OverloadedError as well.

        Raises:
            OverloadedError: too many requests are waiting.
        """
        if self.waiting >= MAX_WAITING_BATCHES:
            raise OverloadedError
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            is_alone = alone and self.bytes == taken
            if self.bytes + size > MAX_WAITING_BYTES and not is_alone:
                raise OverloadedError
            self.bytes += size
            taken += size

        try:
            yield take
        finally:
            self.bytes -= taken

    async def put(
        self, run_id: int, batch: Batch, *, host: str, grant: Grant = _EVERYTHING
    ) -> Receipt:
        """Store a batch atomically; it is committed on return.

        Args:
            run_id: the row id of the run.
            host: the address of the client.
            grant: what the client may do.

        Raises:
            InvalidInputError: the batch is invalid.
            NotFoundError: the run does not exist, or not in the only project of the client.
            StoreError: the database cannot be written.
        """
        points = batch.count()
        now = max(time.time_ns() // 1000, self._last_time + 1)
        # Points at the same time are moved apart, and may run ahead of the clock.
        self._last_time = now + points
        if points > _THREAD_POINTS:
            columns, weight = await to_thread.run_sync(partial(_prepare, batch, now))
        else:
            columns, weight = _prepare(batch, now)
        waiting = _Waiting(run_id, batch.batch_id, batch.writer, host, columns, points, grant)
        return await self._batches.put(waiting, weight)


def _prepare(batch: Batch, now: int) -> tuple[list[metrics.Prepared], int]:
    """The points of a batch, ready to be stored, and how long that takes."""
    columns = to_columns(batch, now=now)
    return metrics.prepare(columns), weigh(columns)


async def _store_group(conn: Connection, group: Sequence[_Waiting]) -> list[Receipt | TrackAIError]:
    """Store a group of batches in one transaction; one outcome for each."""
    now = time.time_ns() // 1000
    await lock(conn, "runs", (waiting.run_id for waiting in group))
    uids = await runs.uids(conn, {waiting.run_id for waiting in group})
    limited = {waiting.run_id for waiting in group if waiting.grant.project_id is not None}
    projects = await runs.projects_of(conn, limited) if limited else {}
    known = await batches.stored(
        conn, [(waiting.run_id, waiting.batch_id) for waiting in group if waiting.batch_id]
    )
    new_keys: list[tuple[batches.BatchKey, int]] = []
    storing: list[_Waiting] = []
    outcomes: list[Receipt | TrackAIError] = []
    for waiting in group:
        allowed = waiting.grant.project_id
        is_hidden = allowed is not None and projects.get(waiting.run_id) != allowed
        if is_hidden or waiting.run_id not in uids:
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
    attempts = await writers.latest_attempts(conn, {waiting.run_id for waiting in storing})
    clients = {}
    for waiting in storing:
        uid = f"http-{run_uids[waiting.run_id]}-{waiting.writer}"
        attempt = attempts.get(waiting.run_id, 1)
        if attempt > 1:  # a writer belongs to one attempt
            uid = f"{uid}-{attempt}"
        clients[waiting.run_id, waiting.writer] = uid, waiting
    known = await writers.find(conn, [uid for uid, _ in clients.values()])
    ids: dict[tuple[int, str], int] = {}
    for (run_id, writer), (uid, waiting) in clients.items():
        ids[run_id, writer] = known.get(uid) or await writers.get_or_create(
            conn,
            uid=uid,
            run_id=run_id,
            attempt=attempts.get(run_id, 1),
            rank=0,
            host=waiting.host,
            pid=0,
            key_name=waiting.grant.name,
            now=now,
        )
    return ids
