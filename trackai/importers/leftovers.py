"""Bytes of files that no run refers to: a process was killed while it deleted runs or imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import StoreBusyError
from trackai.importers.import_lock import import_lock
from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import files

if TYPE_CHECKING:
    from trackai.store.blobs.blob_store import Blob
    from trackai.store.engine.store import Store


async def find(db: Store) -> list[Blob]:
    """The stored bytes that no row refers to, nor will soon."""
    stored = await in_thread(db.blobs.all_blobs)
    async with db.read() as conn:
        used = {blob.sha256 for blob in await files.blobs(conn)}
    # Other machines send bytes before rows, too; `uploads.sweep` removes what they forget.
    used |= await in_thread(db.blobs.uploads.sent)
    return [blob for blob in stored if blob.sha256 not in used]


async def remove(db: Store) -> int:
    """Remove these bytes, unless an import is running, which stores bytes before rows.

    Returns:
        The number of bytes removed.
    """
    try:
        with import_lock(db):
            await in_thread(db.blobs.sweep)
            return await files.forget(db, {blob.sha256 for blob in await find(db)})
    except StoreBusyError:
        return 0
