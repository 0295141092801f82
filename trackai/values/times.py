"""Times: integer microseconds since the epoch in the tables, UTC datetimes elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

# Microseconds since the epoch, as a float of seconds, are exact from minus this to four times it.
_EXACT = (1 << 31) * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(microseconds: int) -> datetime:
    """Convert microseconds since the epoch to a datetime."""
    return _EPOCH + timedelta(0, 0, microseconds)


def utc_many(times: Sequence[int]) -> list[datetime]:
    """Convert many times like `utc`, at a quarter of the cost.

    A float of seconds distinguishes microseconds from 1902 to 2242, and msgspec rounds to the
    nearest. Times outside are converted one by one.
    """
    if times and -_EXACT < min(times) <= max(times) < _EXACT * 4:
        return msgspec.convert([time / 1e6 for time in times], list[datetime], strict=False)
    return [utc(time) for time in times]


def microseconds(time: datetime) -> int:
    """Convert a datetime to microseconds since the epoch; without a time zone, it is UTC."""
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(
        microseconds=1
    )


# The times that a datetime can have, but for the last day: points whose time is taken are stored
# at the following microseconds.
FIRST_TIME, LAST_TIME = map(microseconds, (datetime.min, datetime.max - timedelta(days=1)))
Microseconds = Annotated[int, msgspec.Meta(ge=FIRST_TIME, le=LAST_TIME)]
