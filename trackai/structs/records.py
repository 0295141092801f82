"""Records that the store returns and the HTTP API shows.

Field names are part of the API: `id` is the row id, and the strings `project_id` (of a project) and
`run_id` (of a run) are slugs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from trackai.structs.layouts import Layout  # noqa: TC001 - for msgspec
from trackai.structs.points import PointImage  # noqa: TC001 - for msgspec
from trackai.values.packing import Packed  # noqa: TC001 - for msgspec
from trackai.values.types import State, Step, Value


class Project(msgspec.Struct, kw_only=True):
    """A project; `project_id` is its slug, times are UTC."""

    id: int
    name: str
    project_id: str
    created_at: datetime
    updated_at: datetime


class ProjectSummary(Project, kw_only=True):
    """A project with the number of its runs, in total and by state.

    These are without the runs that are archived or in the trash, which are counted apart.
    """

    total_runs: int
    running_runs: int
    completed_runs: int
    failed_runs: int
    archived_runs: int = 0
    trashed_runs: int = 0


class Run(msgspec.Struct, kw_only=True):
    """A run; `run_id` is its slug, unique in the project with the row id `project_id`.

    `archived_at` and `trashed_at` tell since when it is in the archive and in the trash.
    """

    id: int
    project_id: int
    run_id: str
    name: str | None
    group_name: str | None
    state: State
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    notes: str | None = None
    tags: list[str] = []
    archived_at: datetime | None = None
    trashed_at: datetime | None = None


class RunRow(Run, kw_only=True):
    """A run in a table; `values` are the requested columns, by the name in the request."""

    values: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class RunWithEnvironment(Run, kw_only=True):
    """A run with facts about where its latest attempt runs or ran, by flat key, if it has any."""

    environment: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class RunSummary(Run, kw_only=True):
    """A run with the last value of each metric and its flat configuration."""

    metrics: dict[str, Value]
    config: dict[str, Any]


class BulkProgress(msgspec.Struct):
    """How far a change of all runs that match a filter has got.

    Attributes:
        changed: the number of runs changed by this request.
        remaining: the number of matching runs that are not changed yet.
        bytes: the disk space that was freed.
        run_ids: of the runs that an archiving, a trashing or the undoing of one has changed.
        cursor: to pass to the next request; null once all matching runs are changed.
    """

    changed: int
    remaining: int
    bytes: int
    cursor: int | None
    run_ids: list[int] | msgspec.UnsetType = msgspec.UNSET


class RunValues(msgspec.Struct):
    """The flat configuration of a run, and the last value of each metric.

    `texts` has those of the metrics that are text. Histograms are left out.
    """

    id: int
    config: dict[str, Any]
    metrics: dict[str, Value]
    texts: dict[str, str]


class RunPage(msgspec.Struct):
    """A page of runs, and the number of all that match.

    If `has_more`, `next_cursor` is the cursor of the next page.
    """

    runs: list[RunRow]
    total: int
    has_more: bool
    next_cursor: str | None = None


# The value of a field that runs are grouped by, and of all fields: a list if they are several.
GroupKey = float | int | bool | str | None
GroupValue = GroupKey | list[GroupKey]


class RunGroup(msgspec.Struct):
    """The runs with the same value of a field, null for those without one.

    `value` is a list if the runs are grouped by several fields. `filter` matches exactly these
    runs; `means` are the means of the requested columns.
    """

    value: GroupValue
    runs: int
    filter: str
    means: dict[str, float | None]


class RunGroupPage(msgspec.Struct):
    """A page of groups, and the number of all groups."""

    groups: list[RunGroup]
    total: int


class GroupMembers(msgspec.Struct):
    """The row ids of the runs with the same value of a field, null for those without one.

    `value` is a list if the runs are grouped by several fields.
    """

    value: GroupValue
    run_ids: list[int]


class GroupedRuns(msgspec.Struct):
    """Groups of runs in order of their value; the one without a value comes last."""

    groups: list[GroupMembers]


class MetricPaths(msgspec.Struct):
    """The names of metrics, sorted."""

    paths: list[str]


class ConfigColumn(msgspec.Struct):
    """A configuration key or fact, the field that names it in filters, and its number of runs."""

    key: str
    field: str
    runs: int


class MetricColumn(msgspec.Struct):
    """A metric, the field that names it in filters, how many runs have it, and its kind."""

    path: str
    field: str
    runs: int
    kind: str


class ProjectColumns(msgspec.Struct):
    """The columns that a table of a project's runs can have, besides the attributes of runs."""

    config: list[ConfigColumn]
    metrics: list[MetricColumn]
    environment: list[ConfigColumn] = []


