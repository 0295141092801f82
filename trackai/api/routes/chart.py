"""How charts are asked for over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from trackai.store.charts.smoothing import Smoothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.charts.chart_records import XAxis
    from trackai.store.points.lineage import Segment

BandAxis = Literal["step", "relative"]
Buckets = Annotated[int, msgspec.Meta(ge=10, le=10_000)]
Amount = Annotated[float, msgspec.Meta(ge=0, lt=1)]

NO_POINTS = "it is for charts: say how many points they may have"


def smoothing(amount: Amount | None, x: XAxis) -> Smoothing | None:
    """How to smooth a chart; None if not at all."""
    return Smoothing(amount, x != "step") if amount else None


def only_finite_numbers(segments: Sequence[Segment]) -> bool:
    """Whether the values of a series are numbers that JSON knows: they are shown as they are."""
    return all(part.finite_points == part.points and part.kind == "number" for part, _ in segments)
