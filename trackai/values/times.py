"""Points in time: integer microseconds since the epoch in the tables, UTC datetimes elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXACT = (1 << 31) * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(microseconds: int) -> datetime:
    """The point in time that lies so many microseconds after the epoch."""
    return _EPOCH + timedelta(0, 0, microseconds)


def utc_many(times: Sequence[int]) -> list[datetime]:
    """`utc` of each, at a quarter of the cost.

    A float of seconds tells microseconds apart from 1902 to 2242, and msgspec rounds it to the
    nearest; what lies outside goes the long way.
    """
    if times and -_EXACT < min(times) <= max(times) < _EXACT * 4:
        return msgspec.convert([time / 1e6 for time in times], list[datetime], strict=False)
    return [utc(time) for time in times]


def microseconds(time: datetime) -> int:
    """How many microseconds after the epoch a point in time lies; without a zone, it is UTC."""
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(
        microseconds=1
    )


# Others cannot be shown. Points at a place that is taken move on by microseconds: a day is left for
# them at the end.
FIRST_TIME, LAST_TIME = map(microseconds, (datetime.min, datetime.max - timedelta(days=1)))
Microseconds = Annotated[int, msgspec.Meta(ge=FIRST_TIME, le=LAST_TIME)]
