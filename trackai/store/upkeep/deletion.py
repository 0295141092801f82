"""Delete runs and projects with their points and files, and return the disk space."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trackai.store.catalogue import files, projects, runs
from trackai.store.upkeep import garbage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.database import Database
    from trackai.structs.records import Project, Run


class Deleted(NamedTuple):
    """Deleted runs, and the number of bytes returned to the file system."""

    runs: list[Run]
    freed: int


async def delete_run(db: Database, run_id: int) -> Deleted:
    """Delete a run.

    Raises:
        NotFoundError: the run does not exist.
    """
    async with db.write() as conn:
        hashes = await files.hashes(conn, [run_id])
        run = await runs.delete(conn, run_id)
    return Deleted([run], await _reclaim(db, hashes))


async def delete_runs(db: Database, run_ids: Sequence[int]) -> Deleted:
    """Delete those of the runs that exist, in one transaction."""
    async with db.write() as conn:
        existing = await runs.existing(conn, run_ids)
        hashes = await files.hashes(conn, existing)
        deleted = [await runs.delete(conn, run_id) for run_id in existing]
    return Deleted(deleted, await _reclaim(db, hashes))


async def delete_project(db: Database, project_id: int) -> tuple[Project, int]:
    """Delete a project with all its runs.

    Returns:
        The project, and the number of bytes returned to the file system.

    Raises:
        NotFoundError: the project does not exist.
    """
    async with db.write() as conn:
        hashes = await files.hashes(conn, await runs.ids_of_project(conn, project_id))
        project = await projects.delete(conn, project_id)
    return project, await _reclaim(db, hashes)


async def _reclaim(db: Database, hashes: set[str]) -> int:
    return await files.forget(db, hashes) + await garbage.collect(db)
