"""Merges another TrackAI database into this one."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trackai.client.connection import Connection
from trackai.errors import ConflictError, ForeignDatabaseError, StoreDamagedError
from trackai.importers.loader import load_runs
from trackai.store.blobs.copies import Copies
from trackai.store.catalogue import projects, runs, views
from trackai.store.engine.database import Database
from trackai.store.factory import create_store
from trackai.store.transfer import dump
from trackai.store.upkeep import checks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trackai.importers.progress import Progress
    from trackai.importers.receipt import Receipt
    from trackai.settings import DatabaseUrl
    from trackai.store.engine.connection import Connection as StoreConnection
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Item
    from trackai.structs.records import View


async def merge(
    place: Store | Connection, address: Path | DatabaseUrl, receipt: Receipt, progress: Progress
) -> Receipt:
    """Add the runs of another database that are missing, in whole or in part, and its views.

    Views are not copied to a server.

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
            receipt = await load_runs(
                place, items(), receipt, lambda head: copies.find(head.sha256)
            )
        if not isinstance(place, Connection):
            await _copy_views(source, place, receipt)
        return receipt
    finally:
        await source.close()


async def _copy_views(source: Store, target: Store, receipt: Receipt) -> None:
    """Copy the views of all projects; a view of the same name is kept as it is."""
    async with source.snapshot() as conn:
        copied = await views.list_of_all_projects(conn)
    for project, view in copied:
        counts = receipt.counts("view")
        counts.read += 1
        try:
            present = await target.change(partial(_add_view, project=project, view=view))
        except ConflictError as error:
            counts.refuse(str(error))
            continue
        if present is None:
            counts.stored += 1
            continue
        counts.already_there += 1
        if present.layout != view.layout:
            receipt.add_remark(
                f"project {project!r}, view {view.name!r}",
                "differs from the one that is already there, which is kept",
            )
    receipt.sum_up()


async def _add_view(conn: StoreConnection, *, project: str, view: View) -> View | None:
    """Store a view, unless there is one with this name, which is returned."""
    now = time.time_ns() // 1000
    project_id = (await projects.get_or_create(conn, project, now=now)).id
    present = await views.find(conn, project_id, view.name)
    if present is None:
        await views.create(conn, project_id, view.name, view.layout, now=now)
    return present


async def _check(source: Database) -> None:
    try:
        async with source.read() as conn:
            problems = await checks.integrity(conn)
    except ForeignDatabaseError:  # its message is about the database that this program stores to
        raise ForeignDatabaseError(
            f"{source.path} is not a database of this TrackAI, and nothing was merged: trackai "
            "import reads those of other programs"
        ) from None
    for problem in problems:
        raise StoreDamagedError(
            f"{source.path} is damaged ({problem.splitlines()[-1]}), and nothing was merged"
        )
