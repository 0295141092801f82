"""The table `series`: the metrics of runs, with the running figures that summaries read."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import NotFoundError
from trackai.store.engine.bulk import execute_rows, placeholders
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import LAST_VALUE, MEAN, json_array, lock
from trackai.values.non_finite import json_value
from trackai.values.types import Axis, Kind, Step, StoredValue, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trackai.store.engine.connection import Connection

_SERIES_PER_STATEMENT = (128, 8, 1)
# The columns of a `Series`.
COLUMNS = """
    series.id, series.path, series.axis, series.kind, series.points, series.finite_points,
    series.last_step,
    EXISTS (SELECT 1 FROM attempts WHERE attempts.series_id = series.id)
"""

# A condition on rows of `metrics`.
NOT_SUPERSEDED = """
    NOT EXISTS (
        SELECT 1 FROM attempts
        WHERE attempts.series_id = metrics.series_id
          AND attempts.first_step <= metrics.step
          AND attempts.attempt >
              (SELECT writers.attempt FROM writers WHERE writers.id = metrics.writer_id)
    )
"""


def visible(resumed: int) -> str:
    """The SQL condition on rows of `metrics` that excludes superseded points.

    Args:
        resumed: `Series.resumed`; if it is 0, no point is superseded and the condition is free.
    """
    return NOT_SUPERSEDED if resumed else "TRUE"


class Series(msgspec.Struct, frozen=True):
    """A metric of a run, on one axis.

    Attributes:
        id: the row id.
        points, finite_points, last_step: figures over the points that are not superseded.
        resumed: 1 if a later attempt has logged to it, so that points may be superseded; else 0.
    """

    id: int
    path: str
    axis: Axis
    kind: Kind
    points: int
    finite_points: int
    last_step: Step | None
    resumed: int

    @property
    def plain(self) -> bool:
        """Whether all values are finite numbers."""
        return self.kind in {"number", "bool"} and self.finite_points == self.points


# The unique key of a series: the row id of its run, its path and its axis.
Name = tuple[int, str, "Axis"]


async def ensure(conn: Connection, kinds: Mapping[Name, Kind]) -> dict[Name, Series]:
    """Get series by name, and create those that do not exist with the kind given for them."""
    known = await _by_name(conn, kinds)
    missing = [(*name, kind) for name, kind in kinds.items() if name not in known]
    if missing:
        await execute_rows(conn, _insert, missing, width=4, sizes=_SERIES_PER_STATEMENT)
        known |= await _by_name(conn, [(run_id, path, axis) for run_id, path, axis, _ in missing])
    return known


@lru_cache
def _insert(rows: int) -> str:
    return f"""
        INSERT INTO series (run_id, path, axis, kind) VALUES {placeholders(rows, 4)}
        ON CONFLICT (run_id, path, axis) DO NOTHING
    """


async def lock_run(conn: Connection, series_id: int) -> None:
    """Let no other transaction store points of the run of a series until this one ends."""
    if isinstance(conn, Shared):
        rows = await conn.execute_fetchall("SELECT run_id FROM series WHERE id = ?", (series_id,))
        await lock(conn, "runs", (run_id for (run_id,) in rows))


async def _by_name(conn: Connection, names: Iterable[Name]) -> dict[Name, Series]:
    paths: dict[int, set[str]] = {}
    for run_id, path, _ in names:
        paths.setdefault(run_id, set()).add(path)
    # Runs of a sweep log the same metrics.
    runs: dict[frozenset[str], list[int]] = {}
    for run_id, run_paths in paths.items():
        runs.setdefault(frozenset(run_paths), []).append(run_id)
    known: dict[Name, Series] = {}
    for alike, run_ids in runs.items():
        # The index of the unique key has the series of a run beside each other.
        rows = await conn.execute_fetchall(
            f"""
            SELECT series.run_id, {COLUMNS} FROM series INDEXED BY sqlite_autoindex_series_1
            WHERE series.run_id IN (SELECT value FROM json_each(?))
              AND series.path IN (SELECT value FROM json_each(?))
            """,
            (json_array(run_ids), json_array(alike)),
        )
        for row in rows:
            known[row[0], row[2], row[3]] = Series(*row[1:])
        for path in alike:
            # SQLite reads a string in JSON only up to a NUL, so these need a query each.
            if "\0" in path:
                for run_id in run_ids:
                    own = await _by_path(conn, run_id, path)
                    known |= {(run_id, path, series.axis): series for series in own}
    return known


async def _by_path(conn: Connection, run_id: int, path: str) -> list[Series]:
    rows = await conn.execute_fetchall(
        f"SELECT {COLUMNS} FROM series WHERE run_id = ? AND path = ? ORDER BY axis",
        (run_id, path),
    )
    return [Series(*row) for row in rows]


async def list_paths(conn: Connection, run_id: int) -> list[str]:
    """List the names of a run's metrics, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT path FROM series WHERE run_id = ? ORDER BY path", (run_id,)
    )
    return [path for (path,) in rows]


