"""Points on their way into and out of the store."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from trackai.values.types import Axis, Step, StoredValue, TextKind, Value

# A row of the table `metrics` without its series and writer: step, microseconds, value.
PointRow: TypeAlias = tuple[Step, int, StoredValue]
# A point without its timestamp.
CurveRow: TypeAlias = tuple[Step, StoredValue]


class PointImage(msgspec.Struct, array_like=True):
    """Numbers or booleans in order of step, as the bytes of a database of SQLite.

    Attributes:
        axis: on the axis "time", the steps are the timestamps.
        are_bools: whether ones and zeros are booleans.
        root: the number of the first page of the table, whose columns are step, timestamp and
            value; NULL is NaN.
        data: the pages.
    """

    axis: Axis
    are_bools: bool
    root: int
    data: bytes


class Column(msgspec.Struct):
    """Points of one series, as lists of equal length.

    Attributes:
        path: the name of the metric.
        steps: on the axis "time", these are the timestamps.
        timestamps: microseconds since the epoch.
        own_steps: the steps that the points of a system metric had where it was imported from.
        kind: what its texts are.
    """

    path: str
    axis: Axis
    steps: list[Step]
    timestamps: list[int]
    values: list[Value]
    own_steps: list[Step] | None = None
    kind: TextKind = "text"
