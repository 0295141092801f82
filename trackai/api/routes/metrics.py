"""/api/metrics"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from trackai.api.requests import MAX_ID, Cursor, Limit, Offset, body, database, path_id, query
from trackai.api.responses import JSONResponse
from trackai.api.routes import chart
from trackai.errors import InvalidInputError, NotFoundError
from trackai.store import arrivals, chart_records, charts, extremes, lineage, runs
from trackai.structs.records import ChartData, ComparedPoint, Point, PointNews, PointPage
from trackai.structs.values import json_value, microseconds, utc, utc_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection
    from starlette.requests import Request

    from trackai.store.metrics import CurveRow, PointRow

MAX_COMPARED = 1000
Buckets = Annotated[int, msgspec.Meta(ge=10, le=10_000)]

Attempt = Literal["latest", "all"] | Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]
Bound = Annotated[int, msgspec.Meta(ge=-MAX_ID - 1, le=MAX_ID)] | float


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
    step_min: Bound | None = None
    step_max: Bound | None = None
    attempt: Attempt = "latest"
    inherited: bool = True
    points: Buckets | None = None
    x: chart_records.XAxis = "step"
    time_min: datetime | None = None
    time_max: datetime | None = None
    smoothing: chart.Amount | None = None
    since: Cursor | None = None


class Comparison(msgspec.Struct):
    """Which metrics of which runs."""

    run_ids: Annotated[list[int], msgspec.Meta(max_length=MAX_COMPARED)]
    metric_paths: Annotated[list[str], msgspec.Meta(max_length=MAX_COMPARED)]
    inherited: bool = True
    points: Buckets | None = None
    x: chart_records.XAxis = "step"
    step_min: int | float | None = None
    step_max: int | float | None = None
    smoothing: chart.Amount | None = None


class NameQuery(msgspec.Struct):
    """Whether the names that a forked run inherits are asked for as well."""

    inherited: bool = True


async def list_metrics(request: Request) -> JSONResponse:
    """The names of a run's metrics, sorted."""
    run_id = path_id(request, "run_id")
    asked = query(request, NameQuery)
    async with database(request).read() as conn:
        await runs.get(conn, run_id)
        return JSONResponse(await lineage.list_paths(conn, run_id, inherited=asked.inherited))


async def get_points(request: Request) -> JSONResponse:
    """Points of a metric in order of step."""
    run_id = path_id(request, "run_id")
    asked = query(request, PointQuery)
    if asked.points is not None:
        return await _get_chart(request, run_id, asked, asked.points)
    _check(asked)
    if asked.since is not None:
        return await _get_news(request, run_id, asked, asked.since)
    async with database(request).read() as conn:
        await runs.get(conn, run_id)
        found = await _find(conn, run_id, request.path_params["metric_path"], asked.inherited)
        return JSONResponse(await _read_page(conn, found, asked))


async def compare(request: Request) -> JSONResponse:
    """All points of several metrics of several runs."""
    asked = await body(request, Comparison)
    if asked.points is not None:
        return await _compare_charts(request, asked, asked.points)
    _check(asked)
    async with database(request).read() as conn:
        answer: dict[str, dict[str, list[ComparedPoint]]] = {
            str(run_id): {} for run_id in await runs.existing(conn, asked.run_ids)
        }
        found = await _find_many(conn, asked)
        points = await lineage.read_many(conn, [segments for _, segments in found])
    for (run_id, segments), rows in zip(found, points, strict=True):
        answer[str(run_id)][segments[0].series.path] = _compared(segments, rows)
    return JSONResponse(answer)


def _check(asked: PointQuery | Comparison) -> None:
    if asked.smoothing is not None:
        raise InvalidInputError("smoothing", "it is for charts: say how many points they may have")


async def _find_many(
    conn: Connection, asked: Comparison
) -> list[tuple[int, list[lineage.Segment]]]:
    paths = asked.metric_paths
    if any("*" in path for path in paths):
        paths = await lineage.match_paths(
            conn, asked.run_ids, paths, inherited=asked.inherited, limit=MAX_COMPARED + 1
        )
        if len(paths) > MAX_COMPARED:
            raise InvalidInputError("metric_paths", f"they stand for more than {MAX_COMPARED}")
    return await lineage.find_many(conn, asked.run_ids, paths, inherited=asked.inherited)


async def _get_chart(request: Request, run_id: int, asked: PointQuery, count: int) -> JSONResponse:
    """A metric in buckets."""
    async with database(request).snapshot() as conn:
        run = await runs.get(conn, run_id)
        path = request.path_params["metric_path"]
        segments, *_ = await _find(conn, run_id, path, asked.inherited)
        low, high = asked.step_min, asked.step_max
        if segments[0].series.axis == "time":
            low = None if asked.time_min is None else microseconds(asked.time_min)
            high = None if asked.time_max is None else microseconds(asked.time_max)
        cursor = await arrivals.last(conn)
        (found,) = await charts.read(
            conn, [segments], count,
            step_min=low, step_max=high, smooth=chart.smoothing(asked.smoothing, asked.x),
        )  # fmt: skip
    return JSONResponse(
        chart_records.show(found, segments[0].series, asked.x, run.created_at, cursor)
    )


