"""Rollups: precomputed buckets of long series, kept up to date in idle time.

Storing points only notes which steps they touch (`mark`), with one row for each series and batch.
A server recomputes the rollups of these steps when it is idle (`refresh`). Until then,
`bucketing` reads the points themselves there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from trackai.downsampling import buckets
from trackai.downsampling.buckets import Bucket, Range, Span
from trackai.store.engine.bulk import execute_rows, placeholders
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import json_array
from trackai.store.points import bucketing, series
from trackai.store.points.queries import FARTHEST, Selection, bound
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step

# The number of points that a bucket of the lowest level should hold, on average.
_POINTS = 32
# The largest number of buckets of the highest level.
_TOP_BUCKETS = 16
# The number of stale ranges that are looked at together.
_RANGES = 1000
# The number of points that one transaction rolls up, so that other writers get their turn.
_CHUNK = 10_000
# Levels are chosen again when a series has grown by this factor.
_GROWTH = 4


class Touched(NamedTuple):
    """The range of steps in which points of a series have changed.

    `points_before` and `points_added` are numbers of points of the whole series.
    """

    series_id: int
    points_before: int
    points_added: int
    first_step: Step
    last_step: Step


async def mark(conn: Connection, touched: Iterable[Touched]) -> None:
    """Record ranges of steps whose rollups are stale."""
    rows = [
        (item.series_id, -FARTHEST, FARTHEST)
        if item.points_before < bucketing.SHORTEST  # it has no rollups yet
        else (item.series_id, item.first_step, min(item.last_step, FARTHEST))
        for item in touched
        if item.points_before + item.points_added >= bucketing.SHORTEST
    ]
    if rows and isinstance(conn, Shared):
        await conn.execute(
            f"""
            INSERT INTO stale_rollups (series_id, first_step, last_step)
            SELECT * FROM unnest(?::bigint[], ?::numeric[], ?::numeric[]) {_WIDEN}
            """,
            list(map(list, zip(*rows, strict=True))),
        )
    elif rows:
        await execute_rows(conn, _mark, rows, width=3, sizes=(128, 8, 1))


_WIDEN = """
    ON CONFLICT (series_id, first_step) DO UPDATE
    SET last_step = max(stale_rollups.last_step, excluded.last_step)
"""


@lru_cache
def _mark(rows: int) -> str:
    return f"""
        INSERT INTO stale_rollups (series_id, first_step, last_step) VALUES {placeholders(rows, 3)}
        {_WIDEN}
    """


async def next_stale(conn: Connection) -> int | None:
    """Find a series with stale rollups: its row id, or None if all are up to date.

    On PostgreSQL it locks the run, so that no points are stored meanwhile, and passes over runs
    that other transactions change.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT stale_rollups.series_id FROM stale_rollups
        /*pg: JOIN series ON series.id = stale_rollups.series_id
              JOIN runs ON runs.id = series.run_id */
        LIMIT 1 /*pg: FOR NO KEY UPDATE OF runs SKIP LOCKED */
        """
    )
    return next((int(series_id) for (series_id,) in rows), None)


async def refresh_next(conn: Connection) -> bool:
    """Bring a part of a series' rollups up to date; False if there is none to do."""
    series_id = await next_stale(conn)
    if series_id is not None:
        await refresh(conn, series_id)
    return series_id is not None


async def stale_before(
    conn: Connection, run_uid: str, attempt: int, first_steps: Mapping[str, Step]
) -> list[int]:
    """Find the series with stale rollups whose points an attempt begins to supersede.

    Args:
        first_steps: the lowest new step of each metric, by its name.

    Returns:
        Row ids. What is left of these series is counted fast if they are refreshed before.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT series.id, series.path, last_step
        FROM runs JOIN series ON series.run_id = runs.id
        WHERE runs.uid = ? AND axis = 'step' AND series.points >= ?
          AND series.path IN (SELECT value FROM json_each(?))
          AND series.id IN (SELECT series_id FROM stale_rollups)
          AND NOT EXISTS (
              SELECT 1 FROM attempts
              WHERE attempts.series_id = series.id AND attempts.attempt >= ?
          )
        """,
        (run_uid, bucketing.SHORTEST, json_array(first_steps), attempt),
    )
    return [series_id for series_id, path, last in rows if first_steps[path] <= last]


async def is_stale(conn: Connection, series_id: int) -> bool:
    """Whether some rollups of a series are stale."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM stale_rollups WHERE series_id = ? LIMIT 1", (series_id,)
    )
    return bool(list(rows))


async def delete(conn: Connection, *series_ids: int) -> None:
    """Delete the rollups of series."""
    ids = json_array(series_ids)
    for table in ("rollups", "rollup_levels", "stale_rollups"):
        await conn.execute(
            f"DELETE FROM {table} WHERE series_id IN (SELECT value FROM json_each(?))", (ids,)
        )


async def start_over(conn: Connection, run_id: int) -> None:
    """Delete and mark all rollups of a run, after points of it were deleted."""
    rows = await conn.execute_fetchall("SELECT id, points FROM series WHERE run_id = ?", (run_id,))
    for series_id, points in rows:
        await delete(conn, series_id)
        await mark(conn, [Touched(series_id, 0, points, 0, 0)])


async def refresh(conn: Connection, series_id: int) -> None:
    """Bring a part of a series' rollups up to date: as much as fits a short transaction."""
    await series.lock_run(conn, series_id)
    state = await _state(conn, series_id)
    if state is None or state.points < bucketing.SHORTEST:
        await delete(conn, series_id)
        return
    has_grown = state.points >= _GROWTH * state.chosen_at
    base = state.base
    if base is None or has_grown:
        base = await _choose_base(conn, state)
    top = max(state.top or base, buckets.level_for(state.first_step, state.last_step, _TOP_BUCKETS))
    top = max(base, min(top, buckets.HIGHEST_LEVEL))
    if base != state.base:
        await _begin_levels(conn, state, base, top)
    elif has_grown or top != state.top:
        await _extend_levels(conn, state, base, top, has_grown=has_grown)
    await _refresh_first(conn, state, base, top)


