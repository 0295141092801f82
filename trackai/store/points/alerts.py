"""Alerts of all runs: texts that are logged as the metrics `alerts/<level>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trackai.store.points import series as series_table
from trackai.store.points import tails
from trackai.structs.records import Alert, AlertPage
from trackai.values.times import utc

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection
    from trackai.structs.points import PointRow

PREFIX = "alerts/"
# The end of the range of names with the prefix: "0" follows "/".
_BEHIND_PREFIX = "alerts0"
# Series whose points are read at once. The latest alerts are mostly in the first of them.
_SERIES_AT_ONCE = 16
# Characters: a list does not show more, and alerts may be megabytes long.
MAX_TITLE, MAX_TEXT = 300, 2000


class _Source(NamedTuple):
    """A series of alerts, and the names of its run."""

    series_id: int
    path: str
    axis: str
    last_timestamp: int
    points: int
    run_id: int
    run: str
    project_id: int
    project: str
    is_archived: bool


async def list_latest(
    conn: Connection,
    *,
    limit: int,
    project_id: int | None = None,
    run_id: int | None = None,
    level: str | None = None,
    archived: bool = False,
) -> AlertPage:
    """List the latest alerts, and count all of them.

    Of a run with more than `limit` alerts of a level, those with the highest steps are read.

    Args:
        project_id: only those of runs of this project.
        run_id: only those of this run.
        level: only those of this level.
        archived: whether to list those of archived runs, too; those of a single run are listed
            always.
    """
    every = await _sources(conn, project_id, run_id, level)
    shows_all = archived or run_id is not None
    sources = [source for source in every if shows_all or not source.is_archived]
    hidden = [source for source in every if source.is_archived and not shows_all]
    latest: list[tuple[_Source, PointRow]] = []
    for start in range(0, len(sources), _SERIES_AT_ONCE):
        batch = sources[start : start + _SERIES_AT_ONCE]
        # Sources are sorted by their last alerts: those of the following ones are older.
        if len(latest) == limit and batch[0].last_timestamp < latest[-1][1][1]:
            break
        latest += await _read(conn, batch, limit)
        latest.sort(key=lambda item: (item[1][1], item[0].series_id), reverse=True)
        del latest[limit:]
    total = sum(source.points for source in sources)
    return AlertPage(
        [_alert(source, row) for source, row in latest],
        total,
        archived=sum(source.points for source in hidden),
        archived_runs=len({source.run_id for source in hidden}),
    )


async def _sources(
    conn: Connection, project_id: int | None, run_id: int | None, level: str | None
) -> list[_Source]:
    """The series of alerts, the one that was logged to last first.

    Runs in the trash are left out, unless one is asked for.
    """
    terms, values = ["series.path >= ?", "series.path < ?"], [PREFIX, _BEHIND_PREFIX]
    if level is not None:
        terms, values = ["series.path = ?"], [PREFIX + level]
    bound: list[Any] = [*values]
    if run_id is None:
        terms.append("runs.trashed_at IS NULL")
    for column, row_id in (("runs.project_id", project_id), ("series.run_id", run_id)):
        if row_id is not None:
            terms.append(f"{column} = ?")
            bound.append(row_id)
    rows = await conn.execute_fetchall(
        f"""
        SELECT
            series.id, series.path, series.axis, series.last_timestamp, series.points,
            runs.id, coalesce(runs.name, runs.slug), projects.id, projects.name,
            runs.archived_at IS NOT NULL
        FROM series
        JOIN runs ON runs.id = series.run_id
        JOIN projects ON projects.id = runs.project_id
        WHERE {" AND ".join(terms)} AND series.kind = 'text' AND series.points > 0
        ORDER BY series.last_timestamp DESC, series.id DESC
        """,
        bound,
    )
    return [_Source(*row) for row in rows]


async def _read(
    conn: Connection, sources: list[_Source], limit: int
) -> list[tuple[_Source, PointRow]]:
    by_id = {source.series_id: source for source in sources}
    many = await series_table.find_many(
        conn,
        sorted({source.run_id for source in sources}),
        sorted({source.path for source in sources}),
    )
    chosen = [series for _, _, series in many if series.id in by_id]
    return [
        (by_id[series.id], row)
        for series, rows in await tails.last_points(conn, chosen, limit)
        for row in rows
    ]


def _alert(source: _Source, row: PointRow) -> Alert:
    step, timestamp, value = row
    title, _, text = str(value).partition("\n")
    return Alert(
        level=source.path.removeprefix(PREFIX),
        title=title[:MAX_TITLE],
        text=text[:MAX_TEXT] or None,
        is_cut=len(title) > MAX_TITLE or len(text) > MAX_TEXT,
        step=step if source.axis == "step" else None,
        timestamp=utc(timestamp),
        run_id=source.run_id,
        run=source.run,
        project_id=source.project_id,
        project=source.project,
    )