class ParameterImportance(msgspec.Struct):
    """How much a parameter says about a target.

    Attributes:
        kind: "number" or "category".
        runs: how many of the compared runs have it.
        values: how many different values they have.
        importance: its share of what a random forest says; 0 for a constant, null without a forest.
        correlation: Spearman's rank correlation; null for a category or a constant.
    """

    field: str
    kind: str
    runs: int
    values: int
    importance: float | None
    correlation: float | None


class UnusedParameter(msgspec.Struct):
    """A parameter that is left out."""

    field: str
    reason: str


class Importance(msgspec.Struct):
    """How much the parameters of a project's runs say about a target.

    Attributes:
        matching: how many runs match the filter.
        sampled: how many of them were read, at even distances.
        runs: how many of these have a value of the target; only they are compared.
        missing: how many have no value.
        nans: of how many it is NaN.
        infinite: how many of `runs` have an infinite value, which ranks beyond all others.
        method: what the importances are.
        r_squared: the share of the variance of the target's ranks that the forest explains in runs
            that its trees were not grown on; 0 or less for a forest that says nothing.
        problem: why the forest is missing; "" with one.
        parameters: the most important first.
        unused: parameters that are left out.
    """

    target: str
    matching: int
    sampled: int
    runs: int
    missing: int
    nans: int
    infinite: int
    method: str
    r_squared: float | None
    problem: str
    parameters: list[ParameterImportance]
    unused: list[UnusedParameter]


class RunColumns(msgspec.Struct):
    """Values of runs by field, the newest run first; null for a run that lacks the field.

    Attributes:
        total: how many runs match the filter.
        states: of each run.
    """

    total: int
    run_ids: list[int]
    names: list[str]
    states: list[State]
    values: dict[str, list[Any]]


class Point(msgspec.Struct, gc=False):
    """A logged point; `step` is null for a system metric.

    In JSON, `value` is "NaN", "Infinity" or "-Infinity" if it is not finite.
    """

    step: Step | None
    timestamp: datetime | None
    value: Value


class PointPage(msgspec.Struct):
    """A page of points in order of step.

    If `has_more`, further points follow, and `next_cursor` is the cursor of the next page.
    """

    data: list[Point]
    has_more: bool
    next_cursor: str | msgspec.UnsetType = msgspec.UNSET


class PointColumns(msgspec.Struct):
    """Points in order of step, as columns of equal length; system metrics have no steps."""

    steps: Packed | None
    timestamps: Packed
    values: Packed


class ColumnPage(msgspec.Struct):
    """A page of points as columns; values are as in Python.

    Attributes:
        run: the identity of the run, which a later run with the same row id does not have.
        columns: the points in several parts, one after the other.
        next_cursor: the cursor of the next page; None if there are no more points.
        images: the points in place of `columns`, for clients that accept them.
    """

    run: str
    columns: list[PointColumns]
    next_cursor: str | None = None
    images: list[PointImage] = []


class ComparedPoint(msgspec.Struct, gc=False):
    """A point in a comparison of runs."""

    step: Step | None
    value: Value


class ChartBucket(msgspec.Struct, gc=False, omit_defaults=True):
    """Exact figures over the points from `step` to `step_last`.

    `x` and `x_last` are only present if the axis is not the step: times, or seconds since the run
    began, without the pauses before it was resumed. `first` and `last` are the first and last
    value. `min`, `max` and `mean` are over the finite values and null without any. `smoothed`, if
    requested, is the moving average at the last point; null if no value is finite.
    """

    step: Step | None
    step_last: Step | None
    count: int
    non_finite: int
    first: Value
    last: Value
    min: Step | None
    max: Step | None
    mean: float | None
    x: datetime | float | msgspec.UnsetType = msgspec.UNSET
    x_last: datetime | float | msgspec.UnsetType = msgspec.UNSET
    smoothed: float | msgspec.UnsetType | None = msgspec.UNSET


class ChartData(msgspec.Struct, omit_defaults=True):
    """The chart of a metric; if `raw`, each bucket is one point.

    Pass `cursor` to the following requests for points logged later. `smoothed_within` is the
    largest error of smoothed values, as a share of the range of all values; 0 if they are exact.
    `version`, `kept` and `smoothed` are only present if the request names versions: the first
    `kept` buckets are those of that version and left out of `data`, and `smoothed` has the values
    of all buckets.
    """

    data: list[ChartBucket]
    raw: bool
    x: Literal["step", "time", "relative"]
    cursor: int
    smoothed_within: float | msgspec.UnsetType = msgspec.UNSET
    smoothed: list[float | None] | msgspec.UnsetType = msgspec.UNSET
    version: str | msgspec.UnsetType = msgspec.UNSET
    kept: int | msgspec.UnsetType = msgspec.UNSET


