"""Packing small pieces together in idle time.

A logger that is slower than the server stores few points at a time, and each piece takes about 130
bytes beside its points.
"""

from __future__ import annotations

import time
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.store.engine.connection import Shared
from trackai.store.points import piece
from trackai.store.points.piece_inserts import Changes, Stored, concatenated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection

# So many small pieces of a series and writer are packed together.
_ENOUGH = 8
# The number of series of one transaction, and of the pieces of each.
_SERIES, _PIECES = 32, 256
# How long a follower may be away without reading all again, microseconds.
_KEPT = 3_600_000_000


async def compact(conn: Connection, after: int) -> int:
    """Pack small pieces of some series together, and forget arrivals that are long ago.

    Args:
        after: what the call before has returned; 0 at first.

    Returns:
        Where to continue; 0 after the last series.
    """
    if not isinstance(conn, Shared):
        return 0
    if not after:
        await _forget_arrivals(conn)
    fragmented: list[Any] = list(
        await conn.execute_fetchall(
            f"""
        SELECT series_id, writer_id FROM pieces WHERE points < {piece.SMALL} AND series_id > ?
        GROUP BY series_id, writer_id HAVING COUNT(*) >= {_ENOUGH}
        ORDER BY series_id LIMIT {_SERIES}
        """,
            (after,),
        )
    )
    last_id = fragmented[-1][0] if len(fragmented) == _SERIES else 0
    # Runs that other transactions change are passed over.
    rows = await conn.execute_fetchall(
        """
        SELECT small.series_id, small.writer_id
        FROM unnest(?::bigint[], ?::bigint[]) AS small (series_id, writer_id)
        JOIN writers ON writers.id = small.writer_id
        JOIN runs ON runs.id = writers.run_id
        FOR NO KEY UPDATE OF runs SKIP LOCKED
        """,
        (list(map(itemgetter(0), fragmented)), list(map(itemgetter(1), fragmented))),
    )
    for series_id, writer_id in rows:
        await _compact(conn, series_id, writer_id)
    return last_id


async def _forget_arrivals(conn: Connection) -> None:
    """Delete rows that are an hour old, but the last one of each run."""
    await conn.execute(
        """
        DELETE FROM arrivals
        USING (SELECT run_id, max(id) AS id FROM arrivals GROUP BY run_id) AS latest
        WHERE arrivals.run_id = latest.run_id AND arrivals.id < latest.id
          AND arrivals.arrived_at < ?
        """,
        (time.time_ns() // 1000 - _KEPT,),
    )


async def _compact(conn: Connection, series_id: int, writer_id: int) -> None:
    """Pack the last small pieces together where they are next to each other."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT id, last_step, packed, texts FROM pieces
        WHERE series_id = ?1 AND writer_id = ?2 AND last_step >= (
            SELECT min(last_step) FROM pieces
            WHERE series_id = ?1 AND writer_id = ?2 AND points < {piece.SMALL}
        )
        ORDER BY last_step DESC LIMIT {_PIECES}
        """,
        (series_id, writer_id),
    )
    stored = sorted(
        (
            Stored(id_, last, False, piece.unpack(packed, texts))
            for id_, last, packed, texts in rows
        ),
        key=lambda item: (item.points.steps[0], item.points.timestamps[0]),
    )
    changes = Changes()
    for group in _groups(stored):
        changes.replace(series_id, writer_id, group, concatenated([item.points for item in group]))
    await changes.execute(conn)


def _groups(stored: Sequence[Stored]) -> list[list[Stored]]:
    """Small pieces that are next to each other."""
    groups: list[list[Stored]] = [[]]
    for item in stored:
        if len(item.points.steps) < piece.SMALL:
            groups[-1].append(item)
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if len(group) > 1]
