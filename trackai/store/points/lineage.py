"""Forked runs: whose points belong to a series when it is read.

A forked run holds its own points only. Read with what it inherits, a series begins with its
parent's points up to and including the fork's step, those of the parent's parent up to theirs,
and so on. A parent that is not in this database is no error. System metrics have no steps and
are not inherited.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.errors import NotFoundError
from trackai.store.points import metrics, series
from trackai.store.points.series import visible
from trackai.values.types import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiosqlite import Connection

    from trackai.store.points.metrics import Attempt
    from trackai.store.points.series import Series
    from trackai.structs.points import CurveRow, PointRow

_PAGE = 20_000
# How far a reader is: the step and time of its last point, and how many it has had of just these.
Place = tuple[Step, int, int]


class Segment(NamedTuple):
    """A series, or its beginning: the points up to and including `until`, None for all."""

    series: Series
    until: Step | None


def as_one(segments: Sequence[Segment]) -> Series:
    """The series with what it inherits as its readers take it: of the kind that all parts have."""
    own = segments[0].series
    if len(segments) == 1:
        return own
    parts = [part for part, _ in segments]
    return msgspec.structs.replace(
        own,
        kind=own.kind if len({part.kind for part in parts}) == 1 else "number",
        points=sum(part.points for part in parts),
        finite_points=sum(part.finite_points for part in parts),
    )


async def ancestors(conn: Connection, run_id: int) -> list[tuple[int, Step]]:
    """The runs that a run continues, nearest first, each with the last step that it gives."""
    found: list[tuple[int, Step]] = []
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
        # Runs that continue each other cannot be told from a mistake; they end where they began.
        if not rows or until is None or run_id in seen:
            return found
        seen.add(run_id)
        found.append((run_id, until))


async def find(
    conn: Connection, run_id: int, path: str, *, inherited: bool = True
) -> list[list[Segment]]:
    """The series of that name, on either axis; each is a list of segments, the run's own first.

    Raises:
        NotFoundError: neither the run nor, if asked for, those it continues have such a metric.
    """
    found = await find_many(conn, [run_id], [path], inherited=inherited)
    if not found:
        raise NotFoundError(f"the run {run_id} has no metric {path!r}")
    # Steps before times, as they are read.
    return sorted((segments for _, segments in found), key=lambda one: one[0].series.axis)


async def find_many(
    conn: Connection, run_ids: Sequence[int], paths: Sequence[str], *, inherited: bool = True
) -> list[tuple[int, list[Segment]]]:
    """The series of these names in these runs, each with its run's id.

    Where a name was logged with steps and as a system metric, the former comes last.
    """
    answer = [
        (run_id, [Segment(one, None)])
        for run_id, one in await series.find_many(conn, run_ids, paths)
    ]
    if not inherited or not await _any_forks(conn):
        return answer
    on_steps = {
        (run_id, own.series.path): [own, *rest]
        for run_id, (own, *rest) in answer
        if own.series.axis == "step"
    }
    answer = [
        (run_id, segments) for run_id, segments in answer if segments[0].series.axis == "time"
    ]
    for run_id in dict.fromkeys(run_ids):
        line = dict(await ancestors(conn, run_id))
        theirs = await series.find_many(conn, list(line), paths) if line else []
        by_run: dict[int, list[Series]] = {}
        for ancestor, one in theirs:
            by_run.setdefault(ancestor, []).append(one)
        for ancestor, until in line.items():
            for one in by_run.get(ancestor, []):
                if one.axis == "step" and await _begins_by(conn, one, until):
                    on_steps.setdefault((run_id, one.path), []).append(Segment(one, until))
    return answer + [(run_id, segments) for (run_id, _), segments in on_steps.items()]


async def match_paths(
    conn: Connection,
    run_ids: Sequence[int],
    patterns: Sequence[str],
    *,
    inherited: bool = True,
    limit: int,
) -> list[str]:
    """The names of metrics in these runs that the patterns stand for; `*` is any text."""
    wanted = dict.fromkeys(run_ids)
    if inherited and await _any_forks(conn):
        for run_id in run_ids:
            wanted.update(dict.fromkeys([one for one, _ in await ancestors(conn, run_id)]))
    rows = await conn.execute_fetchall(
        """
        SELECT DISTINCT series.path
        FROM series JOIN json_each(?2) AS pattern ON series.path GLOB pattern.value
        WHERE run_id IN (SELECT value FROM json_each(?1))
        ORDER BY series.path
        LIMIT ?3
        """,
        (
            msgspec.json.encode(list(wanted)).decode(),
            msgspec.json.encode(
                [one.replace("[", "[[]").replace("?", "[?]") for one in patterns]
            ).decode(),
            limit,
        ),
    )
    return [path for (path,) in rows]


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    limit: int,
    offset: int = 0,
) -> list[PointRow]:
    """Points of a series with what it inherits, in order of step; of a series alone if it is one.

    What one attempt logged is its run's own.
    """
    if isinstance(attempt, int):
        segments = [segment for segment in segments if segment.until is None]
    if len(segments) == 1 and segments[0].until is None:
        return await metrics.read(
            conn, segments[0].series, step_min=step_min, step_max=step_max,
            attempt=attempt, limit=limit, offset=offset,
        )  # fmt: skip
    if not segments:
        return []
    statement, values = _select(segments, step_min, step_max, attempt)
    rows = await conn.execute_fetchall(f"{statement} LIMIT ? OFFSET ?", (*values, limit, offset))
    return [(step, timestamp, value) for step, timestamp, value, _ in rows]


async def pages(
    conn: Connection, segments: Sequence[Segment], *, step_min: Step, step_max: Step
) -> AsyncIterator[list[PointRow]]:
    """The same page by page, however many points there are; the connection is in a transaction."""
    statement, values = _select(segments, step_min, step_max, "latest")
    async with conn.execute(statement, values) as cursor:
        while rows := await cursor.fetchmany(_PAGE):
            yield [(step, timestamp, value) for step, timestamp, value, _ in rows]


async def read_after(
    conn: Connection,
    segments: Sequence[Segment],
    after: Place | None,
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    limit: int,
    offset: int = 0,
) -> list[PointRow]:
    """Points like those of `read`, from behind a place on, that costs nothing to get to.

    Without a place they are those from an offset on.
    """
    if isinstance(attempt, int):
        segments = [segment for segment in segments if segment.until is None]
    if not segments:
        return []
    statement, values = _select(segments, step_min, step_max, attempt, after)
    if after is not None:
        offset = after[2]
    if len(segments) == 1:  # what it is ordered by need not be fetched
        statement = statement.replace("value, writer_id FROM", "value FROM", 1)
    rows = await conn.execute_fetchall(f"{statement} LIMIT ? OFFSET ?", (*values, limit, offset))
    if len(segments) == 1:
        return rows  # type: ignore[return-value]
    return [(step, timestamp, value) for step, timestamp, value, _ in rows]


def place_after(rows: Sequence[PointRow], before: Place | None) -> Place:
    """How far the reader of these rows is that was at the place before."""
    step, time, _ = rows[-1]
    seen = 0
    for other, when, _ in reversed(rows):
        if (other, when) != (step, time):
            break
        seen += 1
    if seen == len(rows) and before is not None and before[:2] == (step, time):
        seen += before[2]
    return step, time, seen


def _select(
    segments: Sequence[Segment],
    step_min: Step | None,
    step_max: Step | None,
    attempt: Attempt,
    after: Place | None = None,
) -> tuple[str, list[Step]]:
    """A query for points of several segments in order of step, and its values."""
    # Each part comes in order from the clustered rows; SQLite merges them without sorting.
    after_cursor, beyond = "", list[Step]()
    if after is not None:
        # The bound on steps is what the rows are looked up by.
        step_min = after[0]
        after_cursor, beyond = "AND (step, timestamp) >= (?, ?)", list(after[:2])
    parts: list[str] = []
    values: list[Step] = []
    for one, until in segments:
        condition = "TRUE" if attempt == "all" else visible(one.resumed)
        if isinstance(attempt, int):
            condition = "writer_id IN (SELECT id FROM writers WHERE attempt = ?)"
        parts.append(
            f"""
            SELECT step, timestamp, value, writer_id FROM metrics
            WHERE series_id = ? AND step BETWEEN ? AND ? {after_cursor} AND {condition}
            """
        )
        highest = math.inf if step_max is None else step_max
        values += [
            one.id,
            -math.inf if step_min is None else step_min,
            highest if until is None else min(highest, until),
            *beyond,
        ]
        if isinstance(attempt, int):
            values.append(attempt)
    return f"{' UNION ALL '.join(parts)} ORDER BY step, timestamp, writer_id", values


async def read_many(conn: Connection, wanted: Sequence[Sequence[Segment]]) -> list[list[CurveRow]]:
    """All points of several series, each with what it inherits, in this order."""
    alone = [
        segments[0].series
        for segments in wanted
        if len(segments) == 1 and segments[0].until is None
    ]
    points = await metrics.read_many(conn, alone)
    return [
        points[segments[0].series.id]
        if len(segments) == 1 and segments[0].until is None
        else [(step, value) for step, _, value in await read(conn, segments, limit=-1)]
        for segments in wanted
    ]


async def count(conn: Connection, segments: Sequence[Segment]) -> int:
    """The number of points of a series with what it inherits."""
    total = sum(one.points for one, until in segments if until is None)
    for one, until in segments:
        if until is not None:
            rows = await conn.execute_fetchall(
                f"""
                SELECT COUNT(*) FROM metrics
                WHERE series_id = ? AND step <= ? AND {visible(one.resumed)}
                """,
                (one.id, until),
            )
            total += sum(number for (number,) in rows)
    return total


async def list_paths(conn: Connection, run_id: int, *, inherited: bool = True) -> list[str]:
    """The names of a run's metrics, with those that it inherits, sorted."""
    paths = set(await series.list_paths(conn, run_id))
    if inherited:
        for ancestor, until in await ancestors(conn, run_id):
            rows = await conn.execute_fetchall(
                """
                SELECT path FROM series
                WHERE run_id = ? AND axis = 'step' AND first_step <= ?
                """,
                (ancestor, until),
            )
            paths.update(path for (path,) in rows)
    return sorted(paths)


async def _any_forks(conn: Connection) -> bool:
    rows = await conn.execute_fetchall(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE fork_uid IS NOT NULL)"
    )
    return any(answer for (answer,) in rows)


async def _begins_by(conn: Connection, one: Series, until: Step) -> bool:
    rows = await conn.execute_fetchall(
        "SELECT first_step <= ? FROM series WHERE id = ?", (until, one.id)
    )
    return any(answer for (answer,) in rows)
