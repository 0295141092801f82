"""What the repository functions return and the HTTP API shows: one type for both.

Field names are those that HTTP clients know: `id` is the row's integer, and the string fields
`project_id` (of a project) and `run_id` (of a run) are slugs for people.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from trackai.values.types import State, Step, Value


class Project(msgspec.Struct, kw_only=True):
    """A project: `project_id` is its slug, times are UTC."""

    id: int
    name: str
    project_id: str
    created_at: datetime
    updated_at: datetime


class ProjectSummary(Project, kw_only=True):
    """A project with the number of its runs, in all and by state."""

    total_runs: int
    running_runs: int
    completed_runs: int
    failed_runs: int


class Run(msgspec.Struct, kw_only=True):
    """A run: `run_id` is its slug, unique in its project, which `project_id` names by row id."""

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


class RunRow(Run, kw_only=True):
    """A run in a table; `values` are the columns that were asked for, by the name given there."""

    values: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class RunSummary(Run, kw_only=True):
    """A run with the last value of each metric and its flat configuration."""

    metrics: dict[str, Value]
    config: dict[str, Any]


class RunPage(msgspec.Struct):
    """A page of runs, the number of all that match, and whether and where more follow."""

    runs: list[RunRow]
    total: int
    has_more: bool
    next_cursor: str | None = None


class RunGroup(msgspec.Struct):
    """Runs that have the same value of a field, null if they have none.

    `filter` is what chooses just these runs, `means` those of the columns that were asked for.
    """

    value: float | int | bool | str | None
    runs: int
    filter: str
    means: dict[str, float | None]


class RunGroupPage(msgspec.Struct):
    """A page of groups, and the number of all."""

    groups: list[RunGroup]
    total: int


class ConfigColumn(msgspec.Struct):
    """A configuration key, how it is written as a field, and how many runs have it."""

    key: str
    field: str
    runs: int


class MetricColumn(msgspec.Struct):
    """A metric, how it is written as a field, how many runs have it, and what its values are."""

    path: str
    field: str
    runs: int
    kind: str


class ProjectColumns(msgspec.Struct):
    """What tables of a project's runs can show, besides the attributes of runs."""

    config: list[ConfigColumn]
    metrics: list[MetricColumn]


class Point(msgspec.Struct, gc=False):
    """One logged point; `step` is null for a system metric, `value` follows the JSON rule."""

    step: Step | None
    timestamp: datetime | None
    value: Value


class PointPage(msgspec.Struct):
    """A page of points in order of step, and whether more follow."""

    data: list[Point]
    has_more: bool


class ComparedPoint(msgspec.Struct, gc=False):
    """One point of a comparison of runs."""

    step: Step | None
    value: Value


class ChartBucket(msgspec.Struct, gc=False, omit_defaults=True):
    """Figures over the points from `step` to `step_last`, exact.

    `x` and `x_last` are there where the axis is not the step: times, or seconds since the run
    began. `first` and `last` are values and follow the JSON rule, `min`, `max` and `mean` are over
    finite numbers and null without any. `smoothed`, if asked for, is the moving average over the
    series up to and including the last point here; null if nothing here is finite.
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
    """A metric in buckets; if `raw`, each is one point. What comes later is new since `cursor`.

    `smoothed_within` is what smoothed values may be off by, as a share of the range of all values:
    0 if they are exact.
    """

    data: list[ChartBucket]
    raw: bool
    x: Literal["step", "time", "relative"]
    cursor: int
    smoothed_within: float | msgspec.UnsetType = msgspec.UNSET


class BandBucket(msgspec.Struct, gc=False, omit_defaults=True):
    """Figures over runs at the steps from `step` to `step_last`.

    Each of `runs` counts once, with the mean of its finite values there; `mean`, `min` and `max`
    are over these, null without any, `std` is their sample standard deviation, null with fewer
    than two. `non_finite` is how many runs have NaN or an infinity there. `x` and `x_last`, where
    the axis is relative, are seconds since each run began, `smoothed` the runs' moving averages:
    means over the runs as well.
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


class BandData(msgspec.Struct, omit_defaults=True):
    """A metric over `runs` runs, in buckets, of one step each if `raw`; the rest as in charts."""

    data: list[BandBucket]
    raw: bool
    x: Literal["step", "relative"]
    runs: int
    cursor: int
    smoothed_within: float | msgspec.UnsetType = msgspec.UNSET


class ComparedGroup(msgspec.Struct):
    """Runs that have the same value of a field, null if none, and their metrics by name."""

    value: float | int | bool | str | None
    run_ids: list[int]
    metrics: dict[str, BandData]


class ComparedGroups(msgspec.Struct):
    """Runs in groups, in order of the value; those without one come last."""

    groups: list[ComparedGroup]


class PointNews(msgspec.Struct):
    """Points that have come in since a cursor, and the cursor after them.

    If `reset`, read the metric again: the cursor is too old or of another database, or points that
    came in before are superseded since the run was resumed.
    """

    data: list[Point]
    cursor: int
    reset: bool


class LogLine(msgspec.Struct, gc=False):
    """What was printed at once, and the how manieth it is of its series, from 0."""

    number: int
    step: Step | None
    timestamp: datetime
    text: str


class LogPage(msgspec.Struct):
    """A page of lines, and the number of all that match."""

    lines: list[LogLine]
    total: int


class Histogram(msgspec.Struct, gc=False):
    """A histogram as it was logged: `edges`, one more than there are `values`, and their `type`."""

    step: Step | None
    timestamp: datetime
    value: Any


class HistogramPage(msgspec.Struct):
    """Histograms of a series, evenly spread over all that there are."""

    data: list[Histogram]
    total: int


class Fork(msgspec.Struct):
    """The other run of a fork, null if it is not here, and the last step that both have."""

    uid: str
    step: Step | None
    run: Run | None


class Process(msgspec.Struct):
    """A process that logs, or has logged, to a run; without a state, it has no say in its end."""

    attempt: int
    rank: int
    host: str
    pid: int
    state: State | None
    started_at: datetime
    ended_at: datetime | None


class RunDetails(msgspec.Struct):
    """Where a run comes from, and which runs, called `forks`, continue it."""

    uid: str
    forked_from: Fork | None
    forks: list[Fork]
    processes: list[Process]


class FilePath(msgspec.Struct):
    """A name under which a run has files: how many, at which steps, how large together."""

    path: str
    kind: str
    files: int
    size: int | None
    first_step: Step | None
    last_step: Step | None


class FileRecord(msgspec.Struct, kw_only=True):
    """A file of a run.

    `path` is what the run calls it, `name` its file name. Without its bytes being here, `size`
    and `sha256` are null.
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


class Message(msgspec.Struct):
    """What a request did, in words."""

    message: str


class Freed(Message):
    """By how many bytes the database file has become smaller."""

    bytes: int


class Deleted(Freed):
    """Which runs are gone, by row id."""

    deleted: list[int]