class BandBucket(msgspec.Struct, gc=False, omit_defaults=True):
    """Figures over the runs of a group at the steps from `step` to `step_last`.

    `runs` is the number of runs with a finite value there. Each counts once, with the mean of its
    finite values: `mean`, `min` and `max` are over these means, null without any, and `std` is
    their sample standard deviation, null with fewer than two. `median`, `low_quartile` and
    `high_quartile`, if requested, are over them too. `non_finite` is the number of runs with NaN or
    an infinity there. `x` and `x_last`, present if the axis is relative, are the mean seconds since
    the runs began. `smoothed`, if requested, is the mean of their moving averages, or the median
    with quartiles.
    """

    step: Step
    step_last: Step
    runs: int
    non_finite: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    x: float | msgspec.UnsetType = msgspec.UNSET
    x_last: float | msgspec.UnsetType = msgspec.UNSET
    smoothed: float | msgspec.UnsetType | None = msgspec.UNSET
    median: float | msgspec.UnsetType | None = msgspec.UNSET
    low_quartile: float | msgspec.UnsetType | None = msgspec.UNSET
    high_quartile: float | msgspec.UnsetType | None = msgspec.UNSET


class BandData(msgspec.Struct, omit_defaults=True):
    """The chart of a metric over `runs` runs; if `raw`, each bucket is one step.

    All further fields are as in charts of single runs.
    """

    data: list[BandBucket]
    raw: bool
    x: Literal["step", "relative"]
    runs: int
    cursor: int
    smoothed_within: float | msgspec.UnsetType = msgspec.UNSET
    smoothed: list[float | None] | msgspec.UnsetType = msgspec.UNSET
    version: str | msgspec.UnsetType = msgspec.UNSET
    kept: int | msgspec.UnsetType = msgspec.UNSET


class ComparedGroup(msgspec.Struct, omit_defaults=True):
    """The runs with the same value of a field, null for those without, and their metrics.

    `value` is a list if the runs are grouped by several fields. `runs` is the number of runs of the
    group; `run_ids`, their row ids, are only present if the request lists the runs by id.
    """

    value: GroupValue
    runs: int
    metrics: dict[str, BandData]
    run_ids: list[int] | msgspec.UnsetType = msgspec.UNSET


class ComparedGroups(msgspec.Struct):
    """Groups of runs in order of their value; the one without a value comes last.

    Of more groups than a chart can show, the largest are present; `total` is the number of all.
    """

    groups: list[ComparedGroup]
    total: int


class PointNews(msgspec.Struct):
    """The points stored since a cursor, and the cursor after them.

    If `reset`, read the whole metric again: the cursor is too old or of another database, or the
    run was resumed and points read before are superseded.
    """

    data: list[Point]
    cursor: int
    reset: bool


class LogLine(msgspec.Struct, gc=False):
    """A line of printed output; `number` counts the lines of its series from 0.

    `run_step` is the latest step that the run had logged when the line was printed.
    """

    number: int
    step: Step | None
    timestamp: datetime
    text: str
    run_step: Step | None = None


class LogPage(msgspec.Struct):
    """A page of lines, and the number of all lines that match."""

    lines: list[LogLine]
    total: int


class Alert(msgspec.Struct, gc=False):
    """An alert of a run; `run_id` and `project_id` are row ids.

    `is_cut` tells that the title or the text is longer than what is here.
    """

    level: str
    title: str
    text: str | None
    is_cut: bool
    step: Step | None
    timestamp: datetime
    run_id: int
    run: str
    project_id: int
    project: str


class AlertPage(msgspec.Struct):
    """The latest alerts, the latest first, and the number of all alerts.

    `archived` counts the alerts that are left out because their runs are archived, and
    `archived_runs` these runs.
    """

    alerts: list[Alert]
    total: int
    archived: int = 0
    archived_runs: int = 0


HitKind: TypeAlias = Literal["project", "run", "metric", "config", "tag", "file", "view"]


class SearchHit(msgspec.Struct, gc=False):
    """Something with a name; `run_id`, `project_id` and `view_id` are row ids.

    Metrics, configuration keys and tags are those of a project that has them. `field` is how a
    metric or a key is written in filters and columns. `is_archived` is that of a run, or of the run
    of a file.
    """

    kind: HitKind
    name: str
    project_id: int
    project: str
    run_id: int | None = None
    view_id: int | None = None
    field: str | None = None
    is_archived: bool = False


