"""Finding a time in points that are in order of step."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from trackai.values.types import Step

# Points of a probe. Lines are often printed so closely that the next one is among them.
PLACES = 32
# Steps are mostly even in time, so a guess between two points is near. A search is bounded, for
# metrics where they are not.
_MAX_PROBES = 80


class Place(NamedTuple):
    """A step, and when it was logged, in microseconds since the epoch."""

    step: Step
    timestamp: int


async def steps_at(
    places_from: Callable[[Step], Awaitable[Sequence[Place]]],
    first_step: Step,
    last: Place | None,
    times: Sequence[int],
) -> list[Step | None]:
    """Find the step of the last point that is not later than each time.

    Args:
        places_from: reads the first `PLACES` points from a step on.
        last: the last point, if it is known.
        times: rising.

    Returns:
        None where such a point is missing.
    """
    steps: list[Step | None] = []
    known: Place | None = None
    for time in times:
        # Times rise, so the search goes on from what was found before.
        start = first_step if known is None else known.step
        known = await _search(places_from, start, last, time)
        steps.append(None if known is None else known.step)
    return steps


async def _search(
    places_from: Callable[[Step], Awaitable[Sequence[Place]]],
    step: Step,
    last: Place | None,
    time: int,
) -> Place | None:
    if last is not None and last.timestamp <= time:
        return last
    low, high, width = None, last, 1
    for probe in range(_MAX_PROBES):
        places = await places_from(step)
        reached = list(takewhile(lambda place: place.timestamp <= time, places))
        if reached and (len(reached) < len(places) or len(places) < PLACES):
            return reached[-1]
        if reached:
            low = reached[-1]
        elif low is None:
            return None
        else:
            high = places[0]._replace(step=step) if places else Place(step, time + 1)
        if high is None:
            width *= 2
            step = low.step + width
        else:
            step = _between(low, high, time, halve=probe % 3 == 2)
            if not low.step < step < high.step:
                break
    return low


def _between(low: Place, high: Place, time: int, *, halve: bool) -> Step:
    """The step to look at next: in the middle, or where it is if steps are even in time."""
    share = 0.5 if halve else (time - low.timestamp) / max(high.timestamp - low.timestamp, 1)
    width = (high.step - low.step) * min(max(share, 0), 1)
    if isinstance(low.step, int) and isinstance(high.step, int):
        return low.step + min(max(int(width), 1), high.step - low.step - 1)
    return low.step + width
