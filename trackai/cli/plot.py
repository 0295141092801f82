"""trackai plot"""

from __future__ import annotations

import shutil
import sys
from fnmatch import fnmatchcase
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from trackai.cli.output import cell, json_option, print_json
from trackai.cli.store import db_option, open_source
from trackai.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trackai.cli.curves import Axes, Curve, Extent
    from trackai.reading.sources import Source
    from trackai.store.charts.chart_records import XAxis
    from trackai.structs.records import ChartData, Run

_COLORS = ("cyan", "magenta", "yellow", "green", "red", "blue", "bright_cyan", "bright_magenta")
_MIN_WIDTH, _MIN_HEIGHT = 30, 6
# In a file there is room for so many buckets a curve.
_FILE_POINTS = 1500


class Found(NamedTuple):
    """A metric of a run."""

    run: Run
    path: str
    chart: ChartData


@click.command()
@click.argument("metric")
@click.argument("run", nargs=-1)
@click.option("--runs", multiple=True, metavar="RUN...", help="Which runs.  [default: latest]")
@click.option("--x", type=click.Choice(["step", "time", "relative"]), default="step",
              show_default=True, help="Relative is the time since a run began.")  # fmt: skip
@click.option("--log", "log_y", is_flag=True, help="A logarithmic axis for the values.")
@click.option("--log-x", is_flag=True, help="A logarithmic axis below.")
@click.option("--smooth", type=click.FloatRange(0, 1, max_open=True), metavar="AMOUNT",
              help="As in the dashboard: 0.9 is much, 0.99 very much.")  # fmt: skip
@click.option("--width", type=click.IntRange(_MIN_WIDTH), help="In columns, not the terminal's.")
@click.option("--height", type=click.IntRange(_MIN_HEIGHT), help="In lines.")
@click.option("--points", type=click.IntRange(10, 10_000), help="At most so many for each curve.")
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False),
              help="Into a file, .png or .svg; needs trackai[plot].")  # fmt: skip
@click.option("--url", help="Of a server, which is asked instead of the file.")
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
    """Plot a METRIC, also 'val/*', of one or several RUNS in the terminal or into a file.

    Each point of a curve is the mean of what was logged in its place. With --json: what would be
    plotted, {"version", "metric", "x", "curves": [{"run", "metric", "raw", "buckets"}]}.
    """
    from trackai.cli import curves

    terminal = shutil.get_terminal_size()
    width = width or max(_MIN_WIDTH, min(terminal.columns, 160))
    height = height or max(_MIN_HEIGHT, min(terminal.lines - 6, 20))
    wanted = points or (_FILE_POINTS if out else max(10, 2 * width))

    def read(source: Source, run_id: int, path: str) -> ChartData:
        return source.chart(run_id, path, wanted, x, smooth)

    found = list(_look_up(open_source(db, url), metric, (*runs, *run) or ("latest",), read))
    if any(one.chart.x != x for one in found):  # system metrics have no steps
        found = [one for one in found if one.chart.x == x] or found
        x = found[0].chart.x
    if as_json and out is None:
        print_json(metric=metric, x=x, curves=[_record(one) for one in found])
        return
    axes = curves.Axes(metric, x, log_x, log_y)
    lines = [
        curves.of_chart(name, one.chart, log_x=log_x, log_y=log_y)
        for name, one in zip(_names(found), found, strict=True)
    ]
    extents = curves.extents(lines)
    if out is None:
        _print(axes, lines, extents, width, height)
        return
    from trackai.cli.figure import save

    save(out, axes, lines)
    if as_json:
        print_json(file=str(out), bytes=out.stat().st_size)
    else:
        click.echo(out)


def _look_up(
    source: Source,
    metric: str,
    texts: Sequence[str],
    read: Callable[[Source, int, str], ChartData],
) -> Iterator[Found]:
    runs = {run.id: run for run in map(source.resolve, texts)}
    missing: list[NotFoundError] = []
    for run in runs.values():
        try:
            for path in _paths(source, run, metric):
                yield Found(run, path, read(source, run.id, path))
        except NotFoundError as error:
            missing.append(error)
    if len(missing) == len(runs):
        raise missing[0]
    for one in missing:
        click.echo(f"trackai: {one}", err=True)


