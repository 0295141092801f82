"""Points on their way into the store."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from trackai.values.types import Axis, Step, StoredValue, TextKind, Value

# A row of the table `metrics` without its series and writer: step, timestamp, value.
PointRow: TypeAlias = tuple[Step, int, StoredValue]
# The same without its timestamp.
CurveRow: TypeAlias = tuple[Step, StoredValue]


class Column(msgspec.Struct):
    """Points of one series, column by column: the sequences have one length.

    On the axis "time" the steps are the timestamps.

    Attributes:
        kind: what its texts are.
        own_steps: the steps that system metrics had where they come from.
    """

    path: str
    axis: Axis
    steps: list[Step]
    timestamps: list[int]
    values: list[Value]
    own_steps: list[Step] | None = None
    kind: TextKind = "text"
