"""/api/projects/{id}/views and /api/views: views of the dashboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from trackai.api.requests import (
    Name,
    RowId,
    check_names,
    database,
    parse_body,
    path_id,
)
from trackai.api.responses import JSONResponse, respond
from trackai.filters.parser import parse_field, parse_fields
from trackai.store.catalogue import views
from trackai.structs.layouts import BarsPanel, Layout, ScatterPanel, TableColumns, TableRows
from trackai.structs.records import Message

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import View

# Bytes: a view is read whole whenever it is shown.
MAX_VIEW = 1_000_000


class NewView(msgspec.Struct, forbid_unknown_fields=True):
    """A view to create."""

    name: Name
    layout: Layout

    def __post_init__(self) -> None:
        check_names(self, of=("name",))
        _check_fields(self.layout)


class ChangedView(NewView, forbid_unknown_fields=True):
    """A view in place of its `version`."""

    version: RowId


def _check_fields(layout: Layout) -> None:
    """Check the fields of all panels and columns.

    Raises:
        InvalidInputError: a text is not a field.
    """
    for section in layout.sections:
        for panel in section.panels:
            if isinstance(panel, ScatterPanel):
                parse_field(panel.x, name="x")
                parse_field(panel.y, name="y")
            elif isinstance(panel, BarsPanel):
                parse_field(panel.field, name="field")
    if isinstance(layout.table, TableColumns):
        for name in ("columns", "pinned", "widths"):
            for field in getattr(layout.table, name):
                parse_field(field, name=name)
    if isinstance(layout.rows, TableRows):
        for name in ("sort_by", "group_by"):
            if fields := getattr(layout.rows, name):
                parse_fields(fields, name=name)


async def list_views(request: Request) -> Response:
    """List the views of a project, by name."""
    project_id = path_id(request, "project_id")
    return await respond(request, lambda conn: views.list_all(conn, project_id))


async def create_view(request: Request) -> JSONResponse:
    """Create a view of a project."""
    project_id = path_id(request, "project_id")
    new = await parse_body(request, NewView, limit=MAX_VIEW)
    now = time.time_ns() // 1000

    async def create(conn: Connection) -> View:
        return await views.create(conn, project_id, new.name, new.layout, now=now)

    return JSONResponse(await database(request).change(create))


async def get_view(request: Request) -> Response:
    """Get a view with its panels."""
    view_id = path_id(request, "view_id")
    return await respond(request, lambda conn: views.get(conn, view_id))


async def replace_view(request: Request) -> JSONResponse:
    """Replace the name and the panels of a view, if it still has the given version."""
    view_id = path_id(request, "view_id")
    changed = await parse_body(request, ChangedView, limit=MAX_VIEW)
    now = time.time_ns() // 1000

    async def replace(conn: Connection) -> View:
        return await views.replace(
            conn, view_id, changed.name, changed.layout, version=changed.version, now=now
        )

    return JSONResponse(await database(request).change(replace))


async def delete_view(request: Request) -> JSONResponse:
    """Delete a view."""
    view_id = path_id(request, "view_id")
    deleted = await database(request).change(lambda conn: views.delete(conn, view_id))
    return JSONResponse(Message(f"deleted view {deleted.name!r}"))