def _paths(source: Source, run: Run, metric: str) -> list[str]:
    if not any(sign in metric for sign in "*?["):
        return [metric]
    paths = sorted({one.path for one in source.figures(run.id) if fnmatchcase(one.path, metric)})
    if not paths:
        raise NotFoundError(f"the run {run.id} has no metric like {metric!r}")
    return paths


def _names(found: Sequence[Found]) -> list[str]:
    """What tells the curves apart: the runs, the metrics, or both."""
    several_runs = len({one.run.id for one in found}) > 1
    several_paths = len({one.path for one in found}) > 1
    return [
        cell(
            "  ".join(
                ([f"{one.run.run_id} ({one.run.id})"] if several_runs or not several_paths else [])
                + ([one.path] if several_paths else [])
            )
        )
        for one in found
    ]


def _record(one: Found) -> dict[str, Any]:
    return {
        "run": one.run, "metric": one.path, "raw": one.chart.raw, "buckets": one.chart.data,
    }  # fmt: skip


def _print(
    axes: Axes, curves: Sequence[Curve], extents: tuple[Extent, Extent], width: int, height: int
) -> None:
    from trackai.cli.canvas import LETTERS

    colored = click.get_current_context().color is not False and sys.stdout.isatty()
    letters = not colored and len(curves) > 1
    title = cell(axes.metric) + (" (log)" if axes.log_y else "")
    click.secho(title, bold=True)
    for row in _rows(axes, curves, extents, width, height, letters=letters):
        click.echo("".join(_styled(row)).rstrip())
    for at, one in enumerate(curves):
        mark = LETTERS[at % len(LETTERS)] if letters else "──"
        mark = click.style(mark, fg=_COLORS[at % len(_COLORS)])
        more = f"  ({one.hidden} cannot be shown)" if one.hidden else ""
        click.echo(f"{mark} {one.name}  last {cell(one.last)}{more}")


def _styled(row: Sequence[tuple[str, int | None]]) -> Iterator[str]:
    for at, cells in groupby(row, key=itemgetter(1)):
        text = "".join(text for text, _ in cells)
        yield text if at is None else click.style(text, fg=_COLORS[at % len(_COLORS)])


def _rows(
    axes: Axes, curves: Sequence[Curve], extents: tuple[Extent, Extent], width: int, height: int,
    *, letters: bool,
) -> Iterator[list[tuple[str, int | None]]]:  # fmt: skip
    from trackai.cli.canvas import Canvas
    from trackai.cli.curves import number_label, x_label

    across, up = extents
    every = max(1, (height - 1) // 4)
    labels = {
        row: number_label(up.at(1 - row / (height - 1), log=axes.log_y))
        for row in {*range(0, height - every // 2 - 1, every), height - 1}
    }
    margin = max(map(len, labels.values()))
    canvas = Canvas(max(10, width - margin - 2), height)
    for at, one in enumerate(curves):
        canvas.draw(
            at,
            [
                None if y is None else (
                    across.place(x, log=axes.log_x), up.place(y, log=axes.log_y)
                )
                for x, y in zip(one.xs, one.ys, strict=True)
            ],
        )  # fmt: skip
    for row, cells in enumerate(canvas.rows(letters=letters)):
        yield [(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}", None), *cells]
    yield [(" " * (margin + 1) + "└" + "─" * canvas.width, None)]
    first, middle, last = (
        x_label(across.at(place, log=axes.log_x), axes.x, across) for place in (0, 0.5, 1)
    )
    last = f"{last} {axes.x}" if axes.x == "step" else last
    gap = canvas.width - len(first) - len(last)
    if gap > len(middle) + 4:
        left = max(1, canvas.width // 2 - len(first) - len(middle) // 2)
        between = " " * left + middle + " " * (gap - left - len(middle))
    else:
        between = " " * max(1, gap)
    yield [(" " * (margin + 2) + first + between + last, None)]
