"""Where a metric was first NaN or infinite, lowest or highest, found without reading all of it."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any, Literal

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Range, Span
from trackai.store.points import rollups
from trackai.store.points.series import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiosqlite import Connection

    from trackai.downsampling.thinning import Columns
    from trackai.store.points.lineage import Segment
    from trackai.structs.points import PointRow
    from trackai.values.types import Step

Kind = Literal["nan", "inf", "min", "max"]


class _Sought:
    """A kind of value: in which buckets it lies, and which points have it."""

    def __init__(self, kind: Kind, extreme: Step | None) -> None:
        tests: dict[Kind, tuple[str, Callable[[Columns], Iterable[object]]]] = {
            "nan": ("value IS NULL", lambda some: some.nan_points),
            "inf": ("value IN (9e999, -9e999)", lambda some: some.infinite_points),
            "min": ("value = ?", lambda some: (one == extreme for one in some.min_value)),
            "max": ("value = ?", lambda some: (one == extreme for one in some.max_value)),
        }
        self.condition, self.is_in = tests[kind]
        self.values = [] if extreme is None else [extreme]


async def find(conn: Connection, segments: Sequence[Segment], kind: Kind) -> PointRow | None:
    """The first point of that kind in a series with what it inherits; None if there is none."""
    found = [row for one in segments if (row := await _find_in(conn, one, kind)) is not None]
    if kind in {"min", "max"}:
        values: list[Any] = [value for *_, value in found]  # numbers
        best = (min if kind == "min" else max)(values, default=None)
        found = [row for row in found if row[2] == best]
    return min(found, key=lambda row: row[:2], default=None)


async def _find_in(conn: Connection, segment: Segment, kind: Kind) -> PointRow | None:
    one, until = segment
    for first, last, min_step, max_step, low, high in await conn.execute_fetchall(
        "SELECT first_step, last_step, min_step, max_step, min_value, max_value"
        " FROM series WHERE id = ? AND points > 0",
        (one.id,),
    ):
        where = Range(first, last if until is None else min(last, until))
        extreme: Step | None = None
        if kind in {"min", "max"}:
            step, extreme = (min_step, low) if kind == "min" else (max_step, high)
            if step is not None and step <= where.high:
                where = Range(step, step)
            elif step is not None:
                extreme = await _extreme_in(conn, segment, where, kind)
            if extreme is None:
                return None
        return await _first(conn, segment, where, _Sought(kind, extreme))
    return None


async def _extreme_in(conn: Connection, segment: Segment, where: Range, kind: Kind) -> Step | None:
    """The lowest or highest value of the beginning of a series."""
    one = segment.series
    level = buckets.level_for(where.low, where.high, 16)
    found = await rollups.read(
        conn, one.id, where, level, resumed=bool(one.resumed), plain=one.plain, times=False
    )
    if kind == "min":
        return min((one for one in found.columns.min_value if one is not None), default=None)
    return max((one for one in found.columns.max_value if one is not None), default=None)


async def _first(
    conn: Connection, segment: Segment, where: Range, sought: _Sought
) -> PointRow | None:
    one = segment.series
    for piece in await rollups.pieces(conn, one.id, where):
        narrow: Range | None = piece if isinstance(piece, Range) else None
        if isinstance(piece, Span):
            narrow = await _narrow(conn, one.id, piece, sought)
        if narrow is None:
            continue
        for step, time, value in await conn.execute_fetchall(
            f"""
            SELECT step, timestamp, value FROM metrics
            WHERE series_id = ? AND step BETWEEN ? AND ? AND {sought.condition}
              AND {visible(one.resumed)}
            ORDER BY step, timestamp, writer_id LIMIT 1
            """,
            (one.id, *map(rollups.bound, narrow), *sought.values),
        ):
            return step, time, value
    return None


async def _narrow(conn: Connection, series_id: int, span: Span, sought: _Sought) -> Range | None:
    """The first bucket with such a point, down to the lowest level."""
    found = None
    while True:
        some = await rollups.read_span(conn, series_id, span)
        bucket = next(compress(some.numbers, sought.is_in(some.columns)), None)
        if bucket is None:
            return found
        found = Range(buckets.start(bucket, span.level), buckets.end(bucket, span.level))
        span = Span(span.level - 1, bucket * 2, bucket * 2 + 1)
