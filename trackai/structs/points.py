"""Points on their way into and out of the store."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from trackai.values.types import Axis, Step, StoredValue, TextKind, Value

# A row of the table `metrics` without its series and writer: step, microseconds, value.
PointRow: TypeAlias = tuple[Step, int, StoredValue]
# A point without its timestamp.
CurveRow: TypeAlias = tuple[Step, StoredValue]


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
