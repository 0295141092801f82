"""How charts are asked for over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.store.smoothing import Smoothing

if TYPE_CHECKING:
    from trackai.store.chart_records import XAxis

Amount = Annotated[float, msgspec.Meta(ge=0, lt=1)]


def smoothing(amount: Amount | None, x: XAxis) -> Smoothing | None:
    """How to smooth a chart; None if not at all."""
    return Smoothing(amount, x != "step") if amount else None
