"""Delete runs and projects with their points and files, and return the disk space."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trackai.errors import StoreError
from trackai.store.catalogue import files, projects, runs
from trackai.store.upkeep import garbage, reserve
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiosqlite import Connection

    from trackai.store.engine.database import Database
    from trackai.structs.records import Project, Run

T = TypeVar("T")


class Deleted(NamedTuple):
    """Deleted runs, and the number of bytes returned to the file system."""

    runs: list[Run]
    freed: int


async def delete_run(db: Database, run_id: int) -> Deleted:
    """Delete a run.

    Raises:
        NotFoundError: the run does not exist.
    """

    async def delete(conn: Connection) -> tuple[Run, set[str]]:
        hashes = await files.hashes(conn, [run_id])
        return await runs.delete(conn, run_id), hashes

    run, hashes = await _change(db, delete)
    return Deleted([run], await _reclaim(db, hashes))


async def delete_runs(db: Database, run_ids: Sequence[int]) -> Deleted:
    """Delete those of the runs that exist, in one transaction."""

    async def delete(conn: Connection) -> tuple[list[Run], set[str]]:
        existing = await runs.existing(conn, run_ids)
        hashes = await files.hashes(conn, existing)
        return [await runs.delete(conn, run_id) for run_id in existing], hashes

    deleted, hashes = await _change(db, delete)
    return Deleted(deleted, await _reclaim(db, hashes))


async def delete_project(db: Database, project_id: int) -> tuple[Project, int]:
    """Delete a project with all its runs.

    Returns:
        The project, and the number of bytes returned to the file system.

    Raises:
        NotFoundError: the project does not exist.
    """

    async def delete(conn: Connection) -> tuple[Project, set[str]]:
        hashes = await files.hashes(conn, await runs.ids_of_project(conn, project_id))
        return await projects.delete(conn, project_id), hashes

    project, hashes = await _change(db, delete)
    return project, await _reclaim(db, hashes)


async def _change(db: Database, delete: Callable[[Connection], Awaitable[T]]) -> T:
    """Run a deletion; on a full disk, again with the space that is kept for it."""
    try:
        async with db.write() as conn:
            return await delete(conn)
    except StoreError as error:
        if not _is_full(error) or not reserve.release(db.spool):
            raise
    # The log is full of pages for which the file could not grow.
    await db.move_pages()
    async with db.write() as conn:
        return await delete(conn)


async def _reclaim(db: Database, hashes: set[str]) -> int:
    """Return the space of deleted runs; the runs are gone already, whatever happens here."""
    freed = 0
    try:
        freed += await files.forget(db, hashes)
        freed += await garbage.collect(db)
    except StoreError as error:
        if not _is_full(error):
            raise
        logger.warning("a run was deleted, but not all of its space is free yet: %s", error)
    return freed


def _is_full(error: StoreError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
