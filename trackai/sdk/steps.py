"""Steps: which ones can be logged, and the one at which a resumed run continues."""

from __future__ import annotations

import math
from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.builtin_values import type_name, unwrapped
from trackai.values.types import Step

# Steps are 64-bit integers in the database; the two bits above a logged step leave room to count
# on from it. The HTTP API and importers may store larger ones.
STEP_LIMIT = 1 << 62
_LAST_RESUMABLE = STEP_LIMIT + (1 << 61)


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


def step_after(last: Step | None) -> int:
    """Return the first step of a resumed run.

    Args:
        last: the highest step logged so far; None without any.

    Raises:
        InvalidInputError: `last` is too large to count on from.
    """
    if last is None:
        return 0
    if not -_LAST_RESUMABLE <= last <= _LAST_RESUMABLE:
        raise InvalidInputError(
            "step",
            f"the run cannot be resumed after step {last}, which is too large to count on from; "
            "start a new run",
        )
    return math.floor(last) + 1