class FirstQuery(msgspec.Struct):
    """Of which metric, and what to look for."""

    metric: str
    kind: extremes.Kind


async def get_first(request: Request) -> JSONResponse:
    """Where a metric was first NaN or infinite, lowest or highest."""
    run_id = path_id(request, "run_id")
    asked = query(request, FirstQuery)
    async with database(request).snapshot() as conn:
        await runs.get(conn, run_id)
        ((own, *_), *_) = await lineage.find(conn, run_id, asked.metric, inherited=False)
        row = await extremes.find(conn, own.series, asked.kind)
    if row is None:
        raise NotFoundError(f"the metric {asked.metric!r} has no such value")
    step, time, value = row
    on_steps = own.series.axis == "step"
    return JSONResponse(
        Point(step if on_steps else None, utc(time), json_value(value, own.series.kind))
    )


async def _get_news(request: Request, run_id: int, asked: PointQuery, cursor: int) -> JSONResponse:
    """The points of a metric that have come in since."""
    async with database(request).snapshot() as conn:
        await runs.get(conn, run_id)
        path = request.path_params["metric_path"]
        news = await arrivals.since(conn, run_id, cursor, path=path, limit=asked.limit)
    points = [
        Point(step if one.axis == "step" else None, utc(time), json_value(value, one.kind))
        for one, rows in news.points or ()
        for step, time, value in rows
    ]
    return JSONResponse(PointNews(points, news.cursor, news.points is None))


async def _compare_charts(request: Request, asked: Comparison, count: int) -> JSONResponse:
    """Several metrics of several runs in buckets."""
    async with database(request).snapshot() as conn:
        began = await runs.creation_times(conn, asked.run_ids)
        answer: dict[str, dict[str, ChartData]] = {str(run_id): {} for run_id in began}
        cursor = await arrivals.last(conn)
        found = await _find_many(conn, asked)
        read = await charts.read(
            conn, [segments for _, segments in found], count,
            step_min=asked.step_min, step_max=asked.step_max,
            smooth=chart.smoothing(asked.smoothing, asked.x),
        )  # fmt: skip
    for (run_id, (first, *_)), one in zip(found, read, strict=True):
        answer[str(run_id)][first.series.path] = chart_records.show(
            one, first.series, asked.x, began[run_id], cursor
        )
    return JSONResponse(answer)


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


async def _read_page(
    conn: Connection, found: Sequence[Sequence[lineage.Segment]], asked: PointQuery
) -> PointPage:
    """One page over the series of that name, one after the other."""
    points: list[Point] = []
    offset, wanted = asked.offset, asked.limit + 1
    for segments in found:
        one = segments[0].series
        on_steps = one.axis == "step"
        if not on_steps and (asked.step_min is not None or asked.step_max is not None):
            continue  # what has no step lies in no range of steps
        rows = await lineage.read(
            conn,
            segments,
            step_min=asked.step_min,
            step_max=asked.step_max,
            attempt=asked.attempt,
            limit=wanted - len(points),
            offset=offset,
        )
        if offset and len(found) > 1:
            offset = max(0, offset - await lineage.count(conn, segments))
        points += _points(segments, rows)
    has_more = len(points) > asked.limit
    del points[asked.limit :]
    return PointPage(points, has_more)


def _points(segments: Sequence[lineage.Segment], rows: Sequence[PointRow]) -> list[Point]:
    """Rows as points; what is done here is done for each of a million."""
    one = segments[0].series
    times = utc_many([time for _, time, _ in rows])
    if one.axis == "step" and _only_finite_numbers(segments):
        return [
            Point(step, time, value)  # type: ignore[arg-type]
            for (step, _, value), time in zip(rows, times, strict=True)
        ]
    return [
        Point(step if one.axis == "step" else None, time, json_value(value, one.kind))
        for (step, _, value), time in zip(rows, times, strict=True)
    ]


def _compared(segments: Sequence[lineage.Segment], rows: Sequence[CurveRow]) -> list[ComparedPoint]:
    one = segments[0].series
    if one.axis == "step" and _only_finite_numbers(segments):
        return [ComparedPoint(step, value) for step, value in rows]  # type: ignore[arg-type]
    return [
        ComparedPoint(step if one.axis == "step" else None, json_value(value, one.kind))
        for step, value in rows
    ]


def _only_finite_numbers(segments: Sequence[lineage.Segment]) -> bool:
    return all(part.finite_points == part.points and part.kind == "number" for part, _ in segments)
