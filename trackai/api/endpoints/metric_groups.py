"""/api/metrics/groups: a metric over the runs of a group, as mean, deviation and range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from trackai.api.endpoints import chart_options
from trackai.api.requests import RowId, parse_query
from trackai.api.responses import respond
from trackai.errors import InvalidInputError, NotFoundError
from trackai.filters.parser import parse_filter
from trackai.store.catalogue import projects, run_tables, runs
from trackai.store.charts import group_charts, training_time
from trackai.store.charts.training_time import TrainingTime
from trackai.store.points import arrivals, lineage
from trackai.structs.records import BandBucket, BandData
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.charts.chart_records import XAxis
    from trackai.store.charts.group_charts import Band
    from trackai.store.charts.smoothing_cache import SmoothingCache
    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step

    # The id of a run, and a metric of it.
    RunSeries = tuple[int, Sequence[lineage.Segment]]

MAX_RUNS = 10_000


class GroupQuery(msgspec.Struct):
    """A metric over runs of a project: those of a group, or those that match a filter."""

    project_id: RowId
    metric: str
    group: str | None = None
    filter: str | None = None
    points: chart_options.Buckets = 1000
    inherited: bool = True
    x: chart_options.BandAxis = "step"
    step_min: BoundedStep | None = None
    step_max: BoundedStep | None = None
    smoothing: chart_options.Amount | None = None
    quartiles: bool = False


class BandOptions(Protocol):
    """The options of a group chart."""

    @property
    def inherited(self) -> bool: ...
    @property
    def x(self) -> XAxis: ...
    @property
    def step_min(self) -> Step | None: ...
    @property
    def step_max(self) -> Step | None: ...
    @property
    def smoothing(self) -> float | None: ...
    @property
    def quartiles(self) -> bool: ...


async def get_group(request: Request) -> Response:
    """Get the mean, deviation and range of a metric over the runs of a group, by step."""
    query = parse_query(request, GroupQuery)
    tree = None if query.filter is None else parse_filter(query.filter)
    where = run_tables.RunFilter(project_id=query.project_id, group=query.group, tree=tree)

    async def read(conn: Connection) -> BandData:
        await projects.get(conn, query.project_id)
        ids = await run_tables.list_ids(conn, where, limit=MAX_RUNS + 1)
        if len(ids) > MAX_RUNS:
            raise InvalidInputError("filter", f"must match at most {MAX_RUNS} runs")
        training = await training_times(conn, ids, query)
        cursor = await arrivals.last(conn, next(iter(ids), 0))
        series = await lineage.find_many(conn, ids, [query.metric], inherited=query.inherited)
        comparable = [run_series for run_series in series if is_comparable(run_series)]
        if not comparable:
            raise NotFoundError(
                f"numeric metric {query.metric!r} with steps not found in the matching runs"
            )
        members = [
            group_charts.Member((0,), training[run_id], parts) for run_id, parts in comparable
        ]
        bands = await read_bands(
            conn, members, query.points, query, cursor, request.state.smoothing
        )
        return bands[0]

    return await respond(request, read)


async def training_times(
    conn: Connection, run_ids: Sequence[int], options: BandOptions
) -> dict[int, TrainingTime]:
    """The training times of runs, if the chart shows them; unknown runs are left out."""
    if options.x == "relative":
        return await training_time.read(conn, run_ids, inherited=options.inherited)
    return dict.fromkeys(await runs.existing(conn, run_ids), TrainingTime(0))


def is_comparable(run_series: RunSeries) -> bool:
    """Whether a metric has numbers by step, of which means over runs can be taken."""
    first = run_series[1][0].series
    return first.axis == "step" and first.kind in {"number", "bool"}


async def read_bands(
    conn: Connection,
    members: Iterable[group_charts.Member],
    count: int,
    options: BandOptions,
    cursor: int,
    cache: SmoothingCache,
) -> Mapping[int, BandData]:
    """Read a metric over groups of runs, in at most `count` buckets, by the group's number."""
    bands = await group_charts.read(
        conn,
        list(members),
        count,
        step_min=options.step_min,
        step_max=options.step_max,
        smooth=chart_options.smoothing(options.smoothing, options.x),
        quartiles=options.quartiles,
        times=options.x == "relative",
        cache=cache,
    )
    return {number: _band_data(band, options, cursor) for number, band in bands.items()}


def _band_data(band: Band, options: BandOptions, cursor: int) -> BandData:
    is_relative = options.x == "relative"
    data = [
        BandBucket(
            bucket.first_step, bucket.last_step, bucket.runs, bucket.non_finite,
            bucket.mean, bucket.std, bucket.min, bucket.max,
        )
        for bucket in band.buckets
    ]  # fmt: skip
    result = BandData(data, band.raw, "relative" if is_relative else "step", band.runs, cursor)
    if is_relative:
        for record, bucket in zip(data, band.buckets, strict=True):
            record.x, record.x_last = bucket.first_time / 1e6, bucket.last_time / 1e6
    if options.quartiles:
        for record, bucket in zip(data, band.buckets, strict=True):
            record.low_quartile, record.median, record.high_quartile = bucket.quartiles
    if options.smoothing:
        result.smoothed_within = band.within
        for record, bucket in zip(data, band.buckets, strict=True):
            record.smoothed = bucket.smoothed
    return result
