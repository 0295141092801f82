"""Figures of a batch of points; `running_figures.merge` adds them to those of the series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.values.types import Kind, Step, StoredValue, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLOAT = frozenset({float})
_NUMBERS = frozenset({float, int, bool})
# The marker of a large text is of bytes.
_TEXTS = frozenset({str, bytes})


class Figures(msgspec.Struct, frozen=True):
    """The figures of a batch of points; the fields are columns of `series`.

    `last_value` may be the marker of a large value.
    `min_value`, `max_value` and `total` are over the finite values; without any, they are None,
    None and 0.
    """

    kind: Kind
    points: int
    finite_points: int
    nan_points: int
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int
    last_value: StoredValue | bytes
    min_value: Step | None
    min_step: Step | None
    max_value: Step | None
    max_step: Step | None
    total: float


class Order(NamedTuple):
    """Where steps and timestamps begin and end.

    Attributes:
        last: the index of the last point.
    """

    is_ordered: bool
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int
    last: int


def order_of(steps: Sequence[Step], timestamps: Sequence[int]) -> Order:
    """Look at the steps and timestamps of points, which other metrics may share."""
    # Steps are nearly always sorted, and sorting them again is faster than `min` and `max`.
    ordered = sorted(steps)
    is_ordered = ordered == (steps if type(steps) is list else list(steps))
    first_step, last_step = ordered[0], ordered[-1]
    if is_ordered and (len(ordered) == 1 or ordered[-2] != last_step):
        last = len(ordered) - 1
    else:
        last = _last_index(steps, timestamps, last_step)
    return Order(is_ordered, first_step, last_step, min(timestamps), max(timestamps), last)


def summarize(
    steps: Sequence[Step],
    timestamps: Sequence[int],
    values: Sequence[Value],
    order: Order | None = None,
) -> Figures:
    """Compute the figures of points of one series, in whatever order they come.

    The last value is that of the latest point at the highest step; of several points at that time,
    the last one in the sequence. `min_step` and `max_step` are the lowest steps with the lowest and
    highest value. If both 1 and 1.0 are the lowest or highest value, the float is.

    Args:
        steps, timestamps, values: sequences of equal length, at least 1. Large texts may be
            markers.
        order: that of the steps and timestamps, if it is known.
    """
    if len(steps) == 1 and type(values[0]) is float and math.isfinite(values[0]):
        return _of_point(steps[0], timestamps[0], values[0])
    types = frozenset(map(type, values))
    order = order or order_of(steps, timestamps)
    finite_steps, finite, total, nan_points = _finite(steps, values, types)
    low = high = low_step = high_step = None
    if finite:
        low, high = min(finite), max(finite)
        low_step, high_step = finite_steps[finite.index(low)], finite_steps[finite.index(high)]
        if not order.is_ordered:
            low_step, high_step = (
                min(step for step, value in zip(finite_steps, finite, strict=True) if value == best)
                for best in (low, high)
            )
        if len(types) > 1:
            low, high = _prefer_float(low, finite), _prefer_float(high, finite)
        low, high = low + 0, high + 0  # turns -0.0 into 0.0
    return Figures(
        kind=_kind(types),
        points=len(values),
        finite_points=len(finite),
        nan_points=nan_points,
        first_step=order.first_step,
        last_step=order.last_step,
        first_timestamp=order.first_timestamp,
        last_timestamp=order.last_timestamp,
        last_value=values[order.last],
        min_value=low,
        min_step=low_step,
        max_value=high,
        max_step=high_step,
        total=total,
    )


def _of_point(step: Step, timestamp: int, value: float) -> Figures:
    """The figures of a single finite number, which is most of what arrives over HTTP."""
    best = value + 0  # turns -0.0 into 0.0
    return Figures(
        "number", 1, 1, 0, step, step, timestamp, timestamp, value, best, step, best, step, value
    )


def _finite(
    steps: Sequence[Step], values: Sequence[Value], types: frozenset[type]
) -> tuple[Sequence[Step], Sequence[float], float, int]:
    """The finite values with their steps and sum, and the number of NaNs."""
    if types <= _NUMBERS:
        finite: Sequence[float] = values  # type: ignore[assignment]
        total = _sum(finite)
        # The sum is only finite if all values are. (A sum that is too large does no harm here.)
        if math.isfinite(total):
            return steps, finite, total, 0
    numbers = [
        (step, value)
        for step, value in zip(steps, values, strict=True)
        if not isinstance(value, str | bytes)
    ]
    nan_points = sum(1 for _, value in numbers if value != value)
    numbers = [(step, value) for step, value in numbers if _is_finite(value)]
    finite = [value for _, value in numbers]
    return [step for step, _ in numbers], finite, _sum(finite), nan_points


def _prefer_float(best: float, values: Sequence[float]) -> float:
    return next((value for value in values if value == best and isinstance(value, float)), best)


def _last_index(steps: Sequence[Step], timestamps: Sequence[int], last_step: Step) -> int:
    indexes = zip(timestamps, range(len(steps)), steps, strict=True)
    return max((time, index) for time, index, step in indexes if step == last_step)[1]


def _kind(types: frozenset[type]) -> Kind:
    if types == {bool}:
        return "bool"
    return "text" if types <= _TEXTS else "number"


def _is_finite(value: Value) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest float; +Infinity plus -Infinity
        return float(sum(map(float, values)))
