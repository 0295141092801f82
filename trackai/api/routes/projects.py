"""/api/projects"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from trackai.api.requests import Limit, Name, Offset, body, database, path_id, query
from trackai.api.responses import JSONResponse
from trackai.store import files, garbage, projects, run_tables, runs
from trackai.structs.records import Freed

if TYPE_CHECKING:
    from starlette.requests import Request


class ProjectQuery(msgspec.Struct):
    """Which page of projects."""

    limit: Limit = 100
    offset: Offset = 0


class NewProject(msgspec.Struct):
    """A project to make: its name and its slug."""

    name: Name
    project_id: Name


async def list_projects(request: Request) -> JSONResponse:
    """Projects, the newest first."""
    page = query(request, ProjectQuery)
    async with database(request).read() as conn:
        found = await projects.list_page(conn, limit=page.limit, offset=page.offset)
    return JSONResponse(found)


async def get_project(request: Request) -> JSONResponse:
    """A project and how many runs it has."""
    project_id = path_id(request, "project_id")
    async with database(request).read() as conn:
        return JSONResponse(await projects.get_summary(conn, project_id))


async def list_columns(request: Request) -> JSONResponse:
    """The configuration keys and metrics that a project's runs have, and how many have them."""
    project_id = path_id(request, "project_id")
    async with database(request).read() as conn:
        await projects.get(conn, project_id)
        return JSONResponse(await run_tables.list_columns(conn, project_id))


async def create_project(request: Request) -> JSONResponse:
    """Make a project."""
    new = await body(request, NewProject)
    async with database(request).write() as conn:
        now = time.time_ns() // 1000
        project = await projects.create(conn, new.name, new.project_id, now=now)
    return JSONResponse(project)


async def delete_project(request: Request) -> JSONResponse:
    """Delete a project and everything under it."""
    project_id = path_id(request, "project_id")
    db = database(request)
    async with db.write() as conn:
        hashes = await files.hashes(conn, await runs.ids_of_project(conn, project_id))
        project = await projects.delete(conn, project_id)
    await files.forget(db, hashes)
    freed = await garbage.collect(db)
    return JSONResponse(Freed(f"deleted the project {project.name!r}", freed))
