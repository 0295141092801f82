"""Projects: find, create, list and delete them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import ConflictError, NotFoundError
from trackai.store.catalogue import artifact_versions, deleted_series, slugs
from trackai.store.engine.sql import lock
from trackai.structs.records import Project, ProjectSummary
from trackai.values.times import utc
from trackai.values.types import INT64

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection

_COLUMNS = "id, name, slug, created_at, updated_at"
_PAGE = f"""
    SELECT {_COLUMNS} FROM projects
    WHERE (created_at, id) < (?, ?)
    ORDER BY created_at DESC, id DESC
    LIMIT ? OFFSET ?
"""


async def find(conn: Connection, name: str) -> Project:
    """The project with this name or slug; a name takes precedence.

    Raises:
        NotFoundError: the project does not exist.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects WHERE name = ?1 OR slug = ?1 ORDER BY name = ?1 DESC",
        (name,),
    )
    for row in rows:
        return _project(row)
    raise NotFoundError(f"project {name!r} not found: see trackai projects")


async def get_or_create(
    conn: Connection, name: str, *, slug: str | None = None, now: int
) -> Project:
    """The project with this name or slug, which is created if it does not exist.

    Args:
        slug: of a new project, numbered if it is taken; made from the name by default.
        now: microseconds since the epoch.
    """
    while True:
        with suppress(NotFoundError):
            return await find(conn, name)
        free_slug = await slugs.for_new_project(conn, slug or slugs.slugify(name))
        # Another server may just have created it, or another project with this slug.
        with suppress(ConflictError):
            return await create(conn, name, free_slug, now=now)


async def create(conn: Connection, name: str, slug: str, *, now: int) -> Project:
    """Create a project.

    Raises:
        ConflictError: a project with this name or slug already exists.
    """
    rows = await conn.execute_fetchall(
        f"""
        INSERT INTO projects (name, slug, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
        ON CONFLICT DO NOTHING
        RETURNING {_COLUMNS}
        """,
        (name, slug, now),
    )
    for row in rows:
        return _project(row)
    raise ConflictError(f"project name {name!r} or project_id {slug!r} already exists")


