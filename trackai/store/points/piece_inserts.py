"""Storing points in pieces.

The pieces of a series and writer stay in order and apart: new points between stored ones are packed
again together with their neighbours. A small last piece is packed again with what follows it. The
caller holds the lock of the run, so nobody else writes to its series.
"""

from __future__ import annotations

import math
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.errors import ConflictError
from trackai.store.points import piece
from trackai.store.points.piece import Points, rounded_down, rounded_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.queries import Columns, NewPoints
    from trackai.structs.points import Column
    from trackai.values.types import Axis, Step, StoredValue, Value

# A last piece is packed again if it has at most so many points, or so many times the new ones.
_SMALL, _FACTOR = 32, 4
# New points among more pieces than that are stored in two halves.
_MANY = 64
# The number of own steps that are stored together.
_OWN_STEPS = 5000
# The number of following points among which an equal point is looked for.
_NEAR = 32

_Key = tuple["Step", int]


class _Row(NamedTuple):
    """A new point, and its place: the index of its column, and the index there."""

    step: Step
    time: int
    value: StoredValue
    own_step: Step | None
    column: int
    position: int

    @property
    def key(self) -> _Key:
        return self.step, self.time


class Span(NamedTuple):
    """The lowest and the highest step of points, and whether they are in order."""

    low: Step
    high: Step
    is_ordered: bool

    @classmethod
    def of(cls, points: Points) -> Span:
        """Look at all points."""
        steps = points.steps
        if piece.is_ordered(steps, points.timestamps):
            return cls(steps[0], steps[-1], is_ordered=True)
        return cls(min(steps), max(steps), is_ordered=False)


class _Group(msgspec.Struct):
    """New points of a series and writer, as columns and together."""

    series_id: int
    writer_id: int
    axis: Axis
    columns: list[Column]
    points: Points
    span: Span

    def rows(self) -> list[_Row]:
        """The points one by one."""
        return [
            _Row(step, time, _stored(value), own_step, number, index)
            for number, column in enumerate(self.columns)
            for index, (step, time, value, own_step) in enumerate(
                zip(
                    column.steps, column.timestamps, column.values,
                    column.own_steps or repeat(None, len(column.steps)),
                    strict=True,
                )
            )
        ]  # fmt: skip

    def with_rows(self, rows: Sequence[_Row]) -> _Group:
        """The group with a part of its points, to look for pieces."""
        steps = [row.step for row in rows]
        span = Span(min(steps), max(steps), is_ordered=False)
        return msgspec.structs.replace(self, points=Points(steps, [], []), span=span)

    def move(self, row: _Row, step: Step, time: int) -> None:
        """Change the time of a point, and its step if that is its time."""
        column = self.columns[row.column]
        steps, timestamps = column.steps[:], column.timestamps[:]
        steps[row.position], timestamps[row.position] = step, time
        self.columns[row.column] = msgspec.structs.replace(
            column, steps=steps, timestamps=timestamps
        )


class Stored(NamedTuple):
    """A piece that is stored; `overlaps` is False for the one before the new points."""

    id: int
    last_step: float
    overlaps: bool
    points: Points


class Changes:
    """Pieces to delete and to insert."""

    def __init__(self) -> None:
        self.deleted: list[tuple[Any, ...]] = []
        self.inserted: list[tuple[Any, ...]] = []
        self._packer = piece.Packer()

    def replace(
        self, series_id: int, writer_id: int, stored: Iterable[Stored], points: Points
    ) -> None:
        """Replace pieces by new ones with these points."""
        self.deleted += [(series_id, writer_id, item.last_step, item.id) for item in stored]
        self.inserted += [(series_id, writer_id, *item) for item in self._packer.split(points)]

    async def execute(self, conn: Connection) -> None:
        deleted: list[Any] = list(map(list, zip(*self.deleted, strict=True))) or [[]] * 4
        if not self.inserted:
            return
        await conn.execute(
            """
            WITH gone AS (
                DELETE FROM pieces
                USING unnest(?::bigint[], ?::bigint[], ?::float8[], ?::bigint[])
                      AS old (series_id, writer_id, last_step, id)
                WHERE pieces.series_id = old.series_id AND pieces.writer_id = old.writer_id
                  AND pieces.last_step = old.last_step AND pieces.id = old.id
            )
            INSERT INTO pieces (
                series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp,
                points, packed, texts
            )
            SELECT * FROM unnest(
                ?::bigint[], ?::bigint[], ?::float8[], ?::float8[], ?::bigint[], ?::bigint[],
                ?::integer[], ?::bytea[], ?::bytea[]
            )
            """,
            [*deleted, *map(list, zip(*self.inserted, strict=True))],
        )


