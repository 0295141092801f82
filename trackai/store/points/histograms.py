"""Series of histograms: some of them, evenly spread, for people to look at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.store.points.series import visible
from trackai.structs.records import Histogram, HistogramPage
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection

    from trackai.store.points.lineage import Segment


async def read(conn: Connection, segments: Sequence[Segment], count: int) -> HistogramPage:
    """At most about `count` histograms of a series, the first and the last among them."""
    on_steps = segments[0].series.axis == "step"
    parts = " UNION ALL ".join(
        f"""
        SELECT step, timestamp, writer_id FROM metrics
        WHERE series_id = ? AND step <= ? AND {visible(segment.series.resumed)}
        """
        for segment in segments
    )
    values: list[Any] = []
    for one, until in segments:
        values += [one.id, math.inf if until is None else until]
    # The values are long: they are read of those only that are shown.
    rows = await conn.execute_fetchall(
        f"""
        WITH numbered AS (
            SELECT
                ROW_NUMBER() OVER (ORDER BY step, timestamp, writer_id) - 1 AS number,
                COUNT(*) OVER () AS total,
                step, timestamp, writer_id
            FROM ({parts})
        )
        SELECT total, step, timestamp, (
            SELECT value FROM metrics
            WHERE series_id IN (SELECT value FROM json_each(?))
              AND metrics.step = numbered.step AND metrics.timestamp = numbered.timestamp
              AND metrics.writer_id = numbered.writer_id
        )
        FROM numbered
        WHERE number % max(1, (total + ? - 2) / (? - 1)) = 0 OR number = total - 1
        ORDER BY number
        """,
        (
            *values,
            msgspec.json.encode([segment.series.id for segment in segments]).decode(),
            count,
            count,
        ),
    )
    found = [
        Histogram(step if on_steps else None, utc(time), _parsed(text))
        for _, step, time, text in rows
    ]
    total = next((int(total) for total, *_ in rows), 0)
    return HistogramPage(found, total)


def _parsed(text: Any) -> Any:
    """What the JSON says; what is none, as it is."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError):
        return text
