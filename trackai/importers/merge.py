"""Another database of this program: everything in it that is not here yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trackai.importers.load import load
from trackai.store.catalogue import files, runs
from trackai.store.engine.database import Database
from trackai.store.transfer import dump

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.structs.exchange import Item


async def merge(db: Database, other: Path, receipt: Receipt, progress: Progress) -> Receipt:
    """Add the runs of another database to this one.

    Raises:
        ForeignDatabaseError: the other file is no TrackAI database.
    """
    source = Database(other.absolute())

    async def items() -> AsyncIterator[Item]:
        async with source.snapshot() as conn:
            ids = await runs.list_ids(conn, None)
            for number, run_id in enumerate(ids):
                progress.share(number, len(ids), "runs")
                async for item in dump.dump(conn, run_id):
                    yield item
            progress.share(len(ids), len(ids), "runs")

    try:
        return await load(
            db, items(), receipt, lambda head: files.find_bytes(source.path, head.sha256)
        )
    finally:
        await source.close()
