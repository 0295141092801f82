"""Attempts: which points of a resumed run are superseded by a later attempt.

A run that logged up to step 100 and is resumed at step 50 keeps both attempts. In each series, the
points of earlier attempts are superseded from the first step on that the later attempt logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trackai.store.engine.sql import json_array
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.values.types import Step


class Effects(NamedTuple):
    """How new points of an attempt affect their series, by row id.

    Attributes:
        rewound: series of which stored points are superseded now.
        begun: those of `rewound` to which the latest attempt logs for the first time, with its
            first step. The points before this step and the new points remain.
        late: series in which a later attempt supersedes new points, from a step on.
        stale: series whose figures must be recomputed from all points.
    """

    rewound: set[int]
    begun: dict[int, Step]
    late: dict[int, Step]
    stale: set[int]

    @classmethod
    def none(cls) -> Effects:
        """New points of a run with one attempt."""
        return cls(set(), {}, {}, set())

    def add(self, effects: Effects) -> None:
        """Add the effects of another attempt."""
        self.rewound.update(effects.rewound)
        self.begun.update(effects.begun)
        self.late.update(effects.late)
        self.stale.update(effects.stale)


async def numbers(conn: Connection, writer_ids: Iterable[int]) -> dict[int, int]:
    """Get the attempt numbers of writers, by the row id of the writer."""
    rows = await conn.execute_fetchall(
        "SELECT id, attempt FROM writers WHERE id IN (SELECT value FROM json_each(?))",
        (json_array(writer_ids),),
    )
    return dict(rows)


async def note(
    conn: Connection, attempt: int, first_steps: Sequence[tuple[Series, Step]]
) -> Effects:
    """Record the first steps that an attempt logged to series.

    Args:
        attempt: the number of the attempt.
        first_steps: series as they were before, with the lowest of their new steps.
    """
    rows = await conn.execute_fetchall(
        """
        SELECT series_id, attempt, first_step FROM attempts
        WHERE series_id IN (SELECT value FROM json_each(?)) AND attempt >= ?
        """,
        (json_array(series.id for series, _ in first_steps), attempt),
    )
    recorded = {series_id: first for series_id, number, first in rows if number == attempt}
    late: dict[int, Step] = {}
    for series_id, number, first in rows:
        if number > attempt:
            late[series_id] = min(first, late.get(series_id, first))
    if attempt == 1:
        return Effects(set(), {}, late, set())
    lowered = [
        (series, first)
        for series, first in first_steps
        if series.id not in recorded or first < recorded[series.id]
    ]
    await conn.executemany(
        """
        INSERT INTO attempts (series_id, attempt, first_step) VALUES (?, ?, ?)
        ON CONFLICT (series_id, attempt) DO UPDATE
        SET first_step = min(attempts.first_step, excluded.first_step)
        """,
        [(series.id, attempt, first) for series, first in lowered],
    )
    rewound = {
        series.id: first
        for series, first in lowered
        if series.last_step is not None and first <= series.last_step
    }
    begun = {
        series_id: first
        for series_id, first in rewound.items()
        if series_id not in recorded and series_id not in late
    }
    return Effects(set(rewound), begun, late, rewound.keys() - begun.keys())


async def find_pauses(conn: Connection, run_id: int) -> list[tuple[int, int]]:
    """The pauses before the attempts of a loaded run, given its points, all of which are read.

    Returns:
        When each pause began, microseconds since the epoch, and the row id of the writer after it.
    """
    return await points_of(conn).find_pauses(conn, run_id)


async def set_pauses(conn: Connection, pauses: Iterable[tuple[int, int]]) -> None:
    """Record what `find_pauses` has found."""
    await conn.executemany("UPDATE writers SET resumed_after = ? WHERE id = ?", pauses)
