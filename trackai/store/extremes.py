"""Where a metric was first NaN or infinite, lowest or highest, found without reading all of it."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Literal

from trackai.store import rollups
from trackai.store.attempts import NOT_SUPERSEDED
from trackai.structs import buckets
from trackai.structs.buckets import Range, Span

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.store.metrics import PointRow
    from trackai.store.series import Series

Kind = Literal["nan", "inf", "min", "max"]

_FIELD = {"nan": "nan_points", "inf": "infinite_points"}
_CONDITION = {"nan": "value IS NULL", "inf": "value IN (9e999, -9e999)"}


async def find(conn: Connection, one: Series, kind: Kind) -> PointRow | None:
    """The first point of that kind, in order of step; None if there is none."""
    rows = await conn.execute_fetchall(
        "SELECT first_step, last_step, min_step, max_step, min_value, max_value"
        " FROM series WHERE id = ? AND points > 0",
        (one.id,),
    )
    for first, last, min_step, max_step, low, high in rows:
        if kind in {"min", "max"}:
            step, value = (min_step, low) if kind == "min" else (max_step, high)
            if step is None:
                return None
            return await _first_row(conn, one, Range(step, step), "value = ?", value)
        for piece in await rollups.pieces(conn, one.id, Range(first, last)):
            where = await _narrow(conn, one.id, piece, kind) if isinstance(piece, Span) else piece
            if where is not None:
                found = await _first_row(conn, one, where, _CONDITION[kind])
                if found is not None:
                    return found
    return None


async def _narrow(conn: Connection, series_id: int, span: Span, kind: Kind) -> Range | None:
    """The first bucket with such a point, down to the lowest level."""
    found = None
    while True:
        some = await rollups.read_span(conn, series_id, span)
        counts = getattr(some.columns, _FIELD[kind])
        bucket = next(compress(some.numbers, counts), None)
        if bucket is None:
            return found
        found = Range(buckets.start(bucket, span.level), buckets.end(bucket, span.level))
        span = Span(span.level - 1, bucket * 2, bucket * 2 + 1)


async def _first_row(
    conn: Connection, one: Series, where: Range, condition: str, *values: object
) -> PointRow | None:
    rows = await conn.execute_fetchall(
        f"""
        SELECT step, timestamp, value FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {condition}
          AND {NOT_SUPERSEDED if one.resumed else "TRUE"}
        ORDER BY step, timestamp, writer_id LIMIT 1
        """,
        (one.id, rollups.bound(where.low), rollups.bound(where.high), *values),
    )
    return next(((step, time, value) for step, time, value in rows), None)