async def insert(conn: Connection, new: Sequence[NewPoints]) -> list[Columns] | None:
    groups = _groups(new)
    stored = await _fetch(conn, groups)
    changes = Changes()
    has_taken = False
    for group, pieces in zip(groups, stored, strict=True):
        has_taken |= await _add(conn, changes, group, pieces)
    await changes.execute(conn)
    if not has_taken:
        return None
    columns_of = {(group.series_id, group.writer_id): iter(group.columns) for group in groups}
    return [
        [(writer_id, next(columns_of[item.series_id, writer_id])) for writer_id, _ in item.columns]
        for item in new
    ]


async def insert_new(conn: Connection, new: Sequence[NewPoints]) -> None:
    if await insert(conn, new) is not None:
        raise ConflictError("points: some of them are stored already")


def _groups(new: Sequence[NewPoints]) -> list[_Group]:
    groups: dict[tuple[int, int], _Group] = {}
    for item in new:
        for writer_id, column in item.columns:
            key = item.series_id, writer_id
            if key not in groups:
                groups[key] = _Group(*key, item.axis, [], Points([], [], []), Span(0, 0, True))
            groups[key].columns.append(column)
    spans: dict[tuple[int, int], Span] = {}
    for group in groups.values():
        group.points = points = _joined(group.columns)
        # Metrics that were logged together share these lists.
        shared = id(points.steps), id(points.timestamps)
        group.span = spans.get(shared) or spans.setdefault(shared, Span.of(points))
    return list(groups.values())


def _joined(columns: Sequence[Column]) -> Points:
    if len(columns) == 1:
        (column,) = columns
        own: Any = column.own_steps
        return Points(column.steps, column.timestamps, column.values, own)  # type: ignore[arg-type]
    own_steps: Any = None
    if any(column.own_steps is not None for column in columns):
        own_steps = [
            step
            for column in columns
            for step in (column.own_steps or repeat(None, len(column.steps)))
        ]
    return Points(
        [step for column in columns for step in column.steps],
        [time for column in columns for time in column.timestamps],
        [_stored(value) for column in columns for value in column.values],
        own_steps,
    )


def _stored(value: Value | StoredValue) -> StoredValue:
    if type(value) is bool:
        return int(value)
    return None if value != value else value


