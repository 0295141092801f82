"""One search over everything that has a name: projects, runs, metrics, tags, keys, files, views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.filters.tree import Config, Metric, field_text
from trackai.structs.records import SearchHit, SearchResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trackai.filters.tree import Field
    from trackai.store.engine.connection import Connection
    from trackai.structs.records import HitKind

# Files are not sorted by name over all runs, so only the latest are searched.
MAX_FILES = 20_000
# Names of metrics, keys and tags. Each takes one look into an index, however many runs have it.
MAX_NAMES = 50_000
# The column of each table with names, which an index begins with.
_NAMED: dict[HitKind, tuple[str, str]] = {
    "metric": ("series", "path"),
    "config": ("configs", "key"),
    "tag": ("tags", "tag"),
}
_FIELDS: dict[HitKind, Callable[[str], Field]] = {"metric": Metric, "config": Config}


async def search(
    conn: Connection, text: str, *, project_id: int | None, limit: int
) -> SearchResults:
    """Find names that contain a text, ignoring case.

    Without a text, the latest projects and runs are found. Archived runs are found as well, those
    in the trash are not.

    Args:
        project_id: names that runs of this project have are found there, others in the project
            that used them last.
        limit: the largest number of hits of each kind.
    """
    folded = text.casefold()
    hits = [*await _projects(conn, folded, limit), *await _runs(conn, folded, project_id, limit)]
    if folded:
        for kind in _NAMED:
            hits += await _names(conn, kind, folded, project_id, limit)
        hits += await _files(conn, folded, project_id, limit)
        hits += await _views(conn, folded, project_id, limit)
    return SearchResults(hits)


async def _projects(conn: Connection, text: str, limit: int) -> Iterable[SearchHit]:
    rows = await conn.execute_fetchall(
        """
        SELECT name, id FROM projects
        WHERE instr(casefold(name), ?1) > 0 OR instr(casefold(slug), ?1) > 0
        ORDER BY updated_at DESC, id DESC
        LIMIT ?2
        """,
        (text, limit),
    )
    return [_hit("project", name, project_id, name) for name, project_id in rows]


async def _runs(
    conn: Connection, text: str, project_id: int | None, limit: int
) -> Iterable[SearchHit]:
    """Runs by name, those of the project first, then the latest."""
    hits: list[SearchHit] = []
    for condition in ("=", "!=") if project_id is not None else ("!=",):
        rows = await conn.execute_fetchall(
            f"""
            SELECT
                coalesce(runs.name, runs.slug), projects.id, projects.name, runs.id,
                runs.archived_at
            FROM runs
            JOIN projects ON projects.id = runs.project_id
            WHERE runs.project_id {condition} ?1 AND runs.trashed_at IS NULL
              AND (instr(casefold(runs.slug), ?2) > 0 OR instr(casefold(runs.name), ?2) > 0)
            ORDER BY runs.created_at DESC, runs.id DESC
            LIMIT ?3
            """,
            (project_id or 0, text, limit - len(hits)),
        )
        hits += [
            _hit("run", name, *project, run_id=run_id, is_archived=archived_at is not None)
            for name, *project, run_id, archived_at in rows
        ]
    return hits


async def _names(
    conn: Connection, kind: HitKind, text: str, project_id: int | None, limit: int
) -> Iterable[SearchHit]:
    table, column = _NAMED[kind]
    # Jumps from each name to the next one: DISTINCT would read the rows of all runs.
    rows = await conn.execute_fetchall(
        f"""
        WITH RECURSIVE names (name, number) AS (
            SELECT min({column}), 1 FROM {table}
            UNION ALL
            SELECT (SELECT min({column}) FROM {table} WHERE {column} > names.name), number + 1
            FROM names
            WHERE names.name IS NOT NULL AND number < ?1
        )
        SELECT name FROM names
        WHERE name IS NOT NULL AND instr(casefold(name), ?2) > 0 AND EXISTS (
            SELECT 1 FROM {table} AS named JOIN runs ON runs.id = named.run_id
            WHERE named.{column} = names.name AND runs.trashed_at IS NULL
        )
        ORDER BY instr(casefold(name), ?2), length(name), name
        LIMIT ?3
        """,
        (MAX_NAMES, text, limit),
    )
    hits = [await _name_hit(conn, kind, name, project_id) for (name,) in list(rows)]
    return sorted(
        (hit for hit in hits if hit is not None), key=lambda hit: hit.project_id != project_id
    )


async def _name_hit(
    conn: Connection, kind: HitKind, name: str, project_id: int | None
) -> SearchHit | None:
    """A name in a project that has it; None if no run has it any more."""
    table, column = _NAMED[kind]
    joined = f"""
        SELECT projects.id, projects.name
        FROM {table} AS named
        JOIN runs ON runs.id = named.run_id
        JOIN projects ON projects.id = runs.project_id
        WHERE named.{column} = ? AND runs.trashed_at IS NULL
    """
    rows: Any = []
    if project_id is not None:
        sql = f"{joined} AND runs.project_id = ? LIMIT 1"
        rows = list(await conn.execute_fetchall(sql, (name, project_id)))
    if not rows:
        rows = await conn.execute_fetchall(f"{joined} ORDER BY named.run_id DESC LIMIT 1", (name,))
    return next((_hit(kind, name, *project) for project in rows), None)


async def _files(
    conn: Connection, text: str, project_id: int | None, limit: int
) -> Iterable[SearchHit]:
    rows = await conn.execute_fetchall(
        """
        SELECT latest.path, projects.id, projects.name, runs.id, runs.archived_at
        FROM (
            SELECT max(id) AS id, run_id, path
            FROM (SELECT id, run_id, path FROM files ORDER BY id DESC LIMIT ?1) AS newest
            WHERE instr(casefold(path), ?2) > 0
            GROUP BY run_id, path
        ) AS latest
        JOIN runs ON runs.id = latest.run_id
        JOIN projects ON projects.id = runs.project_id
        WHERE runs.trashed_at IS NULL
        ORDER BY CASE runs.project_id WHEN ?3 THEN 0 ELSE 1 END, latest.id DESC
        LIMIT ?4
        """,
        (MAX_FILES, text, project_id or 0, limit),
    )
    return [
        _hit("file", path, *project, run_id=run_id, is_archived=archived_at is not None)
        for path, *project, run_id, archived_at in rows
    ]


async def _views(
    conn: Connection, text: str, project_id: int | None, limit: int
) -> Iterable[SearchHit]:
    rows = await conn.execute_fetchall(
        """
        SELECT views.name, projects.id, projects.name, views.id
        FROM views
        JOIN projects ON projects.id = views.project_id
        WHERE instr(casefold(views.name), ?1) > 0
        ORDER BY CASE views.project_id WHEN ?2 THEN 0 ELSE 1 END, views.name, views.id
        LIMIT ?3
        """,
        (text, project_id or 0, limit),
    )
    return [_hit("view", name, *project, view_id=view_id) for name, *project, view_id in rows]


def _hit(
    kind: HitKind,
    name: str,
    project_id: int,
    project: str,
    *,
    run_id: int | None = None,
    view_id: int | None = None,
    is_archived: bool = False,
) -> SearchHit:
    field = None
    if kind in _FIELDS:
        field = field_text(_FIELDS[kind](name))
    return SearchHit(kind, name, project_id, project, run_id, view_id, field, is_archived)
