"""Following a run: the points stored since a cursor, in the order in which they were committed.

Points may arrive in any order of steps and times: journals are recovered late, and ranks run at
different speeds. So each batch adds a row to `arrivals` for each of its series. Only the holder of
the write lock numbers these rows. Only the latest rows are kept.

PostgreSQL has no such lock, and the order of numbers of a sequence is not that of commits. There,
rows are numbered for each run, by the holder of the lock of the run, and a row has all series of a
batch.

A cursor names the last row that a reader has seen, by its number and its nonce. A database that has
this row has the same history up to it, whichever file it is: a reader with another cursor, such as
one from before a backup was restored, has to start over. In PostgreSQL, the cursor 0 is the one
before the first row of a run.
"""

from __future__ import annotations

import math
import random
import time
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.store.engine.bulk import execute_rows, placeholders
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import json_array
from trackai.store.points.queries import Batch
from trackai.store.points.series import COLUMNS, Series
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.structs.points import PointRow
    from trackai.values.types import Step


_ROWS_PER_STATEMENT = (128, 32, 8, 2, 1)
_KEPT = 20_000
# In PostgreSQL, for each run. More rows are deleted from time to time.
_KEPT_OF_RUN = 256
# Not the module's generator, whose state belongs to the training script.
_random = random.Random()  # noqa: S311
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Batch]).decode
# The times of a row that marks a series as rewound: an empty range.
_REWOUND = 1, 0
# A cursor is an integer that JavaScript represents exactly. Only the latest rows are kept, so the
# low bits of a row's number identify it among them.
_ID_BITS, _NONCE_BITS = 21, 32
# `last` of the run of a row of `series`.
LAST = f"""
    coalesce((
        SELECT ((arrivals.id % {1 << _ID_BITS}) << {_NONCE_BITS}) | nonce FROM arrivals
        /*pg: WHERE arrivals.run_id = series.run_id */ ORDER BY arrivals.id DESC LIMIT 1
    ), 0)
"""


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


def rewound(series_id: int) -> Batch:
    """A batch that tells that stored points of a series are superseded now."""
    return Batch(series_id, 0, 0, 0, *_REWOUND)


async def note(conn: Connection, new: Mapping[int, Sequence[Batch]]) -> None:
    """Record new points, in the transaction that stores them.

    Args:
        new: batches by the row ids of their runs.
    """
    if isinstance(conn, Shared):
        await _note_by_run(conn, new)
        return
    await execute_rows(
        conn, _note, chain.from_iterable(new.values()), width=6, sizes=_ROWS_PER_STATEMENT
    )
    await conn.execute(f"DELETE FROM arrivals WHERE id <= (SELECT max(id) FROM arrivals) - {_KEPT}")


@lru_cache
def _note(rows: int) -> str:
    return f"""
        INSERT OR FAIL INTO arrivals (
            series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
        ) VALUES {placeholders(rows, 6)}
    """


