"""Runs: find, make, list, finish and delete them, and the writers that log to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trackai.errors import ConflictError, InvalidInputError, NotFoundError
from trackai.store.catalogue import abandoned
from trackai.store.catalogue import tags as store_tags
from trackai.store.catalogue.projects import free_slug, slugify
from trackai.structs.records import Run
from trackai.values.times import utc
from trackai.values.types import State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from aiosqlite import Connection

R = TypeVar("R", bound=Run)

# How many runs are named to somebody whose text means several.
_CANDIDATES = 10

COLUMNS = """
    id, project_id, slug, name, group_name, state, created_at, updated_at, finished_at, notes,
    (SELECT json_group_array(tag) FROM (
        SELECT tag FROM tags WHERE tags.run_id = runs.id ORDER BY tag
    ))
"""


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
        RETURNING {COLUMNS}
        """,
        (uid, project_id, slug, name, group_name, state, now),
    )
    for row in rows:
        return _run(row)
    raise ConflictError(f"the project has a run with the run_id {slug!r} already")


async def has_slug(conn: Connection, project_id: int, slug: str) -> bool:
    """Whether a run of that project has exactly this slug."""
    rows = await conn.execute_fetchall(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE project_id = ? AND slug = ?)", (project_id, slug)
    )
    return any(found for (found,) in rows)


async def unused_slug(conn: Connection, project_id: int, name: str) -> str:
    """The slug that a new run called `name` gets in that project."""
    rows = await conn.execute_fetchall(
        "SELECT slug FROM runs WHERE project_id = ?1 AND (slug = ?2 OR slug GLOB ?2 || '-*')",
        (project_id, slugify(name)),
    )
    return free_slug(slugify(name), {slug for (slug,) in rows})


async def slug_in(conn: Connection, run: Run, project_id: int) -> str:
    """The slug of a run in a project: its own, unless another run has it there."""
    taken = await conn.execute_fetchall(
        "SELECT 1 FROM runs WHERE project_id = ? AND slug = ? AND id <> ?",
        (project_id, run.run_id, run.id),
    )
    return await unused_slug(conn, project_id, run.run_id) if list(taken) else run.run_id


async def get(conn: Connection, run_id: int) -> Run:
    """The run with that row id.

    Raises:
        NotFoundError: there is none.
    """
    rows = await conn.execute_fetchall(f"SELECT {COLUMNS} FROM runs WHERE id = ?", (run_id,))
    for row in rows:
        return _run(row)
    raise NotFoundError(f"there is no run with the id {run_id}")


async def get_uid(conn: Connection, run_id: int) -> str:
    """The identity that a run keeps wherever its data goes."""
    rows = await conn.execute_fetchall("SELECT uid FROM runs WHERE id = ?", (run_id,))
    for (uid,) in rows:
        return str(uid)
    raise NotFoundError(f"there is no run with the id {run_id}")


async def uids(conn: Connection, run_ids: Iterable[int]) -> dict[int, str]:
    """The identities of those of the runs that exist, by row id."""
    rows = await conn.execute_fetchall(
        "SELECT id, uid FROM runs WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(run_ids)).decode(),),
    )
    return dict(rows)  # type: ignore[arg-type]


async def find_by_uid(conn: Connection, uid: str) -> Run | None:
    """The run with that identity."""
    rows = await conn.execute_fetchall(f"SELECT {COLUMNS} FROM runs WHERE uid = ?", (uid,))
    return next((_run(row) for row in rows), None)


async def find_by_slug(conn: Connection, project_id: int, slug: str) -> Run | None:
    """The run of a project that people call so."""
    rows = await conn.execute_fetchall(
        f"SELECT {COLUMNS} FROM runs WHERE project_id = ? AND slug = ?", (project_id, slug)
    )
    return next((_run(row) for row in rows), None)


async def existing(conn: Connection, run_ids: Sequence[int]) -> list[int]:
    """Those of the row ids that belong to a run, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (msgspec.json.encode(run_ids).decode(),),
    )
    return [run_id for (run_id,) in rows]


async def creation_times(conn: Connection, run_ids: Sequence[int]) -> dict[int, datetime]:
    """When those of the runs that exist began, by row id."""
    rows = await conn.execute_fetchall(
        "SELECT id, created_at FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (msgspec.json.encode(run_ids).decode(),),
    )
    return {run_id: utc(time) for run_id, time in rows}


async def ids_of_project(conn: Connection, project_id: int) -> list[int]:
    """The row ids of a project's runs."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE project_id = ? ORDER BY id", (project_id,)
    )
    return [run_id for (run_id,) in rows]


