"""Plots in image files, drawn by matplotlib."""

from __future__ import annotations

import io
import math
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trackai.cli.plot_curves import extents
from trackai.errors import InvalidInputError, MissingExtraError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trackai.cli.plot_curves import Axes, Curve

_SUFFIXES = (".png", ".svg", ".pdf")
_X_LABELS = {"step": "step", "time": "time", "relative": "seconds since the start of the run"}


def save(path: Path, axes: Axes, curves: Sequence[Curve]) -> None:
    """Draw curves to a file, in the format of its suffix.

    Raises:
        InvalidInputError: the suffix is unknown.
        MissingExtraError: matplotlib is not installed.
        TrackAIError: there is nothing to show, the file cannot be written, or matplotlib cannot
            draw the values.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InvalidInputError("--out", f"must end in {', '.join(_SUFFIXES)}, got {path}")
    try:
        _draw(axes, curves, path)
    except OSError as error:
        raise TrackAIError(f"cannot write {path}: {error.strerror}") from None


def png(axes: Axes, curves: Sequence[Curve]) -> bytes:
    """Draw curves as a PNG image. The errors are those of `save`."""
    image = io.BytesIO()
    _draw(axes, curves, image)
    return image.getvalue()


def _draw(axes: Axes, curves: Sequence[Curve], target: Path | io.BytesIO) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("A plot in a file", "plot") from None
    extents(curves)  # raises an error if there is nothing to show
    figure = Figure(figsize=(9, 5), layout="constrained")
    plot = figure.add_subplot()
    for curve in curves:
        xs = [_x(x, axes) for x in curve.xs]
        ys = [math.nan if y is None else y for y in curve.ys]
        plot.plot(xs, ys, label=curve.name, linewidth=1.2)
    plot.set_ylabel(axes.metric)
    plot.set_xlabel(_X_LABELS[axes.x])
    if axes.log_y:
        plot.set_yscale("log")
    if axes.log_x:
        plot.set_xscale("log")
    plot.grid(alpha=0.3)
    plot.legend()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # overflow, which the error explains
            figure.savefig(target)
    except (ValueError, OverflowError) as error:
        raise TrackAIError(f"matplotlib cannot draw these values: {error}") from None


def _x(number: float, axes: Axes) -> Any:
    return datetime.fromtimestamp(number, UTC) if axes.x == "time" else number
