"""Merges another TrackAI database into this one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from trackai.errors import StoreDamagedError
from trackai.importers.loader import load_runs
from trackai.store.blobs.copies import Copies
from trackai.store.catalogue import runs
from trackai.store.engine.database import Database
from trackai.store.factory import create_store
from trackai.store.transfer import dump
from trackai.store.upkeep import checks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trackai.client.connection import Connection
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.settings import DatabaseUrl
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Item


async def merge(
    place: Store | Connection, address: Path | DatabaseUrl, receipt: Receipt, progress: Progress
) -> Receipt:
    """Add the runs of another database that are missing, in whole or in part.

    Args:
        place: a database, or a connection to a server.
        address: the database to read; it is not changed.

    Raises:
        ForeignDatabaseError: the source is not a TrackAI database.
        StoreError: one of the databases cannot be used.
        StoreDamagedError: the source is damaged; nothing was changed.
    """
    source = create_store(address.absolute() if isinstance(address, Path) else address)

    async def items() -> AsyncIterator[Item]:
        async with source.snapshot() as conn:
            run_ids = await runs.list_ids(conn, None, with_trash=True)
            for position, run_id in enumerate(run_ids):
                progress.share(position, len(run_ids), "runs")
                async for item in dump.dump(conn, run_id):
                    yield item
            progress.share(len(run_ids), len(run_ids), "runs")

    try:
        if isinstance(source, Database):
            await _check(source)
        with tempfile.TemporaryDirectory(prefix="trackai-merge-") as folder:
            copies = Copies(source.blobs, Path(folder, "copy"))
            return await load_runs(place, items(), receipt, lambda head: copies.find(head.sha256))
    finally:
        await source.close()


async def _check(source: Database) -> None:
    async with source.read() as conn:
        for problem in await checks.integrity(conn):
            raise StoreDamagedError(
                f"{source.path} is damaged ({problem.splitlines()[-1]}), and nothing was merged"
            )
