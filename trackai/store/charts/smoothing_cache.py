"""Blocks of series for smoothing, kept in memory from one request to the next.

It is only a cache: each use compares it with what the database says has changed since, in the same
transaction as the chart. So several servers may each have their own.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from trackai.downsampling import buckets
from trackai.downsampling.moments import Blocks, Builder
from trackai.store.engine.sql import json_array
from trackai.store.points import arrivals, reads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trackai.store.charts.training_time import TrainingTime
    from trackai.store.engine.connection import Connection
    from trackai.store.points.bucketing import Extent
    from trackai.store.points.lineage import Segment
    from trackai.values.types import Step

# A chart with at most so many buckets consists of whole blocks.
_BLOCKS = 1024
# As a series grows, its blocks are made wider when they would be more than this.
_MOST_BLOCKS = 4 * _BLOCKS
# The number of blocks that are kept; each takes about 300 bytes.
_KEPT = 100_000


class _Key(NamedTuple):
    """A series on an axis.

    Attributes:
        run_uid: the identity of the run, as a later series may get the same row id.
        pauses: the pauses that training time leaves out; None on the axis of steps.
    """

    series_id: int
    run_uid: str
    pauses: tuple[tuple[int, int], ...] | None


class _Entry(NamedTuple):
    cursor: int
    blocks: Blocks


class SmoothingCache:
    """Blocks of the series that were smoothed last; threads may share it."""

    def __init__(self) -> None:
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Entry | None:
        """The blocks of a series, which the caller must not change."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: _Key, entry: _Entry) -> None:
        """Keep the blocks of a series in place of earlier ones."""
        with self._lock:
            self._remove(key)
            self._entries[key] = entry
            self._size += len(entry.blocks.numbers)
            while self._size > _KEPT:
                self._remove(next(iter(self._entries)))

    def _remove(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(entry.blocks.numbers)


class NotKnownError(Exception):
    """The cache does not have the series."""


class BlockReader:
    """Reads the blocks of series from the cache where these are up to date.

    Args:
        known_only: raise `NotKnownError` instead of reading a whole series.
    """

    def __init__(
        self,
        conn: Connection,
        cache: SmoothingCache,
        known_only: bool,
        runs: dict[int, tuple[int, str]],
        cursors: dict[int, int],
    ) -> None:
        self._conn = conn
        self._cache = cache
        self.known_only = known_only
        self._runs = runs
        self._cursors = cursors
        self._changes: dict[tuple[int, int], dict[int, Step] | None] = {}

    @classmethod
    async def open(
        cls,
        conn: Connection,
        cache: SmoothingCache,
        series_ids: Iterable[int],
        *,
        known_only: bool = False,
    ) -> BlockReader:
        """Prepare to read blocks of these series in the transaction of the connection."""
        rows = await conn.execute_fetchall(
            """
            SELECT series.id, runs.id, runs.uid FROM series JOIN runs ON runs.id = series.run_id
            WHERE series.id IN (SELECT value FROM json_each(?))
            """,
            (json_array(series_ids),),
        )
        runs = {series_id: (run_id, uid) for series_id, run_id, uid in rows}
        cursors = await arrivals.last_of_runs(conn, [run_id for run_id, _ in runs.values()])
        return cls(conn, cache, known_only, runs, cursors)

    async def read(
        self,
        segment: Segment,
        extent: Extent,
        over_time: bool,
        training: TrainingTime | None,
    ) -> Blocks | None:
        """Read the blocks of a series; None if it has too large values.

        Args:
            extent: of the whole series.
            training: converts times, if the run has paused.
        """
        run_id, run_uid = self._runs[segment.series.id]
        pauses = () if training is None else tuple(training.pauses)
        key = _Key(segment.series.id, run_uid, pauses if over_time else None)
        entry = self._cache.get(key)
        cursor = self._cursors[run_id]
        blocks = None if entry is None else await self._unchanged(run_id, entry, segment.series.id)
        points = segment.series.points
        if entry is None or entry.blocks is not blocks:
            blocks = await self._complete(segment, blocks, extent, over_time, training)
        elif entry.cursor == cursor and sum(blocks.points) == points:
            return blocks
        if blocks is not None and sum(blocks.points) != points:
            # Points were deleted, as when a changed export is imported again.
            blocks = await self._complete(segment, None, extent, over_time, training)
        if blocks is not None:
            self._cache.put(key, _Entry(cursor, blocks))
        return blocks

    async def _unchanged(self, run_id: int, entry: _Entry, series_id: int) -> Blocks | None:
        """The blocks that are as they were; None if it is not known which."""
        if entry.cursor == self._cursors[run_id]:
            return entry.blocks
        question = run_id, entry.cursor
        if question not in self._changes:
            self._changes[question] = await arrivals.changed_from(
                self._conn, run_id, entry.cursor, list(self._runs)
            )
        changes = self._changes[question]
        if changes is None:
            return None
        step = changes.get(series_id)
        if step is None:
            return entry.blocks
        if step == -math.inf:
            return None
        return entry.blocks.before(buckets.bucket_of(step, entry.blocks.level))

    async def _complete(
        self,
        segment: Segment,
        blocks: Blocks | None,
        extent: Extent,
        over_time: bool,
        training: TrainingTime | None,
    ) -> Blocks | None:
        """Add the points after the last of the blocks; without blocks, all points."""
        steps = extent.first_step, extent.last_step
        if blocks is None and self.known_only:
            raise NotKnownError
        if blocks is None or buckets.level_for(*steps, _MOST_BLOCKS) > blocks.level:
            blocks = Blocks.none(buckets.level_for(*steps, _BLOCKS))
        first, last = steps
        if blocks.numbers:
            first = buckets.start(blocks.numbers[-1] + 1, blocks.level)
        times = float(extent.last_timestamp - extent.first_timestamp)
        builder = Builder(blocks, times if over_time else None)
        try:
            async for page in reads.pages(self._conn, [segment], step_min=first, step_max=last):
                steps, page_times, values = zip(*page, strict=True)
                if training is not None:
                    page_times = tuple(map(training.at, page_times))
                builder.add(steps, page_times, values)
            builder.finish()
        except OverflowError:
            return None
        return blocks
