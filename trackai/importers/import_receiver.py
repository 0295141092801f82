"""Stores batches of imports that clients on other machines send; see `trackai.importers.wire`."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec

from trackai.errors import InvalidInputError, NotFoundError
from trackai.importers.import_lock import import_lock
from trackai.importers.storing import BytesGoneError, Storing
from trackai.importers.target import Stored
from trackai.ingest import deliveries
from trackai.store.blobs.blob_store import Blob
from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import projects, runs, writers
from trackai.structs.exchange import ArtifactHead, Block, NumberedFile, Rewind, RunHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.importers.storing import Storable
    from trackai.ingest.receiver import Receiver
    from trackai.store.catalogue.keys import Grant
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store


class ImportReceiver:
    """Stores the batches of imports, one after the other, so that clients take turns."""

    def __init__(self, db: Store, receiver: Receiver) -> None:
        self._db = db
        self._receiver = receiver
        self._turn = anyio.Lock()

    async def store(self, items: Sequence[Storable], grant: Grant) -> list[Stored]:
        """Store a batch; storing it again changes nothing.

        Args:
            grant: what the sender may do.

        Returns:
            The outcome for each item.

        Raises:
            InvalidInputError: a writer belongs to another run.
            PermissionDeniedError: the sender may not log to this project.
            BytesGoneError: the bytes of a file have not been sent before.
            StoreError: the database cannot be written, or a local import is running.
        """
        if not items:
            return []
        outcomes = [Stored()] * len(items)
        async with self._turn:
            with import_lock(self._db):
                await self._db.look(partial(_check, items=items, allowed=grant.project_id))
                checked = [await self._with_known_bytes(item, grant) for item in items]
                storing = Storing(self._db, {})
                for number, item in enumerate(checked):
                    await storing.put(item, partial(outcomes.__setitem__, number))
                await storing.flush()
        return outcomes

    async def lacking(self, blobs: Iterable[Blob], grant: Grant) -> list[str]:
        """The hashes of the bytes that a sender has to send before files can refer to them."""
        return [blob.sha256 for blob in blobs if not await self._has(blob, grant)]

    async def _has(self, blob: Blob, grant: Grant) -> bool:
        sender = await self._receiver.sender(grant, blob.sha256)
        return await in_thread(self._db.blobs.uploads.is_complete, blob, sender)

    async def _with_known_bytes(self, item: Storable, grant: Grant) -> Storable:
        """Return the item without references to bytes that the sender may not know of."""
        if isinstance(item, NumberedFile) and item.head.sha256 is not None:
            blob = Blob(item.head.size or 0, item.head.sha256)
            if not await self._has(blob, grant):
                raise BytesGoneError(blob.sha256)
        if isinstance(item, ArtifactHead) and grant.project_id is not None:
            blobs = [Blob(file.size or 0, file.sha256) for file in item.files if file.sha256]
            lacking = set(await self.lacking(blobs, grant))
            files = [
                msgspec.structs.replace(file, sha256=None) if file.sha256 in lacking else file
                for file in item.files
            ]
            return msgspec.structs.replace(item, files=files)
        return item


async def _check(conn: Connection, *, items: Sequence[Storable], allowed: int | None) -> None:
    """Check that the items belong to their runs, and to the only project of the key.

    Raises:
        InvalidInputError: a writer belongs to another run.
        PermissionDeniedError: something belongs to another project.
    """
    run_ids: dict[str, int | None] = {}
    for item in items:
        if isinstance(item, RunHead):
            run = await runs.find_by_uid(conn, item.uid)
            run_ids[item.uid] = None if run is None else run.id
            project_id = await _find(conn, item.project) if run is None else run.project_id
        elif isinstance(item, ArtifactHead) and allowed is not None:
            project_id = await _find(conn, item.project)
        else:
            continue
        if allowed not in {None, project_id}:
            raise await deliveries.other_project(conn, allowed)
    uids: dict[str, str] = {}
    for item in items:
        if isinstance(item, NumberedFile):
            writer = item.head.writer
        elif isinstance(item, Block | Rewind):
            writer = item.writer
        else:
            continue
        if uids.setdefault(writer.uid, item.run_uid) != item.run_uid:
            raise _other_run(writer.uid)
    for uid, place in (await writers.locate(conn, uids)).items():
        if place.run_id != run_ids[uids[uid]]:
            raise _other_run(uid)


async def _find(conn: Connection, project: str) -> int | None:
    with suppress(NotFoundError):
        return (await projects.find(conn, project)).id
    return None


def _other_run(uid: str) -> InvalidInputError:
    return InvalidInputError("writer", f"belongs to another run: {uid[:80]!r}")
