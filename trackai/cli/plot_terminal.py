"""Plots in the terminal."""

from __future__ import annotations

import sys
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import click

from trackai.cli.encoding import is_printable
from trackai.cli.output import cell, pluralize
from trackai.cli.plot_canvas import DOTS, LETTERS, Canvas
from trackai.cli.plot_curves import extents, x_label, y_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trackai.cli.plot_canvas import Cell
    from trackai.cli.plot_curves import Axes, Curve, Extent

_COLORS = ("cyan", "magenta", "yellow", "green", "red", "blue", "bright_cyan", "bright_magenta")
_Y_LABELS = 4
_MIN_CANVAS_WIDTH = 10
_MIN_LABEL_GAP = 4


def print_plot(axes: Axes, curves: Sequence[Curve], width: int, height: int) -> None:
    """Print a plot of curves with axes and a legend.

    Args:
        width: the width of the plot with its axis, in characters.
        height: the height of the plot without axis and legend, in lines.

    Raises:
        TrackAIError: no curve has a value that can be shown.
    """
    has_colors = click.get_current_context().color is not False and sys.stdout.isatty()
    letters = (not has_colors and len(curves) > 1) or not is_printable(DOTS)
    rows = list(_rows(axes, curves, width, height, letters=letters))
    click.secho(cell(axes.metric) + (" (log)" if axes.log_y else ""), bold=True)
    for row in rows:
        click.echo("".join(_styled(row)).rstrip())
    for number, curve in enumerate(curves):
        mark = LETTERS[number % len(LETTERS)] if letters else "──"
        mark = click.style(mark, fg=_COLORS[number % len(_COLORS)])
        hidden = f"  ({pluralize(curve.hidden, 'value')} not shown)" if curve.hidden else ""
        click.echo(f"{mark} {curve.name}  last {cell(curve.last)}{hidden}")


def plain_plot(axes: Axes, curves: Sequence[Curve], width: int, height: int) -> list[str]:
    """Return the lines of a plot without colors, for a program. See `print_plot`."""
    letters = len(curves) > 1
    lines = ["".join(character for character, _ in row).rstrip()
             for row in _rows(axes, curves, width, height, letters=letters)]  # fmt: skip
    for number, curve in enumerate(curves):
        mark = LETTERS[number % len(LETTERS)] if letters else "──"
        lines.append(f"{mark} {curve.name}  last {cell(curve.last)}")
    return lines


def _styled(row: Sequence[Cell]) -> Iterator[str]:
    for curve, cells in groupby(row, key=itemgetter(1)):
        text = "".join(character for character, _ in cells)
        yield text if curve is None else click.style(text, fg=_COLORS[curve % len(_COLORS)])


def _rows(
    axes: Axes, curves: Sequence[Curve], width: int, height: int, *, letters: bool
) -> Iterator[list[Cell]]:
    """The rows of the plot, with the y axis on the left and the x axis below."""
    x_extent, y_extent = extents(curves)
    distance = max(1, (height - 1) // _Y_LABELS)
    labels = {
        row: y_label(y_extent.value(1 - row / (height - 1), log=axes.log_y))
        for row in {*range(0, height - distance // 2 - 1, distance), height - 1}
    }
    margin = max(map(len, labels.values()))
    canvas = Canvas(max(_MIN_CANVAS_WIDTH, width - margin - 2), height)
    for number, curve in enumerate(curves):
        canvas.draw(
            number,
            [
                None if y is None else (
                    x_extent.position(x, log=axes.log_x), y_extent.position(y, log=axes.log_y)
                )
                for x, y in zip(curve.xs, curve.ys, strict=True)
            ],
        )  # fmt: skip
    for row, cells in enumerate(canvas.rows(letters=letters)):
        yield [(f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'}", None), *cells]
    yield [(" " * (margin + 1) + "└" + "─" * canvas.width, None)]
    yield [(" " * (margin + 2) + _x_labels(axes, x_extent, canvas.width), None)]


def _x_labels(axes: Axes, extent: Extent, width: int) -> str:
    """The labels below the x axis: at its start, at its end, and in the middle if they fit."""
    first, middle, last = (
        x_label(extent.value(position, log=axes.log_x), axes.x, extent) for position in (0, 0.5, 1)
    )
    last = f"{last} {axes.x}" if axes.x == "step" else last
    gap = width - len(first) - len(last)
    if gap <= len(middle) + _MIN_LABEL_GAP:
        return first + " " * max(1, gap) + last
    left = max(1, width // 2 - len(first) - len(middle) // 2)
    return first + " " * left + middle + " " * (gap - left - len(middle)) + last
