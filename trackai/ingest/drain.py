"""From journals to the store: exactly once, by whoever comes first.

How far a journal has been stored is recorded in the transaction that stores it. A drain that
finds another number there than it expected reads the journal again up to that point: after a
crash, beside another drain, or on a database that has been replaced.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from trackai.ingest.journal import SUFFIX, Batch, JournalReader
from trackai.locks import try_lock
from trackai.store import configs, journals, metrics, projects, runs, writers

if TYPE_CHECKING:
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.ingest.frames import Opened
    from trackai.store.database import Database
    from trackai.structs.values import State

logger = logging.getLogger("trackai")


class Drain:
    """Stores one journal, a batch at a time."""

    def __init__(self, db: Database, path: Path) -> None:
        self.path = path
        self.ended = False
        self._db = db
        self._reader = JournalReader(path)

    @property
    def opened(self) -> Opened | None:
        """Who writes the journal; None before that has been read."""
        return self._reader.opened

    @property
    def damage(self) -> str | None:
        """What is wrong with the journal, and at which byte; None if nothing is."""
        if self._reader.damage is None:
            return None
        return f"{self._reader.damage} at byte {self._reader.position}"

    async def store_next(self) -> bool:
        """Store the next batch; False if there is none (yet)."""
        batch = self._reader.read()
        if batch is None:
            return False
        try:
            stored = await self._store(batch)
        except BaseException:
            self._reader.rewind(batch.start)
            raise
        self.ended = self.ended or (stored and batch.ended is not None)
        return True

    async def _store(self, batch: Batch) -> bool:
        async with self._db.write() as conn:
            consumed = await journals.consumed(conn, self.path.name)
            if (consumed or 0) != batch.start:
                self._reader.rewind(consumed or 0)
                return False
            await _apply(conn, batch, known=consumed is not None)
            await journals.advance(conn, self.path.name, batch.end)
        return True

    async def store_all(self) -> None:
        """Store all that the journal holds by now."""
        while await self.store_next():
            pass

    async def is_stored(self) -> bool:
        """Whether the database really holds all of it: it may have been replaced meanwhile."""
        async with self._db.read() as conn:
            return await journals.consumed(conn, self.path.name) == self._reader.position


async def _apply(conn: Connection, batch: Batch, *, known: bool) -> None:
    opened = batch.opened
    run = await runs.find_by_uid(conn, opened.run_uid)
    if run is None and known:
        return  # deleted while it was logging: it stays deleted
    run_id = run.id if run is not None else await _create_run(conn, opened)
    writer_id = await writers.get_or_create(
        conn,
        uid=opened.writer_uid,
        run_id=run_id,
        attempt=opened.attempt,
        rank=opened.rank,
        host=opened.host,
        pid=opened.pid,
        now=opened.started_at,
    )
    if batch.config:
        await configs.put(conn, run_id, batch.config)
    if batch.columns:
        await metrics.append(conn, run_id, writer_id, batch.columns)
        await runs.touch(conn, run_id, now=batch.last_timestamp)
    if batch.ended is not None:
        await _end_run(conn, run_id, opened, batch.ended.state, now=batch.ended.timestamp)


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


async def _end_run(
    conn: Connection, run_id: int, opened: Opened, state: State, *, now: int
) -> None:
    # A journal that turns up late must not end a run that has been resumed since.
    if opened.attempt + 1 == await writers.next_attempt(conn, run_id):
        await runs.set_state(conn, run_id, state, now=now)


async def recover(db: Database) -> int:
    """Store the journals that processes left behind which did not finish their runs.

    Such a run ends as failed, with all its points. A journal whose writer is alive is left alone.

    Returns:
        The number of journals that were stored.
    """
    writers_files: dict[str, list[Path]] = {}
    for path in sorted(db.spool.glob(f"*{SUFFIX}")):
        writers_files.setdefault(path.name.rpartition("-")[0], []).append(path)
    stored = 0
    for paths in writers_files.values():
        fds: list[int] = []
        try:
            if all(_lock_abandoned(path, fds) for path in paths):
                await _recover_writer(db, paths)
                stored += len(paths)
        finally:
            for fd in fds:
                os.close(fd)
    return stored


def _lock_abandoned(path: Path, fds: list[int]) -> bool:
    try:
        fds.append(os.open(path, os.O_RDWR))
    except FileNotFoundError:  # its writer has just stored it
        return False
    return try_lock(fds[-1])


async def _recover_writer(db: Database, paths: list[Path]) -> None:
    """Store the journals of one writer, oldest first, and remove them."""
    opened, ended = None, False
    for path in paths:
        drain = Drain(db, path)
        await drain.store_all()
        opened, ended = drain.opened or opened, ended or drain.ended
        if drain.damage is not None:
            kept = path.with_name(path.name + ".damaged")
            logger.warning(
                "%s is damaged (%s): what came before is stored, the file is kept as %s",
                path, drain.damage, kept.name,
            )  # fmt: skip
            path.rename(kept)
    if opened is not None and not ended:
        async with db.write() as conn:
            run = await runs.find_by_uid(conn, opened.run_uid)
            if run is not None and run.state == "running":
                await _end_run(conn, run.id, opened, "failed", now=time.time_ns() // 1000)
    for path in paths:
        path.unlink(missing_ok=True)
        async with db.write() as conn:
            await journals.forget(conn, path.name)
