"""Forked runs: which series a metric is made of.

A forked run stores only its own points. Read with what it inherits, a series begins with its
parent's points up to and including the fork's step, those of the parent's parent up to theirs,
and so on. A parent that is not in this database is skipped. System metrics have no steps and are
not inherited.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.errors import NotFoundError
from trackai.store.engine.sql import json_array
from trackai.store.points import series as series_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.series import Series
    from trackai.values.types import Step


class Segment(NamedTuple):
    """A series, or its beginning.

    Attributes:
        until: the last step that belongs to the segment; None for all steps.
    """

    series: Series
    until: Step | None


def as_one(segments: Sequence[Segment]) -> Series:
    """Combine segments to the series that readers see: its kind is "number" unless all agree."""
    own = segments[0].series
    if len(segments) == 1:
        return own
    parts = [series for series, _ in segments]
    return msgspec.structs.replace(
        own,
        kind=own.kind if len({part.kind for part in parts}) == 1 else "number",
        points=sum(part.points for part in parts),
        finite_points=sum(part.finite_points for part in parts),
    )


async def ancestors(conn: Connection, run_id: int) -> list[tuple[int, Step]]:
    """List the runs that a run continues, nearest first, with the last step it inherits of each."""
    inherited: list[tuple[int, Step]] = []
    seen = {run_id}
    until: Step | None = None
    while True:
        rows = await conn.execute_fetchall(
            """
            SELECT parent.id, run.fork_step
            FROM runs AS run
            JOIN runs AS parent ON parent.uid = run.fork_uid
            WHERE run.id = ? AND run.fork_step IS NOT NULL
            """,
            (run_id,),
        )
        for parent, step in rows:
            run_id, until = parent, step if until is None else min(until, step)
        # Imported data may contain a cycle of forks: stop where it closes.
        if not rows or until is None or run_id in seen:
            return inherited
        seen.add(run_id)
        inherited.append((run_id, until))


async def find(
    conn: Connection, run_id: int, path: str, *, inherited: bool = True
) -> list[list[Segment]]:
    """Find a metric on either axis, the one with steps first.

    Returns:
        For each series its segments, the run's own first.

    Raises:
        NotFoundError: neither the run nor, if `inherited`, its ancestors have such a metric.
    """
    metrics = await find_many(conn, [run_id], [path], inherited=inherited)
    if not metrics:
        raise NotFoundError(f"run {run_id} has no metric {path!r}")
    return sorted((segments for _, segments in metrics), key=lambda item: item[0].series.axis)


async def find_many(
    conn: Connection, run_ids: Sequence[int], paths: Sequence[str], *, inherited: bool = True
) -> list[tuple[int, list[Segment]]]:
    """Find metrics of several runs.

    Returns:
        Pairs of a run's row id and the segments of a series. If a metric has two series, the one
        with steps comes last.
    """
    rows = await series_table.find_many(conn, run_ids, paths)
    metrics = [(run_id, [Segment(series, None)]) for run_id, _, series in rows]
    if not inherited or not (rows[0][1] if rows else await has_forks(conn)):
        return metrics
    by_time = [(run_id, segments) for run_id, segments in metrics if _axis(segments) == "time"]
    by_step = {
        (run_id, segments[0].series.path): segments
        for run_id, segments in metrics
        if _axis(segments) == "step"
    }
    for run_id in dict.fromkeys(run_ids):
        for segment in await _inherited_segments(conn, run_id, paths):
            by_step.setdefault((run_id, segment.series.path), []).append(segment)
    return by_time + [(run_id, segments) for (run_id, _), segments in by_step.items()]


def _axis(segments: Sequence[Segment]) -> str:
    return segments[0].series.axis


async def _inherited_segments(conn: Connection, run_id: int, paths: Sequence[str]) -> list[Segment]:
    """The segments of metrics that a run inherits, those of the nearest ancestor first."""
    last_steps = dict(await ancestors(conn, run_id))
    if not last_steps:
        return []
    by_run: dict[int, list[Series]] = {}
    for ancestor, _, series in await series_table.find_many(conn, list(last_steps), paths):
        by_run.setdefault(ancestor, []).append(series)
    return [
        Segment(series, until)
        for ancestor, until in last_steps.items()
        for series in by_run.get(ancestor, [])
        if series.axis == "step" and await _begins_by(conn, series, until)
    ]


async def match_paths(
    conn: Connection,
    run_ids: Sequence[int],
    patterns: Sequence[str],
    *,
    inherited: bool = True,
    limit: int,
) -> list[str]:
    """List the names of metrics in these runs that match a pattern, sorted.

    Args:
        patterns: names in which `*` matches any text.
        limit: the largest number of names.
    """
    searched = dict.fromkeys(run_ids)
    if inherited and await has_forks(conn):
        for run_id in run_ids:
            searched.update(dict.fromkeys(run for run, _ in await ancestors(conn, run_id)))
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT path FROM series
        WHERE run_id IN (SELECT value FROM json_each(?))
        ORDER BY path
        """,
        (json_array(searched),),
    )
    # Of the special characters of `fnmatch`, only * is one here.
    globs = [pattern.replace("[", "[[]").replace("?", "[?]") for pattern in patterns]
    matches = re.compile("|".join(map(fnmatch.translate, globs))).match
    return [path for (path,) in rows if matches(path)][:limit]


async def list_paths(conn: Connection, run_id: int, *, inherited: bool = True) -> list[str]:
    """List the names of a run's metrics, with those that it inherits, sorted."""
    return await list_paths_of_runs(conn, [run_id], inherited=inherited)


async def list_paths_of_runs(
    conn: Connection, run_ids: Sequence[int], *, inherited: bool = True
) -> list[str]:
    """List the names of the metrics that at least one of the runs has or inherits, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT path FROM series WHERE run_id IN (SELECT value FROM json_each(?))",
        (json_array(run_ids),),
    )
    paths = {path for (path,) in rows}
    if inherited and await has_forks(conn):
        last_steps: dict[int, Step] = {}
        for run_id in run_ids:
            for ancestor, until in await ancestors(conn, run_id):
                last_steps[ancestor] = max(until, last_steps.get(ancestor, until))
        for ancestor, until in last_steps.items():
            rows = await conn.execute_fetchall(
                """
                SELECT path FROM series
                WHERE run_id = ? AND axis = 'step' AND first_step <= ?
                """,
                (ancestor, until),
            )
            paths.update(path for (path,) in rows)
    return sorted(paths)


async def has_forks(conn: Connection) -> bool:
    """Whether any run of the database is forked."""
    rows = await conn.execute_fetchall(f"SELECT {series_table.HAS_FORKS}")
    return any(exists for (exists,) in rows)


async def _begins_by(conn: Connection, series: Series, until: Step) -> bool:
    rows = await conn.execute_fetchall(
        "SELECT first_step <= ? FROM series WHERE id = ?", (until, series.id)
    )
    return any(begins for (begins,) in rows)
