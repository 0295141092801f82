"""/api/metrics: the names of metrics, and the metrics of a run as points or charts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from trackai.api.endpoints import chart_options, point_pages
from trackai.api.requests import (
    MAX_ID,
    ComparedIds,
    Cursor,
    Limit,
    Offset,
    Selection,
    check_chosen,
    chosen_ids,
    database,
    parse_body,
    parse_query,
    path_id,
)
from trackai.api.responses import IMAGES, MSGPACK, accepts_images, accepts_msgpack, respond
from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.catalogue import runs
from trackai.store.charts import chart_records, charts, lookup, training_time
from trackai.store.points import arrivals, extremes, images, lineage
from trackai.structs.records import MetricPaths, Point, PointNews
from trackai.values.non_finite import json_value
from trackai.values.times import microseconds, utc
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import ChartData, ColumnPage, PointPage

Attempt = Literal["latest", "all"] | Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]


class PointQuery(msgspec.Struct):
    """Points of a metric, page by page; or a chart, or news.

    Attributes:
        attempt: a number or "all" includes points that a resume has superseded.
        inherited: false excludes the points that a forked run has from its ancestors.
        points: respond with a chart of at most this many buckets.
        x: the x axis of a chart.
        time_min, time_max: for charts of system metrics, which have no steps.
        smoothing: for charts, adds the moving average.
        cursor: the `next_cursor` of the previous page, in place of an offset.
        since: respond with the run's own points stored after this cursor.
    """

    limit: Limit = 1000
    offset: Offset = 0
    cursor: str | None = None
    step_min: BoundedStep | None = None
    step_max: BoundedStep | None = None
    attempt: Attempt = "latest"
    inherited: bool = True
    points: chart_options.Buckets | None = None
    x: chart_records.XAxis = "step"
    time_min: datetime | None = None
    time_max: datetime | None = None
    smoothing: chart_options.Amount | None = None
    since: Cursor | None = None


class NameQuery(msgspec.Struct):
    """Whether to include the metrics that a forked run inherits."""

    inherited: bool = True


class PathsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Runs whose metrics to list, and whether to include those that forked runs inherit."""

    run_ids: ComparedIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None
    inherited: bool = True

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)


async def list_metrics(request: Request) -> Response:
    """List the names of a run's metrics, sorted."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, NameQuery)

    async def read(conn: Connection) -> list[str]:
        await runs.get(conn, run_id)
        return await lineage.list_paths(conn, run_id, inherited=query.inherited)

    return await respond(request, read)


async def list_metrics_of_runs(request: Request) -> Response:
    """List the names of the metrics that at least one of several runs has, sorted."""
    query = await parse_body(request, PathsQuery)

    async def read(conn: Connection) -> MetricPaths:
        run_ids = await chosen_ids(conn, query.run_ids, query.select)
        return MetricPaths(
            await lineage.list_paths_of_runs(conn, run_ids, inherited=query.inherited)
        )

    return await respond(request, read)


async def get_points(request: Request) -> Response:
    """List the points of a metric by step; or get a chart, or the points after a cursor."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, PointQuery)
    if query.points is not None:
        return await _get_chart(request, run_id, query, query.points)
    if query.smoothing is not None:
        raise InvalidInputError("smoothing", chart_options.REQUIRES_POINTS)
    if query.since is not None:
        return await _get_news(request, run_id, query, query.since)
    path = request.path_params["metric_path"]
    with_images = accepts_images(request)
    if with_images or accepts_msgpack(request):

        async def read_columns(conn: Connection) -> ColumnPage:
            uid = await runs.get_uid(conn, run_id)
            series = await _find_series(conn, run_id, path, query.inherited)
            if with_images and images.suit(conn, series):
                return await point_pages.read_images(conn, uid, series, query)
            return await point_pages.read_columns(conn, uid, series, query)

        return await respond(request, read_columns, media_type=IMAGES if with_images else MSGPACK)
    if query.limit <= point_pages.CHUNK:

        async def read(conn: Connection) -> PointPage:
            series = await _find_series(conn, run_id, path, query.inherited)
            return await point_pages.read_page(conn, series, query)

        return await respond(request, read)
    async with database(request).read() as conn:
        uid = await runs.get_uid(conn, run_id)
        series = await _find_series(conn, run_id, path, query.inherited)
    return point_pages.PointStream(request, run_id, uid, series, query)


async def _get_chart(request: Request, run_id: int, query: PointQuery, count: int) -> Response:
    path = request.path_params["metric_path"]

    async def read(conn: Connection) -> ChartData:
        found = await lookup.find_own(conn, run_id, path)
        if found is None:
            inherited, *_ = await _find_series(conn, run_id, path, query.inherited)
            found = await lookup.of_segments(conn, run_id, inherited)
        segments, extents, cursor = found
        training = None
        if query.x == "relative":
            times = await training_time.read(conn, [run_id], inherited=query.inherited)
            training = times[run_id]
        series_charts = await charts.read(
            conn, [segments], count,
            step_min=query.step_min, step_max=query.step_max,
            time_min=None if query.time_min is None else microseconds(query.time_min),
            time_max=None if query.time_max is None else microseconds(query.time_max),
            times=query.x != "step", extents=extents,
        )  # fmt: skip
        if smoothing := chart_options.smoothing(query.smoothing, query.x):
            await charts.smooth(
                conn, [segments], series_charts, smoothing, [training], request.state.smoothing
            )
        return chart_records.show(
            series_charts[0], lineage.as_one(segments), query.x, cursor, training
        )

    return await respond(request, read)


class FirstQuery(msgspec.Struct):
    """The metric, and the kind of value to find."""

    metric: str
    kind: extremes.Kind
    inherited: bool = True


async def get_first(request: Request) -> Response:
    """Find the first NaN, infinite, lowest or highest value of a metric."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, FirstQuery)

    async def read(conn: Connection) -> Point:
        await runs.get(conn, run_id)
        segments, *_ = await lineage.find(conn, run_id, query.metric, inherited=query.inherited)
        row = await extremes.find(conn, segments, query.kind)
        if row is None:
            raise NotFoundError(
                f"metric {query.metric!r} of run {run_id} has no {query.kind} value"
            )
        step, time, value = row
        series = lineage.as_one(segments)
        return Point(
            step if series.axis == "step" else None, utc(time), json_value(value, series.kind)
        )

    return await respond(request, read)


async def _get_news(request: Request, run_id: int, query: PointQuery, cursor: int) -> Response:
    path = request.path_params["metric_path"]

    async def read(conn: Connection) -> PointNews:
        await runs.get(conn, run_id)
        news = await arrivals.since(conn, run_id, cursor, path=path, limit=query.limit)
        points = [
            Point(
                step if series.axis == "step" else None, utc(time), json_value(value, series.kind)
            )
            for series, rows in news.points or ()
            for step, time, value in rows
        ]
        return PointNews(points, news.cursor, news.points is None or news.rewound)

    return await respond(request, read)


async def _find_series(
    conn: Connection, run_id: int, path: str, inherited: bool
) -> list[list[lineage.Segment]]:
    try:
        return await lineage.find(conn, run_id, path, inherited=inherited)
    except NotFoundError:
        await runs.get(conn, run_id)  # raises its own error for an unknown run
        # Both names and URLs may end in a slash; a metric with the slash in its name comes first.
        if not path.endswith("/"):
            raise
        return await lineage.find(conn, run_id, path.removesuffix("/"), inherited=inherited)
