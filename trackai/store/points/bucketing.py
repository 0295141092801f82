"""Buckets of a series: read from its rollups where these are up to date, else from its points.

So buckets are exact at any moment, however far `rollups.refresh` has got.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.downsampling import blocks, buckets, thinning
from trackai.downsampling.buckets import Bucket, Range, Span
from trackai.downsampling.thinning import NumberedBuckets
from trackai.store.engine.bulk import numbered
from trackai.store.engine.sql import json_array
from trackai.store.points.queries import Selection
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.values.types import Step

# Series with fewer points have no rollups: reading their points takes a few milliseconds.
SHORTEST = 4096


class Levels(NamedTuple):
    """The lowest and the highest level of rollups, and the ranges of steps where they are stale."""

    base: int
    top: int
    stale: list[Range]


class Extent(NamedTuple):
    """The range of a series' points, and the levels of its rollups; None without any."""

    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int
    points: int
    levels: Levels | None

    @property
    def base(self) -> int | None:
        """The lowest level of the rollups; None without any."""
        return None if self.levels is None else self.levels.base


# The columns of an `Extent`, of tables that are joined so; a row for each stale range.
EXTENT = """
    series.first_step, series.last_step, series.first_timestamp, series.last_timestamp,
    series.points, rollup_levels.base, rollup_levels.top,
    stale_rollups.first_step, stale_rollups.last_step
"""
WITH_ROLLUPS = """
    series
    LEFT JOIN rollup_levels ON rollup_levels.series_id = series.id
    LEFT JOIN stale_rollups ON stale_rollups.series_id = rollup_levels.series_id
"""


async def extents(conn: Connection, series_ids: Iterable[int]) -> dict[int, Extent]:
    """Get the extents of those of the series that have points, by row id."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT series.id, {EXTENT} FROM {WITH_ROLLUPS}
        WHERE series.id IN (SELECT value FROM json_each(?))
        """,
        (json_array(series_ids),),
    )
    return extents_of(rows)


def extents_of(rows: Iterable[Sequence[Any]]) -> dict[int, Extent]:
    """The extents in rows of the row id of a series and `EXTENT`; of series without points none."""
    by_id: dict[int, Extent] = {}
    for series_id, low, high, sooner, later, points, base, top, stale_from, stale_to in rows:
        if points:
            levels = Levels(base, top, []) if base is not None and points >= SHORTEST else None
            extent = by_id.setdefault(series_id, Extent(low, high, sooner, later, points, levels))
            if extent.levels is not None and stale_from is not None:
                extent.levels.stale.append(Range(stale_from, stale_to))
    return by_id


async def _extent(conn: Connection, series_id: int) -> Extent | None:
    return (await extents(conn, [series_id])).get(series_id)


async def read(
    conn: Connection,
    series: Series,
    steps: Range,
    level: int,
    extent: Extent | None = None,
    *,
    times: bool = True,
) -> NumberedBuckets:
    """Read the buckets of a level over the points of a series between two steps.

    The connection must be in a transaction, so that all queries see one state of the database.

    Args:
        extent: that of the series, if this transaction has read it.
        times: False if the timestamps of buckets are not needed; they may be 0 then.
    """
    spans: list[Span] = []
    ranges = [steps]
    extent = extent or await _extent(conn, series.id)
    if extent is not None and extent.levels is not None and extent.levels.base <= level:
        spans, ranges = _plan(steps, level, extent, extent.levels)
    merged: dict[int, Bucket] = {}
    ready: list[NumberedBuckets] = []
    for span, rolled_up in await _read_spans(conn, series.id, spans):
        if span.level == level and rolled_up.numbers:
            ready.append(rolled_up)
        else:
            up = level - span.level
            merge_into(merged, ((number >> up, bucket) for number, bucket in rolled_up.items()))
    if ranges:
        selections = [Selection(series.id, level, low, high) for low, high in ranges]
        computed = await compute(
            conn, selections, resumed=series.resumed, plain=series.plain, times=times
        )
        for by_number in computed.values():
            merge_into(merged, by_number.items())
    return _in_order(ready, merged)


def _plan(
    steps: Range, level: int, extent: Extent, levels: Levels
) -> tuple[list[Span], list[Range]]:
    """The rollups of a range of steps, and the ranges in it of which to read the points."""
    level = min(level, levels.top)
    low, high = steps
    # The outermost buckets hold no points beyond the range if the series has none there.
    if low <= extent.first_step:
        low = buckets.start(buckets.bucket_of(low, level), level)
    if high >= extent.last_step:
        high = buckets.end(buckets.bucket_of(high, level), level)
    spans, ranges = buckets.plan(Range(low, high), level, levels.base, levels.stale)
    inside = (Range(max(low, steps.low), min(high, steps.high)) for low, high in ranges)
    return spans, [range_ for range_ in inside if range_.low <= range_.high]


async def pieces(conn: Connection, series_id: int, steps: Range) -> list[Span | Range]:
    """Divide a range of steps into rollups and, where these are missing or stale, points."""
    extent = await _extent(conn, series_id)
    if extent is None or extent.levels is None:
        return [steps]
    base, top, stale = extent.levels
    spans, ranges = buckets.plan(steps, top, base, stale)
    placed: list[tuple[Step, Span | Range]] = [(range_.low, range_) for range_ in ranges]
    placed += [(buckets.start(span.first, span.level), span) for span in spans]
    return [piece for _, piece in sorted(placed, key=itemgetter(0))]


def _in_order(ready: Sequence[NumberedBuckets], merged: Mapping[int, Bucket]) -> NumberedBuckets:
    """Join buckets that were read as they are with merged ones, which fill the gaps between."""
    rest = sorted(merged.items())
    parts: list[NumberedBuckets] = []
    for block in ready:
        place = bisect_left(rest, block.numbers[0], key=itemgetter(0))
        parts += NumberedBuckets.of(rest[:place]), block
        rest = rest[place:]
    return thinning.join([*parts, NumberedBuckets.of(rest)])