async def get(conn: Connection, project_id: int) -> Project:
    """The project with this row id.

    Raises:
        NotFoundError: the project does not exist.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects WHERE id = ?", (project_id,)
    )
    for row in rows:
        return _project(row)
    raise _not_found(project_id)


def _not_found(project_id: int) -> NotFoundError:
    return NotFoundError(f"project {project_id} not found")


async def rename(conn: Connection, project_id: int, name: str, *, now: int) -> Project:
    """Rename a project; its slug stays.

    Raises:
        NotFoundError: the project does not exist.
        ConflictError: another project has this name.
    """
    await get(conn, project_id)
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM projects WHERE name = ? AND id != ?", (name, project_id)
    )
    if list(rows):
        raise ConflictError(f"project name {name!r} already exists")
    await conn.execute("UPDATE projects SET name = ? WHERE id = ?", (name, project_id))
    await touch(conn, project_id, now=now)
    return await get(conn, project_id)


async def get_summary(conn: Connection, project_id: int) -> ProjectSummary:
    """The project with this row id, with its number of runs in each state.

    Raises:
        NotFoundError: the project does not exist.
    """
    project = await get(conn, project_id)
    rows = await conn.execute_fetchall(
        """
        SELECT state, COUNT(*), max(updated_at) FROM runs
        WHERE project_id = ? AND archived_at IS NULL AND trashed_at IS NULL
        GROUP BY state
        """,
        (project_id,),
    )
    [(archived, trashed)] = await conn.execute_fetchall(
        """
        SELECT
            (SELECT COUNT(*) FROM runs
             WHERE project_id = ?1 AND archived_at IS NOT NULL AND trashed_at IS NULL),
            (SELECT COUNT(*) FROM runs WHERE project_id = ?1 AND trashed_at IS NOT NULL)
        """,
        (project_id,),
    )
    counts: dict[str, int] = {state: count for state, count, _ in rows}
    return ProjectSummary(
        id=project.id,
        name=project.name,
        project_id=project.project_id,
        created_at=project.created_at,
        updated_at=max([project.updated_at, *(utc(updated_at) for *_, updated_at in rows)]),
        total_runs=sum(counts.values()),
        running_runs=counts.get("running", 0),
        completed_runs=counts.get("completed", 0),
        failed_runs=counts.get("failed", 0),
        archived_runs=archived,
        trashed_runs=trashed,
    )


async def list_page(
    conn: Connection, *, limit: int, offset: int = 0, after: tuple[int, int] | None = None
) -> list[Project]:
    """A page of projects, the newest first.

    Args:
        after: when the last project of the previous page was created, in microseconds since the
            epoch, and its row id; in place of an offset.
    """
    rows = await conn.execute_fetchall(_PAGE, _page(limit, offset, after))
    return [_project(row) for row in rows]


async def list_summaries(
    conn: Connection, *, limit: int, offset: int = 0, after: tuple[int, int] | None = None
) -> list[ProjectSummary]:
    """A page like `list_page`, in which each project has its number of runs in each state.

    `updated_at` includes that of the runs: new points do not update the row of the project.
    """
    rows = await conn.execute_fetchall(
        f"""
        SELECT
            id, name, slug, created_at, max(updated_at, ifnull(max(run_updated_at), 0)),
            COUNT(CASE WHEN is_active THEN 1 END),
            COUNT(CASE WHEN is_active AND state = 'running' THEN 1 END),
            COUNT(CASE WHEN is_active AND state = 'completed' THEN 1 END),
            COUNT(CASE WHEN is_active AND state = 'failed' THEN 1 END),
            COUNT(CASE WHEN trashed_at IS NULL THEN archived_at END),
            COUNT(trashed_at)
        FROM ({_PAGE}) AS page
        LEFT JOIN (
            SELECT project_id, state, archived_at, trashed_at,
                   archived_at IS NULL AND trashed_at IS NULL AS is_active,
                   updated_at AS run_updated_at
            FROM runs
        ) AS run ON project_id = id
        GROUP BY id, name, slug, created_at, updated_at
        ORDER BY created_at DESC, id DESC
        """,
        _page(limit, offset, after),
    )
    return [
        ProjectSummary(
            **msgspec.structs.asdict(_project(row)),
            total_runs=total,
            running_runs=running,
            completed_runs=completed,
            failed_runs=failed,
            archived_runs=archived,
            trashed_runs=trashed,
        )
        for *row, total, running, completed, failed, archived, trashed in rows
    ]


def _page(limit: int, offset: int, after: tuple[int, int] | None) -> tuple[int, int, int, int]:
    if after is None:
        return INT64 - 1, INT64 - 1, limit, offset
    return *after, limit, 0


async def touch(conn: Connection, project_id: int, *, now: int) -> None:
    """Move `updated_at` of a project forward to `now`.

    Raises:
        NotFoundError: the project does not exist.
    """
    rows = await conn.execute_fetchall(
        "UPDATE projects SET updated_at = max(updated_at, ?) WHERE id = ? RETURNING id",
        (now, project_id),
    )
    if not list(rows):
        raise _not_found(project_id)


async def delete(conn: Connection, project_id: int) -> Project:
    """Delete a project with all its runs; `garbage.collect` deletes their points later.

    Raises:
        NotFoundError: the project does not exist.
    """
    await lock(conn, "projects", [project_id], to_delete=True)
    project = await get(conn, project_id)
    runs = await conn.execute_fetchall("SELECT id FROM runs WHERE project_id = ?", (project_id,))
    run_ids = [run_id for (run_id,) in runs]
    await deleted_series.mark(conn, run_ids)
    await artifact_versions.release(conn, run_ids)
    await conn.execute("DELETE FROM projects WHERE id = ?", (project_id,))
    return project


def _project(row: Any) -> Project:
    id_, name, slug, created_at, updated_at = row
    return Project(
        id=id_,
        name=name,
        project_id=slug,
        created_at=utc(created_at),
        updated_at=utc(updated_at),
    )
