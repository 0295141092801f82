"""The database on this machine as the destination of a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from trackai.errors import StoreBusyError, StoreError, StoreUnreachableError
from trackai.ingest import attempts
from trackai.ingest.drain import Drain, JournalDrain, load
from trackai.ingest.journal import JournalWriter, writer_uid
from trackai.ingest.recovery import recover, store_running
from trackai.sdk.destination import Begun, Destination
from trackai.sdk.launch import this_process
from trackai.store.catalogue import journals, writers
from trackai.store.engine.database import Database
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.ingest.attempts import Attempt
    from trackai.ingest.run_request import RunRequest
    from trackai.store.engine.connection import Connection


class LocalDestination(Destination):
    """A SQLite file. Other processes may write to it, too."""

    later = "will be stored by the next trackai.init(), trackai serve or trackai recover"
    closes_for_forks = True

    def __init__(self, db_path: Path) -> None:
        self._db = Database(db_path)
        self.spool = self._db.spool
        self.name = str(db_path)

    async def begin(self, request: RunRequest) -> Begun:
        await self._db.open()
        await self._recover()
        await self._store_former_attempts(request)
        journals_made: list[JournalWriter] = []

        async def start(conn: Connection) -> Attempt:
            _remove_all(journals_made)  # of a transaction that failed, and is repeated
            attempt = await attempts.start_attempt(
                conn,
                request,
                this_process(request.launch),
                is_running=lambda writer: attempts.is_running(writer, self.spool),
                now=time.time_ns() // 1000,
            )
            # Inside the transaction: every run in the database has a journal, and a process
            # that dies here leaves either nothing or a run that can be recovered.
            journal = self._new_journal(attempt, request)
            journals_made.append(journal)
            (path,) = journal.paths
            await journals.advance(conn, path.name, 0)
            return attempt

        try:
            # In one visit to SQLite's thread: each costs more than most of the statements.
            attempt = await self._db.change(start)
        except BaseException:
            _remove_all(journals_made)  # of a run that is not in the database
            raise
        (journal,) = journals_made
        (path,) = journal.paths
        return Begun(attempt, journal, Drain(self._db, path))

    def load(self) -> None:
        load()

    async def _recover(self) -> None:
        """Store the points of crashed processes; a failure does not keep the run from starting."""
        try:
            await recover(self._db)
        except StoreBusyError:
            raise
        except StoreError as error:
            logger.warning("could not recover journals of crashed processes: %s", error)

    async def _store_former_attempts(self, request: RunRequest) -> None:
        """Store what other processes have logged to the run: its next step is behind all of it."""
        async with self._db.read() as conn:
            uid = await attempts.find_requested_run(conn, request)
        if uid is not None:
            await store_running(self._db, uid)

    def _new_journal(self, attempt: Attempt, request: RunRequest) -> JournalWriter:
        try:
            return JournalWriter(self.spool, attempt.opened, sync_each=request.sync_each)
        except OSError as error:
            raise StoreUnreachableError(
                f"cannot write to {self.spool} ({error}): set TRACKAI_DB_PATH to a file in a "
                "folder that you can write to"
            ) from error

    async def close(self) -> None:
        await self._db.close()

    async def drain(self, path: Path, after: str) -> Drain:
        async with self._db.write() as conn:
            await journals.begin_beside(conn, path.name, after)
        return Drain(self._db, path)

    async def forget(self, path: Path) -> None:
        async with self._db.write() as conn:
            await journals.forget(conn, path.name)

    async def collect(self, paths: Sequence[Path]) -> None:
        await recover(self._db, paths)

    async def find_successor(self, drain: JournalDrain) -> str | None:
        async with self._db.read() as conn:
            successor = await writers.find_successor(conn, writer_uid(drain.path.name))
        return None if successor is None else "process {1} on {0}".format(*successor)

    def how_to_store(self, paths: str) -> str:
        return f"store them with trackai recover {paths}"

    async def settle(self, *, thoroughly: bool) -> bool:
        # The log of a database that others write to cannot be emptied.
        return await self._db.checkpoint() or (thoroughly and await self._db.move_pages())


def _remove_all(made: list[JournalWriter]) -> None:
    while made:
        journal = made.pop()
        for path in journal.paths:
            journal.remove(path)
