"""/api/metrics"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from trackai.api.requests import MAX_ID, Cursor, Limit, Offset, database, path_id, query
from trackai.api.responses import answer
from trackai.api.routes import chart, points
from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.catalogue import runs
from trackai.store.charts import chart_records, charts
from trackai.store.points import arrivals, extremes, lineage
from trackai.structs.records import Point, PointNews
from trackai.values.non_finite import json_value
from trackai.values.times import microseconds, utc
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.structs.records import ChartData, PointPage

Attempt = Literal["latest", "all"] | Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]


class PointQuery(msgspec.Struct):
    """Which points of a metric.

    `attempt` asks for what a resume has superseded, too; `inherited=false` leaves out what a
    forked run has from the runs that it continues. With `points`, the answer is a chart of at most
    so many buckets; then `time_min` and `time_max` choose from system metrics, and `smoothing` adds
    the moving average. With `since`, it is the run's own points that have come in after that
    cursor.
    """

    limit: Limit = 1000
    offset: Offset = 0
    step_min: BoundedStep | None = None
    step_max: BoundedStep | None = None
    attempt: Attempt = "latest"
    inherited: bool = True
    points: chart.Buckets | None = None
    x: chart_records.XAxis = "step"
    time_min: datetime | None = None
    time_max: datetime | None = None
    smoothing: chart.Amount | None = None
    since: Cursor | None = None


class NameQuery(msgspec.Struct):
    """Whether the names that a forked run inherits are asked for as well."""

    inherited: bool = True


async def list_metrics(request: Request) -> Response:
    """The names of a run's metrics, sorted."""
    run_id = path_id(request, "run_id")
    asked = query(request, NameQuery)

    async def find(conn: Connection) -> list[str]:
        await runs.get(conn, run_id)
        return await lineage.list_paths(conn, run_id, inherited=asked.inherited)

    return await answer(request, find)


async def get_points(request: Request) -> Response:
    """Points of a metric in order of step."""
    run_id = path_id(request, "run_id")
    asked = query(request, PointQuery)
    if asked.points is not None:
        return await _get_chart(request, run_id, asked, asked.points)
    if asked.smoothing is not None:
        raise InvalidInputError("smoothing", chart.NO_POINTS)
    if asked.since is not None:
        return await _get_news(request, run_id, asked, asked.since)
    path = request.path_params["metric_path"]
    if asked.limit <= points.PIECE:

        async def find(conn: Connection) -> PointPage:
            await runs.get(conn, run_id)
            found = await _find(conn, run_id, path, asked.inherited)
            return await points.read_page(conn, found, asked)

        return await answer(request, find)
    async with database(request).read() as conn:
        uid = await runs.get_uid(conn, run_id)
        found = await _find(conn, run_id, path, asked.inherited)
    return points.PointStream(request, run_id, uid, found, asked)


async def _get_chart(request: Request, run_id: int, asked: PointQuery, count: int) -> Response:
    """A metric in buckets."""
    path = request.path_params["metric_path"]

    async def find(conn: Connection) -> ChartData:
        run = await runs.get(conn, run_id)
        segments, *_ = await _find(conn, run_id, path, asked.inherited)
        cursor = await arrivals.last(conn)
        found = await charts.read(
            conn, [segments], count,
            step_min=asked.step_min, step_max=asked.step_max,
            time_min=None if asked.time_min is None else microseconds(asked.time_min),
            time_max=None if asked.time_max is None else microseconds(asked.time_max),
            times=asked.x != "step",
        )  # fmt: skip
        if how := chart.smoothing(asked.smoothing, asked.x):
            await charts.smooth(conn, [segments], found, how)
        return chart_records.show(
            found[0], lineage.as_one(segments), asked.x, run.created_at, cursor
        )

    return await answer(request, find)


class FirstQuery(msgspec.Struct):
    """Of which metric, and what to look for."""

    metric: str
    kind: extremes.Kind
    inherited: bool = True


async def get_first(request: Request) -> Response:
    """Where a metric was first NaN or infinite, lowest or highest."""
    run_id = path_id(request, "run_id")
    asked = query(request, FirstQuery)

    async def find(conn: Connection) -> Point:
        await runs.get(conn, run_id)
        segments, *_ = await lineage.find(conn, run_id, asked.metric, inherited=asked.inherited)
        row = await extremes.find(conn, segments, asked.kind)
        if row is None:
            raise NotFoundError(f"the metric {asked.metric!r} has no such value")
        step, time, value = row
        one = lineage.as_one(segments)
        return Point(step if one.axis == "step" else None, utc(time), json_value(value, one.kind))

    return await answer(request, find)


async def _get_news(request: Request, run_id: int, asked: PointQuery, cursor: int) -> Response:
    """The points of a metric that have come in since."""
    path = request.path_params["metric_path"]

    async def find(conn: Connection) -> PointNews:
        await runs.get(conn, run_id)
        news = await arrivals.since(conn, run_id, cursor, path=path, limit=asked.limit)
        news_points = [
            Point(step if one.axis == "step" else None, utc(time), json_value(value, one.kind))
            for one, rows in news.points or ()
            for step, time, value in rows
        ]
        return PointNews(news_points, news.cursor, news.points is None or news.rewound)

    return await answer(request, find)


async def _find(
    conn: Connection, run_id: int, path: str, inherited: bool
) -> list[list[lineage.Segment]]:
    try:
        return await lineage.find(conn, run_id, path, inherited=inherited)
    except NotFoundError:
        # A name may end in a slash, and so may an address: the name as it stands comes first.
        if not path.endswith("/"):
            raise
        return await lineage.find(conn, run_id, path.removesuffix("/"), inherited=inherited)