def merge_into(merged: dict[int, Bucket], items: Iterable[tuple[int, Bucket]]) -> None:
    """Add numbered buckets to a dictionary; where it has one, over the points of both."""
    for number, bucket in items:
        present = merged.get(number)
        merged[number] = bucket if present is None else buckets.merge(present, bucket)


async def compute(
    conn: Connection,
    selections: Sequence[Selection],
    *,
    resumed: int,
    plain: bool = False,
    times: bool = True,
) -> dict[int, dict[int, Bucket]]:
    """Compute buckets from points.

    Args:
        resumed: `Series.resumed` of all the series.
        plain: True if all values are finite numbers, so that each need not be tested.
        times: False if the timestamps of buckets are not needed; they are 0 then.

    Returns:
        The buckets by their number, by the row id of their series.
    """
    return await points_of(conn).compute(
        conn, selections, resumed=resumed, plain=plain, times=times
    )


async def read_span(conn: Connection, series_id: int, span: Span) -> NumberedBuckets:
    """Read the rollups of a span."""
    ((_, rolled_up),) = await _read_spans(conn, series_id, [span])
    return rolled_up


async def _read_spans(
    conn: Connection, series_id: int, spans: Sequence[Span]
) -> list[tuple[Span, NumberedBuckets]]:
    parts: list[list[NumberedBuckets]] = [[] for _ in spans]
    for index, block, packed in await _fetch_spans(conn, series_id, spans):
        parts[index].append(blocks.unpack(block, packed))
    return [
        (span, thinning.join(unpacked).between(span.first, span.last))
        for span, unpacked in zip(spans, parts, strict=True)
    ]


async def _fetch_spans(
    conn: Connection, series_id: int, spans: Sequence[Span]
) -> Iterable[tuple[int, int, bytes]]:
    """The index of a span, the number of a block in it and its bytes, in this order."""
    if not spans:
        return []
    if len(spans) == 1:
        ((level, first, last),) = spans
        return await conn.execute_fetchall(
            """
            SELECT 0, block, buckets FROM rollups
            WHERE series_id = ? AND level = ? AND block BETWEEN ? AND ?
            ORDER BY block
            """,
            (series_id, level, blocks.block_of(first), blocks.block_of(last)),
        )
    values: list[int] = [series_id]
    for index, (level, first, last) in enumerate(spans):
        values += index, level, blocks.block_of(first), blocks.block_of(last)
    return await conn.execute_fetchall(
        f"""
        WITH spans (place, level, first, last) AS (
            VALUES {numbered(len(spans), 4, after=1, types=["bigint"] * 4)}
        )
        SELECT place, block, buckets FROM spans CROSS JOIN rollups
        WHERE series_id = ?1 AND rollups.level = spans.level AND block BETWEEN first AND last
        ORDER BY place, block
        """,
        values,
    )


class Blocks:
    """Blocks of rollups of a series: read at once, changed in memory, and written at once."""

    def __init__(self, series_id: int, spans: Sequence[Span]) -> None:
        """Name the spans that will be read and replaced; `load` reads them."""
        self._series_id = series_id
        self._spans = spans
        # By level and block.
        self._packed: dict[int, dict[int, bytes]] = {span.level: {} for span in spans}
        self._removed: set[tuple[int, int]] = set()
        self._added: set[tuple[int, int]] = set()

    async def load(self, conn: Connection) -> None:
        """Read all blocks of the spans."""
        for place, block, packed in await _fetch_spans(conn, self._series_id, self._spans):
            self._packed[self._spans[place].level][block] = packed

    def read(self, span: Span) -> NumberedBuckets:
        """The buckets of a span."""
        numbers = self._blocks_of(span)
        level = self._packed[span.level]
        unpacked = [blocks.unpack(block, level[block]) for block in numbers]
        return thinning.join(unpacked).between(span.first, span.last)

    def replace(self, span: Span, new: dict[int, Bucket]) -> None:
        """Replace the rollups of a span by new buckets, which are numbered."""
        level, first, last = span
        first_block, last_block = blocks.block_of(first), blocks.block_of(last)
        # The outermost blocks also hold buckets outside of the span, which are kept.
        left = Span(level, blocks.first_bucket(first_block), first - 1)
        right = Span(level, last + 1, blocks.first_bucket(last_block + 1) - 1)
        for beside in (left, right):
            if beside.first <= beside.last:
                new.update(self.read(beside).items())
        for block in self._blocks_of(span):
            del self._packed[level][block]
            self._removed.add((level, block))
        for block, packed in blocks.pack(sorted(new.items())):
            self._packed[level][block] = packed
            self._added.add((level, block))

    def _blocks_of(self, span: Span) -> list[int]:
        first, last = blocks.block_of(span.first), blocks.block_of(span.last)
        return sorted(block for block in self._packed[span.level] if first <= block <= last)

    async def store(self, conn: Connection) -> None:
        """Write what has changed."""
        if gone := self._removed - self._added:
            await conn.executemany(
                "DELETE FROM rollups WHERE series_id = ? AND level = ? AND block = ?",
                [(self._series_id, *place) for place in gone],
            )
        await conn.executemany(
            """
            INSERT INTO rollups (series_id, level, block, buckets) VALUES (?, ?, ?, ?)
            ON CONFLICT (series_id, level, block) DO UPDATE SET buckets = excluded.buckets
            """,
            [
                (self._series_id, level, block, self._packed[level][block])
                for level, block in sorted(self._added)
            ],
        )
