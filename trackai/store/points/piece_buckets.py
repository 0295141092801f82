"""Points that are packed into pieces: the buckets of charts, computed from columns."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

from trackai.downsampling import buckets, thinning
from trackai.downsampling.buckets import Bucket
from trackai.store.points import large_values, piece_scan
from trackai.store.points.piece_scan import ALL, Scan, Window, chunks, cuts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from trackai.downsampling.buckets import Range
    from trackai.store.engine.connection import Connection
    from trackai.store.points.piece_scan import Columns
    from trackai.store.points.queries import Selection, Target
    from trackai.store.points.series import Series
    from trackai.structs.points import PointRow
    from trackai.values.types import Step, StoredValue


async def compute(
    conn: Connection,
    selections: Sequence[Selection],
    *,
    resumed: int,
    plain: bool,
    times: bool,
) -> dict[int, dict[int, Bucket]]:
    computed: dict[int, dict[int, Bucket]] = {}
    async for selection, columns in _each_selection(conn, selections, resumed):
        by_number = computed.setdefault(selection.series_id, {})
        for number, bucket in _bucketed(selection.level, columns, plain, times):
            present = by_number.get(number)
            by_number[number] = bucket if present is None else buckets.merge(present, bucket)
    return computed


async def _each_selection(
    conn: Connection, selections: Sequence[Selection], resumed: int
) -> AsyncIterator[tuple[Selection, Columns]]:
    ids = {selection.series_id for selection in selections}
    cuts = await cuts_of(conn, ids if resumed else ())
    windows = [Window(series_id, low, high) for series_id, _, low, high in selections]
    of = dict(zip(windows, selections, strict=True))
    async for window, columns in piece_scan.each(conn, Scan(windows, ALL, cuts)):
        yield of[window], columns


def _bucketed(level: int, columns: Columns, plain: bool, times: bool) -> list[tuple[int, Bucket]]:
    steps, values = columns.steps, columns.values
    timestamps = columns.timestamps if times else None
    if plain:
        thinned = thinning.thin(level, steps, values, timestamps)
        # A sum of integers may be larger than any that a rollup can hold.
        thinned = thinned._replace(sum=list(map(float, thinned.sum)))
        numbers = [buckets.bucket_of(step, level) for step in thinned.first_step]
        return list(zip(numbers, thinned.buckets(), strict=True))
    items: list[tuple[int, Bucket]] = []
    start, count = 0, len(steps)
    while start < count:
        number = buckets.bucket_of(steps[start], level)
        stop = bisect_right(steps, buckets.end(number, level), start + 1)
        part = slice(start, stop)
        items.append((number, _bucket(steps[part], values[part], timestamps and timestamps[part])))
        start = stop
    return items


def _bucket(
    steps: Sequence[Step], values: Sequence[StoredValue], timestamps: Sequence[int] | None
) -> Bucket:
    numbers = [value for value in values if isinstance(value, float | int)]
    finite = [value for value in numbers if math.isfinite(value)]
    try:
        total = float(sum(finite))
    except OverflowError:
        total = float(sum(map(float, finite)))
    return Bucket(
        len(values),
        len(finite),
        values.count(None),
        len(numbers) - len(finite),
        min(finite, default=None),
        max(finite, default=None),
        total,
        steps[0],
        steps[bisect_left(steps, steps[-1])],  # of 10 and 10.0, the first, as in SQLite
        min(timestamps) if timestamps else 0,
        max(timestamps) if timestamps else 0,
        large_values.with_marker(values[0]),
        large_values.with_marker(values[-1]),
    )


async def read_each(
    conn: Connection,
    selections: Sequence[Selection],
    use: Callable[[Selection, list[Step], list[Any], list[int] | None], None],
    *,
    resumed: int,
    times: bool,
) -> None:
    by_selection: dict[Selection, Columns] = {}
    async for selection, columns in _each_selection(conn, selections, resumed):
        if selection in by_selection:
            by_selection[selection].add(columns)
        else:
            by_selection[selection] = columns
    for selection, columns in by_selection.items():
        use(selection, columns.steps, columns.values, columns.timestamps if times else None)


async def find_first(
    conn: Connection, series: Series, steps: Range, kind: Target, extreme: Step | None
) -> PointRow | None:
    cuts = await cuts_of(conn, [series.id] if series.resumed else [])
    scan = Scan([Window(series.id, *steps)], ALL, cuts)
    async for columns in chunks(conn, scan):
        for index, value in enumerate(columns.values):
            if kind == "nan":
                is_found = value is None
            elif kind == "inf":
                is_found = isinstance(value, float) and math.isinf(value)
            else:
                is_found = not isinstance(value, str) and value == extreme
            if is_found:
                return columns.steps[index], columns.timestamps[index], value
    return None
