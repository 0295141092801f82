"""Storing points, and bringing up to date what is derived from them."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.store.engine.sql import lock
from trackai.store.points import (
    arrivals,
    attempts,
    recounts,
    rollups,
    running_figures,
    series,
)
from trackai.store.points.figures import Figures, Order, order_of, summarize
from trackai.store.points.queries import Batch, Columns, NewPoints
from trackai.store.points.row_inserts import joined
from trackai.store.points.storage import points_of
from trackai.values.logger import logger
from trackai.values.types import INT64, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.structs.points import Column


class Prepared(NamedTuple):
    """New points of a metric by one writer, with their figures."""

    column: Column
    figures: Figures


# The row ids of a run and of one of its writers, and new points.
Part = tuple[int, int, "Sequence[Prepared]"]
# The order of points by the ids of their lists of steps and timestamps.
_Orders = dict[tuple[int, int], Order]


class _Addition(msgspec.Struct):
    """New points of one series.

    Attributes:
        run_id: the row id of its run.
        series: the series as it was before.
        columns: the points, in order of writer.
        figures: the figures of the points.
    """

    run_id: int
    series: Series
    columns: Columns
    figures: Figures

    @property
    def new_points(self) -> NewPoints:
        """The points, to store them."""
        has_texts = self.figures.finite_points < self.figures.points  # there may be some
        return NewPoints(self.series.id, self.series.axis, self.columns, has_texts)


async def append(conn: Connection, run_id: int, writer_id: int, columns: Sequence[Column]) -> None:
    """Store points of a run, and bring the figures of their series up to date.

    Storing a point again, with the same writer, step, time and value, changes nothing, but makes
    its series' figures be recomputed. Callers that can recognise a repeated batch avoid that cost.
    """
    await append_parts(conn, [(run_id, writer_id, prepare(columns))])


def prepare(columns: Iterable[Column]) -> list[Prepared]:
    """Make points ready for `append_parts`: call it before the transaction, if that is possible.

    It takes nearly as long as SQLite takes to store the points. In the transaction, all other
    writers would wait for it.
    """
    orders: _Orders = {}
    storable = (_within_64_bits(column) for column in columns if column.steps)
    return [Prepared(column, _summarize([(0, column)], orders)) for column in storable]


async def append_parts(conn: Connection, parts: Sequence[Part]) -> None:
    """Store points of several writers and runs, in as few statements as for one."""
    await lock(conn, "runs", (run_id for run_id, _, _ in parts))
    additions = await _additions(conn, _by_series(parts))
    stale: set[int] = set()
    moved = await points_of(conn).insert(conn, [item.new_points for item in additions])
    if moved is not None:
        stale = {item.series.id for item in additions}
        for addition, columns in zip(additions, moved, strict=True):
            if columns != addition.columns:
                addition.columns, addition.figures = columns, _summarize(columns, {})
    effects = await _note_attempts(conn, {writer_id for _, writer_id, _ in parts}, additions)
    effects.stale.update(stale)
    await _update_figures(conn, additions, effects)
    await arrivals.note(conn, _arrivals(additions, effects.rewound))


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
    await lock(conn, "runs", [run_id])
    batches = [
        ((run_id, column.path, column.axis), [(writer_id, column)], column_figures)
        for column, column_figures in zip(columns, figures, strict=True)
    ]
    additions = await _additions(conn, batches)
    await points_of(conn).insert_new(conn, [item.new_points for item in additions])
    effects = await _note_attempts(conn, {writer_id}, additions)
    await _update_figures(conn, additions, effects)
    await arrivals.note(conn, _arrivals(additions, effects.rewound))


async def note_own_steps(
    conn: Connection, run_id: int, path: str, writer_id: int, steps: Sequence[tuple[int, Step]]
) -> None:
    """Store the steps that a system metric had where it was imported from.

    Args:
        steps: timestamps of points, with their steps; a step stored before is kept.
    """
    await lock(conn, "runs", [run_id])
    known = await series.ensure(conn, {(run_id, path, "time"): "number"})
    series_id = known[run_id, path, "time"].id
    await points_of(conn).note_own_steps(conn, series_id, writer_id, steps)


async def rewind(conn: Connection, run_id: int, writer_id: int, step: Step, path: str) -> None:
    """Supersede stored points of earlier attempts in a series on the axis of steps.

    Args:
        writer_id: a writer of the attempt that supersedes them.
        step: the first superseded step.
    """
    await lock(conn, "runs", [run_id])
    attempt = (await attempts.numbers(conn, [writer_id]))[writer_id]
    rewound = (await series.ensure(conn, {(run_id, path, "step"): "number"}))[run_id, path, "step"]
    if attempt == 1 or rewound.last_step is None or step > rewound.last_step:
        return
    effects = await attempts.note(conn, attempt, [(rewound, step)])
    if effects.rewound:
        counted = msgspec.structs.replace(rewound, resumed=1)
        if effects.begun:
            await recounts.recount_before(conn, counted, step)
        else:
            await recounts.recount(conn, counted)
        touched = rollups.Touched(rewound.id, rewound.points, 0, step, math.inf)
        await rollups.mark(conn, [touched])
        await arrivals.note(conn, {run_id: list(map(arrivals.rewound, effects.rewound))})


def _by_series(parts: Sequence[Part]) -> list[tuple[series.Name, Columns, Figures]]:
    prepared: dict[series.Name, tuple[Columns, Figures]] = {}
    for run_id, writer_id, part in parts:
        for column, figures in part:
            name = (run_id, column.path, column.axis)
            columns, _ = prepared.setdefault(name, ([], figures))
            columns.append((writer_id, column))
    batches: list[tuple[series.Name, Columns, Figures]] = []
    for name, (columns, figures) in prepared.items():
        if len(columns) == 1:
            batches.append((name, columns, figures))
        else:
            columns.sort(key=operator.itemgetter(0))  # the order of their rows
            batches.append((name, columns, _summarize(columns, {})))
    return batches


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


def _summarize(columns: Columns, orders: _Orders) -> Figures:
    steps, timestamps, values = joined(columns)
    order = None
    if len(columns) == 1 and len(steps) > 1:  # metrics that were logged together share these lists
        shared = id(steps), id(timestamps)
        order = orders.get(shared) or orders.setdefault(shared, order_of(steps, timestamps))
    figures = summarize(steps, timestamps, values, order)
    kind = columns[0][1].kind
    if figures.kind == "text" and kind != "text":
        return msgspec.structs.replace(figures, kind=kind)
    return figures


async def _additions(
    conn: Connection, batches: Sequence[tuple[series.Name, Columns, Figures]]
) -> list[_Addition]:
    known = await series.ensure(conn, {name: figures.kind for name, _, figures in batches})
    return [_Addition(name[0], known[name], columns, figures) for name, columns, figures in batches]


async def _note_attempts(
    conn: Connection, writer_ids: Collection[int], additions: Sequence[_Addition]
) -> attempts.Effects:
    """Record what the attempts of new points supersede."""
    numbers = await attempts.numbers(conn, writer_ids)
    if max(numbers.values()) == 1 and not any(item.series.resumed for item in additions):
        return attempts.Effects.none()
    first_steps: dict[int, list[tuple[Series, Step]]] = {}
    for addition in additions:
        if addition.series.axis == "step":
            for writer_id, column in addition.columns:
                first_step = (addition.series, min(column.steps))
                first_steps.setdefault(numbers[writer_id], []).append(first_step)
    total = attempts.Effects.none()
    for attempt in sorted(first_steps):
        total.add(await attempts.note(conn, attempt, first_steps[attempt]))
    if len(first_steps) > 1:
        total.stale.update(touched.id for steps in first_steps.values() for touched, _ in steps)
    return total


async def _update_figures(
    conn: Connection, additions: Sequence[_Addition], effects: attempts.Effects
) -> None:
    """Add the figures of new points to those of their series, or recompute them."""
    if effects.stale or effects.begun or effects.late:
        new = [
            (item.series.id, figures)
            for item in additions
            if (figures := await _figures_to_add(conn, item, effects)) is not None
        ]
        await running_figures.merge(conn, new)
    else:
        await running_figures.merge(
            conn,
            ((item.series.id, item.figures) for item in additions),
            are_later=all(_is_later(item) for item in additions),
        )
    superseding = effects.stale | effects.begun.keys()
    # An attempt supersedes points from its first step on, up to any step.
    await rollups.mark(
        conn,
        (
            rollups.Touched(
                item.series.id,
                item.series.points,
                item.figures.points,
                item.figures.first_step,
                math.inf if item.series.id in superseding else item.figures.last_step,
            )
            for item in additions
        ),
    )


def _is_later(addition: _Addition) -> bool:
    """Whether no stored point is at the last new step, of which the last point is known."""
    before, figures = addition.series.last_step, addition.figures
    return before != figures.last_step and type(figures.last_value) is not bytes


async def _figures_to_add(
    conn: Connection, addition: _Addition, effects: attempts.Effects
) -> Figures | None:
    """The figures of the visible new points; None without any, or if the series was recounted."""
    before, figures = addition.series, addition.figures
    kind = before.kind if before.kind == figures.kind else "number"
    counted = msgspec.structs.replace(before, resumed=1, kind=kind)
    if before.id in effects.begun and before.id not in effects.stale:
        await recounts.recount_before(conn, counted, effects.begun[before.id])
        return figures
    if before.id in effects.stale or (before.id in effects.late and kind != before.kind):
        await recounts.recount(conn, counted)
        return None
    if before.id in effects.late:
        return _figures_before(addition, effects.late[before.id])
    return figures


def _figures_before(addition: _Addition, step: Step) -> Figures | None:
    """The figures of the new points before a step; None without any."""
    points = [point for point in zip(*joined(addition.columns), strict=True) if point[0] < step]
    if not points:
        return None
    steps, timestamps, values = map(list, zip(*points, strict=True))
    figures = summarize(steps, timestamps, values)
    if addition.series.kind == "histogram":
        return msgspec.structs.replace(figures, kind="histogram")
    return figures


def _arrivals(additions: Sequence[_Addition], rewound: set[int]) -> dict[int, list[Batch]]:
    """The new points by run; marks of series of which stored points are superseded come first."""
    by_run: dict[int, list[Batch]] = {}
    for addition in additions:
        batches = by_run.setdefault(addition.run_id, [])
        if addition.series.id in rewound:
            batches.append(arrivals.rewound(addition.series.id))
    for addition in additions:
        by_run[addition.run_id] += _batches(addition)
    return by_run


def _batches(addition: _Addition) -> Iterator[Batch]:
    series_id, columns, figures = addition.series.id, addition.columns, addition.figures
    if len(columns) == 1:
        yield Batch(
            series_id,
            columns[0][0],
            figures.first_step,
            figures.last_step,
            figures.first_timestamp,
            figures.last_timestamp,
        )
        return
    for writer_id, column in columns:
        steps, times = column.steps, column.timestamps
        if len(steps) == 1:
            step, time = steps[0], times[0]
            yield Batch(series_id, writer_id, step, step, time, time)
        else:
            yield Batch(series_id, writer_id, min(steps), max(steps), min(times), max(times))
