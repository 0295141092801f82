"""Storing points, and bringing up to date what is derived from them."""

from __future__ import annotations

import math
import operator
import sqlite3
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import ConflictError
from trackai.store.engine.bulk import execute_columns, placeholders
from trackai.store.points import arrivals, attempts, duplicates, reads, rollups, series
from trackai.store.points.figures import Figures, summarize
from trackai.store.points.lineage import Segment
from trackai.structs.points import Column
from trackai.values.logger import logger
from trackai.values.non_finite import python_value
from trackai.values.types import INT64, Step, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiosqlite import Connection

    from trackai.store.points.series import Series


_ROWS_PER_STATEMENT = (1024, 64, 1)

# The row ids of a run and of one of its writers, and new points.
Part = tuple[int, int, "Sequence[Column]"]
# New points of one series, each column with the row id of its writer.
_Columns = list[tuple[int, Column]]


class _Addition(msgspec.Struct):
    """New points of one series.

    Attributes:
        series: the series as it was before.
        columns: the points, in order of writer.
        figures: the figures of the points.
    """

    series: Series
    columns: _Columns
    figures: Figures


async def append(conn: Connection, run_id: int, writer_id: int, columns: Sequence[Column]) -> None:
    """Store points of a run, and bring the figures of their series up to date.

    Storing a point again, with the same writer, step, time and value, changes nothing, but makes
    its series' figures be recomputed. Callers that can recognise a repeated batch avoid that cost.
    """
    await append_parts(conn, [(run_id, writer_id, columns)])


async def append_parts(conn: Connection, parts: Sequence[Part]) -> None:
    """Store points of several writers and runs, in as few statements as for one."""
    batches = [(name, columns, _summarize(columns)) for name, columns in _by_series(parts).items()]
    additions = await _additions(conn, batches)
    changes_before = conn.total_changes
    await _insert_points(conn, _insert, additions)
    stale: set[int] = set()
    if conn.total_changes - changes_before < sum(item.figures.points for item in additions):
        stale = {item.series.id for item in additions}
        await _move_apart(conn, additions)
    effects = await _note_attempts(conn, parts, additions)
    await _update_figures(conn, additions, stale | effects.stale)
    await arrivals.note(conn, _arrivals(additions), rewound=effects.rewound)


async def append_new(
    conn: Connection,
    run_id: int,
    writer_id: int,
    columns: Sequence[Column],
    figures: Sequence[Figures],
) -> None:
    """Store points that are known to be new, like `append`, with figures computed before.

    Args:
        columns: points of different series; their integers fit into 64 bits.
        figures: the figures of each column.

    Raises:
        ConflictError: a point is stored already; others of them may have been stored. Roll the
            transaction back.
    """
    batches = [
        ((run_id, column.path, column.axis), [(writer_id, column)], column_figures)
        for column, column_figures in zip(columns, figures, strict=True)
    ]
    additions = await _additions(conn, batches)
    try:
        await _insert_points(conn, _insert_new, additions)
    except sqlite3.IntegrityError:
        raise ConflictError("points: some of them are stored already") from None
    await _insert_own_steps(conn, additions)
    effects = await _note_attempts(conn, [(run_id, writer_id, columns)], additions)
    await _update_figures(conn, additions, effects.stale)
    await arrivals.note(conn, _arrivals(additions), rewound=effects.rewound)


async def note_own_steps(
    conn: Connection, run_id: int, path: str, writer_id: int, steps: Sequence[tuple[int, Step]]
) -> None:
    """Store the steps that a system metric had where it was imported from.

    Args:
        steps: timestamps of points, with their steps; a step stored before is kept.
    """
    known = await series.ensure(conn, {(run_id, path, "time"): "number"})
    series_id = known[run_id, path, "time"].id
    await conn.executemany(
        """
        INSERT INTO system_steps (series_id, timestamp, writer_id, step) VALUES (?, ?, ?, ?)
        ON CONFLICT DO NOTHING
        """,
        [(series_id, timestamp, writer_id, step) for timestamp, step in steps],
    )


async def recount(conn: Connection, counted: Series) -> None:
    """Recompute the figures of a series from its points."""
    await series.reset_figures(conn, counted.id, counted.kind)
    async for rows in reads.pages(
        conn, [Segment(counted, None)], step_min=-math.inf, step_max=math.inf
    ):
        steps, timestamps, values = zip(*rows, strict=True)
        figures = summarize(steps, timestamps, [python_value(v, counted.kind) for v in values])
        if counted.kind == "histogram":  # the stored texts do not tell
            figures = msgspec.structs.replace(figures, kind=counted.kind)
        await series.merge_figures(conn, [(counted.id, figures)])


def _by_series(parts: Sequence[Part]) -> dict[series.Name, _Columns]:
    columns_of: dict[series.Name, _Columns] = {}
    for run_id, writer_id, columns in parts:
        for column in columns:
            if column.steps:
                name = (run_id, column.path, column.axis)
                columns_of.setdefault(name, []).append((writer_id, _within_64_bits(column)))
    for columns_of_series in columns_of.values():
        columns_of_series.sort(key=operator.itemgetter(0))  # the order of their rows
    return columns_of


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


def _summarize(columns: _Columns) -> Figures:
    figures = summarize(*_joined(columns))
    kind = columns[0][1].kind
    if figures.kind == "text" and kind != "text":
        return msgspec.structs.replace(figures, kind=kind)
    return figures


