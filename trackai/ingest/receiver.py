"""Store the journals of other machines, which arrive over the network in batches.

A writer on another machine has no lock that says whether it lives. It lives as long as the server
hears from it. A writer that is silent for `SILENT_SECONDS` has failed, until it is heard again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.ingest import deliveries
from trackai.ingest.attempts import SILENT_SECONDS, is_running
from trackai.ingest.deliveries import BytesMissingError, Delivery, Outcome, Remote
from trackai.ingest.group_commit import GroupCommit
from trackai.ingest.journal import writer_uid
from trackai.store.blobs.blob_store import Blob, Sender
from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import files, journals, runs, writers
from trackai.store.catalogue.files import NewFile

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from trackai.ingest.frames import Filed
    from trackai.ingest.reader import Batch
    from trackai.store.catalogue.keys import Grant
    from trackai.store.catalogue.writers import Writer
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store


# Between two looks for silent writers; after a longer one, the server was deaf meanwhile.
_LONGEST_GAP = SILENT_SECONDS / 2
_SWEEP_SECONDS = 3600.0
# How long the journals of a deleted run are remembered, so that it does not come back.
_KEPT_SECONDS = 30 * 86400.0


class Receiver:
    """Stores the batches of remote journals in a database."""

    def __init__(self, db: Store) -> None:
        self._db = db
        self._batches: GroupCommit[Delivery, Outcome] = GroupCommit(db, deliveries.store)
        # Writers that were heard before the server started have time to be heard again.
        self._listening_since = self._checked_at = time.time_ns() // 1000
        self._swept_at = 0

    @property
    def waiting(self) -> int:
        """The number of batches that wait for a transaction."""
        return self._batches.waiting

    async def put(self, journal: str, batch: Batch, grant: Grant) -> Outcome:
        """Store a batch, unless it does not begin where the stored bytes end.

        Args:
            journal: the name of the journal.
            grant: what the sender may do.

        Raises:
            InvalidInputError: the journal belongs to another writer than the batch.
            PermissionDeniedError: the sender may not log to this project.
            BytesMissingError: the bytes of a file have not been sent before.
            StoreError: the database cannot be written.
        """
        if writer_uid(journal) != batch.opened.writer_uid:
            raise InvalidInputError("journal", "its name must contain the writer of the batch")
        remote = Remote(grant.name, grant.project_id, time.time_ns() // 1000)
        senders = {
            Blob(filed.size, filed.sha256): await self.sender(grant, filed.sha256)
            for filed in batch.all_files
            if filed.bytes_in
        }
        blobs = self._db.blobs
        if not senders or not blobs.is_shared:
            delivery = Delivery(journal, batch, partial(self._adopt, senders), remote)
            return await self._batches.put(delivery, batch.points)
        complete = await in_thread(blobs.uploads.complete, senders)
        delivery = Delivery(journal, batch, partial(_adopt, complete), remote)
        outcome = await self._batches.put(delivery, batch.points)
        # Again after the commit: see `files.forget`.
        if not outcome.run_deleted:
            for blob in senders.keys() - await in_thread(blobs.present, senders):
                raise BytesMissingError(blob.sha256)
        return outcome

    async def sender(self, grant: Grant, sha256: str) -> Sender:
        """The sender of bytes, who may reuse those of its own project, or all."""
        may_reuse = grant.project_id is None or await self._db.look(
            partial(files.is_in_project, sha256=sha256, project_id=grant.project_id)
        )
        return Sender(grant.key_id or 0, may_reuse)

    def _adopt(self, senders: Mapping[Blob, Sender], filed: Filed) -> NewFile:
        blob = Blob(filed.size, filed.sha256)
        if filed.bytes_in and not self._db.blobs.uploads.is_complete(blob, senders[blob]):
            raise BytesMissingError(filed.sha256)
        return _adopt(senders, filed)

    def is_running(self, writer: Writer) -> bool:
        """Whether the process of a writer is alive, judged from the server."""
        return is_running(writer, self._db.spool, listening_since=self._listening_since)

    async def hear(self, uid: str, grant: Grant) -> bool:
        """Note that a writer lives; False if it is not in the database.

        For a key that is limited to a project, a writer of another one is not in the database.
        """
        now = time.time_ns() // 1000

        async def note(conn: Connection) -> bool:
            place = (await writers.locate(conn, [uid])).get(uid)
            if place is None:
                return False
            if grant.project_id not in {None, await runs.project_of(conn, place.run_id)}:
                return False
            await deliveries.note_heard(conn, uid, place, grant.name, now=now)
            return True

        return await self._db.change(note)

    async def end_silent(self) -> None:
        """End the writers that were silent for too long, and with them their runs."""
        now = time.time_ns() // 1000
        if now - self._checked_at > _LONGEST_GAP * 1e6:  # the server was stopped, or its clock set
            self._listening_since = now
        self._checked_at = now
        before = now - int(SILENT_SECONDS * 1e6)
        if before >= self._listening_since and await self._db.look(
            lambda conn: writers.any_silent(conn, before)
        ):
            await self._db.change(lambda conn: deliveries.fail_silent(conn, before=before, now=now))

    async def forget_deleted(self) -> None:
        """Forget the journals of runs that were deleted long ago; looks once an hour."""
        now = time.time_ns() // 1000
        if abs(now - self._swept_at) < _SWEEP_SECONDS * 1e6:
            return
        before = now - int(_KEPT_SECONDS * 1e6)
        if await self._db.look(lambda conn: journals.any_orphan(conn, before=before)):
            await self._db.change(
                lambda conn: journals.forget_orphans(conn, before=before, now=now)
            )
        self._swept_at = now


def _adopt(complete: Container[Blob], filed: Filed) -> NewFile:
    blob = Blob(filed.size, filed.sha256) if filed.bytes_in else None
    if blob is not None and blob not in complete:
        raise BytesMissingError(filed.sha256)
    return NewFile(
        filed.path, filed.kind, filed.name, filed.step, filed.timestamp, filed.source, blob
    )
