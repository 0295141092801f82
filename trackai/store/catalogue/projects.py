"""Projects: find, make, list and delete them."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import ConflictError, NotFoundError
from trackai.store.catalogue import abandoned
from trackai.structs.records import Project, ProjectSummary
from trackai.values.times import utc

if TYPE_CHECKING:
    from aiosqlite import Connection

_COLUMNS = "id, name, slug, created_at, updated_at"


def slugify(name: str) -> str:
    """A short form of a name for addresses and command lines; unicode letters stay.

    >>> slugify("My model, v2")
    'my-model-v2'
    """
    name = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[^\w.]+", "-", name).strip("-")[:80] or "unnamed"


async def find(conn: Connection, name: str) -> Project:
    """The project of that name or slug.

    Raises:
        NotFoundError: there is none.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects WHERE name = ?1 OR slug = ?1 ORDER BY name = ?1 DESC",
        (name,),
    )
    for row in rows:
        return _project(row)
    raise NotFoundError(f"there is no project {name!r}: see trackai projects")


async def get_or_create(
    conn: Connection, name: str, *, slug: str | None = None, now: int
) -> Project:
    """The project of that name or slug, made if there is none.

    Args:
        slug: of a new one, if it is not taken; by default what can be made of the name.
    """
    with suppress(NotFoundError):
        return await find(conn, name)
    slug = slug or slugify(name)
    taken = {
        one
        for (one,) in await conn.execute_fetchall(
            "SELECT slug FROM projects WHERE slug = ?1 OR slug GLOB ?1 || '-*'", (slug,)
        )
    }
    return await create(conn, name, free_slug(slug, taken), now=now)


def free_slug(slug: str, taken: set[str]) -> str:
    """`slug` itself, or the first of `slug-2`, `slug-3` and so on that is not taken."""
    if slug not in taken:
        return slug
    number = 2
    while f"{slug}-{number}" in taken:
        number += 1
    return f"{slug}-{number}"


async def create(conn: Connection, name: str, slug: str, *, now: int) -> Project:
    """Make a project.

    Raises:
        ConflictError: the name or the slug is taken.
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
    raise ConflictError(f"a project with the name {name!r} or the project_id {slug!r} exists")


async def get(conn: Connection, project_id: int) -> Project:
    """The project with that row id.

    Raises:
        NotFoundError: there is none.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects WHERE id = ?", (project_id,)
    )
    for row in rows:
        return _project(row)
    raise NotFoundError(f"there is no project with the id {project_id}")


async def get_summary(conn: Connection, project_id: int) -> ProjectSummary:
    """The project with that row id, and how many runs it has in which state, as in a list of them.

    Raises:
        NotFoundError: there is none.
    """
    project = await get(conn, project_id)
    rows = await conn.execute_fetchall(
        "SELECT state, COUNT(*), max(updated_at) FROM runs WHERE project_id = ? GROUP BY state",
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
    )


async def list_page(conn: Connection, *, limit: int, offset: int) -> list[Project]:
    """Projects, the newest first."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (limit, offset),
    )
    return [_project(row) for row in rows]


async def list_summaries(conn: Connection, *, limit: int, offset: int) -> list[ProjectSummary]:
    """Projects, the newest first, each with how many runs it has in which state.

    They have been updated when the latest of their runs was: points do not touch a project.
    """
    rows = await conn.execute_fetchall(
        f"""
        SELECT
            id, name, slug, created_at, max(updated_at, ifnull(max(moved_at), 0)),
            COUNT(state),
            COUNT(CASE state WHEN 'running' THEN 1 END),
            COUNT(CASE state WHEN 'completed' THEN 1 END),
            COUNT(CASE state WHEN 'failed' THEN 1 END)
        FROM (
            SELECT {_COLUMNS} FROM projects ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?
        ) LEFT JOIN (SELECT project_id, state, updated_at AS moved_at FROM runs) ON project_id = id
        GROUP BY id
        ORDER BY created_at DESC, id DESC
        """,
        (limit, offset),
    )
    return [
        ProjectSummary(
            **msgspec.structs.asdict(_project(row)),
            total_runs=total,
            running_runs=running,
            completed_runs=completed,
            failed_runs=failed,
        )
        for *row, total, running, completed, failed in rows
    ]


async def touch(conn: Connection, project_id: int, *, now: int) -> None:
    """Note that something in the project has changed."""
    await conn.execute(
        "UPDATE projects SET updated_at = max(updated_at, ?) WHERE id = ?", (now, project_id)
    )


async def delete(conn: Connection, project_id: int) -> Project:
    """Delete a project with all its runs; their points are left to `garbage.collect`.

    Raises:
        NotFoundError: there is none.
    """
    project = await get(conn, project_id)
    runs = await conn.execute_fetchall("SELECT id FROM runs WHERE project_id = ?", (project_id,))
    for (run_id,) in runs:
        await abandoned.mark(conn, run_id)
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
