"""The tools that `trackai mcp` offers to agents.

A tool is a function of a source and its arguments, a struct whose fields become the JSON Schema.
Agents read the docstring of the function.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from trackai.cli import plot, plot_curves, plot_terminal
from trackai.cli.mcp_answers import bounded, fits, plain
from trackai.errors import InvalidInputError, MissingExtraError, NotFoundError
from trackai.filters.parser import parse_field
from trackai.filters.tree import Attribute, Comparison, Or, field_text, filter_text
from trackai.reading import history_rows
from trackai.reading.stored_file import file_name
from trackai.values import cursors
from trackai.values.comparison import differing, side_by_side
from trackai.values.times import utc
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trackai.reading.source import Source
    from trackai.store.points.series import MetricSummary
    from trackai.structs.records import Project, Run

_MAX_METRICS = 20
# Points of all metrics of an answer.
_MAX_POINTS = 1000
# Projects in whose names of metrics and configuration keys `search` looks.
_SEARCHED_PROJECTS = 20
_PLOT_WIDTH, _PLOT_HEIGHT = 100, 20
_PLOT_POINTS = 1000

RunName = Annotated[
    int | str,
    msgspec.Meta(description='an id, a slug, project/slug, a name, or "latest"'),
]
Metrics = Annotated[list[str], msgspec.Meta(min_length=1, max_length=_MAX_METRICS)]
Pattern = Annotated[str, msgspec.Meta(description="with the wildcards * and ?, such as val/*")]


class Picture(NamedTuple):
    """A PNG image, and a text about it."""

    png: bytes
    text: str


class Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The arguments of a tool."""


class ListProjects(Arguments):
    """Arguments of `list_projects`."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


def list_projects(source: Source, arguments: ListProjects) -> dict[str, Any]:
    """List projects, the newest first, with the number of their runs."""
    projects = source.projects()
    shown = [
        {"name": project.name, "slug": project.project_id, "created_at": project.created_at,
         "runs": _count(source, project)}
        for project in projects[: arguments.limit]
    ]  # fmt: skip
    return bounded(
        plain({"total": len(projects), "projects": shown}), {"projects": "pass a smaller limit"}
    )


def _count(source: Source, project: Project) -> int:
    page = source.runs(project.id, filter=None, sort="id", ascending=True, limit=1)
    return page.total


class ListRuns(Arguments):
    """Arguments of `list_runs`."""

    project: Annotated[str, msgspec.Meta(description="name or slug; default all")] | None = None
    filter: (
        Annotated[
            str,
            msgspec.Meta(
                description='such as: config.lr < 0.01 and metric.val/acc.max > 0.9 and tag = "x"; '
                "fields: config.KEY, metric.NAME or metric.NAME.min (max, mean, points), state, "
                "name, tag, group, created, duration, notes; operators: = != < <= > >= ~ (contains)"
            ),
        ]
        | None
    ) = None
    sort: Annotated[str, msgspec.Meta(description="a field, as in filters")] = "created_at"
    ascending: bool = False
    columns: Annotated[
        list[str],
        msgspec.Meta(max_length=50, description="fields to return for each run, as in filters"),
    ] = []
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    cursor: Annotated[str, msgspec.Meta(description="next_cursor of the last page")] | None = None


def list_runs(source: Source, arguments: ListRuns) -> dict[str, Any]:
    """List runs of a project, or of all, page by page: filtered, sorted, with chosen columns."""
    names = {project.id: project.name for project in source.projects()}
    project_id = None if arguments.project is None else _project_id(source, arguments.project)
    columns = [field_text(parse_field(text, name="columns")) for text in arguments.columns]
    limit = arguments.limit
    while True:
        page = source.runs(
            project_id, filter=arguments.filter, sort=arguments.sort,
            ascending=arguments.ascending, limit=limit, cursor=arguments.cursor,
            columns=", ".join(columns) or None,
        )  # fmt: skip
        runs = [
            _run(run, names.get(run.project_id)) | ({"values": run.values} if columns else {})
            for run in page.runs
        ]
        answer = plain({"total": page.total, "runs": runs, "next_cursor": page.next_cursor})
        if fits(answer) or limit == 1:
            # The cursor of a page that is cut would skip runs.
            return bounded(answer, {"runs": "pass fewer columns"})
        limit //= 2


def _run(run: Run, project: str | None) -> dict[str, Any]:
    fields = {
        "id": run.id, "run_id": run.run_id, "name": run.name, "project": project,
        "group": run.group_name, "state": run.state, "tags": run.tags,
        "created_at": run.created_at, "finished_at": run.finished_at,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _project_id(source: Source, name: str) -> int:
    ids = {text: p.id for p in source.projects() for text in (p.project_id, p.name)}
    if name not in ids:
        raise NotFoundError(f"project {name!r} not found")
    return ids[name]


class Search(Arguments):
    """Arguments of `search`."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    project: Annotated[str, msgspec.Meta(description="name or slug; default all")] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20


