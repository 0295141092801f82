"""Points on their way into the store."""

from __future__ import annotations

import msgspec

from trackai.structs.values import Axis, Step, TextKind, Value  # noqa: TC001 - msgspec reads annotations


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