class _State(NamedTuple):
    """A series and the levels of its rollups; `chosen_at` is how many points it had then."""

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


async def _choose_base(conn: Connection, state: _State) -> int:
    """Choose the lowest level by how densely most points lie."""
    if state.base is None:
        steps = await points_of(conn).first_steps(conn, state.series_id, bucketing.SHORTEST)
        return buckets.level_holding(steps, _POINTS)
    all_buckets = Span(state.base, -buckets.LARGEST_BUCKET, buckets.LARGEST_BUCKET)
    rolled_up = await bucketing.read_span(conn, state.series_id, all_buckets)
    return buckets.adjusted_level(state.base, sorted(rolled_up.columns.points), _POINTS)


async def _begin_levels(conn: Connection, state: _State, base: int, top: int) -> None:
    await delete(conn, state.series_id)
    await conn.execute(_mark(1), (state.series_id, -FARTHEST, FARTHEST))
    await conn.execute(
        "INSERT INTO rollup_levels (series_id, base, top, points) VALUES (?, ?, ?, ?)",
        (state.series_id, base, top, state.points),
    )


async def _extend_levels(
    conn: Connection, state: _State, base: int, top: int, *, has_grown: bool
) -> None:
    await conn.execute(
        "UPDATE rollup_levels SET top = ?, points = max(points, ?) WHERE series_id = ?",
        (top, state.points if has_grown else 0, state.series_id),
    )
    for level in range((state.top or base) + 1, top + 1):
        all_buckets = Span(level, -buckets.LARGEST_BUCKET, buckets.LARGEST_BUCKET)
        rolled_up = bucketing.Blocks(state.series_id, [all_buckets, _below(all_buckets)])
        await rolled_up.load(conn)
        _roll_up(rolled_up, all_buckets)
        await rolled_up.store(conn)


async def _refresh_first(conn: Connection, state: _State, base: int, top: int) -> None:
    """Roll up the first stale range, or its beginning if it is long."""
    stale = [
        Range(*row)
        for row in await conn.execute_fetchall(
            f"""
            SELECT first_step, last_step FROM stale_rollups WHERE series_id = ?
            ORDER BY first_step LIMIT {_RANGES}
            """,
            (state.series_id,),
        )
    ]
    if not stale:
        return
    low, high, latest = _first_run_of(stale, base)
    first = max(buckets.bucket_of(low, base), -buckets.LARGEST_BUCKET + 1)
    last = min(buckets.bucket_of(high, base), buckets.LARGEST_BUCKET - 1)
    farther = await points_of(conn).step_after(
        conn, state.series_id, buckets.start(first, base), _CHUNK
    )
    reached = last if farther is None else min(last, buckets.bucket_of(farther, base))
    if first <= reached:
        await _roll_up_all(conn, state, Span(base, first, reached), top)
    await conn.execute(
        "DELETE FROM stale_rollups WHERE series_id = ? AND first_step BETWEEN ? AND ?",
        (state.series_id, low, latest),
    )
    if reached < last:
        rest = bound(buckets.start(reached + 1, base))
        await conn.execute(_mark(1), (state.series_id, rest, high))


def _first_run_of(stale: list[Range], base: int) -> tuple[Step, Step, Step]:
    """Merge the first ranges, in order, whose buckets adjoin: many small batches leave many.

    Returns:
        The lowest and the highest step, and the first step of the last range that was merged.
    """
    low, high = stale[0]
    latest = low
    for first, last in stale:
        if buckets.bucket_of(first, base) > buckets.bucket_of(high, base) + 1:
            break
        latest, high = first, max(high, last)
    return low, high, latest


async def _roll_up_all(conn: Connection, state: _State, span: Span, top: int) -> None:
    """Compute rollups of the lowest level from the points, and of all others from these."""
    base, first, last = span
    above = [
        Span(level, first >> (level - base), last >> (level - base))
        for level in range(base + 1, top + 1)
    ]
    # The spans that are read have those that are replaced in them.
    read = [*map(_below, above), above[-1] if above else span]
    rolled_up = bucketing.Blocks(state.series_id, read)
    await rolled_up.load(conn)
    selection = Selection(
        state.series_id, base, buckets.start(first, base), buckets.end(last, base)
    )  # fmt: skip
    computed = await bucketing.compute(
        conn, [selection], resumed=state.resumed, plain=bool(state.plain)
    )
    rolled_up.replace(span, computed.get(state.series_id, {}))
    for each in above:
        _roll_up(rolled_up, each)
    await rolled_up.store(conn)


def _below(span: Span) -> Span:
    """The buckets of the level below that a span is rolled up from."""
    return Span(span.level - 1, span.first * 2, span.last * 2 + 1)


def _roll_up(rolled_up: bucketing.Blocks, span: Span) -> None:
    """Compute rollups of a level from those of the level below."""
    merged: dict[int, Bucket] = {}
    below = rolled_up.read(_below(span))
    bucketing.merge_into(merged, ((number >> 1, bucket) for number, bucket in below.items()))
    rolled_up.replace(span, merged)
