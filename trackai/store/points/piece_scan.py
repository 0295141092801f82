"""Reading pieces: fetched for many series with one query, cut to ranges of steps, and merged."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import groupby, pairwise, repeat
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.store.engine.sql import json_array
from trackai.store.points import large_values, piece
from trackai.store.points.piece import Points, rounded_down, rounded_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.figures import Figures
    from trackai.values.types import Step, StoredValue

# Pieces of each writer that one query reads, at most: about 25 000 points.
_PIECES = 64
# All pieces of each writer.
_UNLIMITED = 1 << 40
# The first step of a series, by the row ids of the series and of a writer, from which on points of
# the writer are superseded.
Cuts = dict[tuple[int, int], "Step"]


class Window(NamedTuple):
    """The points of a series from one step up to and including another.

    Attributes:
        writer_id: only points of this writer; 0 for all.
    """

    series_id: int
    low: Step
    high: Step
    writer_id: int = 0


class Writers(NamedTuple):
    """A condition on the writers of points, and the value of its parameter."""

    condition: str
    value: int


ALL = Writers("?::bigint IS NOT NULL", 0)


class Scan(NamedTuple):
    """What to read.

    Attributes:
        windows: different ones.
        values: False to read only steps and timestamps; values are None then.
    """

    windows: Sequence[Window]
    writers: Writers
    cuts: Mapping[tuple[int, int], Step] = MappingProxyType({})
    values: bool = True


class Columns(msgspec.Struct):
    """Points in order of step, time and writer.

    Attributes:
        writer_ids: their row ids, in parts: the id, and the number of points in sequence.
    """

    steps: list[Step]
    timestamps: list[int]
    values: list[Any]
    writer_ids: list[tuple[int, int]]
    own_steps: list[Step | None] | None

    def add(self, after: Columns) -> None:
        """Add points that follow."""
        if after.own_steps is not None or self.own_steps is not None:
            own: list[Step | None] = self.own_steps or [None] * len(self.steps)
            self.own_steps = own + (after.own_steps or [None] * len(after.steps))
        self.steps += after.steps
        self.timestamps += after.timestamps
        self.values += after.values
        self.writer_ids += after.writer_ids

    def rows(self) -> Iterator[tuple[Step, int, StoredValue, int, Step | None]]:
        """Step, timestamp, value, writer and own step of each point."""
        writer_ids = [
            writer_id
            for writer_id, count in self.writer_ids
            for writer_id in repeat(writer_id, count)
        ]
        own_steps = self.own_steps or [None] * len(self.steps)
        return zip(self.steps, self.timestamps, self.values, writer_ids, own_steps, strict=True)


class Part(NamedTuple):
    """Points of one writer that are next to each other."""

    writer_id: int
    points: Points


class _Group(NamedTuple):
    """Pieces of one window and writer, in order of their last steps.

    Attributes:
        place: of the window.
        rows: of each, the last step, the packed points and the texts.
    """

    place: int
    writer_id: int
    rows: list[tuple[float, bytes, bytes | None]]


async def cuts_of(conn: Connection, series_ids: Iterable[int]) -> Cuts:
    """From which step on the points of which writers are superseded, in series."""
    ids = json_array(series_ids)
    if not ids.items:
        return {}
    rows = await conn.execute_fetchall(
        """
        SELECT attempts.series_id, writers.id, min(attempts.first_step)
        FROM attempts
        JOIN series ON series.id = attempts.series_id
        JOIN writers ON writers.run_id = series.run_id AND writers.attempt < attempts.attempt
        WHERE attempts.series_id IN (SELECT value FROM json_each(?))
        GROUP BY attempts.series_id, writers.id
        """,
        (ids,),
    )
    return {(series_id, writer_id): step for series_id, writer_id, step in rows}


async def _fetch(
    conn: Connection, scan: Scan, limit: int, *, descending: bool = False
) -> list[_Group]:
    """Fetch the first, or the last, pieces of each window and writer, `limit` at most."""
    # Pieces are in order of their last steps, so the first one that ends after a window is the last
    # that may begin in it.
    rows = await conn.execute_fetchall(
        f"""
        SELECT selected.place, writers.id, own.last_step, own.packed, own.texts
        FROM unnest(?::bigint[], ?::bigint[], ?::float8[], ?::float8[], ?::bigint[])
             AS selected (place, series_id, low, high, writer_id)
        JOIN series ON series.id = selected.series_id
        JOIN writers ON writers.run_id = series.run_id AND {scan.writers.condition}
         AND (writers.id = selected.writer_id OR selected.writer_id = 0)
        CROSS JOIN LATERAL (
            SELECT last_step, packed, {"texts" if scan.values else "NULL::bytea AS texts"}
            FROM pieces
            WHERE pieces.series_id = selected.series_id AND pieces.writer_id = writers.id
              AND pieces.last_step >= selected.low AND pieces.first_step <= selected.high
              AND pieces.last_step <= coalesce((
                  SELECT later.last_step FROM pieces AS later
                  WHERE later.series_id = selected.series_id AND later.writer_id = writers.id
                    AND later.last_step > selected.high
                  ORDER BY later.last_step LIMIT 1
              ), 'Infinity')
            ORDER BY pieces.last_step {"DESC" if descending else ""}
            LIMIT ?::bigint
        ) AS own
        """,
        (
            list(range(len(scan.windows))),
            [window.series_id for window in scan.windows],
            [rounded_down(window.low) for window in scan.windows],
            [rounded_up(window.high) for window in scan.windows],
            [window.writer_id for window in scan.windows],
            scan.writers.value,
            limit,
        ),
    )
    by_writer: dict[tuple[int, int], list[Any]] = {}
    for place, writer_id, *row in rows:
        by_writer.setdefault((place, writer_id), []).append(row)
    return [
        _Group(place, writer_id, sorted(group, key=itemgetter(0), reverse=descending))
        for (place, writer_id), group in sorted(by_writer.items())
    ]


def _unpack(scan: Scan, packed: bytes, texts: bytes | None) -> Points:
    if scan.values:
        return piece.unpack(packed, texts)
    steps, timestamps = piece.unpack_steps(packed)
    return Points(steps, timestamps, [None] * len(steps))


def _cut(scan: Scan, group: _Group, points: Points, horizon: Step | None) -> Points:
    """The visible points of a piece in its window, and before the horizon."""
    steps = points.steps
    series_id, low, high, _ = scan.windows[group.place]
    start = 0 if low <= steps[0] else bisect_left(steps, low)
    stop = len(steps) if steps[-1] <= high else bisect_right(steps, high)
    for limit in (scan.cuts.get((series_id, group.writer_id)), horizon):
        if limit is not None and limit <= steps[-1]:
            stop = min(stop, bisect_left(steps, limit))
    return points.between(start, max(start, stop))


def _parts(scan: Scan, groups: Iterable[_Group], horizon: Step | None = None) -> list[Part]:
    parts = []
    for group in groups:
        for _, packed, texts in group.rows:
            points = _cut(scan, group, _unpack(scan, packed, texts), horizon)
            if points.steps:
                parts.append(Part(group.writer_id, points))
    return parts


def _merged(parts: list[Part]) -> Columns:
    """Put points of several pieces in order."""
    parts.sort(key=_first)
    own_steps: list[Step | None] | None = None
    if any(part.points.own_steps is not None for part in parts):
        own_steps = []
        for _, points in parts:
            own_steps += points.own_steps or [None] * len(points.steps)
    columns = Columns([], [], [], [], own_steps)
    for writer_id, points in parts:
        columns.steps += points.steps
        columns.timestamps += points.timestamps
        columns.values += points.values
        columns.writer_ids.append((writer_id, len(points.steps)))
    if any(_last(part) > _first(following) for part, following in pairwise(parts)):
        return _sorted(columns)
    return columns


def _first(part: Part) -> tuple[Step, int, int]:
    return part.points.steps[0], part.points.timestamps[0], part.writer_id


def _last(part: Part) -> tuple[Step, int, int]:
    return part.points.steps[-1], part.points.timestamps[-1], part.writer_id


def _sorted(columns: Columns) -> Columns:
    rows = list(columns.rows())
    rows.sort(key=itemgetter(0, 1, 3))
    steps, timestamps, values, writer_ids, own_steps = map(list, zip(*rows, strict=True))
    counts = [(writer_id, len(list(group))) for writer_id, group in groupby(writer_ids)]
    own = None if columns.own_steps is None else own_steps
    return Columns(steps, timestamps, values, counts, own)


def _horizon(scan: Scan, groups: Sequence[_Group], limit: int) -> Step | None:
    """The step before which all points have been fetched; None if these are all.

    Pieces that were not fetched follow those that end before the last one that was.
    """
    steps = []
    for group in groups:
        if len(group.rows) == limit:
            last = group.rows[-1][0]
            complete = [row for row in group.rows if row[0] < last]
            if not complete:
                return -math.inf
            fetched, _ = piece.unpack_steps(complete[-1][1])
            steps.append(fetched[-1])
    return min(steps, default=None)


async def chunks(
    conn: Connection, scan: Scan, *, points: float = math.inf
) -> AsyncIterator[Columns]:
    """Read points of windows that belong together, in order, part by part.

    Args:
        points: about as many are needed.
    """
    limit = int(min(_PIECES, points // piece.POINTS + 2))
    scan = scan._replace(windows=[window for window in scan.windows if window.low <= window.high])
    while scan.windows:
        groups = await _fetch(conn, scan, limit)
        horizon = _horizon(scan, groups, limit)
        if horizon is not None and horizon <= min(window.low for window in scan.windows):
            limit *= 4  # many pieces at one step
            continue
        if parts := _parts(scan, groups, horizon):
            yield _merged(parts)
        if horizon is None:
            return
        scan = scan._replace(
            windows=[
                window._replace(low=max(window.low, horizon))
                for window in scan.windows
                if window.high >= horizon
            ]
        )


async def each(conn: Connection, scan: Scan) -> AsyncIterator[tuple[Window, Columns]]:
    """Read windows that do not belong together, with one query for those that are short.

    Yields the points of a window, in order, in one or several parts.
    """
    if len(scan.windows) > 1:
        groups = await _fetch(conn, scan, _PIECES)
        long: list[Window] = []
        for index, own in groupby(groups, key=itemgetter(0)):
            of_window = list(own)
            if any(len(group.rows) == _PIECES for group in of_window):
                long.append(scan.windows[index])
            elif parts := _parts(scan, of_window):
                yield scan.windows[index], _merged(parts)
        scan = scan._replace(windows=long)
    for window in scan.windows:
        async for columns in chunks(conn, scan._replace(windows=[window])):
            yield window, columns


async def parts(conn: Connection, scan: Scan) -> list[Part]:
    """All pieces that overlap windows, as they are."""
    groups = await _fetch(conn, scan, _UNLIMITED)
    return [
        Part(group.writer_id, _unpack(scan, packed, texts))
        for group in groups
        for _, packed, texts in group.rows
    ]


async def tails(conn: Connection, scan: Scan, points: int) -> list[Columns]:
    """Read the last points of each window, `points` at most."""
    by_window: dict[int, Columns] = {}
    limit = min(_PIECES, points // piece.POINTS + 2)
    left = list(range(len(scan.windows)))
    while left:
        part = scan._replace(windows=[scan.windows[index] for index in left])
        groups = await _fetch(conn, part, limit, descending=True)
        by_index: dict[int, list[_Group]] = {}
        for group in groups:
            by_index.setdefault(group.place, []).append(group)
        again = []
        for place, index in enumerate(left):
            own = by_index.get(place, [])
            tail = _tail(part, own, limit, points)
            if tail is None:
                again.append(index)
            else:
                by_window[index] = tail
        left, limit = again, limit * 4
    return [by_window[index] for index in range(len(scan.windows))]


def _tail(scan: Scan, groups: Sequence[_Group], limit: int, points: int) -> Columns | None:
    """The last points of a window; None if more pieces are needed to tell."""
    complete_after = -math.inf
    for group in groups:
        if len(group.rows) == limit:
            lowest = group.rows[-1][0]
            complete = [row for row in group.rows if row[0] > lowest]
            if not complete:
                return None
            fetched, _ = piece.unpack_steps(complete[-1][1])
            complete_after = max(complete_after, fetched[0])
    unpacked = _parts(scan, groups)
    if not unpacked:
        return None if complete_after > -math.inf else Columns([], [], [], [], None)
    columns = _merged(unpacked)
    start = max(0, len(columns.steps) - points)
    if complete_after > -math.inf and (
        len(columns.steps) < points or columns.steps[start] <= complete_after
    ):
        return None
    return Columns(
        columns.steps[start:], columns.timestamps[start:], columns.values[start:], [], None
    )


def latest_time(packed: bytes, time: int) -> int:
    """The latest time in a piece that is not after a time."""
    _, timestamps = piece.unpack_steps(packed)
    return max(timestamp for timestamp in timestamps if timestamp <= time)


async def with_last_values(
    conn: Connection, additions: Sequence[tuple[int, Figures]]
) -> list[tuple[int, Figures]]:
    """Set the last values of figures whose last step is also that of stored points.

    A marker is replaced by the large value: unlike rollups, series have these themselves.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT id, last_step FROM series
        WHERE id IN (SELECT value FROM json_each(?)) AND last_step IS NOT NULL
        """,
        (json_array(series_id for series_id, _ in additions),),
    )
    last_steps = dict(rows)
    windows = [
        Window(series_id, -math.inf, figures.last_step)
        for series_id, figures in additions
        if last_steps.get(series_id) == figures.last_step
        or figures.last_value == large_values.MARKER
    ]
    cuts = await cuts_of(conn, [window.series_id for window in windows])
    read = await tails(conn, Scan(windows, ALL, cuts), 1)
    values = {
        window: tail.values[-1] for window, tail in zip(windows, read, strict=True) if tail.steps
    }
    return [
        (
            series_id,
            _with_last_value(figures, values, Window(series_id, -math.inf, figures.last_step)),
        )
        for series_id, figures in additions
    ]


def _with_last_value(figures: Figures, values: dict[Window, Any], window: Window) -> Figures:
    value = values.get(window, figures.last_value)
    return msgspec.structs.replace(figures, last_value=None if value != value else value)
