"""Following a run: the points stored since a cursor, in the order in which they were committed.

Points may arrive in any order of steps and times: journals are recovered late, and ranks run at
different speeds. So each batch adds a row to `arrivals` for each of its series. Only the holder of
the write lock numbers these rows. Only the latest rows are kept.

A cursor names the last row that a reader has seen, by its number and its nonce. A database that has
this row has the same history up to it, whichever file it is: a reader with another cursor, such as
one from before a backup was restored, has to start over.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.store.engine.bulk import execute_rows, placeholders
from trackai.store.engine.sql import VALUE
from trackai.store.points.series import COLUMNS, Series, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trackai.store.engine.connection import Connection
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


_KEPT = 20_000
# The times of a row that marks a series as rewound: an empty range.
_REWOUND = 1, 0
# A cursor is an integer that JavaScript represents exactly. Only the latest rows are kept, so the
# low bits of a row's number identify it among them.
_ID_BITS, _NONCE_BITS = 21, 32


class News(NamedTuple):
    """The points stored since a cursor, and the cursor after them.

    Attributes:
        points: the new points of each series, in the order of their arrival; None if the cursor
            is too old, and all series must be read again.
        rewound: True if a later attempt has superseded points stored before the cursor.
    """

    cursor: int
    points: list[tuple[Series, list[PointRow]]] | None
    rewound: bool = False


class Arrival(NamedTuple):
    """The points of one writer, series and batch: the ranges of their steps and times."""

    series_id: int
    writer_id: int
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int


async def note(conn: Connection, new: Iterable[Arrival], *, rewound: Iterable[int] = ()) -> None:
    """Record new points, in the transaction that stores them.

    Args:
        rewound: row ids of the series of which the new points supersede others.
    """
    marks = [Arrival(series_id, 0, 0, 0, *_REWOUND) for series_id in rewound]
    await execute_rows(conn, _note, chain(marks, new), width=6, sizes=(128, 8, 1))
    await conn.execute(f"DELETE FROM arrivals WHERE id <= (SELECT max(id) FROM arrivals) - {_KEPT}")


@lru_cache
def _note(rows: int) -> str:
    return f"""
        INSERT INTO arrivals (
            series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
        ) VALUES {placeholders(rows, 6)}
    """


async def last(conn: Connection) -> int:
    """The cursor after all points stored so far."""
    return _cursor(*await _last_row(conn))


async def since(
    conn: Connection,
    run_id: int,
    cursor: int,
    *,
    path: str | None = None,
    until: int | None = None,
    limit: int,
) -> News:
    """Read the points of a run, or of one of its metrics, stored since a cursor.

    Args:
        path: the name of the metric; None for all of the run.
        until: a later cursor at which to stop; None for the latest.
        limit: the number of points after which to stop. A batch is never split, so there may be
            more.
    """
    latest, nonce = await _last_row(conn)
    newest = _cursor(latest, nonce) if until is None else until
    stop = await _find_row(conn, newest, latest)
    after = await _find_row(conn, cursor, latest)
    if after is None or stop is None:
        return News(newest, None)
    points: dict[int, tuple[Series, list[PointRow]]] = {}
    total, rewound, read_up_to = 0, False, cursor
    for row_cursor, arrival, series in await _arrivals(conn, run_id, (after, stop), path):
        if total >= limit:
            newest = read_up_to
            break
        read_up_to = row_cursor
        if (arrival.first_timestamp, arrival.last_timestamp) == _REWOUND:
            rewound = True
            continue
        rows = await _read(conn, arrival, series)
        points.setdefault(series.id, (series, []))[1].extend(rows)
        total += len(rows)
    return News(newest, list(points.values()), rewound)


def _cursor(row_id: int, nonce: int) -> int:
    return row_id % (1 << _ID_BITS) << _NONCE_BITS | nonce


async def _last_row(conn: Connection) -> tuple[int, int]:
    rows = await conn.execute_fetchall("SELECT id, nonce FROM arrivals ORDER BY id DESC LIMIT 1")
    return next((int(row_id), int(nonce)) for row_id, nonce in rows)


async def _find_row(conn: Connection, cursor: int, latest: int) -> int | None:
    """The number of the row that a cursor refers to, at most `latest`; None if there is none."""
    low_bits, nonce = divmod(cursor, 1 << _NONCE_BITS)
    row_id = latest - (latest - low_bits) % (1 << _ID_BITS)
    rows = await conn.execute_fetchall(
        "SELECT id FROM arrivals WHERE id = ? AND nonce = ?", (row_id, nonce)
    )
    return next((int(row_id) for (row_id,) in rows), None)


async def _arrivals(
    conn: Connection, run_id: int, bounds: tuple[int, int], path: str | None
) -> Iterator[tuple[int, Arrival, Series]]:
    """The arrivals after the first and up to the second row, with their cursors and series."""
    # The inner query renames columns that `series` has, too.
    rows: Any = await conn.execute_fetchall(
        f"""
        SELECT arrival, tag, writer, low, high, sooner, later, {COLUMNS}
        FROM (
            SELECT
                id AS arrival, nonce AS tag, series_id AS arrived, writer_id AS writer,
                first_step AS low, last_step AS high, first_timestamp AS sooner,
                last_timestamp AS later
            FROM arrivals
        ) JOIN series ON series.id = arrived
        WHERE arrival > ? AND arrival <= ? AND series.run_id = ?
          AND (series.path = ? OR ? IS NULL)
        ORDER BY arrival
        """,
        (*bounds, run_id, path, path),
    )
    return ((_cursor(row[0], row[1]), Arrival(row[7], *row[2:7]), Series(*row[7:])) for row in rows)


async def _read(conn: Connection, arrival: Arrival, series: Series) -> list[PointRow]:
    return await conn.execute_fetchall(  # type: ignore[return-value]
        f"""
        SELECT step, timestamp, {VALUE} FROM metrics
        WHERE series_id = ? AND step BETWEEN ? AND ? AND timestamp BETWEEN ? AND ?
          AND writer_id = ? AND {visible(series.resumed)}
        ORDER BY step, timestamp
        """,
        (
            arrival.series_id,
            arrival.first_step,
            arrival.last_step,
            arrival.first_timestamp,
            arrival.last_timestamp,
            arrival.writer_id,
        ),
    )
