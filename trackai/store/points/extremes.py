"""The first point of a series that is NaN, infinite, lowest or highest, found by its rollups."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any, TypeAlias

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Range, Span
from trackai.store.points import bucketing
from trackai.store.points.lineage import Segment
from trackai.store.points.queries import Target
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trackai.downsampling.thinning import BucketColumns
    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow
    from trackai.values.types import Step

Kind: TypeAlias = Target
# The number of buckets in which the beginning of a series is searched for its extreme.
_BUCKETS = 16


class _Target:
    """The points of a kind, and a test on buckets."""

    def __init__(self, kind: Kind, extreme: Step | None) -> None:
        tests: dict[Kind, Callable[[BucketColumns], Iterable[object]]] = {
            "nan": lambda columns: columns.nan_points,
            "inf": lambda columns: columns.infinite_points,
            "min": lambda columns: (low == extreme for low in columns.min_value),
            "max": lambda columns: (high == extreme for high in columns.max_value),
        }
        self.kind, self.extreme = kind, extreme
        self.in_buckets = tests[kind]


async def find(conn: Connection, segments: Sequence[Segment], kind: Kind) -> PointRow | None:
    """Find the first point of a kind in a series with what it inherits; None without any."""
    rows = [
        row
        for segment in segments
        if (row := await _find_in_segment(conn, segment, kind)) is not None
    ]
    if kind in {"min", "max"}:
        values: list[Any] = [value for *_, value in rows]  # numbers
        extreme = (min if kind == "min" else max)(values, default=None)
        rows = [row for row in rows if row[2] == extreme]
    return min(rows, key=lambda row: row[:2], default=None)


async def first_step(
    conn: Connection, series: Series, steps: Range, kind: Kind, value: Step
) -> Step | None:
    """The lowest step at which a series has its lowest or highest value, between two steps."""
    row = await _first(conn, Segment(series, None), steps, _Target(kind, value))
    return None if row is None else row[0]


async def _find_in_segment(conn: Connection, segment: Segment, kind: Kind) -> PointRow | None:
    series, until = segment
    for first, last, min_step, max_step, low, high in await conn.execute_fetchall(
        """
        SELECT first_step, last_step, min_step, max_step, min_value, max_value
        FROM series WHERE id = ? AND points > 0
        """,
        (series.id,),
    ):
        steps = Range(first, last if until is None else min(last, until))
        extreme: Step | None = None
        if kind in {"min", "max"}:
            step, extreme = (min_step, low) if kind == "min" else (max_step, high)
            if step is not None and step <= steps.high:
                steps = Range(step, step)
            elif step is not None:
                # The extreme of the series is after the end of the segment.
                extreme = await _extreme(conn, segment, steps, kind)
            if extreme is None:
                return None
        return await _first(conn, segment, steps, _Target(kind, extreme))
    return None


async def _extreme(conn: Connection, segment: Segment, steps: Range, kind: Kind) -> Step | None:
    """The lowest or highest value between two steps."""
    level = buckets.level_for(steps.low, steps.high, _BUCKETS)
    read = await bucketing.read(conn, segment.series, steps, level, times=False)
    if kind == "min":
        return min((low for low in read.columns.min_value if low is not None), default=None)
    return max((high for high in read.columns.max_value if high is not None), default=None)


async def _first(
    conn: Connection, segment: Segment, steps: Range, target: _Target
) -> PointRow | None:
    series = segment.series
    for piece in await bucketing.pieces(conn, series.id, steps):
        narrow: Range | None = piece if isinstance(piece, Range) else None
        if isinstance(piece, Span):
            narrow = await _narrow(conn, series.id, piece, target)
        if narrow is None:
            continue
        row = await points_of(conn).find_first(conn, series, narrow, target.kind, target.extreme)
        if row is not None:
            return row
    return None


async def _narrow(conn: Connection, series_id: int, span: Span, target: _Target) -> Range | None:
    """The steps of the first bucket with such a point, at the lowest level that has one."""
    steps = None
    while True:
        rolled_up = await bucketing.read_span(conn, series_id, span)
        matches = compress(rolled_up.numbers, target.in_buckets(rolled_up.columns))
        number = next(matches, None)
        if number is None:
            return steps
        steps = Range(buckets.start(number, span.level), buckets.end(number, span.level))
        span = Span(span.level - 1, number * 2, number * 2 + 1)
