"""Series of histograms: an evenly spread selection of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store.points.storage import points_of
from trackai.structs.records import Histogram, HistogramPage
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment


async def read(conn: Connection, segments: Sequence[Segment], count: int) -> HistogramPage:
    """Read about `count` histograms of a series, including the first and the last one."""
    on_steps = segments[0].series.axis == "step"
    rows, total = await points_of(conn).spread(conn, segments, count)
    histograms = [
        Histogram(step if on_steps else None, utc(time), _decoded(text))
        for step, time, text in rows
    ]
    return HistogramPage(histograms, total)


def _decoded(text: Any) -> Any:
    """The value of a JSON text; any other text unchanged."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError):
        return text
