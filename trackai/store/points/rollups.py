"""Rollups: figures over ranges of steps, and the buckets of a chart, read from them and from rows.

Storing points only notes which steps they touch (`mark`), one row for a series and batch. A
server brings the rollups up to date in idle time (`refresh`), computing what was touched anew from
the points. A chart reads rollups where they are up to date and the points themselves elsewhere:
it is exact at any moment.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.downsampling import blocks, buckets, thinning
from trackai.downsampling.buckets import Bucket, Range, Span
from trackai.downsampling.thinning import Numbered
from trackai.store.engine.bulk import execute_rows, numbered, placeholders
from trackai.store.points.series import visible
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiosqlite import Connection

    from trackai.values.types import Step

# Shorter series are read from their points, which takes a few milliseconds.
SHORTEST = 4096
# About how many points a bucket of the lowest level holds.
_POINTS = 32
# How many buckets the highest level may have.
_TOP_BUCKETS = 16
# How many stale ranges are looked at together.
_RANGES = 1000
# How many points one transaction rolls up, so that others get to write.
_CHUNK = 10_000
_FARTHEST = sys.float_info.max


class Touched(NamedTuple):
    """Steps of a series between which points have changed, and how many points it had before."""

    series_id: int
    points_before: int
    points_added: int
    first_step: Step
    last_step: Step


async def mark(conn: Connection, touched: Iterable[Touched]) -> None:
    """Note between which steps the points of series have changed."""
    rows = [
        (one.series_id, -_FARTHEST, _FARTHEST)
        if one.points_before < SHORTEST  # has no rollups yet, or none that are true
        else (one.series_id, one.first_step, min(one.last_step, _FARTHEST))
        for one in touched
        if one.points_before + one.points_added >= SHORTEST
    ]
    if rows:
        await execute_rows(conn, _mark, rows, width=3, sizes=(128, 8, 1))


@lru_cache
def _mark(rows: int) -> str:
    return f"""
        INSERT INTO stale_rollups (series_id, first_step, last_step) VALUES {placeholders(rows, 3)}
        ON CONFLICT (series_id, first_step) DO UPDATE
        SET last_step = max(last_step, excluded.last_step)
    """


async def next_stale(conn: Connection) -> int | None:
    """A series of which rollups are out of date."""
    rows = await conn.execute_fetchall("SELECT series_id FROM stale_rollups LIMIT 1")
    return next((int(series_id) for (series_id,) in rows), None)


async def delete(conn: Connection, series_id: int) -> None:
    """Delete the rollups of a series."""
    for table in ("rollups", "rollup_levels", "stale_rollups"):
        await conn.execute(f"DELETE FROM {table} WHERE series_id = ?", (series_id,))


async def start_over(conn: Connection, run_id: int) -> None:
    """Note that points of a run were deleted: nothing that was rolled up is true any more."""
    rows = await conn.execute_fetchall("SELECT id, points FROM series WHERE run_id = ?", (run_id,))
    for series_id, points in rows:
        await delete(conn, series_id)
        await mark(conn, [Touched(series_id, 0, points, 0, 0)])


async def refresh(conn: Connection, series_id: int) -> None:
    """Bring a part of a series' rollups up to date: as much as a short transaction can."""
    one = await _state(conn, series_id)
    if one is None or one.points < SHORTEST:
        await delete(conn, series_id)
        return
    base = one.base
    if base is None or one.points >= 4 * one.chosen_at:
        base = await _choose_base(conn, one)
    top = max(one.top or base, buckets.level_for(one.first_step, one.last_step, _TOP_BUCKETS))
    top = max(base, min(top, buckets.HIGHEST_LEVEL))
    if base != one.base:
        await delete(conn, series_id)
        await conn.execute(_mark(1), (series_id, -_FARTHEST, _FARTHEST))
        await conn.execute(
            "INSERT INTO rollup_levels (series_id, base, top, points) VALUES (?, ?, ?, ?)",
            (series_id, base, top, one.points),
        )
    elif one.points >= 4 * one.chosen_at or top != one.top:
        await conn.execute(
            "UPDATE rollup_levels SET top = ?, points = max(points, ?) WHERE series_id = ?",
            (top, one.points if one.points >= 4 * one.chosen_at else 0, series_id),
        )
        for level in range((one.top or base) + 1, top + 1):
            await _roll_up(conn, series_id, level, -buckets.LARGEST_BUCKET, buckets.LARGEST_BUCKET)
    await _refresh_first(conn, one, base, top)


