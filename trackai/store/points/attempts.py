"""Attempts: which points of a resumed run have been superseded by a later attempt.

A run that logged up to step 100 and was resumed at step 50 keeps both attempts. From the first
step that an attempt logged to a series on, the points of earlier attempts are superseded in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiosqlite import Connection

    from trackai.store.points.series import Series
    from trackai.values.types import Step


class Noted(NamedTuple):
    """What new points of an attempt have done to series, by row id.

    Attributes:
        stale: their superseded points have changed, or the new ones may be superseded themselves:
            their figures must be counted anew.
        rewound: points that they had are superseded now.
    """

    stale: set[int]
    rewound: set[int]


async def numbers(conn: Connection, writer_ids: Iterable[int]) -> dict[int, int]:
    """The attempt number of each writer, by the row id of the writer."""
    rows = await conn.execute_fetchall(
        "SELECT id, attempt FROM writers WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(writer_ids)).decode(),),
    )
    return dict(rows)  # type: ignore[arg-type]


async def note(conn: Connection, attempt: int, first_steps: Sequence[tuple[Series, Step]]) -> Noted:
    """Note from which step on an attempt has logged to series, as they were before."""
    rows = await conn.execute_fetchall(
        """
        SELECT series_id, attempt, first_step FROM attempts
        WHERE series_id IN (SELECT value FROM json_each(?)) AND attempt >= ?
        """,
        (msgspec.json.encode([series.id for series, _ in first_steps]).decode(), attempt),
    )
    mine = {series_id: first for series_id, number, first in rows if number == attempt}
    stale = {series_id for series_id, number, _ in rows if number > attempt}
    if attempt == 1:
        return Noted(stale, set())
    lowered = [
        (series, first)
        for series, first in first_steps
        if series.id not in mine or first < mine[series.id]
    ]
    await conn.executemany(
        """
        INSERT INTO attempts (series_id, attempt, first_step) VALUES (?, ?, ?)
        ON CONFLICT (series_id, attempt) DO UPDATE
        SET first_step = min(first_step, excluded.first_step)
        """,
        [(series.id, attempt, first) for series, first in lowered],
    )
    rewound = {
        series.id
        for series, first in lowered
        if series.last_step is not None and first <= series.last_step
    }
    return Noted(stale | rewound, rewound)
