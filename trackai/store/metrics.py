"""Points: the one way in, and the ways out."""

from __future__ import annotations

import logging
import math
import operator
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Literal

import msgspec

from trackai.store import attempts, series, writers
from trackai.store.bulk import execute_rows, placeholders
from trackai.store.figures import summarize
from trackai.structs.values import Step, StoredValue, Value, python_value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiosqlite import Connection

    from trackai.store.series import Series
    from trackai.structs.columns import Column

logger = logging.getLogger("trackai")

_INT64 = 1 << 63
_ROWS_PER_STATEMENT = (1024, 64, 1)
_PAGE = 50_000

# A row of the table `metrics` without its series and writer.
PointRow = tuple[Step, int, StoredValue]
# Which points of a resumed run: one clean curve, everything, or what one attempt logged.
Attempt = Literal["latest", "all"] | int


# Who logged what: the row ids of a run and of one of its writers, and the points.
Part = tuple[int, int, "Sequence[Column]"]


async def append(conn: Connection, run_id: int, writer_id: int, columns: Sequence[Column]) -> None:
    """Store points of a run and bring the figures of their series up to date.

    A point at a step and time that this writer has logged already changes nothing, but makes the
    figures be counted anew; the drain, and clients that give their batches ids, spare that.
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
    figures = {
        name: summarize(*_joined([column for _, column in some])) for name, some in pieces.items()
    }
    found = await series.ensure(conn, {name: figure.kind for name, figure in figures.items()})
    rows_before = conn.total_changes
    await execute_rows(
        conn,
        _insert,
        chain.from_iterable(
            zip(
                repeat(found[name].id, len(column.steps)),
                column.steps,
                column.timestamps,
                column.values,
                repeat(writer_id, len(column.steps)),
                strict=True,
            )
            for name, some in pieces.items()
            for writer_id, column in some
        ),
        width=5,
        sizes=_ROWS_PER_STATEMENT,
    )
    stale: set[int] = set()
    if conn.total_changes - rows_before < sum(figure.points for figure in figures.values()):
        stale = {one.id for one in found.values()}
    stale |= await _note_attempts(conn, parts, pieces, found)
    await series.merge_figures(
        conn,
        (
            (found[name].id, figure)
            for name, figure in figures.items()
            if found[name].id not in stale
        ),
    )
    for one in found.values():
        if one.id in stale:
            await recount(conn, msgspec.structs.replace(one, resumed=1))


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
    pieces: Mapping[series.Name, Sequence[tuple[int, Column]]],
    found: Mapping[series.Name, Series],
) -> set[int]:
    """The ids of the series whose figures must be counted anew because of resumes."""
    numbers = await writers.attempts(conn, {writer_id for _, writer_id, _ in parts})
    if max(numbers.values()) == 1 and not any(one.resumed for one in found.values()):
        return set()
    first_steps: dict[int, list[tuple[Series, Step]]] = {}
    for name, some in pieces.items():
        if found[name].axis == "step":
            for writer_id, column in some:
                first = (found[name], min(column.steps))
                first_steps.setdefault(numbers[writer_id], []).append(first)
    stale: set[int] = set()
    for attempt in sorted(first_steps):
        stale |= await attempts.note(conn, attempt, first_steps[attempt])
    if len(first_steps) > 1:
        stale |= {one.id for some in first_steps.values() for one, _ in some}
    return stale


async def recount(conn: Connection, one: Series) -> None:
    """Compute the figures of a series anew, from its points."""
    await series.reset_figures(conn, one.id)
    async for rows in _pages(conn, one):
        steps, timestamps, values = zip(*rows, strict=True)
        figures = summarize(steps, timestamps, [python_value(v, one.kind) for v in values])
        await series.merge_figures(conn, [(one.id, figures)])


async def _pages(conn: Connection, one: Series) -> AsyncIterator[list[PointRow]]:
    """All points of a series that are not superseded, page by page."""
    after: tuple[Step, int, int] = (-math.inf, 0, 0)
    while True:
        rows = await conn.execute_fetchall(
            f"""
            SELECT step, timestamp, value, writer_id FROM metrics
            WHERE series_id = ? AND (step, timestamp, writer_id) > (?, ?, ?) AND {visible(one)}
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


def visible(one: Series) -> str:
    """A condition on rows of `metrics`: which points of a series are not superseded."""
    return attempts.NOT_SUPERSEDED if one.resumed else "TRUE"


def _within_64_bits(column: Column) -> Column:
    """The column with floats for the integers that SQLite cannot hold."""
    values = [
        float(value) if type(value) is int and not -_INT64 <= value < _INT64 else value
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
    return f"""
        INSERT INTO metrics (series_id, step, timestamp, value, writer_id)
        VALUES {placeholders(rows, 5)}
        ON CONFLICT DO NOTHING
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
    condition, values = visible(one), []
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


async def read_many(conn: Connection, wanted: Sequence[Series]) -> dict[int, list[PointRow]]:
    """All points of several series that are not superseded, by the id of the series."""
    points: dict[int, list[PointRow]] = {one.id: [] for one in wanted}
    for resumed in (False, True):
        some = [one for one in wanted if bool(one.resumed) == resumed]
        if not some:
            continue
        rows = await conn.execute_fetchall(
            f"""
            SELECT series_id, step, timestamp, value FROM metrics
            WHERE series_id IN (SELECT value FROM json_each(?)) AND {visible(some[0])}
            ORDER BY series_id, step, timestamp, writer_id
            """,
            (msgspec.json.encode([one.id for one in some]).decode(),),
        )
        for series_id, step, timestamp, value in rows:
            points[series_id].append((step, timestamp, value))
    return points


async def delete_of_run(conn: Connection, run_id: int) -> None:
    """Delete all points of a run; its series go with the run itself."""
    for table in ("metrics", "system_steps"):
        await conn.execute(
            f"DELETE FROM {table} WHERE series_id IN (SELECT id FROM series WHERE run_id = ?)",
            (run_id,),
        )
