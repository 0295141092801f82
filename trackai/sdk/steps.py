"""Steps that can be logged."""

from __future__ import annotations

from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import type_name, unwrapped
from trackai.values.steps import STEP_LIMIT
from trackai.values.types import Step


def plain_step(step: Any) -> Step:
    """Convert a step to a built-in int or float.

    Raises:
        TypeError: it is not a number.
        InvalidInputError: it is not finite, or beyond ±2**62.
    """
    plain = unwrapped(step)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise TypeError(f"step: must be an int or a float, got {type_name(step)}")
    if not -STEP_LIMIT <= plain <= STEP_LIMIT:  # also true of NaN
        raise InvalidInputError("step", f"must be finite and between -2**62 and 2**62, got {plain}")
    return float(plain) if isinstance(plain, float) else int(plain)
