"""Series of histograms: an evenly spread selection of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store.engine.sql import VALUE, json_array
from trackai.store.points import reads
from trackai.structs.records import Histogram, HistogramPage
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment


async def read(conn: Connection, segments: Sequence[Segment], count: int) -> HistogramPage:
    """Read about `count` histograms of a series, including the first and the last one."""
    on_steps = segments[0].series.axis == "step"
    points, values = reads.select(segments, "step, timestamp, writer_id")
    # Values are long, so they are only read for the histograms that are returned.
    rows = await conn.execute_fetchall(
        f"""
        WITH numbered AS (
            SELECT
                ROW_NUMBER() OVER (ORDER BY {reads.ORDER}) - 1 AS number,
                COUNT(*) OVER () AS total,
                step, timestamp, writer_id
            FROM ({points})
        )
        SELECT total, step, timestamp, (
            SELECT {VALUE} FROM metrics
            WHERE series_id IN (SELECT value FROM json_each(?))
              AND metrics.step = numbered.step AND metrics.timestamp = numbered.timestamp
              AND metrics.writer_id = numbered.writer_id
        )
        FROM numbered
        WHERE number % max(1, (total + ? - 2) / (? - 1)) = 0 OR number = total - 1
        ORDER BY number
        """,
        (*values, json_array(segment.series.id for segment in segments), count, count),
    )
    histograms = [
        Histogram(step if on_steps else None, utc(time), _decoded(text))
        for _, step, time, text in rows
    ]
    total = next((int(total) for total, *_ in rows), 0)
    return HistogramPage(histograms, total)


def _decoded(text: Any) -> Any:
    """The value of a JSON text; any other text unchanged."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError):
        return text
