"""Delete runs and projects with their points and files, and return the disk space."""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from trackai.errors import DiskFullError, StoreError
from trackai.store.blobs.blob_store import BlobsUnreachableError
from trackai.store.catalogue import files, projects, runs
from trackai.store.engine.database import Database
from trackai.store.upkeep import garbage, reserve
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.records import Project, Run

T = TypeVar("T")

# How long a transaction should take, if one run takes no longer.
_SECONDS = 0.05


class Deleted(NamedTuple):
    """The row ids of deleted runs, and the number of bytes returned to the file system."""

    runs: list[int]
    freed: int


async def delete_run(db: Store, run_id: int) -> tuple[Run, int]:
    """Delete a run.

    Returns:
        The run, and the number of bytes returned to the file system.

    Raises:
        NotFoundError: the run does not exist.
    """

    async def delete(conn: Connection) -> tuple[Run, set[str]]:
        hashes = await files.hashes(conn, [run_id])
        return await runs.delete(conn, run_id), hashes

    before = db.vacuumed
    run, hashes = await change(db, delete)
    return run, await reclaim(db, hashes, before)


async def delete_runs(db: Store, run_ids: Sequence[int]) -> Deleted:
    """Delete those of the runs that exist, a few in each transaction."""
    before = db.vacuumed
    deleted, hashes = await _delete_rows(db, run_ids)
    return Deleted(deleted, await reclaim(db, hashes, before))


async def delete_project(db: Store, project_id: int) -> tuple[Project, int]:
    """Delete a project with all its runs.

    Returns:
        The project, and the number of bytes returned to the file system.

    Raises:
        NotFoundError: the project does not exist.
    """
    before = db.vacuumed
    async with db.read() as conn:
        await projects.get(conn, project_id)
        run_ids = await runs.ids_of_project(conn, project_id)
    _, hashes = await _delete_rows(db, run_ids)

    async def delete(conn: Connection) -> tuple[Project, set[str]]:
        # With runs that were created meanwhile.
        new_hashes = await files.hashes(conn, await runs.ids_of_project(conn, project_id))
        new_hashes |= await files.hashes_of_artifacts(conn, project_id)
        return await projects.delete(conn, project_id), new_hashes

    project, new_hashes = await change(db, delete)
    return project, await reclaim(db, hashes | new_hashes, before)


async def _delete_rows(db: Store, run_ids: Sequence[int]) -> tuple[list[int], set[str]]:
    """Delete the rows of runs; returns the ids of the runs, and the hashes of their files."""
    deleted: list[int] = []
    hashes: set[str] = set()
    while run_ids:
        delete = partial(delete_batch, run_ids=run_ids, most_seconds=_SECONDS)
        batch = await change_in_bulk(db, delete)
        deleted += batch.runs
        hashes |= batch.hashes
        run_ids = run_ids[batch.ids :]
    return deleted, hashes


class Batch(NamedTuple):
    """Runs that were deleted in one transaction.

    Attributes:
        runs: the ids of those that existed.
        hashes: of their files.
        ids: the number of ids, of runs that existed or not.
    """

    runs: list[int]
    hashes: set[str]
    ids: int


async def delete_batch(conn: Connection, *, run_ids: Sequence[int], most_seconds: float) -> Batch:
    """Delete as many of the first runs as one transaction may take, which is one in bulk."""
    began = time.perf_counter()
    deleted: list[int] = []
    hashes: set[str] = set()
    ids, size = 0, 1
    while ids < len(run_ids) and size:
        chunk = run_ids[ids : ids + size]
        existing = await runs.existing(conn, chunk)
        hashes |= await files.hashes(conn, existing)
        await runs.delete_all(conn, existing, bulk=True)
        deleted += existing
        ids += len(chunk)
        seconds = time.perf_counter() - began
        # As many as all before, or those for which there is time; none for the last tenth of it.
        has_time = seconds < 0.9 * most_seconds
        size = min(ids, int(ids * (most_seconds / seconds - 1))) if has_time else 0
    return Batch(deleted, hashes, ids)


async def change(
    db: Store, delete: Callable[[Connection], Coroutine[Any, Any, T]], *, bulk: bool = False
) -> T:
    """Run a deletion; on a full disk, again with the space that is kept for it."""
    try:
        return await db.change(delete, bulk=bulk)
    except StoreError as error:
        if not isinstance(db, Database) or not _is_full(error) or not reserve.release(db.spool):
            raise
        # The log is full of pages for which the file could not grow.
        await db.move_pages()
    return await db.change(delete, bulk=bulk)


async def change_in_bulk(db: Store, delete: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    """Run a deletion in bulk, and let others write before the next one."""
    result = await change(db, delete, bulk=True)
    try:
        await garbage.pause(db)
    except StoreError as error:  # pages that cannot be moved yet stay in the log
        if not _is_full(error):
            raise
    return result


async def reclaim(db: Store, hashes: set[str], vacuumed: int) -> int:
    """Free the space of deleted runs; on a full disk or without a bucket, the rest later.

    Args:
        hashes: of the files of the runs.
        vacuumed: that of the database before the deletion, during which the server's own collection
            of garbage may have returned most of the space.

    Returns:
        How many bytes were returned to the file system since then.
    """
    freed = 0
    try:
        freed += await files.forget(db, hashes)
        await garbage.collect(db)
    except StoreError as error:
        if not isinstance(error, BlobsUnreachableError) and not _is_full(error):
            raise
        logger.warning("a run was deleted, but not all of its space is free yet: %s", error)
    return freed + db.vacuumed - vacuumed


def _is_full(error: StoreError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, DiskFullError) or code == sqlite3.SQLITE_IOERR
