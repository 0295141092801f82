"""Merges another TrackAI database into this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.errors import StoreDamagedError
from trackai.importers.loader import load_runs
from trackai.store.catalogue import files, runs
from trackai.store.engine.database import Database
from trackai.store.transfer import dump
from trackai.store.upkeep import checks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trackai.client.connection import Connection
    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Item


async def merge(
    place: Store | Connection, source_path: Path, receipt: Receipt, progress: Progress
) -> Receipt:
    """Add the runs of another database that are missing, in whole or in part.

    Args:
        place: a database, or a connection to a server.
        source_path: the database to read; it is not changed.

    Raises:
        ForeignDatabaseError: the source is not a TrackAI database.
        StoreError: one of the databases cannot be used.
        StoreDamagedError: the source is damaged; nothing was changed.
    """
    source = Database(source_path.absolute())

    async def items() -> AsyncIterator[Item]:
        async with source.snapshot() as conn:
            run_ids = await runs.list_ids(conn, None)
            for position, run_id in enumerate(run_ids):
                progress.share(position, len(run_ids), "runs")
                async for item in dump.dump(conn, run_id):
                    yield item
            progress.share(len(run_ids), len(run_ids), "runs")

    try:
        async with source.read() as conn:
            for problem in await checks.integrity(conn):
                raise StoreDamagedError(
                    f"{source.path} is damaged ({problem.splitlines()[-1]}), and nothing was merged"
                )
        return await load_runs(
            place, items(), receipt, lambda head: files.find_bytes(source.path, head.sha256)
        )
    finally:
        await source.close()
