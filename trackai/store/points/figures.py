"""Running figures of a series: computed over a batch of points here, merged in SQL."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from trackai.values.types import Kind, Step, StoredValue, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLOAT = frozenset({float})
_NUMBERS = frozenset({float, int, bool})


class Figures(msgspec.Struct, frozen=True):
    """What a batch of points adds to its series; the fields are columns of the table.

    `min_value`, `max_value` and `total` are over finite numbers and None or 0 without any.
    """

    kind: Kind
    points: int
    finite_points: int
    nan_points: int
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int
    last_value: StoredValue
    min_value: Step | None
    min_step: Step | None
    max_value: Step | None
    max_step: Step | None
    total: float


def summarize(steps: Sequence[Step], timestamps: Sequence[int], values: Sequence[Value]) -> Figures:
    """The figures of a batch of points of one series; the sequences have one length, not 0.

    They depend on the points alone, not on their order: the last value is that of the latest point
    at the highest step (of several at one time, that which comes last here), and a value that was
    the least or greatest at several steps was so first at the lowest of them. Where 1 and 1.0 are,
    it is the float.
    """
    if len(steps) == 1 and type(values[0]) is float and math.isfinite(values[0]):
        return _of_one(steps[0], timestamps[0], values[0])
    types = frozenset(map(type, values))
    # Steps are nearly always in order, and that is seen faster than their least and greatest.
    ordered = sorted(steps)
    is_ordered = ordered == list(steps)
    first_step, last_step = ordered[0], ordered[-1]
    if is_ordered and (len(ordered) == 1 or ordered[-2] != last_step):
        last = len(ordered) - 1
    else:
        last = _position_of_last(steps, timestamps, last_step)
    finite: Sequence[float] = ()
    finite_steps = steps
    nans = 0
    total = 0.0
    if types <= _NUMBERS:
        finite = values  # type: ignore[assignment]
        total = _sum(finite)
    # One sum tells whether any value is not finite (or, harmlessly, that the sum is too large).
    if not types <= _NUMBERS or not math.isfinite(total):
        numbers = [
            (step, value)
            for step, value in zip(steps, values, strict=True)
            if not isinstance(value, str)
        ]
        nans = sum(1 for _, value in numbers if value != value)
        numbers = [(step, value) for step, value in numbers if _is_finite(value)]
        finite = [value for _, value in numbers]
        finite_steps = [step for step, _ in numbers]
        total = _sum(finite)
    low = high = low_step = high_step = None
    if finite:
        low, high = min(finite), max(finite)
        low_step, high_step = finite_steps[finite.index(low)], finite_steps[finite.index(high)]
        if not is_ordered:
            low_step, high_step = (
                min(step for step, value in zip(finite_steps, finite, strict=True) if value == best)
                for best in (low, high)
            )
        if len(types) > 1:
            low, high = _float_if_any(low, finite), _float_if_any(high, finite)
        low, high = low + 0, high + 0  # no zero is negative
    return Figures(
        kind=_kind(types),
        points=len(values),
        finite_points=len(finite),
        nan_points=nans,
        first_step=first_step,
        last_step=last_step,
        first_timestamp=min(timestamps),
        last_timestamp=max(timestamps),
        last_value=values[last],
        min_value=low,
        min_step=low_step,
        max_value=high,
        max_step=high_step,
        total=total,
    )


def _of_one(step: Step, timestamp: int, value: float) -> Figures:
    """The same for a single number, of which those who log over HTTP send many at a time."""
    best = value + 0  # no zero is negative
    return Figures(
        "number", 1, 1, 0, step, step, timestamp, timestamp, value, best, step, best, step, value
    )


def _float_if_any(best: float, values: Sequence[float]) -> float:
    return next((one for one in values if one == best and isinstance(one, float)), best)


def _position_of_last(steps: Sequence[Step], timestamps: Sequence[int], last_step: Step) -> int:
    found = zip(timestamps, range(len(steps)), steps, strict=True)
    return max((time, position) for time, position, step in found if step == last_step)[1]


def _kind(types: frozenset[type]) -> Kind:
    if types == {bool}:
        return "bool"
    return "text" if types == {str} else "number"


def _is_finite(value: Value) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the largest float; +Infinity with -Infinity
        return float(sum(map(float, values)))
