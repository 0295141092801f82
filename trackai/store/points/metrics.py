"""Points: the one way in, and the ways out."""

from __future__ import annotations

import logging
import math
import operator
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import ConflictError
from trackai.store.engine.bulk import execute_columns, placeholders
from trackai.store.points import arrivals, attempts, duplicates, rollups, series
from trackai.store.points.figures import Figures, summarize
from trackai.store.points.series import Series, visible
from trackai.structs.points import Column, CurveRow, PointRow
from trackai.values.non_finite import python_value
from trackai.values.types import INT64, Step, Value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from aiosqlite import Connection

logger = logging.getLogger("trackai")

_ROWS_PER_STATEMENT = (1024, 64, 1)
_PAGE = 50_000

# Which points of a resumed run: one clean curve, everything, or what one attempt logged.
Attempt = Literal["latest", "all"] | int


# Who logged what: the row ids of a run and of one of its writers, and the points.
Part = tuple[int, int, Sequence[Column]]
_Pieces = Mapping[series.Name, Sequence[tuple[int, Column]]]
_Found = Mapping[series.Name, Series]


async def append(conn: Connection, run_id: int, writer_id: int, columns: Sequence[Column]) -> None:
    """Store points of a run and bring the figures of their series up to date.

    A point that this writer has logged already, with this step, time and value, changes nothing,
    but makes the figures be counted anew; the drain, and clients that give their batches ids,
    spare that.
    """
    await append_parts(conn, [(run_id, writer_id, columns)])


async def append_parts(conn: Connection, parts: Sequence[Part]) -> None:
    """`append` for several writers and runs at once, in as few statements as for one."""
    pieces: dict[series.Name, list[tuple[int, Column]]] = {}
    for run_id, writer_id, columns in parts:
        for column in columns:
            if column.steps:
                name = (run_id, column.path, column.axis)
                pieces.setdefault(name, []).append((writer_id, _within_64_bits(column)))
    for some in pieces.values():
        some.sort(key=operator.itemgetter(0))  # as their rows lie
    figures = {name: _figures([column for _, column in some]) for name, some in pieces.items()}
    found = await series.ensure(conn, {name: figure.kind for name, figure in figures.items()})
    rows_before = conn.total_changes
    await _insert_points(conn, _insert, pieces, found)
    stale: set[int] = set()
    if conn.total_changes - rows_before < sum(figure.points for figure in figures.values()):
        stale = {one.id for one in found.values()}
        await _move_apart(conn, pieces, found, figures)
    noted = await _note_attempts(conn, parts, pieces, found)
    await _count(conn, found, figures, stale | noted.stale)
    await arrivals.note(conn, _arrivals(pieces, found, figures), rewound=noted.rewound)


async def append_new(
    conn: Connection,
    run_id: int,
    writer_id: int,
    columns: Sequence[Column],
    figures: Sequence[Figures],
) -> None:
    """Store many points that are known to be new, of series that differ, with their figures.

    It is what `append` does, for those who have done half of it where there was time for it: no
    value is looked at any more.

    Raises:
        ConflictError: one of the points is there already; some of the others may be stored.
    """
    pieces: dict[series.Name, list[tuple[int, Column]]] = {
        (run_id, column.path, column.axis): [(writer_id, column)] for column in columns
    }
    by_name = dict(zip(pieces, figures, strict=True))
    found = await series.ensure(conn, {name: figure.kind for name, figure in by_name.items()})
    try:
        await _insert_points(conn, _insert_new, pieces, found)
    except sqlite3.IntegrityError:
        raise ConflictError("some of these points are there already") from None
    await _note_own_steps(conn, pieces, found)
    noted = await _note_attempts(conn, [(run_id, writer_id, columns)], pieces, found)
    await _count(conn, found, by_name, noted.stale)
    await arrivals.note(conn, _arrivals(pieces, found, by_name), rewound=noted.rewound)


async def _insert_points(
    conn: Connection, statement: Callable[[int], str], pieces: _Pieces, found: _Found
) -> None:
    blocks: list[tuple[Any, ...]] = []
    for name, some in pieces.items():
        writer_ids: int | list[int] = some[0][0]
        if len(some) > 1:
            # Many clients with a point each are one block, not many.
            writer_ids = [writer_id for writer_id, column in some for _ in column.steps]
        joined = _joined([column for _, column in some])
        blocks.append((found[name].id, *joined, writer_ids))
    await execute_columns(conn, statement, blocks, width=5, sizes=_ROWS_PER_STATEMENT)


