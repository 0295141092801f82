"""Smoothed series: a moving average over all points of a series, shown where a chart shows it.

Short series are read point by point, and the average is exact. Of long ones, what is narrow enough
is read from rollups: their widths are chosen so that the average is off by no more than
`_WITHIN` of the values' range, and what it is at most off by is said with it. However long a
series is, no more than `_LONGEST` points are read, page by page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.store import lineage, rollups
from trackai.structs import buckets
from trackai.structs.buckets import Range
from trackai.structs.smoothing import Average, decay_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiosqlite import Connection

    from trackai.store.lineage import Segment
    from trackai.store.metrics import PointRow
    from trackai.structs.buckets import Bucket
    from trackai.structs.values import Step

# What a smoothed value may be off by, as a share of the values' range.
_WITHIN = 0.005
# Series with no more points are exact.
_SHORT = 100_000
# So are those with no more points of which no rollups are narrow enough.
_LONGEST = 1_000_000
# A window with no more points is read point by point.
_FEW = 20_000


class Smoothing(NamedTuple):
    """How much to smooth, above 0 and below 1, and whether over steps or over times."""

    amount: float
    over_time: bool


class Curve(NamedTuple):
    """A smoothed series.

    Attributes:
        averages: at the last point of each bucket of a chart; None where nothing is finite.
        within: what they are off by at most, as a share of the range of the values.
    """

    averages: list[float | None]
    within: float


class _Extent(NamedTuple):
    """Between which x a series lies, and how many points and which lowest level it has."""

    first_step: Step
    last_step: Step
    first_time: int
    last_time: int
    points: int
    base: int | None


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    window: Range,
    level: int | None,
    shown: Sequence[Bucket],
    how: Smoothing,
) -> Curve:
    """Smooth a series from its beginning, and show it at the buckets of a chart.

    Args:
        window: the steps that the chart shows.
        level: that of the chart; None if each of its buckets is one point.
    """
    extent = await _extent(conn, segments)
    over_time = how.over_time or segments[0].series.axis == "time"
    steps = float(extent.last_step) - float(extent.first_step)
    rate = decay_rate(how.amount, extent.last_time - extent.first_time if over_time else steps)
    narrow = _level(extent, decay_rate(how.amount, 1.0), steps)
    average = Average(rate)
    past = Range(extent.first_step, buckets.below(window.low))
    if past.low <= past.high:
        if narrow is None:
            async for page in lineage.pages(conn, segments, step_min=past.low, step_max=past.high):
                _add_page(average, page, over_time)
        else:
            for one in await _pieces(conn, segments, past, narrow):
                _add(average, one, over_time)
    by_points = narrow is None or level is None or narrow > level
    if by_points or sum(one.points for one in shown) <= _FEW:
        averages = await _at_points(conn, segments, window, shown, average, over_time)
    else:
        pieces = await _pieces(conn, segments, window, narrow or 0)
        averages = list(_at_pieces(pieces, shown, average, over_time))
    return Curve(averages, average.within)


async def _extent(conn: Connection, segments: Sequence[Segment]) -> _Extent:
    ids = msgspec.json.encode([one.series.id for one in segments]).decode()
    found = await conn.execute_fetchall(
        """
        SELECT
            series.id, first_step, last_step, first_timestamp, last_timestamp, series.points,
            CASE WHEN series.points >= ? THEN rollup_levels.base END
        FROM series LEFT JOIN rollup_levels ON rollup_levels.series_id = series.id
        WHERE series.id IN (SELECT value FROM json_each(?)) AND series.points > 0
        """,
        (rollups.SHORTEST, ids),
    )
    rows = list(found)
    untils = {one.series.id: one.until for one in segments}
    lasts = []
    for series_id, _, last, *_ in rows:
        until = untils[series_id]
        lasts.append(last if until is None else min(last, until))
    # The longest decides: the others are read in buckets of the same width.
    *_, points, base = max(rows, key=lambda row: row[5])
    return _Extent(
        min(row[1] for row in rows),
        max(lasts),
        min(row[3] for row in rows),
        max(row[4] for row in rows),
        points,
        base,
    )


def _level(extent: _Extent, rate: float, steps: float) -> int | None:
    """The level of the rollups to read; None if the points themselves are.

    Args:
        rate: how fast weights decay over the whole range of `steps`.
    """
    if extent.points <= _SHORT or extent.base is None:
        return None
    # What an average is off by at most is half of a bucket's width, times the rate.
    width = 2 * _WITHIN / rate * steps
    wanted = math.frexp(width)[1] - 1 if 0 < width < math.inf else extent.base
    if wanted < extent.base and extent.points <= _LONGEST:
        return None
    return max(wanted, extent.base)


async def _pieces(
    conn: Connection, segments: Sequence[Segment], wanted: Range, level: int
) -> list[Bucket]:
    found: dict[int, Bucket] = {}
    for one, until in segments:
        part = wanted if until is None else Range(wanted.low, min(wanted.high, until))
        if part.low <= part.high:
            more = await rollups.read(
                conn, one.id, part, level, resumed=bool(one.resumed), plain=one.plain
            )
            rollups.merge_into(found, more.items())
    return [one for _, one in sorted(found.items())]


def _add_page(average: Average, page: Sequence[PointRow], over_time: bool) -> list[float | None]:
    steps, times, values = zip(*page, strict=True)
    return average.add(times if over_time else steps, values)


def _add(average: Average, one: Bucket, over_time: bool) -> float | None:
    mean = buckets.mean(one)
    first, last = one.first_step, one.last_step
    if over_time:
        first, last = one.first_timestamp, one.last_timestamp
    found = average.add_many(first, last, one.finite_points, mean or 0.0)
    return None if mean is None else found


def _at_pieces(
    pieces: Sequence[Bucket], shown: Sequence[Bucket], average: Average, over_time: bool
) -> Iterator[float | None]:
    """Each bucket of the chart is made of some of the pieces."""
    place = 0
    for bucket in shown:
        found: float | None = None
        while place < len(pieces) and pieces[place].first_step <= bucket.last_step:
            latest = _add(average, pieces[place], over_time)
            found = found if latest is None else latest
            place += 1
        yield found


async def _at_points(
    conn: Connection,
    segments: Sequence[Segment],
    window: Range,
    shown: Sequence[Bucket],
    average: Average,
    over_time: bool,
) -> list[float | None]:
    """The points come in the order of the chart's buckets, each of which has so many."""
    averages: list[float | None] = []
    place, left, found = 0, 0, None
    async for page in lineage.pages(conn, segments, step_min=window.low, step_max=window.high):
        for latest in _add_page(average, page, over_time):
            if not left:
                left, found = shown[place].points, None
            if latest is not None:
                found = latest
            left -= 1
            if not left:
                averages.append(found)
                place += 1
    return averages
