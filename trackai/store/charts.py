"""Charts: series thinned to buckets, each with what it inherits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.store import lineage, rollups, smoothing
from trackai.store.smoothing import Curve
from trackai.structs import buckets
from trackai.structs.buckets import Bucket, Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection

    from trackai.store.lineage import Segment
    from trackai.store.metrics import PointRow
    from trackai.store.smoothing import Smoothing
    from trackai.structs.values import Step


class Chart(msgspec.Struct):
    """A series in at most so many buckets as were asked for, in order of step.

    Attributes:
        level: how wide they are: 2 to the power of it; None if each is one point.
        window: between which steps it was looked for; None if the series has no points there.
        curve: the smoothed series, if asked for.
    """

    level: int | None
    buckets: list[Bucket]
    window: Range | None = None
    curve: Curve | None = None

    @property
    def points(self) -> int:
        """How many points there are in all buckets."""
        return sum(one.points for one in self.buckets)


async def read(
    conn: Connection,
    wanted: Sequence[Sequence[Segment]],
    count: int,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    together: bool = False,
) -> list[Chart]:
    """The points of series between two steps, each series in at most `count` buckets.

    Where there are no more points than that, each is a bucket of its own; but `together` puts all
    series into the same buckets. The connection is in a transaction, so that all is of one moment.
    """
    ranges = await _ranges(conn, wanted, step_min, step_max)
    charts = [Chart(None, [], window) for window in ranges]
    common = _common_level(ranges, count) if together else None
    short: dict[int, int] = {}  # series that stand alone and have no rollups: all at once
    for place, (segments, whole) in enumerate(zip(wanted, ranges, strict=True)):
        if whole is None:
            continue
        level = common
        if level is None:
            level = buckets.level_for(whole.low, whole.high, count)
        charts[place].level = level
        one = segments[0].series
        # A fork without points of its own has the series of its parent.
        if len(segments) == 1 and one.points < rollups.SHORTEST and one.id not in short:
            short[one.id] = place
            continue
        found: dict[int, Bucket] = {}
        for one, until in segments:
            part = whole if until is None else Range(whole.low, min(whole.high, until))
            if part.low <= part.high:
                more = await rollups.read(conn, one.id, part, level, resumed=bool(one.resumed))
                rollups.merge_into(found, more.items())
        charts[place].buckets = [one for _, one in sorted(found.items())]
    for resumed in (False, True):
        some = [
            rollups.Wanted(series_id, charts[place].level or 0, *(ranges[place] or ()))
            for series_id, place in short.items()
            if bool(wanted[place][0].series.resumed) == resumed
        ]
        if some:
            for series_id, rows in (await rollups.read_rows(conn, some, resumed=resumed)).items():
                charts[short[series_id]].buckets = [one for _, one in sorted(rows.items())]
    if not together:
        await _show_single_points(conn, wanted, charts, count)
    return charts


async def smooth(
    conn: Connection, wanted: Sequence[Sequence[Segment]], charts: Sequence[Chart], how: Smoothing
) -> None:
    """Add to charts of series what these look like smoothed."""
    for segments, chart in zip(wanted, charts, strict=True):
        chart.curve = Curve([], 0.0)
        if chart.window is not None:
            chart.curve = await smoothing.read(
                conn, segments, chart.window, chart.level, chart.buckets, how
            )


def by_step(chart: Chart) -> Chart:
    """A chart of single points as one of single steps."""
    merged: list[Bucket] = []
    for one in chart.buckets:
        if merged and merged[-1].last_step == one.first_step:
            merged[-1] = buckets.merge(merged[-1], one)
        else:
            merged.append(one)
    return Chart(None, merged, chart.window)


def _common_level(ranges: Sequence[Range | None], count: int) -> int | None:
    some = [one for one in ranges if one is not None]
    if not some:
        return None
    return buckets.level_for(min(one.low for one in some), max(one.high for one in some), count)


async def _ranges(
    conn: Connection,
    wanted: Sequence[Sequence[Segment]],
    step_min: Step | None,
    step_max: Step | None,
) -> list[Range | None]:
    """Between which steps each series has points; None if there are none."""
    ids = {segment.series.id for segments in wanted for segment in segments}
    rows = await conn.execute_fetchall(
        """
        SELECT id, first_step, last_step FROM series
        WHERE id IN (SELECT value FROM json_each(?)) AND points > 0
        """,
        (msgspec.json.encode(list(ids)).decode(),),
    )
    extents = {series_id: (first, last) for series_id, first, last in rows}
    found: list[Range | None] = []
    for segments in wanted:
        lows: list[Step] = []
        highs: list[Step] = []
        for one, until in segments:
            if one.id in extents:
                first, last = extents[one.id]
                lows.append(first)
                highs.append(last if until is None else min(last, until))
        low = min(lows, default=1)
        high = max(highs, default=0)
        low = low if step_min is None else max(low, step_min)
        high = high if step_max is None else min(high, step_max)
        found.append(Range(low, high) if low <= high else None)
    return found


async def _show_single_points(
    conn: Connection,
    wanted: Sequence[Sequence[Segment]],
    charts: Sequence[Chart],
    count: int,
) -> None:
    """Show the points themselves where they are few enough."""
    for segments, chart in zip(wanted, charts, strict=True):
        points = chart.points
        if points == len(chart.buckets):
            chart.level = None  # as it happens, each bucket is a point
        elif points <= count and chart.window is not None:
            low, high = chart.window
            rows = await lineage.read(conn, segments, step_min=low, step_max=high, limit=count)
            chart.level, chart.buckets = None, [_single(row) for row in rows]


def _single(row: PointRow) -> Bucket:
    step, time, value = row
    number = isinstance(value, int | float)
    finite = number and abs(value) != float("inf")  # type: ignore[arg-type]
    shown = value if finite else None
    return Bucket(
        points=1,
        finite_points=int(finite),
        nan_points=int(value is None),
        infinite_points=int(number and not finite),
        min_value=shown,  # type: ignore[arg-type]
        max_value=shown,  # type: ignore[arg-type]
        sum=float(shown) if finite else 0.0,  # type: ignore[arg-type]
        first_step=step,
        last_step=step,
        first_timestamp=time,
        last_timestamp=time,
        first_value=value,
        last_value=value,
    )