async def _move_apart(
    conn: Connection,
    pieces: dict[series.Name, list[tuple[int, Column]]],
    found: _Found,
    figures: dict[series.Name, Figures],
) -> None:
    """Store, a little later, what found its place taken by another point."""
    for name, some in pieces.items():
        before = some[:]
        for position, (writer_id, column) in enumerate(before):
            moved = await duplicates.move_apart(conn, found[name].id, writer_id, column)
            some[position] = (writer_id, moved)
        if some != before:
            figures[name] = _figures([column for _, column in some])


async def _note_own_steps(conn: Connection, pieces: _Pieces, found: _Found) -> None:
    await execute_columns(
        conn,
        _insert_own_steps,
        [
            (found[name].id, column.timestamps, writer_id, column.own_steps)
            for name, some in pieces.items()
            for writer_id, column in some
            if column.own_steps is not None
        ],
        width=4,
        sizes=_ROWS_PER_STATEMENT,
    )


async def note_own_steps(
    conn: Connection, run_id: int, path: str, writer_id: int, steps: Sequence[tuple[int, Step]]
) -> None:
    """Note the steps that a system metric had at its times, where that is not known yet."""
    found = await series.ensure(conn, {(run_id, path, "time"): "number"})
    series_id = found[run_id, path, "time"].id
    await conn.executemany(
        """
        INSERT INTO system_steps (series_id, timestamp, writer_id, step) VALUES (?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """,
        [(series_id, timestamp, writer_id, step) for timestamp, step in steps],
    )


async def _count(
    conn: Connection, found: _Found, figures: Mapping[series.Name, Figures], stale: set[int]
) -> None:
    """Bring the figures of series up to date; of those that are stale, from their points."""
    await series.merge_figures(
        conn,
        (
            (found[name].id, figure)
            for name, figure in figures.items()
            if found[name].id not in stale
        ),
    )
    for name, one in found.items():
        if one.id in stale:
            # Other values than it had: its ones and zeros are booleans no more.
            kind = one.kind if one.kind == figures[name].kind else "number"
            await recount(conn, msgspec.structs.replace(one, resumed=1, kind=kind))
    # What an attempt supersedes begins at its first step and may end anywhere.
    await rollups.mark(
        conn,
        (
            rollups.Touched(
                found[name].id,
                found[name].points,
                figure.points,
                figure.first_step,
                math.inf if found[name].id in stale else figure.last_step,
            )
            for name, figure in figures.items()
        ),
    )


def _arrivals(
    pieces: _Pieces, found: _Found, figures: Mapping[series.Name, Figures]
) -> Iterator[arrivals.Arrival]:
    for name, some in pieces.items():
        series_id, one = found[name].id, figures[name]
        if len(some) == 1:
            yield arrivals.Arrival(
                series_id,
                some[0][0],
                one.first_step,
                one.last_step,
                one.first_timestamp,
                one.last_timestamp,
            )
            continue
        for writer_id, column in some:
            steps, times = column.steps, column.timestamps
            if len(steps) == 1:
                step, time = steps[0], times[0]
                yield arrivals.Arrival(series_id, writer_id, step, step, time, time)
            else:
                yield arrivals.Arrival(
                    series_id, writer_id, min(steps), max(steps), min(times), max(times)
                )


def _figures(columns: Sequence[Column]) -> Figures:
    figures = summarize(*_joined(columns))
    if figures.kind == "text" and columns[0].kind != "text":
        return msgspec.structs.replace(figures, kind=columns[0].kind)
    return figures


def _joined(columns: Sequence[Column]) -> tuple[list[Step], list[int], list[Value]]:
    if len(columns) == 1:
        return columns[0].steps, columns[0].timestamps, columns[0].values
    return (
        [step for column in columns for step in column.steps],
        [time for column in columns for time in column.timestamps],
        [value for column in columns for value in column.values],
    )


async def _note_attempts(
    conn: Connection,
    parts: Sequence[Part],
    pieces: _Pieces,
    found: _Found,
) -> attempts.Noted:
    """What resumes have to do with new points."""
    numbers = await attempts.numbers(conn, {writer_id for _, writer_id, _ in parts})
    if max(numbers.values()) == 1 and not any(one.resumed for one in found.values()):
        return attempts.Noted(set(), set())
    first_steps: dict[int, list[tuple[Series, Step]]] = {}
    for name, some in pieces.items():
        if found[name].axis == "step":
            for writer_id, column in some:
                first = (found[name], min(column.steps))
                first_steps.setdefault(numbers[writer_id], []).append(first)
    stale, rewound = set[int](), set[int]()
    for attempt in sorted(first_steps):
        noted = await attempts.note(conn, attempt, first_steps[attempt])
        stale |= noted.stale
        rewound |= noted.rewound
    if len(first_steps) > 1:
        stale |= {one.id for some in first_steps.values() for one, _ in some}
    return attempts.Noted(stale, rewound)


