"""Points that are packed into pieces: what imports, exports and checks of a database read."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from trackai.store.points import large_values
from trackai.store.points.figures import summarize
from trackai.store.points.piece_scan import ALL, Columns, Scan, Window, Writers, chunks, cuts_of
from trackai.values.non_finite import python_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Axis, Step, StoredValue


async def dump(
    conn: Connection, series_id: int
) -> AsyncIterator[list[tuple[Step, int, StoredValue, int, Step | None]]]:
    scan = Scan([Window(series_id, -math.inf, math.inf)], ALL)
    async for columns in chunks(conn, scan):
        yield list(columns.rows())


async def find_rewinds(conn: Connection, series_id: int) -> list[tuple[int, Step]]:
    rows = await conn.execute_fetchall(
        """
        SELECT min(writers.id), attempts.attempt, attempts.first_step
        FROM attempts
        JOIN series ON series.id = attempts.series_id
        JOIN writers ON writers.run_id = series.run_id AND writers.attempt = attempts.attempt
        WHERE attempts.series_id = ?
        GROUP BY attempts.attempt, attempts.first_step
        ORDER BY attempts.attempt
        """,
        (series_id,),
    )
    rewinds = []
    for writer_id, attempt, step in rows:
        window = Window(series_id, step, step)
        scan = Scan([window], Writers("writers.attempt = ?", attempt), values=False)
        if not [columns async for columns in chunks(conn, scan)]:
            rewinds.append((writer_id, step))
    return rewinds


async def _of_name(
    conn: Connection, name: tuple[int, str, Axis], writers: Writers, low: Step, high: Step
) -> AsyncIterator[Columns]:
    rows = await conn.execute_fetchall(
        "SELECT id FROM series WHERE run_id = ? AND path = ? AND axis = ?", name
    )
    for (series_id,) in rows:
        async for columns in chunks(conn, Scan([Window(series_id, low, high)], writers)):
            yield columns


async def keys_of_writer(
    conn: Connection, name: tuple[int, str, Axis], writer_id: int, low: Step, high: Step
) -> set[tuple[Step, int]]:
    keys: set[tuple[Step, int]] = set()
    async for columns in _of_name(conn, name, Writers("writers.id = ?", writer_id), low, high):
        keys.update(zip(columns.steps, columns.timestamps, strict=True))
    return keys


async def values_of_writer(
    conn: Connection, name: tuple[int, str, Axis], writer_id: int, low: Step, high: Step
) -> set[tuple[Step, StoredValue | bytes]]:
    values: set[tuple[Step, StoredValue | bytes]] = set()
    async for columns in _of_name(conn, name, Writers("writers.id = ?", writer_id), low, high):
        values.update(
            zip(columns.steps, map(large_values.with_marker, columns.values), strict=True)
        )
    return values


async def count_imported(
    conn: Connection, name: tuple[int, str, Axis], import_id: int, low: Step, high: Step
) -> dict[tuple[Step, int], int]:
    counts: Counter[tuple[Step, int]] = Counter()
    writers = Writers("writers.import_id = ?", import_id)
    async for columns in _of_name(conn, name, writers, low, high):
        counts.update(zip(columns.steps, columns.timestamps, strict=True))
    return counts


async def read_imported(
    conn: Connection, run_id: int, import_id: int
) -> AsyncIterator[list[tuple[Any, ...]]]:
    many = await conn.execute_fetchall(
        "SELECT id, path, kind, axis FROM series WHERE run_id = ? ORDER BY id", (run_id,)
    )
    for series_id, path, kind, axis in many:
        windows = [Window(series_id, -math.inf, math.inf)]
        scan = Scan(windows, Writers("writers.import_id = ?", import_id))
        async for columns in chunks(conn, scan):
            yield [
                (path, kind, step if axis == "step" else own_step, time, value)
                for step, time, value, _, own_step in columns.rows()
            ]


async def wrong_figures(conn: Connection) -> list[int]:
    rows = await conn.execute_fetchall(
        """
        SELECT series.id, kind, points, nan_points, finite_points, sum, first_step, last_step,
               min_value, max_value, last_value, coalesce(resumed.series_id, 0)
        FROM series
        LEFT JOIN (SELECT DISTINCT series_id FROM attempts) AS resumed
               ON resumed.series_id = series.id
        ORDER BY series.id
        """
    )
    wrong = []
    for series_id, kind, *stored, resumed in rows:
        cuts = await cuts_of(conn, [series_id] if resumed else ())
        points = Columns([], [], [], [], None)
        windows = [Window(series_id, -math.inf, math.inf)]
        async for columns in chunks(conn, Scan(windows, ALL, cuts)):
            points.add(columns)
        if not _agree(stored, points, kind):
            wrong.append(series_id)
    return wrong


def _agree(stored: Sequence[Any], columns: Columns, kind: Any) -> bool:
    points, nan_points, finite_points, total, *rest = stored
    if not columns.steps:
        return not points and rest == [None] * 5
    values = [python_value(value, kind) for value in columns.values]
    figures = summarize(columns.steps, columns.timestamps, values)
    counts = figures.points, figures.nan_points, figures.finite_points
    if (points, nan_points, finite_points) != counts:
        return False
    finite = [
        abs(float(value))
        for value in columns.values
        if not isinstance(value, str) and value is not None and math.isfinite(value)
    ]
    if abs(total - figures.total) > 1e-9 * sum(finite):
        return False
    return rest == [
        figures.first_step, figures.last_step, figures.min_value, figures.max_value,
        columns.values[-1],
    ]  # fmt: skip
