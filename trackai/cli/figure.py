"""A plot in a file, drawn by matplotlib."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError, MissingExtraError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.cli.curves import Axes, Curve

_FORMATS = (".png", ".svg", ".pdf")


def save(path: Path, axes: Axes, curves: Sequence[Curve]) -> None:
    """Draw curves into a file, in the format that its name ends in.

    Raises:
        InvalidInputError: that is none of those that are known.
        MissingExtraError: matplotlib is not installed.
        TrackAIError: the file cannot be written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InvalidInputError("--out", f"{path} does not end in any of {', '.join(_FORMATS)}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("A plot in a file", "plot") from None
    figure = Figure(figsize=(9, 5), layout="constrained")
    plot = figure.add_subplot()
    for one in curves:
        ys = [math.nan if y is None else y for y in one.ys]
        plot.plot([_x(x, axes) for x in one.xs], ys, label=one.name, linewidth=1.2)
    plot.set_ylabel(axes.metric)
    plot.set_xlabel(
        {"step": "step", "time": "time", "relative": "seconds since the run began"}[axes.x]
    )
    if axes.log_y:
        plot.set_yscale("log")
    if axes.log_x:
        plot.set_xscale("log")
    plot.grid(alpha=0.3)
    plot.legend()
    try:
        figure.savefig(path)
    except OSError as error:
        raise TrackAIError(f"{path} cannot be written: {error.strerror}") from None


def _x(number: float, axes: Axes) -> Any:
    return datetime.fromtimestamp(number, UTC) if axes.x == "time" else number
