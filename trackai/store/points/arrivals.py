"""Following a run: what came in since, in the order in which it was committed.

Points may arrive in any order of steps and times: journals come late, ranks run at different
speeds. Each batch leaves a row for each of its series, numbered by the one who holds the write
lock. A cursor is such a number. Only the latest rows are kept; who comes with an older cursor, or
one of another database, has to start over.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.engine.bulk import execute_rows, placeholders
from trackai.store.points.series import COLUMNS, Series, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiosqlite import Connection

    from trackai.structs.points import PointRow
    from trackai.values.types import Step


_KEPT = 20_000
# Between these times no point lies.
_REWOUND = 1, 0


class News(NamedTuple):
    """Points that came in since a cursor, and the cursor after them.

    Attributes:
        points: None where the cursor is too old: the series must be read again.
        rewound: whether a later attempt has superseded points that came in before.
    """

    cursor: int
    points: list[tuple[Series, list[PointRow]]] | None
    rewound: bool = False


class Arrival(NamedTuple):
    """A writer's points of a series in one batch, and what they lie between."""

    series_id: int
    writer_id: int
    first_step: Step
    last_step: Step
    first_timestamp: int
    last_timestamp: int


async def note(conn: Connection, new: Iterable[Arrival], *, rewound: Iterable[int] = ()) -> None:
    """Note what has come in, in the transaction that stores it.

    Args:
        rewound: the series of which points are superseded by what has come in, by row id.
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
    """The cursor after all that has come in."""
    rows = await conn.execute_fetchall("SELECT seq FROM sqlite_sequence WHERE name = 'arrivals'")
    return next((int(number) for (number,) in rows), 0)


async def since(
    conn: Connection, run_id: int, cursor: int, *, path: str | None = None, limit: int
) -> News:
    """The points of a run, or of one of its metrics, that came in since; batches stay whole.

    Args:
        limit: after how many points no further batch is begun.
    """
    newest = await last(conn)
    rows = await conn.execute_fetchall("SELECT min(id) FROM arrivals")
    oldest = next((int(number) for (number,) in rows if number is not None), newest + 1)
    if not oldest - 1 <= cursor <= newest:
        return News(newest, None)
    found: dict[int, tuple[Series, list[PointRow]]] = {}
    total, rewound = 0, False
    arrived = await conn.execute_fetchall(
        f"""
        SELECT arrival, writer, low, high, sooner, later, {COLUMNS}
        FROM (
            SELECT
                id AS arrival, series_id AS arrived, writer_id AS writer, first_step AS low,
                last_step AS high, first_timestamp AS sooner, last_timestamp AS later
            FROM arrivals
        ) JOIN series ON series.id = arrived
        WHERE arrival > ? AND series.run_id = ? AND (series.path = ? OR ? IS NULL)
        ORDER BY arrival
        """,
        (cursor, run_id, path, path),
    )
    for id_, writer_id, first_step, last_step, first_time, last_time, *fields in arrived:
        if total >= limit:
            newest = id_ - 1
            break
        one = Series(*fields)
        if (first_time, last_time) == _REWOUND:
            rewound = True
            continue
        points = await conn.execute_fetchall(
            f"""
            SELECT step, timestamp, value FROM metrics
            WHERE series_id = ? AND step BETWEEN ? AND ? AND timestamp BETWEEN ? AND ?
              AND writer_id = ? AND {visible(one.resumed)}
            ORDER BY step, timestamp
            """,
            (one.id, first_step, last_step, first_time, last_time, writer_id),
        )
        before = len(found.setdefault(one.id, (one, []))[1])
        found[one.id][1].extend(points)  # type: ignore[arg-type]
        total += len(found[one.id][1]) - before
    return News(newest, list(found.values()), rewound)
