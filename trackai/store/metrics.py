"""Series and their points: the one way in, and the ways out."""

from __future__ import annotations

import logging
import math
import operator
from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import NotFoundError
from trackai.store.figures import Figures, summarize
from trackai.structs.values import Axis, Kind, Step, StoredValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiosqlite import Connection

    from trackai.structs.columns import Column

logger = logging.getLogger("trackai")

_INT64 = 1 << 63

# A row of the table `metrics` without its series and writer.
PointRow = tuple[Step, int, StoredValue]

# Many rows a statement: the interpreter's lock is handed over once a statement, and with a busy
# main thread every handing over costs milliseconds.
_ROWS_PER_STATEMENT = (1024, 64, 1)
_SERIES_PER_STATEMENT = (128, 8, 1)


class Series(msgspec.Struct, frozen=True):
    """A metric of a run."""

    id: int
    path: str
    axis: Axis
    kind: Kind
    points: int
    finite_points: int


async def append(conn: Connection, run_id: int, writer_id: int, columns: Sequence[Column]) -> None:
    """Store points of a run and bring the figures of their series up to date.

    A caller must not hand in the same point twice: the row would stay as it is, but it would
    count twice in the figures. The drain sees to that by recording how far it has come in the
    same transaction.
    """
    columns = [_within_64_bits(column) for column in columns if column.steps]
    figures = [summarize(column.steps, column.timestamps, column.values) for column in columns]
    ids = await _ensure_series(conn, run_id, columns, figures)
    rows = chain.from_iterable(
        zip(
            repeat(series_id, len(column.steps)),
            column.steps,
            column.timestamps,
            column.values,
            repeat(writer_id, len(column.steps)),
            strict=True,
        )
        for series_id, column in zip(ids, columns, strict=True)
    )
    await _insert_many(conn, _insert_points, rows, 5, _ROWS_PER_STATEMENT)
    await _insert_many(
        conn,
        _merge_figures,
        (
            (series_id, *msgspec.structs.astuple(figure))
            for series_id, figure in zip(ids, figures, strict=True)
        ),
        15,
        _SERIES_PER_STATEMENT,
    )


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


async def _ensure_series(
    conn: Connection, run_id: int, columns: Sequence[Column], figures: Sequence[Figures]
) -> list[int]:
    known = await _series_ids(conn, run_id)
    missing = [
        (run_id, column.path, column.axis, figure.kind)
        for column, figure in zip(columns, figures, strict=True)
        if (column.path, column.axis) not in known
    ]
    if missing:
        await conn.executemany(
            """
            INSERT INTO series (run_id, path, axis, kind) VALUES (?, ?, ?, ?)
            ON CONFLICT (run_id, path, axis) DO NOTHING
            """,
            missing,
        )
        known = await _series_ids(conn, run_id)
    return [known[column.path, column.axis] for column in columns]


async def _series_ids(conn: Connection, run_id: int) -> dict[tuple[str, Axis], int]:
    rows = await conn.execute_fetchall(
        "SELECT path, axis, id FROM series WHERE run_id = ?", (run_id,)
    )
    return {(path, axis): series_id for path, axis, series_id in rows}


async def _insert_many(
    conn: Connection,
    statement: Any,
    rows: Iterable[tuple[Any, ...]],
    width: int,
    sizes: Sequence[int],
) -> None:
    """Execute `statement(size)`, which takes `size` rows at once, over all rows."""
    values = tuple(chain.from_iterable(rows))
    start = 0
    for size in sizes:
        step = size * width
        stop = start + (len(values) - start) // step * step
        if stop > start:
            await conn.executemany(
                statement(size), [values[at : at + step] for at in range(start, stop, step)]
            )
        start = stop


@lru_cache
def _insert_points(rows: int) -> str:
    return (
        "INSERT INTO metrics (series_id, step, timestamp, value, writer_id) VALUES "
        + ", ".join(["(?, ?, ?, ?, ?)"] * rows)
        + " ON CONFLICT DO NOTHING"
    )