class _State(NamedTuple):
    series_id: int
    points: int
    first_step: Step
    last_step: Step
    resumed: int
    plain: int
    base: int | None
    top: int | None
    chosen_at: int


async def _state(conn: Connection, series_id: int) -> _State | None:
    rows = await conn.execute_fetchall(
        """
        SELECT
            series.id, series.points, first_step, last_step,
            EXISTS (SELECT 1 FROM attempts WHERE attempts.series_id = series.id),
            kind IN ('number', 'bool') AND finite_points = series.points,
            base, top, coalesce(rollup_levels.points, 0)
        FROM series LEFT JOIN rollup_levels ON rollup_levels.series_id = series.id
        WHERE series.id = ?
        """,
        (series_id,),
    )
    return next((_State(*row) for row in rows), None)


async def _choose_base(conn: Connection, one: _State) -> int:
    """The lowest level worth having, by how densely the points lie where most of them are."""
    if one.base is None:
        rows = await conn.execute_fetchall(
            "SELECT step FROM metrics WHERE series_id = ? ORDER BY step LIMIT ?",
            (one.series_id, SHORTEST),
        )
        return buckets.level_holding([step for (step,) in rows], _POINTS)
    everywhere = Span(one.base, -buckets.LARGEST_BUCKET, buckets.LARGEST_BUCKET)
    found = await read_span(conn, one.series_id, everywhere)
    return buckets.adjusted_level(one.base, sorted(found.columns.points), _POINTS)


async def _refresh_first(conn: Connection, one: _State, base: int, top: int) -> None:
    """Roll up the first stale range, or its beginning if it is long."""
    stale = await conn.execute_fetchall(
        f"""
        SELECT first_step, last_step FROM stale_rollups WHERE series_id = ?
        ORDER BY first_step LIMIT {_RANGES}
        """,
        (one.series_id,),
    )
    low, high = next((Range(*row) for row in stale), (None, None))
    if low is None or high is None:
        return
    # Many small batches leave many ranges next to each other: together they are one.
    for sooner, later in stale:
        if buckets.bucket_of(sooner, base) > buckets.bucket_of(high, base) + 1:
            break
        until, high = sooner, max(high, later)
    first = max(buckets.bucket_of(low, base), -buckets.LARGEST_BUCKET + 1)
    last = min(buckets.bucket_of(high, base), buckets.LARGEST_BUCKET - 1)
    farther = await conn.execute_fetchall(
        "SELECT step FROM metrics WHERE series_id = ? AND step >= ? ORDER BY step"
        f" LIMIT 1 OFFSET {_CHUNK}",
        (one.series_id, bound(buckets.start(first, base))),
    )
    reached = min([last, *(buckets.bucket_of(step, base) for (step,) in farther)])
    if first <= reached:
        await _compute(conn, one, base, first, reached)
        for level in range(base + 1, top + 1):
            up = level - base
            await _roll_up(conn, one.series_id, level, first >> up, reached >> up)
    await conn.execute(
        "DELETE FROM stale_rollups WHERE series_id = ? AND first_step BETWEEN ? AND ?",
        (one.series_id, low, until),
    )
    if reached < last:
        rest = bound(buckets.start(reached + 1, base))
        await conn.execute(_mark(1), (one.series_id, rest, high))


async def _compute(conn: Connection, one: _State, base: int, first: int, last: int) -> None:
    """Compute rollups of the lowest level from the points."""
    where = Wanted(one.series_id, base, buckets.start(first, base), buckets.end(last, base))
    found = await read_rows(conn, [where], resumed=bool(one.resumed), plain=bool(one.plain))
    await _replace(conn, one.series_id, base, first, last, found.get(one.series_id, {}))


async def _roll_up(conn: Connection, series_id: int, level: int, first: int, last: int) -> None:
    """Compute rollups of a level from those of the level below."""
    found: dict[int, Bucket] = {}
    below = await read_span(conn, series_id, Span(level - 1, first * 2, last * 2 + 1))
    merge_into(found, ((number >> 1, one) for number, one in below.items()))
    await _replace(conn, series_id, level, first, last, found)


