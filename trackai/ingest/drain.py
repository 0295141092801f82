"""Store journals, each frame exactly once.

The transaction that stores frames also records the position in the journal. A drain that finds
another position than it expects reads the journal again up to there: after a crash, next to another
drain, or when the database has been replaced.
"""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from trackai.errors import StoreError
from trackai.guard import guarded
from trackai.ingest.reader import READ_BYTES, Batch, Damage, JournalReader
from trackai.lazy_imports import import_lock
from trackai.store.blobs.blob_store import Blob
from trackai.store.catalogue import journals
from trackai.store.engine.pace import Pace
from trackai.values.logger import logger

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from pathlib import Path

    from trackai.ingest.deliveries import Delivery, Outcome
    from trackai.ingest.frames import Filed, Opened
    from trackai.store.catalogue.files import NewFile
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database


# Each metric of a batch takes some 20 µs, however few points it has. So a batch has at least about
# 32 points of each metric, and at most about 64 if there are many: in bytes of a journal of floats.
_METRIC_BYTES = 32 * 9, 64 * 9
# More metrics make a transaction long in any case.
_MAX_METRICS = 5_000
_MAX_BYTES = _MAX_METRICS * _METRIC_BYTES[1]

# Errors that concern a statement or a value, not the database file.
_VALUE_ERRORS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)


def load() -> None:
    """Import what stores points.

    It is most of the store, and `init` does not wait for it. The methods of `Drain` import it by
    name after this.
    """
    with import_lock:
        from trackai.ingest import deliveries  # noqa: F401
        from trackai.store.points import rollups  # noqa: F401


