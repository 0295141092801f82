"""Bytes of files that no run refers to: a process was killed while it deleted runs or imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from trackai.errors import StoreBusyError
from trackai.importers.import_lock import import_lock
from trackai.store.catalogue import files, uploads

if TYPE_CHECKING:
    from trackai.store.catalogue.files import Blob
    from trackai.store.engine.database import Database


async def find(db: Database) -> list[Blob]:
    """The bytes in the folder of files that no row refers to, nor will soon."""
    stored = await run_sync(files.in_folder, db.path)
    async with db.read() as conn:
        used = {blob.sha256 for blob in await files.blobs(conn)}
    # Other machines send bytes before rows, too; `uploads.sweep` removes what they forget.
    used |= await run_sync(uploads.sent, db.path)
    return [blob for blob in stored if blob.sha256 not in used]


async def remove(db: Database) -> int:
    """Remove these bytes, unless an import is running, which stores bytes before rows.

    Returns:
        The number of bytes removed.
    """
    try:
        with import_lock(db):
            await run_sync(files.sweep, db.path)
            return await files.forget(db, {blob.sha256 for blob in await find(db)})
    except StoreBusyError:
        return 0