async def list_ids(conn: Connection, project_id: int | None) -> list[int]:
    """The row ids of a project's runs, or of all runs, the oldest first."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE ?1 IS NULL OR project_id = ?1 ORDER BY id", (project_id,)
    )
    return [run_id for (run_id,) in rows]


async def find_latest(conn: Connection, project_id: int, name: str) -> Run | None:
    """The latest run of that name in a project."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT {COLUMNS} FROM runs
        WHERE project_id = ? AND name = ?
        ORDER BY created_at DESC, id DESC
        LIMIT 1
        """,
        (project_id, name),
    )
    return next((_run(row) for row in rows), None)


async def resolve(conn: Connection, text: str) -> Run:
    """The run that a person means: an id, a slug, `project/slug`, a name, or `latest`.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several; they are listed.
    """
    for condition in (
        "?1 = 'latest' AND runs.id = (SELECT id FROM runs ORDER BY created_at DESC, id DESC)",
        "CAST(runs.id AS TEXT) = ?1",
        "projects.slug || '/' || runs.slug = ?1 OR projects.name || '/' || runs.slug = ?1",
        "runs.slug = ?1",
        "runs.name = ?1",
    ):
        rows = await conn.execute_fetchall(
            f"""
            SELECT runs.id, projects.slug || '/' || runs.slug
            FROM runs JOIN projects ON projects.id = runs.project_id
            WHERE {condition}
            ORDER BY runs.id DESC
            """,
            (text,),
        )
        found = list(rows)
        if len(found) == 1:
            return await get(conn, found[0][0])
        if found:
            raise ambiguous(text, [(name, id_) for id_, name in found])
    raise NotFoundError(f"there is no run {text!r}: see trackai runs")


def ambiguous(text: str, found: Sequence[tuple[str, int]]) -> InvalidInputError:
    """What is said when a text means several runs; each is a project and slug, and an id."""
    names = ", ".join(f"{name} (id {id_})" for name, id_ in found[:_CANDIDATES])
    more = f" and {len(found) - _CANDIDATES} more" if len(found) > _CANDIDATES else ""
    problem = f"{text!r} may be any of {names}{more}: name it by its id"
    return InvalidInputError("RUN", problem)


async def count(conn: Connection, project_id: int) -> int:
    """How many runs a project has."""
    rows = await conn.execute_fetchall(
        "SELECT COUNT(*) FROM runs WHERE project_id = ?", (project_id,)
    )
    return next(int(number) for (number,) in rows)


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
        RETURNING {COLUMNS}
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


async def change(
    conn: Connection,
    run_id: int,
    *,
    slug: str,
    name: str | None,
    group_name: str | None,
    notes: str | None,
    project_id: int,
    now: int,
) -> Run:
    """Rename a run, move it to another project, note something about it: all fields are set.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: its project has another run with that slug.
    """
    taken = await conn.execute_fetchall(
        "SELECT 1 FROM runs WHERE project_id = ? AND slug = ? AND id != ?",
        (project_id, slug, run_id),
    )
    if list(taken):
        raise ConflictError(f"the project has a run with the run_id {slug!r} already")
    rows = await conn.execute_fetchall(
        f"""
        UPDATE runs SET
            slug = ?2, name = ?3, group_name = ?4, notes = ?5, project_id = ?6,
            updated_at = max(updated_at, ?7)
        WHERE id = ?1
        RETURNING {COLUMNS}
        """,
        (run_id, slug, name, group_name, notes, project_id, now),
    )
    for row in rows:
        return _run(row)
    raise NotFoundError(f"there is no run with the id {run_id}")


async def describe(
    conn: Connection,
    run_id: int,
    *,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    notes: str | None = None,
) -> None:
    """Set the name, the tags and the notes ("" for none) of a run; what is None stays as it is."""
    await conn.execute(
        """
        UPDATE runs SET name = coalesce(?, name), notes = nullif(coalesce(?, notes), '')
        WHERE id = ?
        """,
        (name, notes, run_id),
    )
    if tags is not None:
        await store_tags.replace(conn, run_id, tags)


async def set_notes(conn: Connection, run_id: int, notes: str) -> None:
    """Note something about a run."""
    await conn.execute("UPDATE runs SET notes = ? WHERE id = ?", (notes, run_id))


async def set_group(conn: Connection, run_id: int, group_name: str) -> None:
    """Put a run into a group."""
    await conn.execute("UPDATE runs SET group_name = ? WHERE id = ?", (group_name, run_id))


async def touch(conn: Connection, run_id: int, *, now: int) -> None:
    """Note that something in the run has changed."""
    await conn.execute(
        "UPDATE runs SET updated_at = max(updated_at, ?) WHERE id = ?", (now, run_id)
    )


async def touch_many(conn: Connection, run_ids: Iterable[int], *, now: int) -> None:
    """Note that something in several runs has changed."""
    await conn.execute(
        """
        UPDATE runs SET updated_at = max(updated_at, ?)
        WHERE id IN (SELECT value FROM json_each(?))
        """,
        (now, msgspec.json.encode(list(run_ids)).decode()),
    )


async def delete(conn: Connection, run_id: int) -> Run:
    """Delete a run; its points are left to `garbage.collect`.

    Raises:
        NotFoundError: there is no such run.
    """
    run = await get(conn, run_id)
    await abandoned.mark(conn, run_id)
    await conn.execute("DELETE FROM runs WHERE id = ?", (run_id,))
    return run


def run_from_row(row: Any, kind: type[R]) -> R:
    """The record that a row of `COLUMNS` stands for."""
    (
        id_, project_id, slug, name, group_name, state, created_at, updated_at, finished_at, notes,
        tags,
    ) = row  # fmt: skip
    return kind(
        id=id_,
        project_id=project_id,
        run_id=slug,
        name=name,
        group_name=group_name,
        state=state,
        created_at=utc(created_at),
        updated_at=utc(updated_at),
        finished_at=None if finished_at is None else utc(finished_at),
        notes=notes,
        tags=msgspec.json.decode(tags),
    )


def _run(row: Any) -> Run:
    return run_from_row(row, Run)
