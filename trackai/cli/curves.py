"""What a plot shows: curves of numbers over steps, times, or seconds, and the space they need."""

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
    """The layout of a plot: the metric on the y axis, the kind of x axis, logarithmic or not."""

    metric: str
    x: XAxis
    log_x: bool
    log_y: bool


class Curve(NamedTuple):
    """A line.

    Attributes:
        ys: None where nothing finite was logged, or nothing that a log axis has.
        last: the last value, whatever it is.
        hidden: how many points cannot be shown; means of buckets on a log axis count as one.
    """

    name: str
    xs: list[float]
    ys: list[float | None]
    last: Value | None
    hidden: int


class Extent(NamedTuple):
    """Between which numbers an axis lies."""

    low: float
    high: float

    def place(self, value: float, *, log: bool) -> float:
        """Where on the axis a number lies, from 0 to 1."""
        low, high = (_log(one) if log else one for one in self)
        at = _log(value) if log else value
        # Halves, as the distance of two floats may be no float.
        return (at / 2 - low / 2) / (high / 2 - low / 2 or 1.0)

    def at(self, place: float, *, log: bool) -> float:
        """The number that lies there."""
        low, high = (_log(one) if log else one for one in self)
        number = low * (1 - place) + high * place
        return math.exp(number) if log else number


def of_chart(name: str, chart: ChartData, *, log_x: bool, log_y: bool) -> Curve:
    """The means of a chart's buckets, or what they are smoothed to."""
    xs: list[float] = []
    ys: list[float | None] = []
    hidden = 0
    for bucket in chart.data:
        smooth = bucket.smoothed
        x, y = _x(bucket), bucket.mean if isinstance(smooth, msgspec.UnsetType) else smooth
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
    assert bucket.step is not None  # noqa: S101 - a chart without steps has times
    return float(bucket.step)


def extents(curves: Sequence[Curve]) -> tuple[Extent, Extent]:
    """Between which numbers all curves lie, on both axes.

    Raises:
        TrackAIError: there is nothing to be seen.
    """
    xs = [x for one in curves for x, y in zip(one.xs, one.ys, strict=True) if y is not None]
    ys = [y for one in curves for y in one.ys if y is not None]
    if not ys:
        raise TrackAIError("there is no finite number to plot (on a log axis: none above zero)")
    return _extent(xs), _extent(ys)


def _extent(numbers: Sequence[float]) -> Extent:
    low, high = min(numbers), max(numbers)
    if low < high:
        return Extent(low, high)
    # One number alone lies in the middle.
    room = min(1.0, abs(low) / 2) or 1.0
    if low + room == low:
        room = abs(low) / 2
    return Extent(low - room, high + room)


def _log(number: float) -> float:
    return math.log(number)


def number_label(number: float) -> str:
    """A number at an axis."""
    return f"{number:.4g}"


def x_label(number: float, x: XAxis, extent: Extent) -> str:
    """A step, a time or a duration at the axis below."""
    span = extent.high - extent.low
    if x == "step":
        return f"{number:.7g}" if span < 10 or abs(number) >= 1e7 else f"{number:.0f}"
    if x == "time":
        form = "%H:%M:%S" if span < 86_400 else "%m-%d %H:%M"
        return datetime.fromtimestamp(number, UTC).astimezone().strftime(form)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(number) >= 2 * length:
            return f"{number / length:.3g} {unit}"
    return f"{number:.3g} s"
