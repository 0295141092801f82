"""Query parameters and body fields that the endpoints with charts share."""

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

REQUIRES_POINTS = "requires points, the maximum number of buckets"


def smoothing(amount: Amount | None, x: XAxis) -> Smoothing | None:
    """How to smooth a chart; None for no smoothing."""
    return Smoothing(amount, x != "step") if amount else None


def is_finite_numbers(segments: Sequence[Segment]) -> bool:
    """Whether all values of a series are finite numbers, which JSON can represent as they are."""
    return all(part.finite_points == part.points and part.kind == "number" for part, _ in segments)
