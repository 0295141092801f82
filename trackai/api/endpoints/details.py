"""/api/runs/{id}/details, /log and /histograms: the data of the dashboard's run page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.api.requests import Limit, Offset, parse_query, path_id
from trackai.api.responses import respond
from trackai.errors import NotFoundError
from trackai.store.catalogue import details, runs
from trackai.store.points import histograms, lineage, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import HistogramPage, LogPage
    from trackai.values.types import Kind


class LogQuery(msgspec.Struct):
    """Lines of the text series `metric`, all or those that contain `search`."""

    metric: str
    search: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    limit: Limit = 1000
    offset: Offset = 0


class HistogramQuery(msgspec.Struct):
    """About `points` histograms of the series `metric`."""

    metric: str
    points: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 100


async def get_details(request: Request) -> Response:
    """Get a run's source, its forks, and the processes that logged to it."""
    run_id = path_id(request, "run_id")
    return await respond(request, lambda conn: details.get(conn, run_id))


async def get_log(request: Request) -> Response:
    """List the lines of a text series, in order."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, LogQuery)

    async def read(conn: Connection) -> LogPage:
        await runs.get(conn, run_id)
        segments = await _find_series(conn, run_id, query.metric, "text")
        return await texts.read(
            conn, segments, search=query.search, limit=query.limit, offset=query.offset
        )

    return await respond(request, read)


async def get_histograms(request: Request) -> Response:
    """List histograms of a series, thinned evenly."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, HistogramQuery)

    async def read(conn: Connection) -> HistogramPage:
        await runs.get(conn, run_id)
        segments = await _find_series(conn, run_id, query.metric, "histogram")
        return await histograms.read(conn, segments, query.points)

    return await respond(request, read)


async def _find_series(
    conn: Connection, run_id: int, path: str, kind: Kind
) -> Sequence[lineage.Segment]:
    for segments in await lineage.find(conn, run_id, path):
        if segments[0].series.kind == kind:
            return segments
    raise NotFoundError(f"run {run_id} has no {kind} series {path!r}")
