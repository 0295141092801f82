"""The last value of a metric with its statistics: `run.summary["loss"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.reading.history import from_json
from trackai.values.types import Axis, Kind, Step, Value

if TYPE_CHECKING:
    from trackai.store.points.series import MetricSummary


class MetricFigures:
    """The last value of a metric, a float, int or str, with statistics as attributes.

    The last value of booleans is an int; the attribute `last` has the bool.

    Attributes:
        path: the name of the metric.
        axis: "step", or "time" for a system metric.
        kind: "number", "bool", "text" or "histogram".
        points, nan_points: the number of points, and of those that are NaN.
        last: the last value.
        last_step: its step; None for system metrics.
        min, min_step, max, max_step: the extremes of the finite values, and their first steps.
        mean: the mean of the finite values.

    Example:
        run.summary["loss"] < 0.1
        run.summary["loss"].min
    """

    path: str
    axis: Axis
    kind: Kind
    points: int
    nan_points: int
    last: Value
    last_step: Step | None
    min: Step | None
    min_step: Step | None
    max: Step | None
    max_step: Step | None
    mean: Step | None


class FloatFigures(MetricFigures, float):
    """The figures of a metric whose last value is a float."""


class IntFigures(MetricFigures, int):
    """The figures of a metric whose last value is an int or a bool."""

    def __repr__(self) -> str:
        return repr(self.last)


class TextFigures(MetricFigures, str):
    """The figures of a text, or of a histogram as JSON."""


def metric_figures(summary: MetricSummary) -> FloatFigures | IntFigures | TextFigures:
    """Convert the figures that a source returns."""
    last = summary.last if summary.kind in ("text", "histogram") else from_json(summary.last)
    figures: FloatFigures | IntFigures | TextFigures
    if isinstance(last, str):
        figures = TextFigures(last)
    elif isinstance(last, float):
        figures = FloatFigures(last)
    else:
        figures = IntFigures(last)
    vars(figures).update(msgspec.structs.asdict(summary), last=last)
    return figures