async def last_values(conn: Connection, run_id: int) -> list[tuple[str, StoredValue, Kind]]:
    """Get the name, last value and kind of each series of a run, sorted by name."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT path, {LAST_VALUE}, kind FROM series
        WHERE run_id = ? AND points > 0
        ORDER BY path, axis DESC
        """,
        (run_id,),
    )
    return [(path, value, kind) for path, value, kind in rows]


class MetricSummary(msgspec.Struct, frozen=True):
    """The figures of a metric, over the points that are not superseded.

    `min`, `max` and `mean` are over the finite values, and None if there are none.
    """

    path: str
    axis: Axis
    kind: Kind
    points: int
    nan_points: int
    last: Value
    last_step: Step | None
    min: Step | None
    min_step: Step | None
    max: Step | None
    max_step: Step | None
    mean: Step | None


async def summaries(conn: Connection, run_id: int) -> list[MetricSummary]:
    """Get the figures of all metrics of a run that have points, sorted by name.

    All points of a metric are superseded if the run was rewound to an earlier step.
    """
    rows = await conn.execute_fetchall(
        f"""
        SELECT
            path, axis, kind, points, nan_points, {LAST_VALUE},
            CASE axis WHEN 'step' THEN last_step END, min_value, min_step, max_value, max_step,
            {MEAN}
        FROM series WHERE run_id = ? AND points > 0
        ORDER BY path, axis
        """,
        (run_id,),
    )
    return [
        MetricSummary(path, axis, kind, points, nans, json_value(last, kind), *rest)
        for path, axis, kind, points, nans, last, *rest in rows
    ]


async def last_step(conn: Connection, run_id: int) -> Step | None:
    """Get the highest step that a run has logged; None if it has logged no steps."""
    rows = await conn.execute_fetchall(
        "SELECT max(last_step) FROM series WHERE run_id = ? AND axis = 'step'", (run_id,)
    )
    return next((step for (step,) in rows), None)


async def last_activity(conn: Connection, run_id: int) -> int | None:
    """Get the time of the last point or proper end of a run, in microseconds since the epoch."""
    # Not the end of a crashed writer: that is when its journal was recovered.
    rows = await conn.execute_fetchall(
        """
        SELECT max(time) FROM (
            SELECT max(last_timestamp) AS time FROM series WHERE run_id = ?1
            UNION ALL
            SELECT max(ended_at) FROM writers WHERE run_id = ?1 AND state = 'completed'
        ) AS activity
        """,
        (run_id,),
    )
    return next((time for (time,) in rows), None)


async def list_of_run(conn: Connection, run_id: int) -> list[Series]:
    """List all series of a run, in the order of their creation."""
    rows = await conn.execute_fetchall(
        f"SELECT {COLUMNS} FROM series WHERE run_id = ? ORDER BY id", (run_id,)
    )
    return [Series(*row) for row in rows]


async def find(conn: Connection, run_id: int, path: str) -> list[Series]:
    """Find a metric; it has two series if it was logged with steps and as a system metric.

    Raises:
        NotFoundError: the run has no metric of that name.
    """
    rows = await _by_path(conn, run_id, path)
    if not rows:
        raise NotFoundError(f"run {run_id} has no metric {path!r}")
    return rows


# Whether any run of the database is forked.
HAS_FORKS = "EXISTS (SELECT 1 FROM runs WHERE fork_uid IS NOT NULL)"


async def find_many(
    conn: Connection, run_ids: Sequence[int], paths: Sequence[str]
) -> list[tuple[int, bool, Series]]:
    """Find metrics of several runs.

    Returns:
        For each series the row id of its run, whether any run of the database is forked, and the
        series, in order of run and name. If a metric has two series, the one with steps comes last.
    """
    rows = await conn.execute_fetchall(
        f"""
        SELECT run_id, {HAS_FORKS}, {COLUMNS} FROM series
        WHERE run_id IN (SELECT value FROM json_each(?))
          AND path IN (SELECT value FROM json_each(?))
        ORDER BY run_id, path, axis DESC
        """,
        (json_array(run_ids), json_array(paths)),
    )
    return [(run_id, bool(has_forks), Series(*fields)) for run_id, has_forks, *fields in rows]