@lru_cache
def _merge_figures(rows: int) -> str:
    placeholders = ", ".join([f"({', '.join('?' * 15)})"] * rows)
    return f"""
        WITH new (
            id, kind, points, finite_points, nan_points, first_step, last_step,
            first_timestamp, last_timestamp, last_value,
            min_value, min_step, max_value, max_step, sum
        ) AS (VALUES {placeholders})
        UPDATE series SET
            kind = CASE WHEN series.kind = new.kind THEN new.kind ELSE 'number' END,
            points = series.points + new.points,
            finite_points = series.finite_points + new.finite_points,
            nan_points = series.nan_points + new.nan_points,
            first_step = min(coalesce(series.first_step, new.first_step), new.first_step),
            last_step = max(coalesce(series.last_step, new.last_step), new.last_step),
            first_timestamp =
                min(coalesce(series.first_timestamp, new.first_timestamp), new.first_timestamp),
            last_timestamp =
                max(coalesce(series.last_timestamp, new.last_timestamp), new.last_timestamp),
            last_value = CASE
                WHEN series.last_step > new.last_step THEN series.last_value
                ELSE new.last_value
            END,
            min_value = CASE
                WHEN new.min_value IS NULL OR series.min_value <= new.min_value
                THEN series.min_value ELSE new.min_value
            END,
            min_step = CASE
                WHEN new.min_value IS NULL OR series.min_value <= new.min_value
                THEN series.min_step ELSE new.min_step
            END,
            max_value = CASE
                WHEN new.max_value IS NULL OR series.max_value >= new.max_value
                THEN series.max_value ELSE new.max_value
            END,
            max_step = CASE
                WHEN new.max_value IS NULL OR series.max_value >= new.max_value
                THEN series.max_step ELSE new.max_step
            END,
            sum = series.sum + new.sum
        FROM new
        WHERE series.id = new.id
    """


async def list_paths(conn: Connection, run_id: int) -> list[str]:
    """The names of a run's metrics, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT path FROM series WHERE run_id = ? ORDER BY path", (run_id,)
    )
    return [path for (path,) in rows]


async def last_values(conn: Connection, run_id: int) -> list[tuple[str, StoredValue, Kind]]:
    """The last value of each metric of a run and the kind of its series, sorted by path."""
    rows = await conn.execute_fetchall(
        "SELECT path, last_value, kind FROM series WHERE run_id = ? ORDER BY path, axis DESC",
        (run_id,),
    )
    return [(path, value, kind) for path, value, kind in rows]


async def last_step(conn: Connection, run_id: int) -> Step | None:
    """The highest step of a run; None if nothing has been logged with a step."""
    rows = await conn.execute_fetchall(
        "SELECT max(last_step) FROM series WHERE run_id = ? AND axis = 'step'", (run_id,)
    )
    return next((step for (step,) in rows), None)


async def find_series(conn: Connection, run_id: int, path: str) -> list[Series]:
    """The series of that name; two where it was logged with steps and as a system metric.

    Raises:
        NotFoundError: the run has no such metric.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT id, path, axis, kind, points, finite_points FROM series
        WHERE run_id = ? AND path = ?
        ORDER BY axis
        """,
        (run_id, path),
    )
    found = [Series(*row) for row in rows]
    if not found:
        raise NotFoundError(f"the run {run_id} has no metric {path!r}")
    return found


async def read_points(
    conn: Connection,
    series: Series,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    limit: int,
    offset: int = 0,
) -> list[PointRow]:
    """Points of a series in order of step, straight from the clustered rows."""
    return await conn.execute_fetchall(  # type: ignore[return-value]
        """
        SELECT step, timestamp, value FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ?
        ORDER BY step, timestamp, writer_id
        LIMIT ? OFFSET ?
        """,
        (
            series.id,
            -math.inf if step_min is None else step_min,
            math.inf if step_max is None else step_max,
            limit,
            offset,
        ),
    )


async def compare(
    conn: Connection, run_ids: Sequence[int], paths: Sequence[str]
) -> dict[int, dict[str, tuple[Series, list[PointRow]]]]:
    """All points of the named metrics of the named runs, by run and path.

    A run that does not exist is left out; a metric that a run does not have is left out of it.
    """
    found: dict[int, dict[str, tuple[Series, list[PointRow]]]] = {
        run_id: {}
        for (run_id,) in await conn.execute_fetchall(
            "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (msgspec.json.encode(run_ids).decode(),),
        )
    }
    wanted = await conn.execute_fetchall(
        """
        SELECT run_id, id, path, axis, kind, points, finite_points FROM series
        WHERE run_id IN (SELECT value FROM json_each(?))
          AND path IN (SELECT value FROM json_each(?))
        ORDER BY run_id, path, axis DESC
        """,
        (msgspec.json.encode(list(found)).decode(), msgspec.json.encode(paths).decode()),
    )
    by_id: dict[int, list[PointRow]] = {}
    for run_id, *fields in wanted:
        series = Series(*fields)
        points: list[PointRow] = []
        # The series with steps comes last and wins over a system metric of the same name.
        found[run_id][series.path] = (series, points)
        by_id[series.id] = points
    rows = await conn.execute_fetchall(
        """
        SELECT series_id, step, timestamp, value FROM metrics
        WHERE series_id IN (SELECT value FROM json_each(?))
        ORDER BY series_id, step, timestamp, writer_id
        """,
        (msgspec.json.encode(list(by_id)).decode(),),
    )
    for series_id, step, timestamp, value in rows:
        by_id[series_id].append((step, timestamp, value))
    return found


async def delete_points(conn: Connection, run_id: int) -> None:
    """Delete all points of a run; its series go with the run itself."""
    await conn.execute(
        "DELETE FROM metrics WHERE series_id IN (SELECT id FROM series WHERE run_id = ?)",
        (run_id,),
    )
