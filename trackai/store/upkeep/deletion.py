"""Deleting runs and projects, with everything that is theirs: points, files, and the space."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trackai.store.catalogue import files, projects, runs
from trackai.store.upkeep import garbage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.database import Database
    from trackai.structs.records import Project, Run


class Deleted(NamedTuple):
    """Runs that are gone, and how many bytes the file system has got back."""

    runs: list[Run]
    freed: int


async def delete_run(db: Database, run_id: int) -> Deleted:
    """Delete a run.

    Raises:
        NotFoundError: there is no such run.
    """
    async with db.write() as conn:
        hashes = await files.hashes(conn, [run_id])
        run = await runs.delete(conn, run_id)
    return Deleted([run], await _give_back(db, hashes))


async def delete_runs(db: Database, run_ids: Sequence[int]) -> Deleted:
    """Delete those of these runs that exist, all at once."""
    async with db.write() as conn:
        found = await runs.existing(conn, run_ids)
        hashes = await files.hashes(conn, found)
        deleted = [await runs.delete(conn, run_id) for run_id in found]
    return Deleted(deleted, await _give_back(db, hashes))


async def delete_project(db: Database, project_id: int) -> tuple[Project, int]:
    """Delete a project with all its runs; the project, and how many bytes that gave back.

    Raises:
        NotFoundError: there is none.
    """
    async with db.write() as conn:
        hashes = await files.hashes(conn, await runs.ids_of_project(conn, project_id))
        project = await projects.delete(conn, project_id)
    return project, await _give_back(db, hashes)


async def _give_back(db: Database, hashes: set[str]) -> int:
    return await files.forget(db, hashes) + await garbage.collect(db)
