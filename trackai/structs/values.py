"""What a logged value may be, and the one rule for numbers that JSON cannot express.

=============  =================  ====================  ==================
value          SQLite             JSON                  msgpack, Python
=============  =================  ====================  ==================
NaN            NULL               ``"NaN"``             NaN
+Infinity      REAL +Inf          ``"Infinity"``        +Infinity
-Infinity      REAL -Inf          ``"-Infinity"``       -Infinity
bool           INTEGER 0 or 1     true, false           bool
=============  =================  ====================  ==================

SQLite turns a NaN into NULL by itself, and has no booleans: the kind of a series says that its
ones and zeros are booleans.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Step: TypeAlias = int | float
Value: TypeAlias = float | int | bool | str
StoredValue: TypeAlias = float | int | str | None
Axis: TypeAlias = Literal["step", "time"]
Kind: TypeAlias = Literal["number", "bool", "text", "histogram"]
FileKind: TypeAlias = Literal["file", "file_series", "file_set", "artifact"]
TextKind: TypeAlias = Literal["text", "histogram"]
State: TypeAlias = Literal["running", "completed", "failed"]

INT64 = 1 << 63
# What SQLite can hold, where it comes from outside.
Integer = Annotated[int, msgspec.Meta(ge=-INT64, le=INT64 - 1)]
BoundedStep = Integer | float

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


def json_value(stored: StoredValue, kind: Kind) -> Value:
    """A value as the database holds it, as JSON shows it."""
    if stored is None:
        return "NaN"
    if kind == "bool":
        return bool(stored)
    if isinstance(stored, float) and math.isinf(stored):
        return "Infinity" if stored > 0 else "-Infinity"
    return stored


def python_value(stored: StoredValue, kind: Kind) -> Value:
    """A value as the database holds it, as Python computes with it."""
    if stored is None:
        return math.nan
    return bool(stored) if kind == "bool" else stored


def python_values(stored: list[StoredValue], kind: Kind) -> list[Value]:
    """`python_value` of each, at no cost where they are the same."""
    if kind == "bool" or None in stored:
        return [python_value(value, kind) for value in stored]
    return stored  # type: ignore[return-value]
