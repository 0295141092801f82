"""From a journal to the store: exactly once, by whoever comes first.

How far a journal has been stored is recorded in the transaction that stores it. A drain that
finds another number there than it expected reads the journal again up to that point: after a
crash, beside another drain, or on a database that has been replaced.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from trackai.errors import StoreError
from trackai.guard import guarded
from trackai.ingest.reader import Batch, Damage, JournalReader
from trackai.store.catalogue import configs, files, journals, projects, runs, writers
from trackai.store.catalogue.files import Blob, NewFile
from trackai.store.points import metrics

if TYPE_CHECKING:
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.ingest.frames import Filed, Opened
    from trackai.store.engine.database import Database
    from trackai.values.types import State

logger = logging.getLogger("trackai")

# What SQLite says of a statement or a value rather than of the file.
_ABOUT_VALUES = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)


class Drain:
    """Stores one journal, a batch at a time.

    Attributes:
        ended: whether the writer has said how its run ended.
        points: how many points this drain has stored.
    """

    def __init__(self, db: Database, path: Path, presumed: Opened | None = None) -> None:
        self.path = path
        self.ended = False
        self.points = 0
        self._db = db
        self._reader = JournalReader(path, presumed)
        self._limit: int | None = None
        self._refused: list[Damage] = []

    @property
    def opened(self) -> Opened | None:
        """Who writes the journal; None before that has been read."""
        return self._reader.opened

    @property
    def position(self) -> int:
        """The byte up to which the journal has been read."""
        return self._reader.position

    @property
    def damages(self) -> list[Damage]:
        """What could not be stored: bytes that are no frames, and calls that were refused."""
        return sorted([*self._reader.damages, *self._refused], key=lambda damage: damage.offset)

    async def store_next(self, *, final: bool = False) -> bool:
        """Store the next batch; False if there is none (yet).

        Args:
            final: nobody writes to the journal any more.
        """
        try:
            batch = self._reader.read(limit=self._limit, final=final)
        except FileNotFoundError:
            return False  # stored and removed by somebody else
        if batch is None:
            return False
        try:
            await self._store(batch)
        except BaseException as error:
            self._reader.rewind(batch.start)
            if not _is_about_values(error):
                raise
            await self._narrow_down(batch, error)
        else:
            if self._limit is not None:
                self._limit = None if self._limit > 1 << 20 else self._limit * 2
        return True

    async def store_all(self, *, final: bool = False) -> None:
        """Store all that the journal holds by now."""
        while await self.store_next(final=final):
            pass

    async def is_stored(self) -> bool:
        """Whether the database really holds all of it: it may have been replaced meanwhile."""
        async with self._db.read() as conn:
            return await journals.consumed(conn, self.path.name) == self._reader.position

    async def _store(self, batch: Batch) -> None:
        # In one visit to SQLite's thread: beside a busy main thread each one costs milliseconds.
        outcome = await self._db.change(lambda conn: self._apply(conn, batch))
        if outcome == "not due":
            return
        if outcome == "run deleted":
            for one in batch.files:
                self._bytes_of(one).unlink(missing_ok=True)
        self.ended = self.ended or batch.ended is not None
        self.points += batch.points

    async def _apply(
        self, conn: Connection, batch: Batch
    ) -> Literal["stored", "not due", "run deleted"]:
        consumed = await journals.consumed(conn, self.path.name)
        if (consumed or 0) != batch.start:
            self._reader.rewind(consumed or 0)
            return "not due"
        if consumed is None and not self.path.exists():
            return "not due"  # stored, removed and forgotten by somebody else after it was read
        ids = await _apply(conn, batch, known=consumed is not None)
        if ids is not None and batch.files:
            await files.add(conn, *ids, [self._adopted(one) for one in batch.files])
        await journals.advance(conn, self.path.name, batch.end)
        return "run deleted" if ids is None else "stored"

    def _bytes_of(self, one: Filed) -> Path:
        return self.path.with_name(PurePath(one.bytes_in).name)  # beside the journal, nowhere else

    def _adopted(self, one: Filed) -> NewFile:
        blob = Blob(one.size, one.sha256)
        there = files.adopt(self._db.path, self._bytes_of(one), blob)
        if not there:
            logger.warning("the bytes of the file %r, logged as %r, are gone", one.name, one.path)
        return NewFile(
            one.path, one.kind, one.name, one.step, one.timestamp, one.source,
            blob if there else None,
        )  # fmt: skip

    async def _narrow_down(self, batch: Batch, error: BaseException) -> None:
        """One call that cannot be stored must not keep back all the others."""
        if batch.frames > 1 and self._limit != 1:
            self._limit = max(1, batch.frames // 2)
            return
        # If this fails too, it is the database, and the call is tried again.
        async with self._db.write() as conn:
            consumed = await journals.consumed(conn, self.path.name)
            if (consumed or 0) == batch.start:
                await journals.advance(conn, self.path.name, batch.end)
        self._refused.append(Damage(batch.start, batch.end - batch.start, repr(error)))
        self._limit = 2
        with guarded(f"storing the call at byte {batch.start} of {self.path}"):
            raise error


def _is_about_values(error: BaseException) -> bool:
    """Whether storing failed because of what was to be stored; otherwise it is tried again."""
    if isinstance(error, StoreError):
        return isinstance(error.__cause__, _ABOUT_VALUES)
    return isinstance(error, Exception) and not isinstance(error, OSError)


async def _apply(conn: Connection, batch: Batch, *, known: bool) -> tuple[int, int] | None:
    """Store a batch but for its files; the row ids of its run and its writer."""
    opened = batch.opened
    run = await runs.find_by_uid(conn, opened.run_uid)
    if run is None and known:
        return None  # deleted while it was logging: it stays deleted
    run_id = run.id if run is not None else await _create_run(conn, opened)
    writer_id = await writers.get_or_create(
        conn,
        uid=opened.writer_uid,
        run_id=run_id,
        attempt=opened.attempt,
        rank=opened.rank,
        host=opened.host,
        pid=opened.pid,
        state=None if opened.parent else "running",
        now=opened.started_at,
    )
    if batch.replaced:
        await configs.remove(conn, run_id, batch.replaced)
    if batch.config:
        await configs.put(conn, run_id, batch.config)
    for one in batch.described:
        await runs.describe(conn, run_id, name=one.name, tags=one.tags, notes=one.notes)
    if batch.columns:
        await metrics.append(conn, run_id, writer_id, batch.columns)
        await runs.touch(conn, run_id, now=batch.last_timestamp)
    if batch.ended is not None:
        await end_writer(conn, run_id, opened, batch.ended.state, now=batch.ended.timestamp)
    return run_id, writer_id


async def _create_run(conn: Connection, opened: Opened) -> int:
    project = await projects.get_or_create(conn, opened.project, now=opened.created_at)
    run = await runs.create(
        conn,
        uid=opened.run_uid,
        project_id=project.id,
        slug=await runs.unused_slug(conn, project.id, opened.run_slug),
        name=opened.name,
        group_name=opened.group,
        now=opened.created_at,
    )
    return run.id


async def end_writer(
    conn: Connection, run_id: int, opened: Opened, state: State, *, now: int
) -> None:
    """Note how a writer ended; its run goes on as long as another writer of the attempt does."""
    if opened.parent is not None:
        return
    await writers.end(conn, opened.writer_uid, state, now=now)
    # A journal that turns up late must not end a run that has been resumed since.
    if opened.attempt + 1 == await writers.next_attempt(conn, run_id):
        joint = await writers.joint_state(conn, run_id, opened.attempt)
        await runs.set_state(conn, run_id, joint, now=now)