async def _replace(
    conn: Connection, series_id: int, level: int, first: int, last: int, new: dict[int, Bucket]
) -> None:
    """Put `new` in the place of the buckets from `first` to `last`."""
    begin, end = blocks.block_of(first), blocks.block_of(last)
    # What lies in the outermost blocks beside them stays.
    left = Span(level, blocks.first_bucket(begin), first - 1)
    right = Span(level, last + 1, blocks.first_bucket(end + 1) - 1)
    kept = [span for span in (left, right) if span.first <= span.last]
    for _, some in await _read_spans(conn, series_id, kept):
        new.update(some.items())
    await conn.execute(
        "DELETE FROM rollups WHERE series_id = ? AND level = ? AND block BETWEEN ? AND ?",
        (series_id, level, begin, end),
    )
    packed = blocks.pack(sorted(new.items()))
    await conn.executemany(
        "INSERT INTO rollups (series_id, level, block, buckets) VALUES (?, ?, ?, ?)",
        [(series_id, level, *block) for block in packed],
    )


def bound(step: Step) -> Step:
    """A bound on steps that SQLite can compare with."""
    if isinstance(step, int) and not -INT64 <= step < INT64:
        return max(-_FARTHEST, min(_FARTHEST, float(step)))
    return step


class Wanted(NamedTuple):
    """Which steps of which series, in buckets of which level."""

    series_id: int
    level: int
    low: Step
    high: Step


def _from_rows(
    wanted: Sequence[Wanted], *, resumed: bool, plain: bool, times: bool
) -> tuple[str, list[Any]]:
    """A query that computes buckets from points, and its values.

    Where all values are finite numbers, it need not look at each; `times` are 0 if not wanted.
    """
    # Scaling by a power of two is exact; the cast cuts towards zero, and the rest is taken off.
    # SQLite shifts to the left by a negative number.
    bucket = """
        CASE typeof(step) WHEN 'integer' THEN step >> wanted_level
        ELSE CAST(step * scale AS INTEGER) - (step < CAST(step * scale AS INTEGER) * width) END
    """
    values: list[Any] = [-_FARTHEST, _FARTHEST]
    for series_id, level, low, high in wanted:
        values += [series_id, level, bound(low), bound(high), 2.0**-level, 2.0**level]
    return (
        f"""
        WITH wanted (wanted_id, wanted_level, low, high, scale, width) AS (
            VALUES {numbered(len(wanted), 6, after=2)}
        )
        SELECT
            *,
            (SELECT value FROM metrics
             WHERE series_id = found_id AND step = first_step AND {visible(resumed)}
             ORDER BY timestamp, writer_id LIMIT 1) AS first_value,
            (SELECT value FROM metrics
             WHERE series_id = found_id AND step = last_step AND {visible(resumed)}
             ORDER BY timestamp DESC, writer_id DESC LIMIT 1) AS last_value
        FROM (
            SELECT
                wanted_id AS found_id,
                {bucket} AS bucket,
                COUNT(*) AS points,
                {_PLAIN_FIGURES if plain else _FIGURES},
                min(step) AS first_step,
                max(step) AS last_step,
                {"min(timestamp)" if times else "0"} AS first_timestamp,
                {"max(timestamp)" if times else "0"} AS last_timestamp
            FROM wanted CROSS JOIN metrics
            WHERE series_id = wanted_id AND step BETWEEN low AND high AND {visible(resumed)}
            GROUP BY 1, 2
        )
    """,
        values,
    )


_PLAIN_FIGURES = """
    COUNT(*) AS finite_points, 0 AS nan_points, 0 AS infinite_points,
    min(value) AS min_value, max(value) AS max_value, total(value) AS sum
"""
_NUMBER = "CASE WHEN value BETWEEN ?1 AND ?2 THEN value END"
_FIGURES = f"""
    COUNT({_NUMBER}) AS finite_points,
    COUNT(*) - COUNT(value) AS nan_points,
    COUNT(CASE WHEN typeof(value) = 'real' AND value NOT BETWEEN ?1 AND ?2 THEN 1 END)
        AS infinite_points,
    min({_NUMBER}) AS min_value, max({_NUMBER}) AS max_value, total({_NUMBER}) AS sum
"""


