"""Runs: find, make, list, finish and delete them, and the writers that log to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import ConflictError, NotFoundError
from trackai.store import metrics
from trackai.store.projects import free_slug, slugify
from trackai.structs.records import Run, RunPage
from trackai.structs.values import State, Step, utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection

_COLUMNS = "id, project_id, slug, name, group_name, state, created_at, updated_at"
SortKey = Literal["created_at", "updated_at", "name", "run_id", "group_name", "state", "id"]
_SORT_COLUMNS: dict[SortKey, str] = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "name": "name",
    "run_id": "slug",
    "group_name": "group_name",
    "state": "state",
    "id": "id",
}


class RunFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which runs to list; what is None does not restrict."""

    project_id: int | None = None
    group: str | None = None
    state: State | None = None
    search: str | None = None


async def create(
    conn: Connection,
    *,
    uid: str,
    project_id: int,
    slug: str,
    name: str | None,
    group_name: str | None,
    state: State = "running",
    now: int,
) -> Run:
    """Make a run.

    Raises:
        ConflictError: the project has a run with that slug.
    """
    rows = await conn.execute_fetchall(
        f"""
        INSERT INTO runs (uid, project_id, slug, name, group_name, state, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
        ON CONFLICT (project_id, slug) DO NOTHING
        RETURNING {_COLUMNS}
        """,
        (uid, project_id, slug, name, group_name, state, now),
    )
    for row in rows:
        return _run(row)
    raise ConflictError(f"the project has a run with the run_id {slug!r} already")


async def unused_slug(conn: Connection, project_id: int, name: str) -> str:
    """The slug that a new run called `name` gets in that project."""
    rows = await conn.execute_fetchall(
        "SELECT slug FROM runs WHERE project_id = ?1 AND (slug = ?2 OR slug GLOB ?2 || '-*')",
        (project_id, slugify(name)),
    )
    return free_slug(slugify(name), {slug for (slug,) in rows})


async def get(conn: Connection, run_id: int) -> Run:
    """The run with that row id.

    Raises:
        NotFoundError: there is none.
    """
    rows = await conn.execute_fetchall(f"SELECT {_COLUMNS} FROM runs WHERE id = ?", (run_id,))
    for row in rows:
        return _run(row)
    raise NotFoundError(f"there is no run with the id {run_id}")


async def get_uid(conn: Connection, run_id: int) -> str:
    """The identity that a run keeps wherever its data goes."""
    rows = await conn.execute_fetchall("SELECT uid FROM runs WHERE id = ?", (run_id,))
    for (uid,) in rows:
        return str(uid)
    raise NotFoundError(f"there is no run with the id {run_id}")


async def find_by_uid(conn: Connection, uid: str) -> Run | None:
    """The run with that identity."""
    rows = await conn.execute_fetchall(f"SELECT {_COLUMNS} FROM runs WHERE uid = ?", (uid,))
    return next((_run(row) for row in rows), None)


async def existing(conn: Connection, run_ids: Sequence[int]) -> list[int]:
    """Those of the row ids that belong to a run, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (msgspec.json.encode(run_ids).decode(),),
    )
    return [run_id for (run_id,) in rows]


async def ids_of_project(conn: Connection, project_id: int) -> list[int]:
    """The row ids of a project's runs."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE project_id = ? ORDER BY id", (project_id,)
    )
    return [run_id for (run_id,) in rows]


async def find_latest(conn: Connection, project_id: int, name: str) -> Run | None:
    """The latest run of that name in a project."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT {_COLUMNS} FROM runs
        WHERE project_id = ? AND name = ?
        ORDER BY created_at DESC, id DESC
        LIMIT 1
        """,
        (project_id, name),
    )
    return next((_run(row) for row in rows), None)


async def count(conn: Connection, project_id: int) -> int:
    """How many runs a project has."""
    rows = await conn.execute_fetchall(
        "SELECT COUNT(*) FROM runs WHERE project_id = ?", (project_id,)
    )
    return next(int(number) for (number,) in rows)


async def list_page(
    conn: Connection,
    where: RunFilter,
    *,
    sort_by: SortKey = "created_at",
    sort_order: Literal["asc", "desc"] = "desc",
    limit: int,
    offset: int,
) -> RunPage:
    """A page of the runs that match."""
    conditions, values = _conditions(where)
    rows = await conn.execute_fetchall(f"SELECT COUNT(*) FROM runs WHERE {conditions}", values)
    total = next(int(number) for (number,) in rows)
    order = "ASC" if sort_order == "asc" else "DESC"
    rows = await conn.execute_fetchall(
        f"""
        SELECT {_COLUMNS} FROM runs
        WHERE {conditions}
        ORDER BY {_SORT_COLUMNS[sort_by]} {order}, id {order}
        LIMIT ? OFFSET ?
        """,
        (*values, limit, offset),
    )
    runs = [_run(row) for row in rows]
    return RunPage(runs, total, offset + len(runs) < total)


def _conditions(where: RunFilter) -> tuple[str, list[Any]]:
    conditions, values = ["TRUE"], []
    for column, value in (
        ("project_id", where.project_id),
        ("group_name", where.group),
        ("state", where.state),
    ):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    if where.search:
        conditions.append("(instr(casefold(slug), ?) OR instr(casefold(name), ?))")
        values += [where.search.casefold()] * 2
    return " AND ".join(conditions), values


async def set_state(conn: Connection, run_id: int, state: State, *, now: int) -> Run:
    """Change a run's state.

    Raises:
        NotFoundError: there is no such run.
    """
    rows = await conn.execute_fetchall(
        f"""
        UPDATE runs SET
            state = ?2,
            updated_at = max(updated_at, ?3),
            finished_at = CASE ?2 WHEN 'running' THEN NULL ELSE ?3 END
        WHERE id = ?1
        RETURNING {_COLUMNS}
        """,
        (run_id, state, now),
    )
    for row in rows:
        return _run(row)
    raise NotFoundError(f"there is no run with the id {run_id}")


async def set_fork(conn: Connection, run_id: int, fork_uid: str, fork_step: Step | None) -> None:
    """Note which run, by its identity, a run continues, and after which step."""
    await conn.execute(
        "UPDATE runs SET fork_uid = ?, fork_step = ? WHERE id = ?", (fork_uid, fork_step, run_id)
    )


async def touch(conn: Connection, run_id: int, *, now: int) -> None:
    """Note that something in the run has changed."""
    await conn.execute(
        "UPDATE runs SET updated_at = max(updated_at, ?) WHERE id = ?", (now, run_id)
    )


async def delete(conn: Connection, run_id: int) -> Run:
    """Delete a run with its points and configuration.

    Raises:
        NotFoundError: there is no such run.
    """
    run = await get(conn, run_id)
    await metrics.delete_of_run(conn, run_id)
    await conn.execute("DELETE FROM runs WHERE id = ?", (run_id,))
    return run


def _run(row: Any) -> Run:
    id_, project_id, slug, name, group_name, state, created_at, updated_at = row
    return Run(
        id=id_,
        project_id=project_id,
        run_id=slug,
        name=name,
        group_name=group_name,
        state=state,
        created_at=utc(created_at),
        updated_at=utc(updated_at),
    )