async def _fetch(
    conn: Connection, groups: Sequence[_Group], *, most: int = _MANY + 1
) -> list[list[Stored]]:
    """The pieces among which new points are, `most` at most, and small ones before them."""
    rows = await conn.execute_fetchall(
        """
        SELECT new.place, near.id, near.last_step, near.overlaps, near.packed, near.texts
        FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::float8[], ?::float8[], ?::bigint[])
             AS new (place, series_id, writer_id, low, high, small)
        CROSS JOIN LATERAL (
            (
                SELECT id, last_step, TRUE AS overlaps, packed, texts FROM pieces
                WHERE pieces.series_id = new.series_id AND pieces.writer_id = new.writer_id
                  AND pieces.last_step >= new.low AND pieces.first_step <= new.high
                  AND pieces.last_step <= coalesce((
                      SELECT later.last_step FROM pieces AS later
                      WHERE later.series_id = new.series_id AND later.writer_id = new.writer_id
                        AND later.last_step > new.high
                      ORDER BY later.last_step LIMIT 1
                  ), 'Infinity')
                ORDER BY pieces.last_step LIMIT ?::bigint
            )
            UNION ALL
            (
                SELECT id, last_step, FALSE, packed, texts
                FROM (
                    SELECT id, last_step, points, packed, texts FROM pieces
                    WHERE pieces.series_id = new.series_id AND pieces.writer_id = new.writer_id
                      AND pieces.last_step < new.low
                    ORDER BY pieces.last_step DESC LIMIT 1
                ) AS before
                WHERE before.points <= new.small
            )
        ) AS near
        """,
        (
            list(range(len(groups))),
            [group.series_id for group in groups],
            [group.writer_id for group in groups],
            [rounded_down(group.span.low) for group in groups],
            [rounded_up(group.span.high) for group in groups],
            [_packed_again(len(group.points.steps)) for group in groups],
            most,
        ),
    )
    stored: list[list[Stored]] = [[] for _ in groups]
    for place, id_, last_step, overlaps, packed, texts in rows:
        item = Stored(id_, last_step, overlaps, piece.unpack(packed, texts))
        stored[place].append(item)
    for items in stored:
        items.sort(key=lambda item: (item.points.steps[0], item.points.timestamps[0]))
    return stored


def _packed_again(points: int) -> int:
    """The largest last piece that is packed again, together with so many new points."""
    if points >= piece.POINTS:
        return piece.SMALL - 1
    return min(max(_SMALL, _FACTOR * points), piece.POINTS - 1)


async def _add(conn: Connection, changes: Changes, group: _Group, stored: list[Stored]) -> bool:
    """Add new points to pieces; True if the keys of some were taken."""
    points = group.points
    if not group.span.is_ordered or any(item.overlaps for item in stored):
        return await _Mixed(conn, group).add(group.rows(), stored)
    together = concatenated([*(item.points for item in stored), points])
    changes.replace(group.series_id, group.writer_id, stored, together)
    return False


def concatenated(parts: Sequence[Points]) -> Points:
    if len(parts) == 1:
        return parts[0]
    own_steps: list[Step | None] | None = None
    if any(part.own_steps is not None for part in parts):
        own_steps = [
            step for part in parts for step in part.own_steps or repeat(None, len(part.steps))
        ]
    return Points(
        [step for part in parts for step in part.steps],
        [time for part in parts for time in part.timestamps],
        [value for part in parts for value in part.values],
        own_steps,
    )


