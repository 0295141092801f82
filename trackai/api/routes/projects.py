"""/api/projects"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from trackai.api.requests import Limit, Name, Offset, body, database, path_id, query
from trackai.api.responses import JSONResponse, answer
from trackai.errors import InvalidInputError
from trackai.filters.parser import parse_field, parse_fields, parse_filter
from trackai.store.catalogue import groups, projects, run_tables
from trackai.store.upkeep import deletion
from trackai.structs.records import Freed

if TYPE_CHECKING:
    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.structs.records import ProjectColumns, RunGroupPage

# Each is a look into another table for every run.
MAX_MEANS = 50


class ProjectQuery(msgspec.Struct):
    """Which page of projects, and whether with the numbers of their runs."""

    limit: Limit = 100
    offset: Offset = 0
    counts: bool = False


class NewProject(msgspec.Struct):
    """A project to make: its name and its slug."""

    name: Name
    project_id: Name


class GroupQuery(msgspec.Struct):
    """By which field, of which runs, and of which fields to take means."""

    by: str
    filter: str | None = None
    columns: str | None = None
    limit: Limit = 100
    offset: Offset = 0


async def list_projects(request: Request) -> Response:
    """Projects, the newest first."""
    page = query(request, ProjectQuery)
    read = projects.list_summaries if page.counts else projects.list_page
    return await answer(request, lambda conn: read(conn, limit=page.limit, offset=page.offset))


async def get_project(request: Request) -> Response:
    """A project and how many runs it has."""
    project_id = path_id(request, "project_id")
    return await answer(request, lambda conn: projects.get_summary(conn, project_id))


async def list_columns(request: Request) -> Response:
    """The configuration keys and metrics that a project's runs have, and how many have them."""
    project_id = path_id(request, "project_id")

    async def find(conn: Connection) -> ProjectColumns:
        await projects.get(conn, project_id)
        return await run_tables.list_columns(conn, project_id)

    return await answer(request, find)


async def list_groups(request: Request) -> Response:
    """A project's runs in groups by a field, the largest first, with means of columns."""
    project_id = path_id(request, "project_id")
    asked = query(request, GroupQuery)
    by = parse_field(asked.by, name="by")
    tree = None if asked.filter is None else parse_filter(asked.filter)
    columns = {} if asked.columns is None else parse_fields(asked.columns)
    if len(columns) > MAX_MEANS:
        raise InvalidInputError("columns", f"at most {MAX_MEANS} can be asked for")

    async def find(conn: Connection) -> RunGroupPage:
        await projects.get(conn, project_id)
        return await groups.list_page(
            conn,
            run_tables.RunFilter(project_id=project_id, tree=tree),
            by,
            columns=columns,
            limit=asked.limit,
            offset=asked.offset,
        )

    return await answer(request, find)


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
    project, freed = await deletion.delete_project(database(request), project_id)
    return JSONResponse(Freed(f"deleted the project {project.name!r}", freed))
