"""/api/metrics/compare: metrics of several runs, as points, as charts, or over groups of runs."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.api import chart_versions
from trackai.api.endpoints import chart_options, metric_groups
from trackai.api.requests import (
    MAX_COMPARED,
    ComparedIds,
    Selection,
    check_chosen,
    chosen_ids,
    parse_body,
    parse_group_by,
)
from trackai.api.responses import respond
from trackai.errors import InvalidInputError
from trackai.store.catalogue import groups
from trackai.store.charts import chart_records, charts, training_time
from trackai.store.charts.group_charts import Member
from trackai.store.points import arrivals, lineage, reads
from trackai.structs.records import ChartData, ComparedGroup, ComparedGroups, ComparedPoint
from trackai.values.non_finite import json_value
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.charts.training_time import TrainingTime
    from trackai.store.engine.connection import Connection
    from trackai.structs.points import CurveRow
    from trackai.structs.records import BandData

# They take 280 MB of the server's memory; pages of one metric are streamed.
MAX_POINTS = 1_000_000
# Groups of a chart.
MAX_GROUPS = 100
# SQLite limits the length of patterns.
MAX_PATTERN = 4096


class Comparison(msgspec.Struct, forbid_unknown_fields=True):
    """The metrics of runs to compare; `points` asks for charts, `group_by` for charts of groups.

    `group_by` is "all" or fields: `group`, `state`, `name`, `tag`, `config.KEY` or `env.KEY`. Only
    runs that are grouped can be chosen by `select` instead of `run_ids`. With `quartiles`, charts
    of groups have medians and quartiles as well. `versions` are those of the charts that the client
    has, by run and metric; groups are numbered from 0 on in place of runs. `smoothed_if_known`
    leaves charts of runs without smoothed values if the server must read all points for these.
    """

    metric_paths: Annotated[list[str], msgspec.Meta(max_length=MAX_COMPARED)]
    run_ids: ComparedIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None
    inherited: bool = True
    points: chart_options.Buckets | None = None
    x: chart_records.XAxis = "step"
    step_min: BoundedStep | None = None
    step_max: BoundedStep | None = None
    smoothing: chart_options.Amount | None = None
    group_by: str | None = None
    quartiles: bool = False
    versions: dict[str, dict[str, str]] | None = None
    smoothed_if_known: bool = False

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)
        if self.select is not None and self.group_by is None:
            raise InvalidInputError("select", "requires group_by, the fields to group the runs by")


async def compare(request: Request) -> Response:
    """Compare metrics of several runs, as points, as charts, or as charts of groups."""
    comparison = await parse_body(request, Comparison)
    if comparison.group_by is not None:
        return await _compare_groups(request, comparison, comparison.group_by)
    if (count := comparison.points) is not None:
        return await respond(request, partial(_read_charts, request, comparison, count))
    if comparison.smoothing is not None:
        raise InvalidInputError("smoothing", chart_options.REQUIRES_POINTS)
    if comparison.versions is not None:
        raise InvalidInputError("versions", chart_options.REQUIRES_POINTS)
    return await respond(request, lambda conn: _read_points(conn, comparison))


async def _read_points(
    conn: Connection, comparison: Comparison
) -> dict[str, dict[str, list[ComparedPoint]]]:
    run_ids = await chosen_ids(conn, comparison.run_ids, comparison.select)
    compared: dict[str, dict[str, list[ComparedPoint]]] = {str(run_id): {} for run_id in run_ids}
    series = await _find_series(conn, comparison, run_ids)
    total = sum(part.points for _, segments in series for part, _ in segments)
    if total > MAX_POINTS:
        raise InvalidInputError(
            "points",
            f"required to compare more than {MAX_POINTS} points, got {total}: pass the number of "
            "buckets, or request the metrics one by one",
        )
    curves = await reads.read_many(conn, [segments for _, segments in series])
    for (run_id, segments), rows in zip(series, curves, strict=True):
        selected = _select_steps(comparison, segments, rows)
        compared[str(run_id)][segments[0].series.path] = _compared_points(segments, selected)
    return compared


async def _read_charts(
    request: Request, comparison: Comparison, count: int, conn: Connection
) -> dict[str, dict[str, ChartData]]:
    run_ids = await chosen_ids(conn, comparison.run_ids, comparison.select)
    compared: dict[str, dict[str, ChartData]] = {str(run_id): {} for run_id in run_ids}
    training: dict[int, TrainingTime] = {}
    if comparison.x == "relative":
        training = await training_time.read(conn, run_ids, inherited=comparison.inherited)
    cursors = await arrivals.last_of_runs(conn, run_ids)
    series = await _find_series(conn, comparison, run_ids)
    segment_lists = [segments for _, segments in series]
    series_charts = await charts.read(
        conn, segment_lists, count,
        step_min=comparison.step_min, step_max=comparison.step_max, times=comparison.x != "step",
    )  # fmt: skip
    if smoothing := chart_options.smoothing(comparison.smoothing, comparison.x):
        times = [training.get(run_id) for run_id, _ in series]
        await charts.smooth(
            conn, segment_lists, series_charts, smoothing, times, request.state.smoothing,
            known_only=comparison.smoothed_if_known,
        )  # fmt: skip
    for (run_id, segments), chart in zip(series, series_charts, strict=True):
        head = lineage.as_one(segments)
        record = chart_records.show(
            chart, head, comparison.x, cursors[run_id], training.get(run_id)
        )
        compared[str(run_id)][head.path] = record
        _shorten(comparison, str(run_id), head.path, record)
    return compared


async def _compare_groups(request: Request, comparison: Comparison, field: str) -> Response:
    if (count := comparison.points) is None:
        raise InvalidInputError("group_by", chart_options.REQUIRES_POINTS)
    if comparison.x == "time":
        raise InvalidInputError("x", 'must be "step" or "relative" with group_by, got \'time\'')
    by = parse_group_by(field)

    async def read(conn: Connection) -> ComparedGroups:
        run_ids = await chosen_ids(conn, comparison.run_ids, comparison.select)
        all_groups = await groups.of_runs(conn, run_ids, by)
        shown = groups.largest(all_groups, MAX_GROUPS)
        compared = [
            ComparedGroup(
                group.value,
                len(group.run_ids),
                {},
                group.run_ids if comparison.select is None else msgspec.UNSET,
            )
            for group in shown
        ]
        # By tag, a run may be in several groups.
        groups_of: dict[int, list[int]] = {}
        for number, group in enumerate(shown):
            for run_id in group.run_ids:
                groups_of.setdefault(run_id, []).append(number)
        run_ids = sorted(groups_of)
        training = await metric_groups.training_times(conn, run_ids, comparison)
        cursor = await arrivals.last(conn, next(iter(run_ids), 0))
        members: dict[str, list[Member]] = {}
        for run_series in await _find_series(conn, comparison, run_ids):
            if metric_groups.is_comparable(run_series):
                run_id, segments = run_series
                member = Member(groups_of[run_id], training[run_id], segments)
                members.setdefault(segments[0].series.path, []).append(member)
        for path, path_members in members.items():
            bands = await metric_groups.read_bands(
                conn, path_members, count, comparison, cursor, request.state.smoothing
            )
            for number, band in bands.items():
                compared[number].metrics[path] = band
                _shorten(comparison, str(number), path, band)
        return ComparedGroups(compared, len(all_groups))

    return await respond(request, read)


def _shorten(comparison: Comparison, key: str, path: str, chart: ChartData | BandData) -> None:
    if comparison.versions is not None:
        chart_versions.shorten(chart, comparison.versions.get(key, {}).get(path))


async def _find_series(
    conn: Connection, comparison: Comparison, run_ids: list[int]
) -> list[tuple[int, list[lineage.Segment]]]:
    """Find the metrics of runs by their paths or patterns; missing ones are left out."""
    paths = comparison.metric_paths
    if any("*" in path for path in paths):
        if any(len(path) > MAX_PATTERN for path in paths):
            raise InvalidInputError(
                "metric_paths", f"patterns must be at most {MAX_PATTERN} characters"
            )
        paths = await lineage.match_paths(
            conn, run_ids, paths, inherited=comparison.inherited, limit=MAX_COMPARED + 1
        )
        if len(paths) > MAX_COMPARED:
            raise InvalidInputError(
                "metric_paths", f"patterns must match at most {MAX_COMPARED} metrics"
            )
    return await lineage.find_many(conn, run_ids, paths, inherited=comparison.inherited)


def _select_steps(
    comparison: Comparison, segments: Sequence[lineage.Segment], rows: Sequence[CurveRow]
) -> Sequence[CurveRow]:
    """The rows with steps from `step_min` to `step_max`."""
    if comparison.step_min is None and comparison.step_max is None:
        return rows
    if segments[0].series.axis == "time":  # system metrics have no steps
        return []
    step = operator.itemgetter(0)
    start, stop = 0, None
    if comparison.step_min is not None:
        start = bisect_left(rows, comparison.step_min, key=step)
    if comparison.step_max is not None:
        stop = bisect_right(rows, comparison.step_max, key=step)
    return rows[start:stop]


def _compared_points(
    segments: Sequence[lineage.Segment], rows: Sequence[CurveRow]
) -> list[ComparedPoint]:
    series = lineage.as_one(segments)
    if series.axis == "step" and chart_options.is_finite_numbers(segments):
        return list(starmap(ComparedPoint, rows))
    return [
        ComparedPoint(step if series.axis == "step" else None, json_value(value, series.kind))
        for step, value in rows
    ]
