"""Charts: series thinned to buckets, each with what it inherits."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Bucket, Range
from trackai.downsampling.thinning import Columns
from trackai.store.charts import short_series, smoothing
from trackai.store.charts.smoothing import Curve
from trackai.store.points import lineage, rollups
from trackai.values.types import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiosqlite import Connection

    from trackai.store.charts.smoothing import Smoothing
    from trackai.store.points.lineage import Segment
    from trackai.structs.points import PointRow


# A long window is read from its points only if there are no more of them for each bucket.
_PER_BUCKET = 8
_NOWHERE = 1, 0


class Chart(msgspec.Struct):
    """A series in at most so many buckets as were asked for, in order of step.

    Attributes:
        level: how wide they are: 2 to the power of it; None if each is one point.
        found: the buckets, one by one or column by column.
        window: between which steps it was looked for; None if the series has no points there.
        curve: the smoothed series, if asked for.
    """

    level: int | None = None
    found: list[Bucket] | Columns = []
    window: Range | None = None
    curve: Curve | None = None

    @property
    def buckets(self) -> list[Bucket]:
        """The buckets one by one."""
        return self.found.buckets() if isinstance(self.found, Columns) else self.found

    @property
    def points(self) -> int:
        """How many points there are in all buckets."""
        if isinstance(self.found, Columns):
            return sum(self.found.points)
        return sum(one.points for one in self.found)


class _Extent(NamedTuple):
    """Between which steps a series has points, and the lowest level of its rollups."""

    first: Step
    last: Step
    base: int | None


async def read(
    conn: Connection,
    wanted: Sequence[Sequence[Segment]],
    count: int,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    time_min: int | None = None,
    time_max: int | None = None,
    together: bool = False,
    times: bool = True,
) -> list[Chart]:
    """The points of series between two steps, each series in at most `count` buckets.

    Where there are no more points than that, each is a bucket of its own; but `together` puts all
    series into the same buckets. The connection is in a transaction, so that all is of one moment.

    Args:
        step_min, step_max: system metrics have no steps, and so lie in no range of them.
        time_min, time_max: between which times system metrics are wanted.
        times: whether the timestamps of buckets are wanted; if not, they may be 0. Those of system
            metrics always are.
    """
    times = times or any(segments[0].series.axis == "time" for segments in wanted)
    extents = await _extents(conn, wanted)
    on_steps = step_min, step_max
    on_times = (time_min, time_max) if on_steps == (None, None) else _NOWHERE
    windows = [
        _window(segments, extents, *(on_steps if segments[0].series.axis == "step" else on_times))
        for segments in wanted
    ]
    charts = [Chart(window=window) for window in windows]
    common = _common_level(windows, count) if together else None
    # Series that stand alone and have no rollups, by row id: all at once.
    short: dict[int, int] = {}
    ranges: dict[int, Range] = {}
    for place, (segments, whole) in enumerate(zip(wanted, windows, strict=True)):
        if whole is None:
            continue
        level = common
        if level is None:
            level = buckets.level_for(whole.low, whole.high, count)
        charts[place].level = level
        one = segments[0].series
        few = one.points < rollups.SHORTEST
        if common is None and not few:
            level, points = await _cheaper(conn, segments, extents, whole, level, count)
            charts[place].level = level
            few = points is not None
            if points is not None and points <= count and not one.plain:
                await _show_single_points(conn, segments, charts[place], count)
                continue
        # A fork without points of its own has the beginning of its parent's series.
        if len(segments) == 1 and segments[0].until is None and few:
            short[one.id], ranges[one.id] = place, whole
            continue
        charts[place].found = await _read_long(conn, segments, whole, level, times)
    limit = None if together else count
    for resumed, plain in product((False, True), repeat=2):
        some = {
            series_id: charts[place].level or 0
            for series_id, place in short.items()
            if bool(wanted[place][0].series.resumed) == resumed
            and wanted[place][0].series.plain == plain
        }
        if some and plain:
            for series_id, (own_level, columns) in (
                await short_series.read(conn, some, ranges, limit, resumed=resumed, times=times)
            ).items():
                charts[short[series_id]].level = own_level
                charts[short[series_id]].found = columns
        elif some:
            few_rows = [
                rollups.Wanted(series_id, level, *ranges[series_id])
                for series_id, level in some.items()
            ]
            for series_id, rows in (
                await rollups.read_rows(conn, few_rows, resumed=resumed)
            ).items():
                charts[short[series_id]].found = [one for _, one in sorted(rows.items())]
    if not together:
        for segments, chart in zip(wanted, charts, strict=True):
            if chart.level is not None and chart.points <= count:
                await _show_single_points(conn, segments, chart, count)
    return charts


async def _read_long(
    conn: Connection, segments: Sequence[Segment], whole: Range, level: int, times: bool
) -> list[Bucket] | Columns:
    found: dict[int, Bucket] = {}
    ties: set[int] = set()
    for one, until in segments:
        part = whole if until is None else Range(whole.low, min(whole.high, until))
        if part.low <= part.high:
            more = await rollups.read(
                conn, one.id, part, level,
                resumed=bool(one.resumed), plain=one.plain, times=times,
            )  # fmt: skip
            if len(segments) == 1:
                return more.columns
            for number, bucket in more.items():
                other = found.get(number)
                if other is not None and _tied(other, bucket):
                    ties.add(number)
                found[number] = bucket if other is None else buckets.merge(other, bucket)
    for number in ties:
        await _tell_ends(conn, segments, found[number])
    return [one for _, one in sorted(found.items())]


def _tied(one: Bucket, other: Bucket) -> bool:
    """Whether points of both have the first step, or the last one."""
    return one.first_step == other.first_step or one.last_step == other.last_step


async def _tell_ends(conn: Connection, segments: Sequence[Segment], one: Bucket) -> None:
    """Which points are the first and the last of a bucket: times decide, of which it has others."""
    for step in one.first_step, one.last_step:
        rows = await lineage.read(conn, segments, step_min=step, step_max=step, limit=-1)
        if step == one.first_step:
            one.first_value = rows[0][2]
        if step == one.last_step:
            one.last_value = rows[-1][2]


async def _cheaper(
    conn: Connection,
    segments: Sequence[Segment],
    extents: Mapping[int, _Extent],
    whole: Range,
    level: int,
    count: int,
) -> tuple[int, int | None]:
    """A coarser level, if its buckets are there and those of the level are long to compute.

    Returns:
        The level, and how many points there are if they are few and must be read themselves.
    """
    bases = [extents[one.id].base for one, _ in segments if one.id in extents]
    base = max((base for base in bases if base is not None), default=level)
    if base <= level:
        return level, None
    most = _PER_BUCKET * count
    left = most
    for one, until in segments:
        high = whole.high if until is None else min(whole.high, until)
        rows = await conn.execute_fetchall(
            """
            SELECT COUNT(*) FROM (
                SELECT 1 FROM metrics WHERE series_id = ? AND step BETWEEN ? AND ? LIMIT ?
            )
            """,
            (one.id, whole.low, high, left + 1),
        )
        left -= sum(number for (number,) in rows)
        if left < 0:
            return base, None
    return level, most - left


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


def _common_level(windows: Sequence[Range | None], count: int) -> int | None:
    some = [one for one in windows if one is not None]
    if not some:
        return None
    return buckets.level_for(min(one.low for one in some), max(one.high for one in some), count)


async def _extents(conn: Connection, wanted: Sequence[Sequence[Segment]]) -> dict[int, _Extent]:
    """Of the series that have points, by row id."""
    ids = {segment.series.id for segments in wanted for segment in segments}
    rows = await conn.execute_fetchall(
        """
        SELECT series.id, first_step, last_step, base
        FROM series LEFT JOIN rollup_levels ON rollup_levels.series_id = series.id
        WHERE series.id IN (SELECT value FROM json_each(?)) AND series.points > 0
        """,
        (msgspec.json.encode(list(ids)).decode(),),
    )
    return {series_id: _Extent(*extent) for series_id, *extent in rows}


def _window(
    segments: Sequence[Segment],
    extents: Mapping[int, _Extent],
    step_min: Step | None,
    step_max: Step | None,
) -> Range | None:
    """Between which steps a series has points; None if it has none."""
    lows: list[Step] = []
    highs: list[Step] = []
    for one, until in segments:
        if one.id in extents:
            first, last, _ = extents[one.id]
            lows.append(first)
            highs.append(last if until is None else min(last, until))
    low = min(lows, default=1)
    high = max(highs, default=0)
    low = low if step_min is None else max(low, step_min)
    high = high if step_max is None else min(high, step_max)
    return Range(low, high) if low <= high else None


async def _show_single_points(
    conn: Connection, segments: Sequence[Segment], chart: Chart, count: int
) -> None:
    """Show the points themselves where they are few enough."""
    if chart.window is not None:
        low, high = chart.window
        rows = await lineage.read(conn, segments, step_min=low, step_max=high, limit=count)
        chart.level, chart.found = None, [_single(row) for row in rows]


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
