"""Steps, values and times in the JSON of other trackers."""

from __future__ import annotations

import math
from typing import Any

from trackai.values.types import INT64

# In milliseconds since the epoch: the year 5138.
_LAST = 1e14


def is_step(step: Any) -> bool:
    """Whether a step is a finite number that can be stored."""
    if isinstance(step, bool):
        return False
    if isinstance(step, int):
        return not is_beyond_64_bits(step)
    return isinstance(step, float) and math.isfinite(step)


def is_beyond_64_bits(value: Any) -> bool:
    """Whether a value is an integer that can only be stored as a float."""
    return isinstance(value, int) and not -INT64 <= value < INT64


def stored_number(value: Any) -> int | float | None:
    """Return a number or a boolean as it is stored; None for others and for what no float holds.

    Integers beyond 64 bits are rounded.
    """
    if not isinstance(value, int | float):
        return None
    if not is_beyond_64_bits(value):
        return value
    try:
        return float(value)
    except OverflowError:
        return None


def milliseconds(value: Any) -> int | None:
    """Convert milliseconds since the epoch to microseconds; None for anything else."""
    if isinstance(value, int | float) and 0 <= value < _LAST:
        return round(value * 1000)
    return None