class _Mixed:
    """Adds points of a series and writer among stored ones, or in any order.

    As in `duplicates`: a point at a key that is taken is the stored one if its value is equal.
    Otherwise it is stored at the next free microsecond.
    """

    def __init__(self, conn: Connection, group: _Group) -> None:
        self._conn = conn
        self._group = group
        self._stored: dict[int, Stored] = {}
        self._values: dict[_Key, StoredValue] = {}
        self._new: list[_Row] = []
        self._high: Step = -math.inf  # all stored points up to here are known
        # For each step a range of times that are all taken. Without it, storing many points with
        # one key would take quadratic time.
        self._taken: dict[Step, tuple[int, int]] = {}

    async def add(self, rows: list[_Row], stored: list[Stored]) -> bool:
        """Store new points among these pieces; True if the keys of some were taken."""
        middle = _middle(rows) if len(stored) > _MANY else None
        if middle is not None:
            lower = await self._add_apart([row for row in rows if row.step < middle])
            return await self._add_apart([row for row in rows if row.step >= middle]) or lower
        if len(stored) > _MANY:
            (stored,) = await _fetch(self._conn, [self._group.with_rows(rows)], most=1 << 40)
        self._know(stored)
        self._high = max(row.step for row in rows)
        rest = []
        for row in rows:
            if row.key in self._values:
                rest.append(row)
            else:
                self._put(row)
        for row in rest:
            if not _is_equal(self._values[row.key], row.value):
                await self._move(row)
        if self._new:
            changes = Changes()
            changes.replace(
                self._group.series_id, self._group.writer_id, self._stored.values(), self._points()
            )
            await changes.execute(self._conn)
        return bool(rest)

    async def _add_apart(self, rows: list[_Row]) -> bool:
        (stored,) = await _fetch(self._conn, [self._group.with_rows(rows)])
        return await _Mixed(self._conn, self._group).add(rows, stored)

    def _know(self, stored: Iterable[Stored]) -> None:
        for item in stored:
            if item.id not in self._stored:
                self._stored[item.id] = item
                steps, timestamps, values, _ = item.points
                keys = zip(steps, timestamps, strict=True)
                self._values.update(zip(keys, values, strict=True))

    def _put(self, row: _Row) -> None:
        self._values[row.key] = row.value
        self._new.append(row)

    async def _move(self, row: _Row) -> None:
        time = await self._free_time(row)
        if time is not None:
            step = row.step if self._group.axis == "step" else time
            self._group.move(row, step, time)
            self._put(row._replace(step=step, time=time))

    async def _free_time(self, row: _Row) -> int | None:
        """Find the next free time; None if a point with this value is stored before it."""
        time = row.time
        for _ in range(_NEAR):
            time += 1
            key = await self._key(row.step, time)
            if key not in self._values:
                return time
            if _is_equal(self._values[key], row.value):
                return None
        place = row.step if self._group.axis == "step" else 0
        first, last = self._taken.get(place, (time, time))
        if not first <= time <= last:
            first = last = time
        while await self._key(row.step, last + 1) in self._values:
            last += 1
        self._taken[place] = (first, last + 1)
        return last + 1

    async def _key(self, step: Step, time: int) -> _Key:
        if self._group.axis == "step":
            return step, time
        if time > self._high:
            # What is stored there may be in pieces that have not been read yet.
            high = time + 2 * len(self._values) + 1000
            rows = [_Row(time, time, None, None, 0, 0), _Row(high, high, None, None, 0, 0)]
            (stored,) = await _fetch(self._conn, [self._group.with_rows(rows)], most=1 << 40)
            self._know(stored)
            self._high = high
        return time, time

    def _points(self) -> Points:
        """The points of all pieces that were read, and the new ones."""
        stored = [
            row
            for item in self._stored.values()
            for row in zip(*item.points[:3], item.points.own_steps or repeat(None), strict=False)
        ]
        rows = sorted([*stored, *(row[:4] for row in self._new)], key=itemgetter(0, 1))
        steps, timestamps, values, own_steps = map(list, zip(*rows, strict=True))
        has_own_steps = own_steps.count(None) < len(own_steps)
        return Points(steps, timestamps, values, own_steps if has_own_steps else None)


def _middle(rows: Sequence[_Row]) -> Step | None:
    """A step that divides the points; None if they have the same step."""
    steps = sorted(row.step for row in rows)
    middle = steps[len(steps) // 2]
    if middle > steps[0]:
        return middle
    return next((step for step in steps if step > middle), None)


def _is_equal(stored: StoredValue, value: StoredValue) -> bool:
    return stored == value


async def note_own_steps(
    conn: Connection, series_id: int, writer_id: int, steps: Sequence[tuple[int, Step]]
) -> None:
    own_steps = dict(reversed(steps))
    times = sorted(own_steps)
    for start in range(0, len(times), _OWN_STEPS):
        part = times[start : start + _OWN_STEPS]
        span = Span(part[0], part[-1], is_ordered=True)
        group = _Group(series_id, writer_id, "time", [], Points(list(part), part, []), span)
        (stored,) = await _fetch(conn, [group], most=1 << 40)
        changes = Changes()
        for item in stored:
            points = item.points
            before = points.own_steps or [None] * len(points.steps)
            after = [
                own_steps.get(time) if own is None else own
                for time, own in zip(points.timestamps, before, strict=True)
            ]
            if after != before:
                changes.replace(series_id, writer_id, [item], points._replace(own_steps=after))
        await changes.execute(conn)
