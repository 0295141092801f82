"""The curves and axes of a plot, before they are drawn."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.errors import TrackAIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.charts.chart_records import XAxis
    from trackai.structs.records import ChartBucket, ChartData
    from trackai.values.types import Value


class Axes(NamedTuple):
    """The axes of a plot: the metric on the y axis, the kind of x axis, and which are log."""

    metric: str
    x: XAxis
    log_x: bool
    log_y: bool


class Curve(NamedTuple):
    """A line through points.

    Attributes:
        ys: None where a value is not finite, or a log axis cannot show it.
        last: the last value of the metric, of any kind.
        hidden: the number of values that are not shown; a bucket's mean counts as one.
    """

    name: str
    xs: list[float]
    ys: list[float | None]
    last: Value | None
    hidden: int


class Extent(NamedTuple):
    """The lowest and the highest number on an axis."""

    low: float
    high: float

    def position(self, value: float, *, log: bool) -> float:
        """The position of a number on the axis, from 0 to 1."""
        low, high = (math.log(bound) if log else bound for bound in self)
        number = math.log(value) if log else value
        # Halved, as the difference of two floats may be larger than any float.
        return (number / 2 - low / 2) / (high / 2 - low / 2 or 1.0)

    def value(self, position: float, *, log: bool) -> float:
        """The number at a position."""
        low, high = (math.log(bound) if log else bound for bound in self)
        number = low * (1 - position) + high * position
        return math.exp(number) if log else number


def from_chart(name: str, chart: ChartData, *, log_x: bool, log_y: bool) -> Curve:
    """Create a curve of the means of a chart's buckets, or of their smoothed values."""
    xs: list[float] = []
    ys: list[float | None] = []
    hidden = 0
    for bucket in chart.data:
        smoothed = bucket.smoothed
        x, y = _x(bucket), bucket.mean if isinstance(smoothed, msgspec.UnsetType) else smoothed
        hidden += bucket.non_finite
        if y is not None and ((log_x and x <= 0) or (log_y and y <= 0)):
            hidden += 1
            y = None
        if not log_x or x > 0:
            xs.append(x)
            ys.append(y)
    return Curve(name, xs, ys, chart.data[-1].last if chart.data else None, hidden)


def _x(bucket: ChartBucket) -> float:
    if isinstance(bucket.x, datetime):
        return bucket.x.timestamp()
    if isinstance(bucket.x, int | float):
        return bucket.x
    assert bucket.step is not None  # noqa: S101 - buckets have steps or times
    return float(bucket.step)


def extents(curves: Sequence[Curve]) -> tuple[Extent, Extent]:
    """The extents of the x and the y axis that show all curves.

    Raises:
        TrackAIError: no curve has a value that can be shown.
    """
    xs = [x for curve in curves for x, y in zip(curve.xs, curve.ys, strict=True) if y is not None]
    ys = [y for curve in curves for y in curve.ys if y is not None]
    if not ys:
        raise TrackAIError("no finite number to plot (a log axis shows only numbers above zero)")
    return _extent(xs), _extent(ys)


def _extent(numbers: Sequence[float]) -> Extent:
    low, high = min(numbers), max(numbers)
    if low < high:
        return Extent(low, high)
    # A single number is in the middle of its axis.
    margin = min(1.0, abs(low) / 2) if low else 1.0
    if low + margin == low:
        margin = abs(low) / 2
    return Extent(low - margin, high + margin)


def y_label(number: float) -> str:
    """Format a number for the y axis."""
    return f"{number:.4g}"


def x_label(number: float, x: XAxis, extent: Extent) -> str:
    """Format a step, a time or a duration for the x axis."""
    span = extent.high - extent.low
    if x == "step":
        return f"{number:.7g}" if span < 10 or abs(number) >= 1e7 else f"{number:.0f}"
    if x == "time":
        format_ = "%H:%M:%S" if span < 86_400 else "%m-%d %H:%M"
        return datetime.fromtimestamp(number, UTC).astimezone().strftime(format_)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(number) >= 2 * length:
            return f"{number / length:.3g} {unit}"
    return f"{number:.3g} s"
