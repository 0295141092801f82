"""trackai plot"""

from __future__ import annotations

import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from trackai.cli.database import db_option, open_source, url_option
from trackai.cli.output import FloatRange, cell, echo, json_option, print_json
from trackai.cli.plot_curves import Axes, from_chart
from trackai.errors import NotFoundError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trackai.cli.plot_curves import Curve
    from trackai.reading.source import Source
    from trackai.store.charts.chart_records import XAxis
    from trackai.structs.records import ChartData, Run

_MIN_WIDTH, _MAX_WIDTH = 30, 160
_MIN_HEIGHT, _MAX_HEIGHT = 6, 20
# Lines of the terminal left for axis, legend and prompt.
_MARGIN_LINES = 6
# Buckets of a curve in an image file.
_IMAGE_POINTS = 1500


class MetricChart(NamedTuple):
    """The chart of a metric of a run."""

    run: Run
    path: str
    chart: ChartData


@click.command()
@click.argument("metric")
@click.argument("run", nargs=-1)
@click.option("--runs", multiple=True, metavar="RUN...",
              help="Runs to plot; same as the arguments RUN.  [default: latest]")  # fmt: skip
@click.option("--x", type=click.Choice(["step", "time", "relative"]), default="step",
              show_default=True, help="X axis; relative is the training time, without pauses.",
              )  # fmt: skip
@click.option("--log", "log_y", is_flag=True, help="Use a logarithmic y axis.")
@click.option("--log-x", is_flag=True, help="Use a logarithmic x axis.")
@click.option("--smooth", type=FloatRange(0, 1, max_open=True), metavar="AMOUNT",
              help="Smooth the curves by an amount below 1, such as 0.9.")  # fmt: skip
@click.option("--width", type=click.IntRange(_MIN_WIDTH), metavar="COLUMNS",
              help="Width in columns.  [default: width of the terminal]")  # fmt: skip
@click.option("--height", type=click.IntRange(_MIN_HEIGHT), metavar="LINES",
              help="Height in lines.  [default: fits the terminal]")  # fmt: skip
@click.option("--points", type=click.IntRange(10, 10_000),
              help="Maximum number of points of a curve.  [default: fits the width]")  # fmt: skip
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False),
              help="Write a .png, .svg or .pdf file; requires trackai[plot].")  # fmt: skip
@url_option
@db_option
@json_option
def plot(
    metric: str,
    run: tuple[str, ...],
    runs: tuple[str, ...],
    x: XAxis,
    log_y: bool,
    log_x: bool,
    smooth: float | None,
    width: int | None,
    height: int | None,
    points: int | None,
    out: Path | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Plot a metric of one or more runs.

    Draws in the terminal, or to a file with --out. METRIC may be a pattern such as 'val/*'. Each
    point of a curve is the mean of the values logged there. With --json, prints the data of the
    plot instead. RUN is an id, a slug, project/slug, a name, or "latest".
    """
    terminal = shutil.get_terminal_size()
    width = width or max(_MIN_WIDTH, min(terminal.columns, _MAX_WIDTH))
    height = height or max(_MIN_HEIGHT, min(terminal.lines - _MARGIN_LINES, _MAX_HEIGHT))
    count = points or (_IMAGE_POINTS if out else max(10, 2 * width))

    charts, x = read_charts(
        open_source(db, url), metric, (*runs, *run) or ("latest",), x, points=count, smooth=smooth,
        warn=lambda problem: echo(f"trackai: {problem}", err=True),
    )  # fmt: skip
    if as_json and out is None:
        print_json(metric=metric, x=x, curves=[_curve_record(item) for item in charts])
        return
    axes = Axes(metric, x, log_x, log_y)
    if out is None:
        from trackai.cli.plot_terminal import print_plot

        print_plot(axes, curves(charts, axes), width, height)
        return
    from trackai.cli.plot_image import save

    save(out, axes, curves(charts, axes))
    if as_json:
        print_json(file=str(out), bytes=out.stat().st_size)
    else:
        echo(out)


def read_charts(
    source: Source,
    metric: str,
    names: Sequence[str],
    x: XAxis,
    *,
    points: int,
    smooth: float | None,
    warn: Callable[[str], None],
) -> tuple[list[MetricChart], XAxis]:
    """Read the charts of runs.

    Args:
        metric: the name of a metric, or a pattern.
        warn: takes the problem of a run without the metric, unless it is all of them.

    Returns:
        The charts, and their x axis: system metrics have times, not steps.

    Raises:
        NotFoundError: the run does not exist, or no run has the metric.
        TrackAIError: the metrics have no numbers because of their kind.
    """
    runs = {run.id: run for run in map(source.resolve, names)}
    missing: list[NotFoundError] = []
    charts: list[MetricChart] = []
    for run in runs.values():
        try:
            for path in _matching_paths(source, run, metric):
                charts.append(MetricChart(run, path, source.chart(run.id, path, points, x, smooth)))
        except NotFoundError as error:
            missing.append(error)
    if len(missing) == len(runs):
        raise NotFoundError(f"{missing[0]}: see trackai show {min(runs)}")
    for problem in missing:
        warn(str(problem))
    _refuse_texts(source, charts)
    if any(item.chart.x != x for item in charts):
        charts = [item for item in charts if item.chart.x == x] or charts
        x = charts[0].chart.x
    return charts, x


def curves(charts: Sequence[MetricChart], axes: Axes) -> list[Curve]:
    """Name the curves of charts."""
    return [
        from_chart(name, item.chart, log_x=axes.log_x, log_y=axes.log_y)
        for name, item in zip(_curve_names(charts), charts, strict=True)
    ]


def _refuse_texts(source: Source, charts: Sequence[MetricChart]) -> None:
    """Refuse to plot metrics that have no numbers because of their kind."""
    if any(bucket.mean is not None for item in charts for bucket in item.chart.data):
        return
    for run, path, _ in charts:
        kinds = {metric.path: metric.kind for metric in source.figures(run.id)}
        if kinds.get(path) in ("text", "histogram"):
            what = "text" if kinds[path] == "text" else "histograms"
            raise TrackAIError(
                f"cannot plot metric {path!r} of run {run.id}: it has {what}, not numbers"
            )


def _matching_paths(source: Source, run: Run, metric: str) -> list[str]:
    if not any(wildcard in metric for wildcard in "*?["):
        return [metric]
    paths = {summary.path for summary in source.figures(run.id)}
    if metric in paths:  # names may contain wildcards
        return [metric]
    matching = sorted(path for path in paths if fnmatchcase(path, metric))
    if not matching:
        raise NotFoundError(f"run {run.id} has no metric that matches {metric!r}")
    return matching


def _curve_names(charts: Sequence[MetricChart]) -> list[str]:
    """Names of the curves: their runs, their metrics, or both, whichever differ."""
    show_path = len({item.path for item in charts}) > 1
    show_run = len({item.run.id for item in charts}) > 1 or not show_path
    names = []
    for item in charts:
        parts = []
        if show_run:
            parts.append(f"{item.run.run_id} ({item.run.id})")
        if show_path:
            parts.append(item.path)
        names.append(cell("  ".join(parts)))
    return names


def _curve_record(item: MetricChart) -> dict[str, Any]:
    chart = item.chart
    return {"run": item.run, "metric": item.path, "raw": chart.raw, "buckets": chart.data}
