"""Views of the dashboard: create, read, replace and delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trackai.errors import ConflictError, NotFoundError
from trackai.store.catalogue import projects
from trackai.structs.layouts import Layout, TableRows
from trackai.structs.records import View, ViewSummary
from trackai.values.times import utc

if TYPE_CHECKING:
    from trackai.store.engine.connection import Connection

MAX_VIEWS = 1000
_SUMMARY = "id, project_id, name, version, created_at, updated_at"


async def list_all(conn: Connection, project_id: int) -> list[ViewSummary]:
    """The views of a project, by name.

    Raises:
        NotFoundError: the project does not exist.
    """
    await projects.get(conn, project_id)
    rows = await conn.execute_fetchall(
        f"SELECT {_SUMMARY} FROM views WHERE project_id = ? ORDER BY name", (project_id,)
    )
    return [ViewSummary(**_summary(row)) for row in rows]


async def get(conn: Connection, view_id: int) -> View:
    """The view with this row id.

    Raises:
        NotFoundError: the view does not exist.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_SUMMARY}, layout FROM views WHERE id = ?", (view_id,)
    )
    for row in rows:
        return await _with_baseline(conn, _view(row))
    raise NotFoundError(f"view {view_id} not found")


async def find(conn: Connection, project_id: int, name: str) -> View | None:
    """The view of a project with this name; None if it does not exist."""
    rows = await conn.execute_fetchall(
        f"SELECT {_SUMMARY}, layout FROM views WHERE project_id = ? AND name = ?",
        (project_id, name),
    )
    return next((_view(row) for row in rows), None)


async def list_of_all_projects(conn: Connection) -> list[tuple[str, View]]:
    """All views with the names of their projects, in order of creation."""
    names = dict(await conn.execute_fetchall("SELECT id, name FROM projects"))
    rows = await conn.execute_fetchall(f"SELECT {_SUMMARY}, layout FROM views ORDER BY id")
    return [(names[row[1]], _view(row)) for row in rows]


async def create(conn: Connection, project_id: int, name: str, layout: Layout, *, now: int) -> View:
    """Create a view.

    Args:
        now: microseconds since the epoch.

    Raises:
        NotFoundError: the project does not exist.
        ConflictError: it has a view with this name, or the most views.
    """
    await projects.get(conn, project_id)
    [(count,)] = await conn.execute_fetchall(
        "SELECT COUNT(*) FROM views WHERE project_id = ?", (project_id,)
    )
    if count >= MAX_VIEWS:
        raise ConflictError(f"project {project_id} has {count} views: delete some of them")
    rows = await conn.execute_fetchall(
        f"""
        INSERT INTO views (project_id, name, layout, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?4)
        ON CONFLICT DO NOTHING
        RETURNING {_SUMMARY}, layout
        """,
        (project_id, name, _encode(layout), now),
    )
    for row in rows:
        return await _with_baseline(conn, _view(row))
    raise ConflictError(f"view {name!r} already exists")


async def replace(
    conn: Connection, view_id: int, name: str, layout: Layout, *, version: int, now: int
) -> View:
    """Replace the name and the panels of a view.

    Args:
        version: the version that was changed.
        now: microseconds since the epoch.

    Raises:
        NotFoundError: the view does not exist.
        ConflictError: the view has another version, or another view has this name.
    """
    view = await get(conn, view_id)
    taken = await conn.execute_fetchall(
        "SELECT id FROM views WHERE project_id = ? AND name = ? AND id <> ?",
        (view.project_id, name, view_id),
    )
    for _ in taken:
        raise ConflictError(f"view {name!r} already exists")
    rows = await conn.execute_fetchall(
        f"""
        UPDATE views
        SET name = ?, layout = ?, version = version + 1, updated_at = max(updated_at, ?)
        WHERE id = ? AND version = ?
        RETURNING {_SUMMARY}, layout
        """,
        (name, _encode(layout), now, view_id, version),
    )
    for row in rows:
        return await _with_baseline(conn, _view(row))
    raise ConflictError(
        f"view {view.name!r} was changed by someone else: "
        f"it has version {view.version}, not {version}"
    )


async def delete(conn: Connection, view_id: int) -> View:
    """Delete a view.

    Raises:
        NotFoundError: the view does not exist.
    """
    view = await get(conn, view_id)
    await conn.execute("DELETE FROM views WHERE id = ?", (view_id,))
    return view


async def _with_baseline(conn: Connection, view: View) -> View:
    """Look up the run that the view compares others with."""
    rows = view.layout.rows
    if isinstance(rows, TableRows) and rows.baseline is not None:
        runs = await conn.execute_fetchall(
            "SELECT id FROM runs WHERE uid = ?", (rows.baseline.uid,)
        )
        view.baseline_id = next((row_id for (row_id,) in runs), None)
    return view


def _encode(layout: Layout) -> str:
    return msgspec.json.encode(layout).decode()


def _view(row: Any) -> View:
    *summary, layout = row
    return View(**_summary(summary), layout=msgspec.json.decode(layout, type=Layout))


def _summary(row: Any) -> dict[str, Any]:
    id_, project_id, name, version, created_at, updated_at = row
    return {
        "id": id_,
        "project_id": project_id,
        "name": name,
        "version": version,
        "created_at": utc(created_at),
        "updated_at": utc(updated_at),
    }