def search(source: Source, arguments: Search) -> dict[str, Any]:
    """Find runs by name, tag, group or notes, and metrics and configuration keys by name.

    Upper and lower case are the same. Without a project, names of metrics and keys are searched in
    the 20 newest projects.
    """
    text = arguments.text
    projects = source.projects()
    project_id = None if arguments.project is None else _project_id(source, arguments.project)
    attributes = ("name", "run_id", "tag", "group_name", "notes")
    tree = Or(tuple(Comparison(Attribute(name), "~", text) for name in attributes))
    page = source.runs(
        project_id, filter=filter_text(tree), sort="created_at", ascending=False,
        limit=arguments.limit,
    )  # fmt: skip
    names = {project.id: project.name for project in projects}
    searched = [project for project in projects if project_id in (None, project.id)]
    metrics: dict[str, list[str]] = {}
    keys: dict[str, list[str]] = {}
    for project in searched[:_SEARCHED_PROJECTS]:
        columns = source.columns(project.id)
        for table, texts in (
            (metrics, [metric.path for metric in columns.metrics]),
            (keys, [config.key for config in columns.config]),
        ):
            for name in texts:
                if text.casefold() in name.casefold():
                    table.setdefault(name, []).append(project.name)
    answer = {
        "total_runs": page.total,
        "runs": [_run(run, names.get(run.project_id)) for run in page.runs],
        "metrics": metrics,
        "config_keys": keys,
    }
    hint = "search for a longer text, or pass a project"
    return bounded(plain(answer), dict.fromkeys(("runs", "metrics", "config_keys"), hint))


class GetRun(Arguments):
    """Arguments of `get_run`."""

    run: RunName
    metrics: Pattern = "*"
    config: Pattern = "*"


def get_run(source: Source, arguments: GetRun) -> dict[str, Any]:
    """Get a run: its state, tags, notes, configuration, environment, and figures of its metrics."""
    run = _resolve(source, arguments.run)
    config = source.config(run.id)
    answer = {
        **_run(run, _project_name(source, run)),
        "notes": run.notes,
        "config": {k: v for k, v in config.items() if fnmatchcase(k, arguments.config)},
        "environment": source.environment(run.id),
        "metrics": {
            metric.path: _figures(metric)
            for metric in source.figures(run.id)
            if fnmatchcase(metric.path, arguments.metrics)
        },
    }
    hints = {name: f"pass a pattern as {name}" for name in ("config", "metrics")}
    return bounded(plain(answer), hints)


def _resolve(source: Source, run: int | str) -> Run:
    return source.run(run) if isinstance(run, int) else source.resolve(run)


def _project_name(source: Source, run: Run) -> str | None:
    return next((p.name for p in source.projects() if p.id == run.project_id), None)


