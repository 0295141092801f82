"""Removes what clients have begun to send, or sent, and nobody refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from trackai.store.catalogue import files

if TYPE_CHECKING:
    from trackai.store.engine.store import Store


async def sweep(db: Store) -> None:
    """Remove uploads that nobody has continued for a day, and bytes that no run refers to.

    Raises:
        StoreError: the database cannot be read or written.
    """
    await files.forget(db, await run_sync(db.blobs.uploads.remove_old))
    await files.forget_set_aside(db)
