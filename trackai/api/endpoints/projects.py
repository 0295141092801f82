"""/api/projects: projects, and tables of their runs by columns and groups."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from trackai.api.requests import (
    Identifier,
    Limit,
    Name,
    Offset,
    RowNumber,
    check_names,
    check_room,
    database,
    grant,
    parse_body,
    parse_keys,
    parse_query,
    path_id,
)
from trackai.api.responses import JSONResponse, next_cursor, respond
from trackai.errors import InvalidInputError
from trackai.filters.parser import parse_fields, parse_filter
from trackai.ingest import deliveries
from trackai.store.catalogue import groups, projects, run_tables, run_values
from trackai.store.upkeep import deletion
from trackai.structs.records import Freed
from trackai.values import cursors
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import Project, ProjectColumns, RunGroupPage

# Each column is a lookup in another table for every run.
MAX_COLUMNS = 50


class ProjectQuery(msgspec.Struct):
    """A page of projects, with `counts` of their runs or without."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: str | None = None
    counts: bool = False


class _LastProject(msgspec.Struct, array_like=True):
    """The last project of a page; `created_at` is in microseconds since the epoch."""

    created_at: RowNumber
    id: RowNumber


class NewProject(msgspec.Struct, forbid_unknown_fields=True):
    """A project to create; `project_id` is its slug."""

    name: Name
    project_id: Identifier

    def __post_init__(self) -> None:
        check_names(self, of=("name",), identifiers=("project_id",))


class ProjectChange(msgspec.Struct, forbid_unknown_fields=True):
    """The new name of a project."""

    name: Name

    def __post_init__(self) -> None:
        check_names(self, of=("name",))


class GroupQuery(msgspec.Struct):
    """Groups by the fields `by` of runs that match `filter`, with means of `columns`."""

    by: str
    filter: str | None = None
    columns: str | None = None
    limit: Limit = 100
    offset: Offset = 0
    archived: bool = False


async def list_projects(request: Request) -> Response:
    """List projects, newest first."""
    query = parse_query(request, ProjectQuery)
    read = projects.list_summaries if query.counts else projects.list_page
    after = None
    if query.cursor is not None:
        last = cursors.decode(query.cursor, _LastProject)
        after = last.created_at, last.id

    def headers(page: list[Project]) -> dict[str, str]:
        if len(page) < query.limit:
            return {}
        return next_cursor(_LastProject(microseconds(page[-1].created_at), page[-1].id))

    return await respond(
        request,
        lambda conn: read(conn, limit=query.limit, offset=query.offset, after=after),
        headers=headers,
    )


async def get_project(request: Request) -> Response:
    """Get a project and the numbers of its runs."""
    project_id = path_id(request, "project_id")
    return await respond(request, lambda conn: projects.get_summary(conn, project_id))


async def list_columns(request: Request) -> Response:
    """List the config keys and metrics of a project's runs, with the number of runs of each."""
    project_id = path_id(request, "project_id")

    async def read(conn: Connection) -> ProjectColumns:
        await projects.get(conn, project_id)
        return await run_values.list_columns(conn, project_id)

    return await respond(request, read)


async def list_groups(request: Request) -> Response:
    """Group a project's runs by fields, largest groups first, with means of columns."""
    project_id = path_id(request, "project_id")
    query = parse_query(request, GroupQuery)
    by = parse_keys(query.by, name="by")
    tree = None if query.filter is None else parse_filter(query.filter)
    columns = {} if query.columns is None else parse_fields(query.columns)
    if len(columns) > MAX_COLUMNS:
        raise InvalidInputError(
            "columns", f"must be at most {MAX_COLUMNS} fields, got {len(columns)}"
        )

    async def read(conn: Connection) -> RunGroupPage:
        await projects.get(conn, project_id)
        return await groups.list_page(
            conn,
            run_tables.RunFilter(project_id=project_id, tree=tree, archived=query.archived),
            by,
            columns=columns,
            limit=query.limit,
            offset=query.offset,
        )

    return await respond(request, read)


async def create_project(request: Request) -> JSONResponse:
    """Create a project."""
    new = await parse_body(request, NewProject)
    await check_room(request)
    allowed = grant(request).project_id

    async def create(conn: Connection) -> Project:
        if allowed is not None:
            raise await deliveries.other_project(conn, allowed)
        now = time.time_ns() // 1000
        return await projects.create(conn, new.name, new.project_id, now=now)

    return JSONResponse(await database(request).change(create))


async def change_project(request: Request) -> JSONResponse:
    """Rename a project; its project_id stays."""
    project_id = path_id(request, "project_id")
    change = await parse_body(request, ProjectChange)

    async def rename(conn: Connection) -> Project:
        now = time.time_ns() // 1000
        return await projects.rename(conn, project_id, change.name, now=now)

    return JSONResponse(await database(request).change(rename))


async def delete_project(request: Request) -> JSONResponse:
    """Delete a project and all its runs."""
    project_id = path_id(request, "project_id")
    project, freed = await deletion.delete_project(database(request), project_id)
    return JSONResponse(Freed(f"deleted project {project.name!r}", freed))
