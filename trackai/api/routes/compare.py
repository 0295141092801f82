"""/api/metrics/compare and /api/metrics/groups: metrics of several runs."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from itertools import starmap
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from trackai.api.requests import RowId, body, query
from trackai.api.responses import answer
from trackai.api.routes import chart
from trackai.errors import InvalidInputError, NotFoundError
from trackai.filters.parser import parse_field, parse_filter
from trackai.store.catalogue import groups, projects, run_tables, runs
from trackai.store.charts import chart_records, charts, group_charts
from trackai.store.points import arrivals, lineage
from trackai.structs.records import (
    BandBucket,
    BandData,
    ChartData,
    ComparedGroup,
    ComparedGroups,
    ComparedPoint,
)
from trackai.values.non_finite import json_value
from trackai.values.times import microseconds
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.charts.group_charts import Band
    from trackai.structs.points import CurveRow

MAX_COMPARED = 1000
# So many points take the server 280 MB; a page of one metric, as long as it may be, takes none.
MAX_POINTS = 1_000_000
# SQLite takes patterns of so and so many bytes.
MAX_PATTERN = 4096


class Comparison(msgspec.Struct):
    """Which metrics of which runs; with `points` charts, and with `group_by` those of groups.

    `group_by` is "all" or a field: `group`, `state`, `name` or `config.KEY`.
    """

    run_ids: Annotated[list[int], msgspec.Meta(max_length=MAX_COMPARED)]
    metric_paths: Annotated[list[str], msgspec.Meta(max_length=MAX_COMPARED)]
    inherited: bool = True
    points: chart.Buckets | None = None
    x: chart_records.XAxis = "step"
    step_min: BoundedStep | None = None
    step_max: BoundedStep | None = None
    smoothing: chart.Amount | None = None
    group_by: str | None = None


class GroupQuery(msgspec.Struct):
    """Which metric over which runs of a project: those of a group, or those that match."""

    project_id: RowId
    metric: str
    group: str | None = None
    filter: str | None = None
    points: chart.Buckets = 1000
    inherited: bool = True
    x: chart.BandAxis = "step"
    step_min: BoundedStep | None = None
    step_max: BoundedStep | None = None
    smoothing: chart.Amount | None = None


async def compare(request: Request) -> Response:
    """Several metrics of several runs: all points, or charts of runs, or of groups of runs."""
    asked = await body(request, Comparison)
    if asked.group_by is not None:
        return await _compare_groups(request, asked, asked.group_by)
    if (count := asked.points) is not None:
        return await answer(request, lambda conn: _find_charts(conn, asked, count))
    if asked.smoothing is not None:
        raise InvalidInputError("smoothing", chart.NO_POINTS)
    return await answer(request, lambda conn: _find_points(conn, asked))


async def _find_points(
    conn: Connection, asked: Comparison
) -> dict[str, dict[str, list[ComparedPoint]]]:
    """All points of several metrics of several runs."""
    run_ids = await runs.existing(conn, asked.run_ids)
    compared: dict[str, dict[str, list[ComparedPoint]]] = {str(run_id): {} for run_id in run_ids}
    found = await _find(conn, asked, run_ids)
    number = sum(part.points for _, segments in found for part, _ in segments)
    if number > MAX_POINTS:
        raise InvalidInputError(
            "points",
            f"these metrics have {number} points: say how many buckets each may have, or read them"
            " one by one",
        )
    points = await lineage.read_many(conn, [segments for _, segments in found])
    for (run_id, segments), rows in zip(found, points, strict=True):
        within = _within(asked, segments, rows)
        compared[str(run_id)][segments[0].series.path] = _compared(segments, within)
    return compared


async def _find_charts(
    conn: Connection, asked: Comparison, count: int
) -> dict[str, dict[str, ChartData]]:
    """Several metrics of several runs in buckets."""
    began = await runs.creation_times(conn, asked.run_ids)
    compared: dict[str, dict[str, ChartData]] = {str(run_id): {} for run_id in began}
    cursor = await arrivals.last(conn)
    found = await _find(conn, asked, list(began))
    wanted = [segments for _, segments in found]
    read = await charts.read(
        conn, wanted, count,
        step_min=asked.step_min, step_max=asked.step_max, times=asked.x != "step",
    )  # fmt: skip
    if how := chart.smoothing(asked.smoothing, asked.x):
        await charts.smooth(conn, wanted, read, how)
    for (run_id, segments), one in zip(found, read, strict=True):
        series = lineage.as_one(segments)
        compared[str(run_id)][series.path] = chart_records.show(
            one, series, asked.x, began[run_id], cursor
        )
    return compared


async def _compare_groups(request: Request, asked: Comparison, field: str) -> Response:
    """Several metrics over groups of runs, in buckets."""
    if (count := asked.points) is None:
        raise InvalidInputError("group_by", chart.NO_POINTS)
    if asked.x == "time":
        raise InvalidInputError("x", "runs are put side by side by step, or relative")
    by = None if field == "all" else parse_field(field, name="group_by")

    async def find(conn: Connection) -> ComparedGroups:
        began = {
            run_id: microseconds(time)
            for run_id, time in (await runs.creation_times(conn, asked.run_ids)).items()
        }
        values = (
            dict.fromkeys(began) if by is None else await groups.values_of(conn, list(began), by)
        )
        members: dict[Any, list[int]] = {}
        for run_id, value in values.items():
            # A true is not a one.
            members.setdefault((isinstance(value, bool), value), []).append(run_id)
        order = sorted(members, key=_order)
        number = {run_id: at for at, key in enumerate(order) for run_id in members[key]}
        compared = [ComparedGroup(key[1], members[key], {}) for key in order]
        cursor = await arrivals.last(conn)
        for path, some in _by_path(await _find(conn, asked, list(began))).items():
            read = await group_charts.read(
                conn,
                [group_charts.Member(number[run_id], began[run_id], one) for run_id, one in some],
                count,
                step_min=asked.step_min,
                step_max=asked.step_max,
                smooth=chart.smoothing(asked.smoothing, asked.x),
            )
            for at, band in read.items():
                compared[at].metrics[path] = _show(band, asked, cursor)
        return ComparedGroups(compared)

    return await answer(request, find)


def _order(key: tuple[bool, Any]) -> tuple[bool, bool, bool, Any]:
    """Numbers before text before booleans before nothing, as runs are sorted."""
    is_bool, value = key
    return (value is None, is_bool, isinstance(value, str), value)


async def get_group(request: Request) -> Response:
    """A metric over the runs of a group: mean, deviation, lowest and highest by step."""
    asked = query(request, GroupQuery)
    tree = None if asked.filter is None else parse_filter(asked.filter)
    where = run_tables.RunFilter(project_id=asked.project_id, group=asked.group, tree=tree)

    async def find(conn: Connection) -> BandData:
        await projects.get(conn, asked.project_id)
        ids = await run_tables.list_ids(conn, where, limit=MAX_COMPARED + 1)
        if len(ids) > MAX_COMPARED:
            raise InvalidInputError("filter", f"it matches more than {MAX_COMPARED} runs")
        began = await runs.creation_times(conn, ids)
        cursor = await arrivals.last(conn)
        found = await lineage.find_many(conn, ids, [asked.metric], inherited=asked.inherited)
        members = [
            group_charts.Member(0, microseconds(began[run_id]), segments)
            for some in _by_path(found).values()
            for run_id, segments in some
        ]
        if not members:
            raise NotFoundError(f"no such run has a metric {asked.metric!r} of numbers by step")
        read = await group_charts.read(
            conn,
            members,
            asked.points,
            step_min=asked.step_min,
            step_max=asked.step_max,
            smooth=chart.smoothing(asked.smoothing, asked.x),
        )
        return _show(read[0], asked, cursor)

    return await answer(request, find)


async def _find(
    conn: Connection, asked: Comparison, run_ids: list[int]
) -> list[tuple[int, list[lineage.Segment]]]:
    """The metrics that are asked for, of those of the runs that there are."""
    paths = asked.metric_paths
    if any("*" in path for path in paths):
        if any(len(path) > MAX_PATTERN for path in paths):
            raise InvalidInputError(
                "metric_paths", f"with a * they have at most {MAX_PATTERN} characters"
            )
        paths = await lineage.match_paths(
            conn, run_ids, paths, inherited=asked.inherited, limit=MAX_COMPARED + 1
        )
        if len(paths) > MAX_COMPARED:
            raise InvalidInputError("metric_paths", f"they stand for more than {MAX_COMPARED}")
    return await lineage.find_many(conn, run_ids, paths, inherited=asked.inherited)


def _by_path(
    found: Iterable[tuple[int, list[lineage.Segment]]],
) -> dict[str, list[tuple[int, list[lineage.Segment]]]]:
    """The metrics that can be put side by side by step, by name."""
    answer: dict[str, list[tuple[int, list[lineage.Segment]]]] = {}
    for run_id, segments in found:
        one = segments[0].series
        if one.axis == "step" and one.kind in {"number", "bool"}:
            answer.setdefault(one.path, []).append((run_id, segments))
    return answer


def _show(band: Band, asked: Comparison | GroupQuery, cursor: int) -> BandData:
    relative = asked.x == "relative"
    data = [
        BandBucket(
            one.first_step, one.last_step, one.runs, one.non_finite,
            one.mean, one.std, one.min, one.max,
        )
        for one in band.buckets
    ]  # fmt: skip
    answer = BandData(data, band.raw, "relative" if relative else "step", band.runs, cursor)
    if relative:
        for shown, one in zip(data, band.buckets, strict=True):
            shown.x, shown.x_last = one.first_time / 1e6, one.last_time / 1e6
    if asked.smoothing:
        answer.smoothed_within = band.within
        for shown, one in zip(data, band.buckets, strict=True):
            shown.smoothed = one.smoothed
    return answer


def _within(
    asked: Comparison, segments: Sequence[lineage.Segment], rows: Sequence[CurveRow]
) -> Sequence[CurveRow]:
    if asked.step_min is None and asked.step_max is None:
        return rows
    if segments[0].series.axis == "time":  # what has no step lies in no range of steps
        return []
    step = operator.itemgetter(0)
    first = 0 if asked.step_min is None else bisect_left(rows, asked.step_min, key=step)
    return rows[
        first : None if asked.step_max is None else bisect_right(rows, asked.step_max, key=step)
    ]


def _compared(segments: Sequence[lineage.Segment], rows: Sequence[CurveRow]) -> list[ComparedPoint]:
    one = lineage.as_one(segments)
    if one.axis == "step" and chart.only_finite_numbers(segments):
        return list(starmap(ComparedPoint, rows))
    return [
        ComparedPoint(step if one.axis == "step" else None, json_value(value, one.kind))
        for step, value in rows
    ]