class JournalDrain(ABC):
    """Moves one journal, a batch at a time, to where its points are kept.

    Attributes:
        path: the journal.
        points: the number of points that this drain has stored.
        deleted_points: the number of points that were not stored because their run had been
            deleted; None while the run exists.
        is_in_new_file: whether the database was removed or replaced while the run logged.
    """

    def __init__(self, path: Path, presumed: Opened | None = None) -> None:
        """Create a drain; `presumed` is the writer in case the first frame is damaged."""
        self.path = path
        self.points = 0
        self.deleted_points: int | None = None
        self.is_in_new_file = False
        self._reader = JournalReader(path, presumed)
        self._limit: int | None = None
        self._next: Batch | None = None  # has been read, and waits for its transaction
        self._is_final = False
        self._size = READ_BYTES
        self._refused: list[Damage] = []

    @property
    def opened(self) -> Opened | None:
        """The writer of the journal; None before its first frame has been read."""
        return self._reader.opened

    @property
    def ended(self) -> bool:
        """Whether the writer has recorded the end of its run in what was read of the journal."""
        return self._reader.has_end

    @property
    def position(self) -> int:
        """The position in bytes up to which the journal has been read and is stored."""
        return self._reader.position if self._next is None else self._next.start

    @property
    def damages(self) -> list[Damage]:
        """Damaged bytes and refused calls, in the order of the journal."""
        return sorted([*self._reader.damages, *self._refused], key=lambda damage: damage.offset)

    async def store_next(self, *, final: bool = False) -> bool:
        """Store the next batch, or do a part of the work that must precede it.

        Args:
            final: whether the journal is complete.

        Returns:
            False if no complete frame is left.

        Raises:
            TrackAIError: points cannot be stored now; the batch is retried on the next call.
        """
        self._is_final = final
        try:
            batch = self._next or self._read()
        except FileNotFoundError:
            return False  # stored and removed by another process
        if batch is None:
            return False
        self._next = batch
        if await self._prepare(batch):
            return True
        self._next = None
        try:
            await self._store(batch)
        except BaseException as error:
            self._go_back(batch.start)
            if not self._concerns_values(error):
                raise
            await self._isolate(batch, error)
        else:
            if self._limit is not None:
                self._limit = None if self._limit > 1 << 20 else self._limit * 2
        return True

    async def store_all(self, *, final: bool = False) -> None:
        """Store everything that is in the journal now."""
        while await self.store_next(final=final):
            pass

    def restart(self) -> None:
        """Store the journal again, from its beginning."""
        self._go_back(0)
        self._limit = None
        self._refused.clear()

    def _read(self) -> Batch | None:
        return self._reader.read(self._size, limit=self._limit, final=self._is_final)

    def _go_back(self, position: int) -> None:
        """Read again from a position on."""
        self._reader.rewind(position)
        self._next = None

    @abstractmethod
    async def is_stored(self) -> bool:
        """Whether everything up to `position` is still where it was stored."""

    async def _prepare(self, batch: Batch) -> bool:
        """Do a part of the work that must precede a batch; False if nothing of it is left."""
        return False

    @abstractmethod
    async def _deliver(self, batch: Batch) -> Outcome:
        """Store a batch, unless it does not begin where the stored bytes end."""

    @abstractmethod
    async def _skip(self, batch: Batch) -> None:
        """Record a batch as stored that cannot be stored."""

    @abstractmethod
    def _concerns_values(self, error: BaseException) -> bool:
        """Whether the values caused the error; after any other error the batch is retried."""

    async def _store(self, batch: Batch) -> None:
        outcome = await self._deliver(batch)
        if not outcome.stored:
            self._rewind(outcome)
            return
        if outcome.run_deleted:
            for filed in batch.all_files:
                self._bytes_path(filed).unlink(missing_ok=True)
            self.deleted_points = (self.deleted_points or 0) + batch.points
        else:
            self.points += batch.points

    def _rewind(self, outcome: Outcome) -> None:
        """Go back to what is not stored."""
        self._go_back(outcome.consumed or 0)
        self.is_in_new_file = self.is_in_new_file or outcome.consumed is None

    def _bytes_path(self, filed: Filed) -> Path:
        # Only the name: a damaged frame must not refer to a file outside the folder.
        return self.path.with_name(PurePath(filed.bytes_in).name)

    async def _isolate(self, batch: Batch, error: BaseException) -> None:
        """Retry with half the frames, or skip the single call that fails."""
        if batch.frames > 1 and self._limit != 1:
            self._limit = max(1, batch.frames // 2)
            return
        # An error of the store itself is raised here, and the call is retried.
        await self._skip(batch)
        self._go_back(batch.end)
        self._refused.append(Damage(batch.start, batch.end - batch.start, repr(error)))
        self._limit = 2
        with guarded(f"storing the call at byte {batch.start} of {self.path}"):
            raise error


class Drain(JournalDrain):
    """Stores one journal in a database."""

    def __init__(self, db: Database, path: Path, presumed: Opened | None = None) -> None:
        """Create a drain; `presumed` is the writer in case the first frame is damaged."""
        super().__init__(path, presumed)
        self._db = db
        self._to_roll_up: list[int] = []  # row ids of series
        self._rolled_up: set[str] = set()  # names of metrics
        self._pace = Pace(READ_BYTES // 2, smallest=READ_BYTES // 4, largest=_MAX_BYTES)
        self._size = self._pace.size
        self._prepared: Delivery | None = None  # of the batch that was read ahead

    async def is_stored(self) -> bool:
        """Whether everything up to `position` is in the database, which may have been replaced."""
        async with self._db.read() as conn:
            return await journals.consumed(conn, self.path.name) == self.position

    async def _prepare(self, batch: Batch) -> bool:
        """Roll up a part of a series that a batch supersedes from a step on.

        What is left of a long series is counted in the transaction that stores the batch, which
        other processes wait for. With rollups, that is fast.
        """
        load()
        if batch.opened.attempt == 1:
            return False
        from trackai.store.points import rollups

        new = {
            column.path: min(column.steps)
            for column in batch.columns()
            if column.axis == "step" and column.path not in self._rolled_up
        }
        if new:
            opened = batch.opened
            self._to_roll_up += await self._db.look(
                lambda conn: rollups.stale_before(conn, opened.run_uid, opened.attempt, new)
            )
            self._rolled_up.update(new)
        if not self._to_roll_up:
            return False
        series_id = self._to_roll_up[-1]

        async def refresh(conn: Connection) -> bool:
            await rollups.refresh(conn, series_id)
            return await rollups.is_stale(conn, series_id)

        if not await self._db.change(refresh):
            self._to_roll_up.pop()
        return True

    async def _deliver(self, batch: Batch) -> Outcome:
        delivery, self._prepared = self._prepared, None
        if delivery is None or delivery.batch is not batch:
            delivery = self._delivery(batch)
        # In one visit to SQLite's thread: next to a busy main thread each costs milliseconds.
        work = partial(self._store_in_transaction, asyncio.get_running_loop(), delivery)
        outcome = await self._db.change(work)
        self._pace.adapt(batch.end - batch.start, self._db.held_seconds)
        self._choose_size(len(delivery.prepare()), batch.points)
        return outcome

    def _delivery(self, batch: Batch) -> Delivery:
        from trackai.ingest import deliveries

        delivery = deliveries.Delivery(self.path.name, batch, self._adopt)
        delivery.prepare()
        return delivery

    def _read_ahead(self) -> None:
        """Read the next batch while SQLite commits this one, which needs no interpreter.

        Not sooner: each statement of the transaction would wait five milliseconds for its turn.
        """
        if self._next is None and self._limit is None:
            # Errors are raised again where they are handled: by `store_next` and `_deliver`.
            with suppress(OSError):
                self._next = self._read()
            with suppress(Exception):
                self._prepared = None if self._next is None else self._delivery(self._next)

    def _choose_size(self, columns: int, points: int) -> None:
        """Choose the size of the next batch by the numbers of metrics and points of this one."""
        smallest, largest = (min(columns, _MAX_METRICS) * size for size in _METRIC_BYTES)
        self._size = min(self._pace.size, max(largest, READ_BYTES))
        if points >= 2 * columns:  # otherwise a larger batch has more metrics, not more of each
            self._size = max(self._size, smallest)

    async def _store_in_transaction(
        self, loop: AbstractEventLoop, delivery: Delivery, conn: Connection
    ) -> Outcome:
        from trackai.ingest import deliveries

        is_gone = delivery.batch.start == 0 and not self.path.exists()
        if is_gone and await journals.consumed(conn, self.path.name) is None:
            # Another process has stored and removed it after it was read.
            return deliveries.Outcome(0)
        (outcome,) = await deliveries.store(conn, [delivery])
        assert isinstance(outcome, deliveries.Outcome)  # noqa: S101 - refusals are for remote writers
        if outcome.stored:
            loop.call_soon_threadsafe(self._read_ahead)  # before `change` returns there
        return outcome

    async def _skip(self, batch: Batch) -> None:
        async with self._db.write() as conn:
            consumed = await journals.consumed(conn, self.path.name)
            if (consumed or 0) == batch.start:
                await journals.advance(conn, self.path.name, batch.end)

    def _adopt(self, filed: Filed) -> NewFile:
        from trackai.store.catalogue.files import NewFile

        blob = Blob(filed.size, filed.sha256)
        has_bytes = self._db.blobs.adopt(self._bytes_path(filed), blob)
        if not has_bytes:
            logger.warning(
                "the contents of file %r, logged as %r, are missing", filed.name, filed.path
            )
        return NewFile(
            filed.path, filed.kind, filed.name, filed.step, filed.timestamp, filed.source,
            blob if has_bytes else None,
        )  # fmt: skip

    def _concerns_values(self, error: BaseException) -> bool:
        if isinstance(error, StoreError):
            return isinstance(error.__cause__, _VALUE_ERRORS)
        return isinstance(error, Exception) and not isinstance(error, OSError)
