"""Steps: the range of those that can be logged, and the one at which a resumed run continues."""

from __future__ import annotations

import math

from trackai.errors import InvalidInputError
from trackai.values.types import Step

# Steps are 64-bit integers in the database; the two bits above a logged step leave room to count
# on from it. The HTTP API and importers may store larger ones.
STEP_LIMIT = 1 << 62
_LAST_RESUMABLE = STEP_LIMIT + (1 << 61)


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