async def _note_by_run(conn: Connection, new: Mapping[int, Sequence[Batch]]) -> None:
    run_ids = [run_id for run_id, batches in new.items() if batches]
    rows = await conn.execute_fetchall(
        """
        INSERT INTO arrivals (run_id, id, nonce, arrived_at, content)
        SELECT new.run_id, coalesce(latest.id, 0) + 1, new.nonce, ?::bigint, new.content
        FROM unnest(?::bigint[], ?::bigint[], ?::text[]) AS new (run_id, nonce, content)
        LEFT JOIN (
            SELECT run_id, max(id) AS id FROM arrivals WHERE run_id = ANY(?::bigint[])
            GROUP BY run_id
        ) AS latest ON latest.run_id = new.run_id
        RETURNING run_id, id
        """,
        (
            time.time_ns() // 1000,
            run_ids,
            [_random.randrange(1, 1 << _NONCE_BITS) for _ in run_ids],
            [_encode(new[run_id]).decode() for run_id in run_ids],
            run_ids,
        ),
    )
    for run_id, row_id in rows:
        if row_id % (_KEPT_OF_RUN // 4) == 0:
            await conn.execute(
                "DELETE FROM arrivals WHERE run_id = ? AND id <= ?",
                (run_id, row_id - _KEPT_OF_RUN),
            )


async def last(conn: Connection, run_id: int) -> int:
    """The cursor after all points of a run stored so far."""
    return _cursor(*await _last_row(conn, run_id))


async def last_of_runs(conn: Connection, run_ids: Sequence[int]) -> dict[int, int]:
    """The cursors after all points of runs stored so far, by row id."""
    if not isinstance(conn, Shared):
        return dict.fromkeys(run_ids, await last(conn, 0))
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT ON (run_id) run_id, id, nonce FROM arrivals
        WHERE run_id IN (SELECT value FROM json_each(?))
        ORDER BY run_id, id DESC
        """,
        (json_array(run_ids),),
    )
    return dict.fromkeys(run_ids, 0) | {run_id: _cursor(*row) for run_id, *row in rows}


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
    latest, nonce = await _last_row(conn, run_id)
    newest = _cursor(latest, nonce) if until is None else until
    stop = await _find_row(conn, run_id, newest, latest)
    after = await _find_row(conn, run_id, cursor, latest)
    if after is None or stop is None:
        return News(newest, None)
    points: dict[int, tuple[Series, list[PointRow]]] = {}
    total, is_rewound, read_up_to = 0, False, cursor
    find = _arrivals_of_run if isinstance(conn, Shared) else _arrivals
    arrived = await find(conn, run_id, (after, stop), path)
    # The rows of a cursor belong together.
    for row_cursor, group in groupby(arrived, key=itemgetter(0)):
        if total >= limit:
            newest = read_up_to
            break
        read_up_to = row_cursor
        batches = [(series, batch) for _, batch, series in group]
        is_rewound |= any(_is_mark(batch) for _, batch in batches)
        batches = [(series, batch) for series, batch in batches if not _is_mark(batch)]
        for (series, _), rows in zip(
            batches, await points_of(conn).read_batches(conn, batches), strict=True
        ):
            points.setdefault(series.id, (series, []))[1].extend(rows)
            total += len(rows)
    return News(newest, list(points.values()), is_rewound)


async def changed_from(
    conn: Connection, run_id: int, cursor: int, series_ids: Sequence[int]
) -> dict[int, Step] | None:
    """Find where series of a run have changed since a cursor.

    Returns:
        The lowest step of the points of each changed series, minus infinity if some of its points
        are superseded now; None if the cursor is too old.
    """
    latest, _ = await _last_row(conn, run_id)
    after = await _find_row(conn, run_id, cursor, latest)
    if after is None:
        return None
    if isinstance(conn, Shared):
        arrived = await _arrivals_of_run(conn, run_id, (after, latest), None)
        batches = [batch for _, batch, _ in arrived]
    else:
        rows: Any = await conn.execute_fetchall(
            """
            SELECT series_id, writer_id, first_step, last_step, first_timestamp, last_timestamp
            FROM arrivals
            WHERE id > ? AND id <= ? AND series_id IN (SELECT value FROM json_each(?))
            """,
            (after, latest, json_array(series_ids)),
        )
        batches = [Batch(*row) for row in rows]
    lowest: dict[int, Step] = {}
    for batch in batches:
        first = -math.inf if _is_mark(batch) else batch.first_step
        lowest[batch.series_id] = min(first, lowest.get(batch.series_id, first))
    return lowest


def _is_mark(batch: Batch) -> bool:
    return (batch.first_timestamp, batch.last_timestamp) == _REWOUND


def _cursor(row_id: int, nonce: int) -> int:
    return row_id % (1 << _ID_BITS) << _NONCE_BITS | nonce


async def _last_row(conn: Connection, run_id: int) -> tuple[int, int]:
    rows = await conn.execute_fetchall(
        """
        SELECT id, nonce FROM arrivals /*pg: WHERE run_id = ? */ ORDER BY id DESC LIMIT 1
        """,
        (run_id,) if isinstance(conn, Shared) else (),
    )
    return next(((int(row_id), int(nonce)) for row_id, nonce in rows), (0, 0))


async def _find_row(conn: Connection, run_id: int, cursor: int, latest: int) -> int | None:
    """The number of the row that a cursor refers to, at most `latest`; None if there is none."""
    low_bits, nonce = divmod(cursor, 1 << _NONCE_BITS)
    row_id = latest - (latest - low_bits) % (1 << _ID_BITS)
    if isinstance(conn, Shared) and cursor == 0:
        # All rows follow, unless some were deleted.
        rows = await conn.execute_fetchall(
            "SELECT 0 FROM runs WHERE id = ? AND coalesce("
            "(SELECT min(id) FROM arrivals WHERE run_id = runs.id), 1) = 1",
            (run_id,),
        )
    else:
        rows = await conn.execute_fetchall(
            "SELECT id FROM arrivals WHERE id = ? AND nonce = ? /*pg: AND run_id = ? */",
            (row_id, nonce, *((run_id,) if isinstance(conn, Shared) else ())),
        )
    return next((int(row_id) for (row_id,) in rows), None)


async def _arrivals(
    conn: Connection, run_id: int, bounds: tuple[int, int], path: str | None
) -> list[tuple[int, Batch, Series]]:
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
    return [(_cursor(row[0], row[1]), Batch(row[7], *row[2:7]), Series(*row[7:])) for row in rows]


async def _arrivals_of_run(
    conn: Connection, run_id: int, bounds: tuple[int, int], path: str | None
) -> list[tuple[int, Batch, Series]]:
    """`_arrivals`, where a row has all batches of a transaction."""
    rows = await conn.execute_fetchall(
        """
        SELECT id, nonce, content FROM arrivals WHERE run_id = ? AND id > ? AND id <= ?
        ORDER BY id
        """,
        (run_id, *bounds),
    )
    of_row = [(_cursor(row_id, nonce), _decode(content)) for row_id, nonce, content in rows]
    ids = {batch.series_id for _, batches in of_row for batch in batches}
    known = await conn.execute_fetchall(
        f"""
        SELECT {COLUMNS} FROM series
        WHERE run_id = ? AND id IN (SELECT value FROM json_each(?))
        """,
        (run_id, json_array(ids)),
    )
    by_id = {row[0]: Series(*row) for row in known if path in (None, row[1])}
    return [
        (cursor, batch, by_id[batch.series_id])
        for cursor, batches in of_row
        for batch in batches
        if batch.series_id in by_id
    ]
