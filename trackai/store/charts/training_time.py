"""Training time: the time since a run began, without the pauses before it was resumed or forked."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.catalogue import runs, writers
from trackai.store.points import lineage, tails
from trackai.values.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from trackai.store.engine.connection import Connection
    from trackai.values.types import Step


class TrainingTime(NamedTuple):
    """Converts times to training time, in microseconds.

    Attributes:
        began: when the run began.
        pauses: the beginnings and ends of pauses, which do not overlap, in order.
    """

    began: int
    pauses: Sequence[tuple[int, int]] = ()

    def at(self, time: int) -> int:
        """The training time at a time."""
        paused = sum(min(time, end) - start for start, end in self.pauses if start < time)
        return time - self.began - paused


async def read(
    conn: Connection, run_ids: Sequence[int], *, inherited: bool = True
) -> dict[int, TrainingTime]:
    """Get the training times of runs by row id; runs that do not exist are left out.

    Args:
        inherited: whether a forked run begins with its parent, up to the step of the fork.
    """
    lines: dict[int, list[tuple[int, Step | None]]] = {
        run_id: [(run_id, None)] for run_id in run_ids
    }
    if inherited and await lineage.has_forks(conn):
        for run_id, line in lines.items():
            line += await lineage.ancestors(conn, run_id)
    ids = list({run_id for line in lines.values() for run_id, _ in line})
    created = await runs.creation_times(conn, ids)
    pauses = await writers.pauses(conn, ids)
    times: dict[int, TrainingTime] = {}
    for run_id in run_ids:
        if run_id in created:
            times[run_id] = TrainingTime(
                microseconds(created[lines[run_id][-1][0]]),
                _disjoint(
                    [pause for member, _ in lines[run_id] for pause in pauses.get(member, [])]
                    + await _pauses_of_forks(conn, lines[run_id], created)
                ),
            )
    return times


async def _pauses_of_forks(
    conn: Connection, line: Sequence[tuple[int, Step | None]], created: Mapping[int, datetime]
) -> list[tuple[int, int]]:
    """The pauses from the last points that runs inherit to the beginnings of these runs.

    Args:
        line: a run and its ancestors, nearest first, each with the last step that is inherited.
        created: when each of them began.
    """
    pauses = []
    for (run_id, _), (parent, until) in pairwise(line):
        time = await tails.last_time(conn, parent, until)
        if time is not None:
            pauses.append((time, microseconds(created[run_id])))
    return pauses


def _disjoint(pauses: list[tuple[int, int]]) -> list[tuple[int, int]]:
    disjoint: list[tuple[int, int]] = []
    until = 0
    for start, end in sorted(pauses):
        if end > max(start, until):
            disjoint.append((max(start, until), end))
            until = end
    return disjoint
