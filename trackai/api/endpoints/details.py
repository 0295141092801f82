"""/api/runs/{id}/details, /log and /histograms: the data of the dashboard's run page."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.api.requests import Limit, Offset, parse_query, path_id
from trackai.api.responses import respond
from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.catalogue import details, runs
from trackai.store.points import histograms, lineage, texts
from trackai.values.times import microseconds
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import HistogramPage, LogPage
    from trackai.values.types import Axis, Kind, Step

# Lines whose steps one request looks up.
MAX_STEPS = 1000


class LogQuery(msgspec.Struct):
    """Lines of the text series `metric`, all or those that contain `search`.

    Attributes:
        from_step: begin with the last line up to this step, in place of an offset.
        from_time: the same for a series without steps.
        run_steps: add the step that the run had reached to lines without steps.
    """

    metric: str
    search: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    limit: Limit = 1000
    offset: Offset = 0
    from_step: BoundedStep | None = None
    from_time: datetime | None = None
    run_steps: bool = False

    def __post_init__(self) -> None:
        if self.search and (self.from_step, self.from_time) != (None, None):
            raise InvalidInputError("search", "cannot be combined with from_step and from_time")
        if self.run_steps and self.limit > MAX_STEPS:
            raise InvalidInputError("run_steps", f"requires a limit of at most {MAX_STEPS}")


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
        offset = query.offset
        until = _until(query, segments[0].series.axis)
        if until is not None:
            offset = await texts.last_line(conn, segments, until)
        page = await texts.read(
            conn, segments, search=query.search, limit=query.limit, offset=offset
        )
        if query.run_steps:
            await texts.add_steps(conn, run_id, page)
        return page

    return await respond(request, read)


def _until(query: LogQuery, axis: Axis) -> Step | None:
    """The step, or the time in microseconds, of the line to begin with."""
    if axis == "step":
        if query.from_time is not None:
            raise InvalidInputError("from_time", "this metric has steps: use from_step")
        return query.from_step
    if query.from_step is not None:
        raise InvalidInputError("from_step", "this metric has no steps: use from_time")
    return None if query.from_time is None else microseconds(query.from_time)


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