async def read(
    conn: Connection,
    series_id: int,
    wanted: Range,
    level: int,
    *,
    resumed: bool,
    plain: bool = False,
    times: bool = True,
) -> Numbered:
    """The buckets of a level over the points of a series in a range of steps.

    All reads must see one state of the database: the connection is in a transaction.

    Args:
        plain: all values are finite numbers.
        times: whether the timestamps of buckets are wanted; if not, they may be 0.
    """
    spans: list[Span] = []
    ranges = [wanted]
    for base, top in await conn.execute_fetchall(
        """
        SELECT base, top FROM rollup_levels JOIN series ON series.id = rollup_levels.series_id
        WHERE series_id = ? AND series.points >= ? AND base <= ?
        """,
        (series_id, SHORTEST, level),
    ):
        stale = await conn.execute_fetchall(
            "SELECT first_step, last_step FROM stale_rollups WHERE series_id = ?", (series_id,)
        )
        spans, ranges = buckets.plan(
            wanted, min(level, top), base, [Range(low, high) for low, high in stale]
        )
    found: dict[int, Bucket] = {}
    whole: list[Numbered] = []
    for span, some in await _read_spans(conn, series_id, spans):
        if span.level == level and some.numbers:
            whole.append(some)
        else:
            merge_into(found, ((number >> level - span.level, one) for number, one in some.items()))
    if ranges:
        few = [Wanted(series_id, level, low, high) for low, high in ranges]
        rows = await read_rows(conn, few, resumed=resumed, plain=plain, times=times)
        for buckets_found in rows.values():
            merge_into(found, buckets_found.items())
    return _in_order(whole, found)


def _in_order(whole: Sequence[Numbered], found: Mapping[int, Bucket]) -> Numbered:
    """Buckets that were read whole, with those that were put together, which lie between them."""
    rest = sorted(found.items())
    parts: list[Numbered] = []
    for one in whole:
        place = bisect_left(rest, one.numbers[0], key=itemgetter(0))
        parts += Numbered.of(rest[:place]), one
        rest = rest[place:]
    return thinning.join([*parts, Numbered.of(rest)])


async def pieces(conn: Connection, series_id: int, wanted: Range) -> list[Span | Range]:
    """A range of steps as rollups and, where there are none that are true, rows; in order."""
    for base, top in await conn.execute_fetchall(
        """
        SELECT base, top FROM rollup_levels JOIN series ON series.id = rollup_levels.series_id
        WHERE series_id = ? AND series.points >= ?
        """,
        (series_id, SHORTEST),
    ):
        stale = await conn.execute_fetchall(
            "SELECT first_step, last_step FROM stale_rollups WHERE series_id = ?", (series_id,)
        )
        spans, ranges = buckets.plan(wanted, top, base, [Range(low, high) for low, high in stale])
        placed: list[tuple[Step, Span | Range]] = [(one.low, one) for one in ranges]
        placed += [(buckets.start(one.first, one.level), one) for one in spans]
        return [one for _, one in sorted(placed, key=lambda pair: pair[0])]
    return [wanted]


async def read_rows(
    conn: Connection,
    wanted: Sequence[Wanted],
    *,
    resumed: bool,
    plain: bool = False,
    times: bool = True,
) -> dict[int, dict[int, Bucket]]:
    """The buckets over ranges of points, by the id of their series and their numbers."""
    found: dict[int, dict[int, Bucket]] = {}
    statement, values = _from_rows(wanted, resumed=resumed, plain=plain, times=times)
    for series_id, bucket, *fields in await conn.execute_fetchall(statement, values):
        found.setdefault(series_id, {})[bucket] = Bucket(*fields)
    return found


async def read_span(conn: Connection, series_id: int, span: Span) -> Numbered:
    """The rollups of a span."""
    return (await _read_spans(conn, series_id, [span]))[0][1]


async def _read_spans(
    conn: Connection, series_id: int, spans: Sequence[Span]
) -> list[tuple[Span, Numbered]]:
    """The rollups of each span."""
    if not spans:
        return []
    values: list[int] = [series_id]
    for place, (level, first, last) in enumerate(spans):
        values += place, level, blocks.block_of(first), blocks.block_of(last)
    rows = await conn.execute_fetchall(
        f"""
        WITH spans (place, level, first, last) AS (VALUES {numbered(len(spans), 4, after=1)})
        SELECT place, block, buckets FROM spans CROSS JOIN rollups
        WHERE series_id = ?1 AND rollups.level = spans.level AND block BETWEEN first AND last
        ORDER BY place, block
        """,
        values,
    )
    found: list[list[Numbered]] = [[] for _ in spans]
    for place, block, packed in rows:
        found[place].append(blocks.unpack(block, packed))
    return [
        (span, thinning.join(some).between(span.first, span.last))
        for span, some in zip(spans, found, strict=True)
    ]


def merge_into(found: dict[int, Bucket], more: Iterable[tuple[int, Bucket]]) -> None:
    """Add buckets to those found so far; where both have one, over the points of both."""
    for bucket, one in more:
        other = found.get(bucket)
        found[bucket] = one if other is None else buckets.merge(other, one)
