"""/api/search and /api/alerts: what is looked for over all projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.api.requests import RowId, parse_query
from trackai.api.responses import respond
from trackai.store.catalogue import search
from trackai.store.points import alerts

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class SearchQuery(msgspec.Struct):
    """Names that contain `text`; at most `limit` of each kind.

    Attributes:
        project_id: the project whose names come first.
    """

    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    project_id: RowId | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 8


class AlertQuery(msgspec.Struct):
    """The latest alerts, of all projects, of one, or of a run.

    Attributes:
        archived: whether to list the alerts of archived runs, too.
    """

    project_id: RowId | None = None
    run_id: RowId | None = None
    level: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    archived: bool = False


async def find(request: Request) -> Response:
    """Search the names of projects, runs, metrics, configuration keys, tags, files and views."""
    query = parse_query(request, SearchQuery)
    return await respond(
        request,
        lambda conn: search.search(
            conn, query.text, project_id=query.project_id, limit=query.limit
        ),
    )


async def list_alerts(request: Request) -> Response:
    """List the latest alerts, the latest first."""
    query = parse_query(request, AlertQuery)
    return await respond(
        request,
        lambda conn: alerts.list_latest(
            conn,
            project_id=query.project_id,
            run_id=query.run_id,
            level=query.level,
            limit=query.limit,
            archived=query.archived,
        ),
    )
