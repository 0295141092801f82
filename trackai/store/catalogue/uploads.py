"""Removes what clients have begun to send, or sent, and nobody refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import files

if TYPE_CHECKING:
    from trackai.store.engine.store import Store


async def sweep(db: Store) -> None:
    """Remove uploads that nobody has continued for a day, and bytes that no run refers to.

    Raises:
        StoreError: the database cannot be read or written.
    """
    await files.forget(db, await in_thread(db.blobs.uploads.remove_old))
    await files.forget_set_aside(db)