class SearchResults(msgspec.Struct):
    """The hits of a search, by kind."""

    hits: list[SearchHit]


class Histogram(msgspec.Struct, gc=False):
    """A logged histogram; `value` has `values`, one more `edges`, and a `type`."""

    step: Step | None
    timestamp: datetime
    value: Any


class HistogramPage(msgspec.Struct):
    """An evenly spread selection of the histograms of a metric, and their total number."""

    data: list[Histogram]
    total: int


class Fork(msgspec.Struct):
    """The other run of a fork, null if it is not in this database, and the last common step."""

    uid: str
    step: Step | None
    run: Run | None


class Process(msgspec.Struct):
    """A process that logs, or has logged, to a run.

    The state of a run depends on those of its processes; a null `state` does not affect it. `key`
    is the name of the key with which it logs to a server, if it has one.
    """

    attempt: int
    rank: int
    host: str
    pid: int
    state: State | None
    started_at: datetime
    ended_at: datetime | None
    key: str | None = None


class RunDetails(msgspec.Struct):
    """The origin of a run, the `forks` that continue it, and the processes that logged to it."""

    uid: str
    forked_from: Fork | None
    forks: list[Fork]
    processes: list[Process]


class FilePath(msgspec.Struct):
    """A name under which a run has files: their number, total size and range of steps."""

    path: str
    kind: str
    files: int
    size: int | None
    first_step: Step | None
    last_step: Step | None


class FileRecord(msgspec.Struct, kw_only=True):
    """A file of a run.

    `path` is its name in the run, `name` the file name. If its bytes are not stored, `size` and
    `sha256` are null.
    """

    id: int
    run_id: int
    path: str
    kind: str
    name: str
    step: Step | None
    timestamp: datetime | None
    size: int | None
    sha256: str | None


class SharedFilePath(msgspec.Struct):
    """A name under which several runs have files: numbers of both, a file name, the steps."""

    path: str
    runs: int
    files: int
    name: str
    first_step: Step | None
    last_step: Step | None


class SharedFilePaths(msgspec.Struct):
    """Names under which several runs have files, and whether there are more."""

    paths: list[SharedFilePath]
    has_more: bool


class FileSteps(msgspec.Struct):
    """The steps at which runs have files of one name; of many, some evenly spaced ones."""

    steps: list[Step]
    total: int


class FilesOfRun(msgspec.Struct):
    """The files of a run at one step, all with one name, and their number.

    `first_step` is the first at which it has such files. `files` is empty if that is later.
    """

    run_id: int
    first_step: Step | None
    total: int
    files: list[FileRecord]


class ArtifactVersion(msgspec.Struct, kw_only=True):
    """A version of an artifact of the project with the row id `project_id`.

    `run_id` is the row id of the run that logged it first, and `used_by` are those of the runs that
    used it. `aliases` contains "latest" if it was logged last. `size` is the sum of known sizes.
    """

    id: int
    project_id: int
    project: str
    type: str
    name: str
    version: int
    aliases: list[str]
    tags: list[str]
    digest: str
    description: str | None
    metadata: dict[str, Any]
    created_at: datetime
    files: int
    size: int
    run_id: int | None
    used_by: list[int]


class ArtifactFile(msgspec.Struct, kw_only=True):
    """A file of an artifact.

    A file that is kept elsewhere has a `reference`, a URI, and no `sha256`. A file with neither has
    no bytes here.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    reference: str | None = None


class ArtifactPage(msgspec.Struct):
    """A page of versions of artifacts; `next_cursor` is the cursor of the next page, if any."""

    artifacts: list[ArtifactVersion]
    next_cursor: str | None = None


class ArtifactFilePage(msgspec.Struct):
    """A page of files of an artifact; `next_cursor` is the cursor of the next page, if any."""

    files: list[ArtifactFile]
    next_cursor: str | None = None


class ViewSummary(msgspec.Struct, kw_only=True):
    """A view of the dashboard, of the project with the row id `project_id`.

    `version` counts its changes.
    """

    id: int
    project_id: int
    name: str
    version: int
    created_at: datetime
    updated_at: datetime


class View(ViewSummary, kw_only=True):
    """A view with its panels.

    `baseline_id` is the row id of the run that `layout.rows.baseline` names, or None if that run
    does not exist; a view without a baseline has none.
    """

    layout: Layout
    baseline_id: int | msgspec.UnsetType | None = msgspec.UNSET


class Message(msgspec.Struct):
    """A description of what a request did."""

    message: str


class Freed(Message):
    """The number of bytes by which the database file has shrunk."""

    bytes: int


class Deleted(Freed):
    """The row ids of the deleted runs."""

    deleted: list[int]
