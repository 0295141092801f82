"""/api/runs/{id}/details, /log and /histograms: what the page of one run shows"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.api.requests import Limit, Offset, path_id, query
from trackai.api.responses import answer
from trackai.errors import NotFoundError
from trackai.store.catalogue import details, runs
from trackai.store.points import histograms, lineage, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.structs.records import HistogramPage, LogPage
    from trackai.values.types import Kind


class LogQuery(msgspec.Struct):
    """Which lines of which series of texts: all, or those that hold the `search`."""

    metric: str
    search: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    limit: Limit = 1000
    offset: Offset = 0


class HistogramQuery(msgspec.Struct):
    """About how many histograms of which series."""

    metric: str
    points: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 100


async def get_details(request: Request) -> Response:
    """Where a run comes from, which runs continue it, and which processes have logged to it."""
    run_id = path_id(request, "run_id")
    return await answer(request, lambda conn: details.get(conn, run_id))


async def get_log(request: Request) -> Response:
    """Lines of a series of texts, in order."""
    run_id = path_id(request, "run_id")
    asked = query(request, LogQuery)

    async def find(conn: Connection) -> LogPage:
        await runs.get(conn, run_id)
        found = await _find(conn, run_id, asked.metric, "text")
        return await texts.read(
            conn, found, search=asked.search, limit=asked.limit, offset=asked.offset
        )

    return await answer(request, find)


async def get_histograms(request: Request) -> Response:
    """Histograms of a series, evenly spread over all that there are."""
    run_id = path_id(request, "run_id")
    asked = query(request, HistogramQuery)

    async def find(conn: Connection) -> HistogramPage:
        await runs.get(conn, run_id)
        found = await _find(conn, run_id, asked.metric, "histogram")
        return await histograms.read(conn, found, asked.points)

    return await answer(request, find)


async def _find(conn: Connection, run_id: int, path: str, kind: Kind) -> Sequence[lineage.Segment]:
    for segments in await lineage.find(conn, run_id, path):
        if segments[0].series.kind == kind:
            return segments
    raise NotFoundError(f"the run {run_id} has no series {path!r} of the kind {kind}")