def _figures(metric: MetricSummary) -> dict[str, Any]:
    figures = msgspec.structs.asdict(metric)
    if metric.kind == "histogram":
        del figures["last"]  # edges and counts
    return {
        name: value
        for name, value in figures.items()
        if name not in ("path", "axis") and value is not None and (name, value) != ("nan_points", 0)
    }


class _RowCursor(msgspec.Struct, array_like=True):
    """Where a page of exact rows begins: a step, and how many rows of it have been returned."""

    step: BoundedStep
    rows: Annotated[int, msgspec.Meta(ge=0)]


class GetHistory(Arguments):
    """Arguments of `get_history`."""

    run: RunName
    metrics: Metrics
    points: Annotated[int, msgspec.Meta(ge=10, le=500, description="of each metric")] = 50
    exact: Annotated[
        bool, msgspec.Meta(description="return all points in pages, not means of buckets")
    ] = False
    step_min: Annotated[BoundedStep, msgspec.Meta(description="with exact")] | None = None
    step_max: Annotated[BoundedStep, msgspec.Meta(description="with exact")] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="rows, with exact")] = 100
    cursor: Annotated[str, msgspec.Meta(description="next_cursor, with exact")] | None = None


def get_history(source: Source, arguments: GetHistory) -> dict[str, Any]:
    """Get the points of metrics of a run, downsampled; or exact, page by page.

    A downsampled metric has the means, minima and maxima of buckets of steps, if it has more points
    than asked for. Values that are not finite are "NaN", "Infinity" and "-Infinity".
    """
    run = _resolve(source, arguments.run)
    if arguments.exact:
        return _exact_history(source, run, arguments)
    for name in ("step_min", "step_max", "cursor"):
        if getattr(arguments, name) is not None:
            raise InvalidInputError(name, "needs exact=true")
    points = max(10, min(arguments.points, _MAX_POINTS // len(arguments.metrics)))
    metrics = {}
    for path in arguments.metrics:
        chart = source.chart(run.id, path, points, "step")
        names = ["value"] if chart.raw else ["mean", "min", "max", "count"]
        metrics[path] = {
            "columns": [chart.x, *names],
            "rows": [
                [bucket.step if chart.x == "step" else bucket.x]
                + [bucket.first if name == "value" else getattr(bucket, name) for name in names]
                for bucket in chart.data
            ],
        }
    return bounded(
        plain({"run": run.id, "metrics": metrics}),
        {"metrics": "pass fewer metrics, or fewer points"},
    )


def _exact_history(source: Source, run: Run, arguments: GetHistory) -> dict[str, Any]:
    start, skipped = arguments.step_min, 0
    if arguments.cursor is not None:
        cursor = cursors.decode(arguments.cursor, _RowCursor)
        start, skipped = cursor.step, cursor.rows
    missing = set(arguments.metrics) - set(source.paths(run.id))
    if missing:
        raise NotFoundError(f"run {run.id} has no metric {min(missing)!r}")
    rows = history_rows.scan(
        source, run.id, arguments.metrics, step_min=start, step_max=arguments.step_max,
        page=arguments.limit + skipped + 1,
    )  # fmt: skip
    taken: list[list[Any]] = []
    columns = ["step", "time", *arguments.metrics]
    answer = {"run": run.id, "columns": columns, "rows": taken, "next_cursor": "x" * 100}
    last, of_last = start, skipped
    for row in islice(rows, skipped, None):
        step = row[history_rows.STEP]
        values = [row.get(path) for path in arguments.metrics]
        taken.append(plain([step, utc(row[history_rows.TIME]), *values]))
        if len(taken) > 1 and (len(taken) > arguments.limit or not fits(answer)):
            del taken[-1]
            return answer | {"next_cursor": cursors.encode(_RowCursor(last or 0, of_last))}
        last, of_last = step, of_last + 1 if step == last else 1
    return answer | {"next_cursor": None}


class CompareRuns(Arguments):
    """Arguments of `compare_runs`."""

    runs: Annotated[list[RunName], msgspec.Meta(min_length=2, max_length=20)]
    metrics: Pattern = "*"


def compare_runs(source: Source, arguments: CompareRuns) -> dict[str, Any]:
    """Compare runs: the configuration keys that differ, and figures of their metrics.

    Each list has a value for each run, null if a run has none.
    """
    runs = [_resolve(source, name) for name in arguments.runs]
    configs = [source.config(run.id) for run in runs]
    figures = [
        {
            metric.path: {"last": metric.last, "min": metric.min, "max": metric.max}
            for metric in source.figures(run.id)
            if fnmatchcase(metric.path, arguments.metrics) and metric.kind != "histogram"
        }
        for run in runs
    ]
    rows = side_by_side(configs)
    answer = {
        "runs": [_run(run, _project_name(source, run)) for run in runs],
        "config": {key: rows[key] for key in sorted(differing(configs))},
        "metrics": side_by_side(figures),
    }
    return bounded(
        plain(answer),
        {"config": "pass fewer runs", "metrics": "pass a pattern as metrics, or fewer runs"},
    )


class Plot(Arguments):
    """Arguments of `plot`."""

    metric: Annotated[str, msgspec.Meta(description="a name, or a pattern such as val/*")]
    runs: Annotated[list[RunName], msgspec.Meta(min_length=1, max_length=10)]
    x: Literal["step", "time", "relative"] = "step"
    log_y: bool = False
    smooth: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    format: Annotated[
        Literal["auto", "png", "text"], msgspec.Meta(description="auto: png if it is installed")
    ] = "auto"


def plot_(source: Source, arguments: Plot) -> dict[str, Any] | Picture:
    """Draw a metric of one or more runs, as an image or as text."""
    warnings: list[str] = []
    charts, x = plot.read_charts(
        source, arguments.metric, [str(run) for run in arguments.runs], arguments.x,
        points=_PLOT_POINTS, smooth=arguments.smooth, warn=warnings.append,
    )  # fmt: skip
    axes = plot_curves.Axes(arguments.metric, x, False, arguments.log_y)
    curves = plot.curves(charts, axes)[:_MAX_METRICS]
    note = {"warnings": warnings} if warnings else {}
    if arguments.format != "text":
        from trackai.cli import plot_image

        try:
            png = plot_image.png(axes, curves)
            return Picture(png, "; ".join([f"{arguments.metric} by {x}", *warnings]))
        except MissingExtraError:
            if arguments.format == "png":
                raise
    lines = plot_terminal.plain_plot(axes, curves, _PLOT_WIDTH, _PLOT_HEIGHT)
    return {"plot": lines, **note}


class GetLogs(Arguments):
    """Arguments of `get_logs`."""

    run: RunName
    metric: (
        Annotated[str, msgspec.Meta(description="name of the text; default all texts")] | None
    ) = None
    search: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    lines: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    before: (
        Annotated[int, msgspec.Meta(ge=0, description="only lines with lower numbers")] | None
    ) = None


def get_logs(source: Source, arguments: GetLogs) -> dict[str, Any]:
    """Get the last lines of logged texts, such as printed output and alerts."""
    run = _resolve(source, arguments.run)
    names = [metric.path for metric in source.figures(run.id) if metric.kind == "text"]
    if arguments.metric is not None:
        if arguments.metric not in names:
            raise NotFoundError(f"run {run.id} has no text {arguments.metric!r}; it has {names}")
        names = [arguments.metric]
    answer: dict[str, Any] = {"run": run.id, "columns": ["number", "step", "time", "text"]}
    count = max(1, arguments.lines // max(1, len(names)))
    for name in names[:_MAX_METRICS]:
        total = source.log(run.id, name, arguments.search, limit=1).total
        end = total if arguments.before is None else min(total, arguments.before)
        start = max(0, end - count)
        page = source.log(run.id, name, arguments.search, limit=max(1, end - start), offset=start)
        rows = [[line.number, line.step, line.timestamp, line.text] for line in page.lines]
        answer[name] = {"total": total, "lines": plain(rows[: end - start])}
    return _shortened(answer, names[:_MAX_METRICS])


def _shortened(answer: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Drop the first lines of texts until the answer fits."""
    texts = {name: answer.pop(name) for name in names}
    answer["texts"] = texts
    while not fits(answer) and any(len(text["lines"]) > 1 for text in texts.values()):
        longest = max(texts.values(), key=lambda text: len(str(text["lines"])))
        del longest["lines"][: max(1, len(longest["lines"]) // 4)]
        answer["cut"] = "earlier lines are left out; pass a metric, and before"
    return bounded(answer, {"texts": "pass a metric"})


class ListFiles(Arguments):
    """Arguments of `list_files`."""

    run: RunName
    pattern: Pattern = "*"
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


def list_files(source: Source, arguments: ListFiles) -> dict[str, Any]:
    """List the files, media and artifacts of a run, with their sizes in bytes."""
    run = _resolve(source, arguments.run)
    files = [
        {"name": file_name(file), "kind": file.kind, "step": file.step, "size": file.size}
        for file in source.files(run.id)
        if fnmatchcase(file_name(file), arguments.pattern)
    ]
    answer = {"run": run.id, "total": len(files), "files": files[: arguments.limit]}
    return bounded(plain(answer), {"files": "pass a pattern"})


class AddNote(Arguments):
    """Arguments of `add_note`."""

    run: RunName
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


def add_note(source: Source, arguments: AddNote) -> dict[str, Any]:
    """Add a paragraph to the notes of a run."""
    run = _resolve(source, arguments.run)
    notes = "\n\n".join(filter(None, [run.notes, arguments.text]))
    changed = source.change(run.id, notes=notes)
    return plain({"run": changed.id, "notes": changed.notes})  # type: ignore[no-any-return]


class SetTags(Arguments):
    """Arguments of `set_tags`."""

    run: RunName
    add: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    remove: Annotated[list[str], msgspec.Meta(max_length=100)] = []


def set_tags(source: Source, arguments: SetTags) -> dict[str, Any]:
    """Add tags to a run, and remove others."""
    run = _resolve(source, arguments.run)
    changed = source.tag(run.id, arguments.add, arguments.remove)
    return plain({"run": changed.id, "tags": changed.tags})  # type: ignore[no-any-return]


class Tool(NamedTuple):
    """A tool: its arguments, its function, and what it does to runs."""

    arguments: type[Arguments]
    call: Callable[[Source, Any], dict[str, Any] | Picture]
    effect: Literal["reads", "adds", "changes"] = "reads"

    @property
    def name(self) -> str:
        return self.call.__name__.rstrip("_")

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments."""
        _, components = msgspec.json.schema_components([self.arguments])
        schema = components[self.arguments.__name__]
        return {key: value for key, value in schema.items() if key not in ("title", "description")}


_TOOLS = (
    Tool(ListProjects, list_projects),
    Tool(ListRuns, list_runs),
    Tool(Search, search),
    Tool(GetRun, get_run),
    Tool(GetHistory, get_history),
    Tool(CompareRuns, compare_runs),
    Tool(Plot, plot_),
    Tool(GetLogs, get_logs),
    Tool(ListFiles, list_files),
    Tool(AddNote, add_note, "adds"),
    Tool(SetTags, set_tags, "changes"),
)


def tools(*, read_only: bool) -> Mapping[str, Tool]:
    """The tools by name."""
    offered: Iterable[Tool] = _TOOLS
    if read_only:
        offered = [tool for tool in _TOOLS if tool.effect == "reads"]
    return {tool.name: tool for tool in offered}