def _joined(columns: _Columns) -> tuple[list[Step], list[int], list[Value]]:
    if len(columns) == 1:
        _, column = columns[0]
        return column.steps, column.timestamps, column.values
    return (
        [step for _, column in columns for step in column.steps],
        [time for _, column in columns for time in column.timestamps],
        [value for _, column in columns for value in column.values],
    )


async def _additions(
    conn: Connection, batches: Sequence[tuple[series.Name, _Columns, Figures]]
) -> list[_Addition]:
    known = await series.ensure(conn, {name: figures.kind for name, _, figures in batches})
    return [_Addition(known[name], columns, figures) for name, columns, figures in batches]


async def _insert_points(
    conn: Connection, statement: Callable[[int], str], additions: Sequence[_Addition]
) -> None:
    blocks: list[tuple[Any, ...]] = []
    for addition in additions:
        columns = addition.columns
        writer_ids: int | list[int] = columns[0][0]
        if len(columns) > 1:
            # One block, even if many clients sent a point each.
            writer_ids = [writer_id for writer_id, column in columns for _ in column.steps]
        blocks.append((addition.series.id, *_joined(columns), writer_ids))
    await execute_columns(conn, statement, blocks, width=5, sizes=_ROWS_PER_STATEMENT)


@lru_cache
def _insert(rows: int) -> str:
    return f"{_insert_new(rows)} ON CONFLICT DO NOTHING"


@lru_cache
def _insert_new(rows: int) -> str:
    # A fifth faster than with a conflict clause.
    return f"""
        INSERT INTO metrics (series_id, step, timestamp, value, writer_id)
        VALUES {placeholders(rows, 5)}
    """


async def _move_apart(conn: Connection, additions: Sequence[_Addition]) -> None:
    """Store points whose keys were taken at later times."""
    for addition in additions:
        moved = [
            (writer_id, await duplicates.move_apart(conn, addition.series.id, writer_id, column))
            for writer_id, column in addition.columns
        ]
        if moved != addition.columns:
            addition.columns, addition.figures = moved, _summarize(moved)


async def _insert_own_steps(conn: Connection, additions: Sequence[_Addition]) -> None:
    await execute_columns(
        conn,
        _insert_steps,
        [
            (addition.series.id, column.timestamps, writer_id, column.own_steps)
            for addition in additions
            for writer_id, column in addition.columns
            if column.own_steps is not None
        ],
        width=4,
        sizes=_ROWS_PER_STATEMENT,
    )


@lru_cache
def _insert_steps(rows: int) -> str:
    return f"""
        INSERT INTO system_steps (series_id, timestamp, writer_id, step)
        VALUES {placeholders(rows, 4)}
    """


async def _note_attempts(
    conn: Connection, parts: Sequence[Part], additions: Sequence[_Addition]
) -> attempts.Effects:
    """Record what the attempts of new points supersede."""
    numbers = await attempts.numbers(conn, {writer_id for _, writer_id, _ in parts})
    if max(numbers.values()) == 1 and not any(item.series.resumed for item in additions):
        return attempts.Effects(set(), set())
    first_steps: dict[int, list[tuple[Series, Step]]] = {}
    for addition in additions:
        if addition.series.axis == "step":
            for writer_id, column in addition.columns:
                first_step = (addition.series, min(column.steps))
                first_steps.setdefault(numbers[writer_id], []).append(first_step)
    stale, rewound = set[int](), set[int]()
    for attempt in sorted(first_steps):
        effects = await attempts.note(conn, attempt, first_steps[attempt])
        stale |= effects.stale
        rewound |= effects.rewound
    if len(first_steps) > 1:
        stale |= {touched.id for steps in first_steps.values() for touched, _ in steps}
    return attempts.Effects(stale, rewound)


async def _update_figures(
    conn: Connection, additions: Sequence[_Addition], stale: set[int]
) -> None:
    """Merge the figures of new points into those of their series; recompute those of `stale`."""
    await series.merge_figures(
        conn,
        ((item.series.id, item.figures) for item in additions if item.series.id not in stale),
    )
    for addition in additions:
        before, figures = addition.series, addition.figures
        if before.id in stale:
            kind = before.kind if before.kind == figures.kind else "number"
            await recount(conn, msgspec.structs.replace(before, resumed=1, kind=kind))
    # An attempt supersedes points from its first step on, up to any step.
    await rollups.mark(
        conn,
        (
            rollups.Touched(
                item.series.id,
                item.series.points,
                item.figures.points,
                item.figures.first_step,
                math.inf if item.series.id in stale else item.figures.last_step,
            )
            for item in additions
        ),
    )


def _arrivals(additions: Sequence[_Addition]) -> Iterator[arrivals.Arrival]:
    for addition in additions:
        series_id, columns, figures = addition.series.id, addition.columns, addition.figures
        if len(columns) == 1:
            yield arrivals.Arrival(
                series_id,
                columns[0][0],
                figures.first_step,
                figures.last_step,
                figures.first_timestamp,
                figures.last_timestamp,
            )
            continue
        for writer_id, column in columns:
            steps, times = column.steps, column.timestamps
            if len(steps) == 1:
                step, time = steps[0], times[0]
                yield arrivals.Arrival(series_id, writer_id, step, step, time, time)
            else:
                yield arrivals.Arrival(
                    series_id, writer_id, min(steps), max(steps), min(times), max(times)
                )