async def recount(conn: Connection, one: Series) -> None:
    """Compute the figures of a series anew, from its points."""
    await series.reset_figures(conn, one.id, one.kind)
    async for rows in _pages(conn, one):
        steps, timestamps, values = zip(*rows, strict=True)
        figures = summarize(steps, timestamps, [python_value(v, one.kind) for v in values])
        if one.kind == "histogram":  # nothing but the series knows that these texts are ones
            figures = msgspec.structs.replace(figures, kind=one.kind)
        await series.merge_figures(conn, [(one.id, figures)])


async def _pages(conn: Connection, one: Series) -> AsyncIterator[list[PointRow]]:
    """All points of a series that are not superseded, page by page."""
    after: tuple[Step, int, int] = (-math.inf, 0, 0)
    while True:
        rows = await conn.execute_fetchall(
            f"""
            SELECT step, timestamp, value, writer_id FROM metrics
            WHERE series_id = ? AND (step, timestamp, writer_id) > (?, ?, ?)
              AND {visible(one.resumed)}
            ORDER BY step, timestamp, writer_id
            LIMIT {_PAGE}
            """,
            (one.id, *after),
        )
        page = list(rows)
        if not page:
            return
        yield [(step, timestamp, value) for step, timestamp, value, _ in page]
        step, timestamp, _, writer_id = page[-1]
        after = (step, timestamp, writer_id)


def _within_64_bits(column: Column) -> Column:
    """The column with floats for the integers that SQLite cannot hold."""
    if type(column.values[0]) is float and len(column.values) == 1:  # as very often
        return column
    if int not in set(map(type, column.values)):
        return column
    values = [
        float(value) if type(value) is int and not -INT64 <= value < INT64 else value
        for value in column.values
    ]
    if all(map(operator.is_, values, column.values)):
        return column
    logger.warning(
        "metric %r: integers that do not fit into 64 bits are stored as floats", column.path
    )
    return msgspec.structs.replace(column, values=values)


@lru_cache
def _insert(rows: int) -> str:
    return f"{_insert_new(rows)} ON CONFLICT DO NOTHING"


@lru_cache
def _insert_new(rows: int) -> str:
    # Without a clause for conflicts it takes a fifth less time.
    return f"""
        INSERT INTO metrics (series_id, step, timestamp, value, writer_id)
        VALUES {placeholders(rows, 5)}
    """


@lru_cache
def _insert_own_steps(rows: int) -> str:
    return f"""
        INSERT INTO system_steps (series_id, timestamp, writer_id, step)
        VALUES {placeholders(rows, 4)}
    """


async def read(
    conn: Connection,
    one: Series,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    limit: int,
    offset: int = 0,
) -> list[PointRow]:
    """Points of a series in order of step, straight from the clustered rows."""
    condition, values = visible(one.resumed), []
    if attempt == "all":
        condition = "TRUE"
    elif attempt != "latest":
        condition = "writer_id IN (SELECT id FROM writers WHERE attempt = ?)"
        values = [attempt]
    return await conn.execute_fetchall(  # type: ignore[return-value]
        f"""
        SELECT step, timestamp, value FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND {condition}
        ORDER BY step, timestamp, writer_id
        LIMIT ? OFFSET ?
        """,
        (
            one.id,
            -math.inf if step_min is None else step_min,
            math.inf if step_max is None else step_max,
            *values,
            limit,
            offset,
        ),
    )


async def read_many(conn: Connection, wanted: Sequence[Series]) -> dict[int, list[CurveRow]]:
    """All points of several series that are not superseded, by the id of the series.

    Without their times: a column costs a tenth of the whole. The connection is in a transaction.
    """
    points: dict[int, list[CurveRow]] = {one.id: [] for one in wanted}
    for resumed in (False, True):
        some = [one for one in wanted if bool(one.resumed) == resumed]
        if not some:
            continue
        ids = (msgspec.json.encode([one.id for one in some]).decode(),)
        where = f"""
            WHERE series_id IN (SELECT value FROM json_each(?)) AND {visible(some[0].resumed)}
        """
        sizes = await conn.execute_fetchall(
            f"SELECT series_id, COUNT(*) FROM metrics {where} GROUP BY series_id", ids
        )
        # A column costs as much as a quarter of a row: which series it is follows from the sizes.
        rows: Any = await conn.execute_fetchall(
            f"""
            SELECT step, value FROM metrics {where}
            ORDER BY series_id, step, timestamp, writer_id
            """,
            ids,
        )
        at = 0
        for series_id, size in sizes:
            points[series_id] = rows[at : at + size]
            at += size
    return points
