"""Runs: find, create, update and delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import msgspec

from trackai.errors import ConflictError, InvalidInputError, NotFoundError
from trackai.store.catalogue import artifact_versions, deleted_series, slugs
from trackai.store.catalogue import tags as store_tags
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import json_array, lock
from trackai.structs.records import Run
from trackai.values.times import utc
from trackai.values.types import State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from trackai.store.engine.connection import Connection

R = TypeVar("R", bound=Run)

# How many runs the message about an ambiguous text lists.
_MAX_CANDIDATES = 10

_LATEST = """(
    SELECT id FROM runs WHERE archived_at IS NULL AND trashed_at IS NULL
    ORDER BY created_at DESC, id DESC LIMIT 1
)"""

COLUMNS = """
    id, project_id, slug, name, group_name, state, created_at, updated_at, finished_at, notes,
    (SELECT json_group_array(tag) FROM (
        SELECT tag FROM tags WHERE tags.run_id = runs.id ORDER BY tag
    ) AS sorted),
    archived_at, trashed_at
"""


# Tables with rows of a run, and those with rows of a series: all that `delete_all` deletes.
RUN_TABLES = (
    "configs", "environment", "tags", "files", "imports", "batches", "writers", "artifact_runs",
    "series",
)  # fmt: skip
SERIES_TABLES = ("attempts",)


class RunColumns(TypedDict, total=False):
    """Columns of a run that `update` sets; times are microseconds since the epoch."""

    project_id: int
    slug: str
    name: str | None
    group_name: str | None
    state: State
    is_silent: bool
    created_at: int
    updated_at: int
    finished_at: int | None
    fork_uid: str | None
    fork_step: Step | None
    notes: str | None
    archived_at: int | None
    trashed_at: int | None


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
    """Create a run.

    Args:
        uid: its identity, the same in every database that holds a copy of the run.
        now: microseconds since the epoch.

    Raises:
        ConflictError: a run of the project has this slug.
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
    raise _slug_exists(slug)


def _slug_exists(slug: str) -> ConflictError:
    return ConflictError(f"run_id {slug!r} already exists in the project")


async def get(conn: Connection, run_id: int) -> Run:
    """The run with this row id.

    Raises:
        NotFoundError: the run does not exist.
    """
    rows = await conn.execute_fetchall(f"SELECT {COLUMNS} FROM runs WHERE id = ?", (run_id,))
    for row in rows:
        return _run(row)
    raise NotFoundError(f"run {run_id} not found")


async def get_uid(conn: Connection, run_id: int) -> str:
    """The identity of a run, the same in every database that holds a copy of it.

    Raises:
        NotFoundError: the run does not exist.
    """
    rows = await conn.execute_fetchall("SELECT uid FROM runs WHERE id = ?", (run_id,))
    for (uid,) in rows:
        return str(uid)
    raise NotFoundError(f"run {run_id} not found")


async def uids(conn: Connection, run_ids: Iterable[int]) -> dict[int, str]:
    """Identities of runs by row id; runs that do not exist are left out."""
    rows = await conn.execute_fetchall(
        "SELECT id, uid FROM runs WHERE id IN (SELECT value FROM json_each(?))",
        (json_array(run_ids),),
    )
    return dict(rows)


async def find_by_uid(conn: Connection, uid: str) -> Run | None:
    """The run with this identity."""
    rows = await conn.execute_fetchall(f"SELECT {COLUMNS} FROM runs WHERE uid = ?", (uid,))
    return next((_run(row) for row in rows), None)


async def find_by_slug(conn: Connection, project_id: int, slug: str) -> Run | None:
    """The run of a project with this slug."""
    rows = await conn.execute_fetchall(
        f"SELECT {COLUMNS} FROM runs WHERE project_id = ? AND slug = ?", (project_id, slug)
    )
    return next((_run(row) for row in rows), None)


async def project_of(conn: Connection, run_id: int) -> int | None:
    """The row id of the project of a run; None if the run does not exist."""
    rows = await conn.execute_fetchall("SELECT project_id FROM runs WHERE id = ?", (run_id,))
    return next((int(project_id) for (project_id,) in rows), None)


async def projects_of(conn: Connection, run_ids: Iterable[int]) -> dict[int, int]:
    """The row ids of the projects of runs by row id; runs that do not exist are left out."""
    rows = await conn.execute_fetchall(
        "SELECT id, project_id FROM runs WHERE id IN (SELECT value FROM json_each(?))",
        (json_array(run_ids),),
    )
    return dict(rows)


async def existing(conn: Connection, run_ids: Sequence[int]) -> list[int]:
    """Those of the row ids that exist, sorted."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json_array(run_ids),),
    )
    return [run_id for (run_id,) in rows]


async def creation_times(conn: Connection, run_ids: Sequence[int]) -> dict[int, datetime]:
    """Creation times of runs by row id; runs that do not exist are left out."""
    rows = await conn.execute_fetchall(
        "SELECT id, created_at FROM runs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json_array(run_ids),),
    )
    return {run_id: utc(created_at) for run_id, created_at in rows}


async def ids_of_project(conn: Connection, project_id: int) -> list[int]:
    """The row ids of the runs of a project."""
    rows = await conn.execute_fetchall(
        "SELECT id FROM runs WHERE project_id = ? ORDER BY id", (project_id,)
    )
    return [run_id for (run_id,) in rows]


async def list_ids(
    conn: Connection, project_id: int | None, *, with_trash: bool = False
) -> list[int]:
    """The row ids of the runs of a project, or of all runs if it is None, the oldest first.

    Args:
        with_trash: whether to list runs in the trash, too; archived ones are listed always.
    """
    kept = "TRUE" if with_trash else "trashed_at IS NULL"
    rows = await conn.execute_fetchall(
        f"SELECT id FROM runs WHERE (project_id = ?1 OR ?1 IS NULL) AND {kept} ORDER BY id",
        (project_id,),
    )
    return [run_id for (run_id,) in rows]


async def find_latest(conn: Connection, project_id: int, name: str) -> Run | None:
    """The latest run of a project with this name; one in the trash if all others are."""
    rows = await conn.execute_fetchall(
        f"""
        SELECT {COLUMNS} FROM runs
        WHERE project_id = ? AND name = ?
        ORDER BY trashed_at IS NOT NULL, created_at DESC, id DESC
        LIMIT 1
        """,
        (project_id, name),
    )
    return next((_run(row) for row in rows), None)


async def resolve(conn: Connection, text: str) -> Run:
    """The run that a user names: by `latest`, its id, `project/slug`, its slug or its name.

    The first of these that matches any run decides. A run in the trash is meant only if no other
    matches as well, and neither it nor an archived one is `latest`.

    Raises:
        NotFoundError: no run matches.
        InvalidInputError: several runs match; the message lists them.
    """
    for condition in (
        f"?1 = 'latest' AND runs.id = {_LATEST}",
        "CAST(runs.id AS TEXT) = ?1",
        "projects.slug || '/' || runs.slug = ?1 OR projects.name || '/' || runs.slug = ?1",
        "runs.slug = ?1",
        "runs.name = ?1",
    ):
        rows = await conn.execute_fetchall(
            f"""
            SELECT runs.id, projects.slug || '/' || runs.slug, runs.trashed_at IS NULL
            FROM runs JOIN projects ON projects.id = runs.project_id
            WHERE {condition}
            ORDER BY runs.id DESC
            """,
            (text,),
        )
        kept = [(path, run_id) for run_id, path, is_kept in rows if is_kept]
        matches = kept or [(path, run_id) for run_id, path, _ in rows]
        if len(matches) == 1:
            return await get(conn, matches[0][1])
        if matches:
            raise ambiguous(text, matches)
    raise NotFoundError(f"run {text!r} not found: see trackai runs")


def ambiguous(text: str, matches: Sequence[tuple[str, int]]) -> InvalidInputError:
    """The error for a text that matches several runs.

    Args:
        matches: `project/slug` and row id of each.
    """
    runs = ", ".join(f"{path} (id {run_id})" for path, run_id in matches[:_MAX_CANDIDATES])
    rest = len(matches) - _MAX_CANDIDATES
    if rest > 0:
        runs = f"{runs} and {rest} more"
    return InvalidInputError("RUN", f"{text!r} is ambiguous: use the id of one of {runs}")


async def count(conn: Connection, project_id: int) -> int:
    """The number of runs of a project."""
    rows = await conn.execute_fetchall(
        "SELECT COUNT(*) FROM runs WHERE project_id = ?", (project_id,)
    )
    return next(int(number) for (number,) in rows)


async def update(conn: Connection, run_id: int, **columns: Unpack[RunColumns]) -> Run:
    """Set columns of a run.

    Raises:
        NotFoundError: the run does not exist.
    """
    names = [name for name in RunColumns.__annotations__ if name in columns]
    values: Mapping[str, Any] = columns
    rows = await conn.execute_fetchall(
        f"""
        UPDATE runs SET {", ".join(f"{name} = ?" for name in names)}
        WHERE id = ?
        RETURNING {COLUMNS}
        """,
        (*(values[name] for name in names), run_id),
    )
    for row in rows:
        return _run(row)
    raise NotFoundError(f"run {run_id} not found")


async def set_state(
    conn: Connection, run_id: int, state: State, *, now: int, is_silent: bool = False
) -> Run:
    """Change the state of a run, and set or clear the time at which it finished.

    Args:
        is_silent: whether it failed only because the server does not hear from a writer.

    Raises:
        NotFoundError: the run does not exist.
    """
    await touch(conn, run_id, now=now)
    finished_at = None if state == "running" else now
    return await update(conn, run_id, state=state, is_silent=is_silent, finished_at=finished_at)


async def is_silent(conn: Connection, run_id: int) -> bool:
    """Whether a run is failed only because the server does not hear from a writer."""
    rows = await conn.execute_fetchall("SELECT is_silent FROM runs WHERE id = ?", (run_id,))
    return any(silent for (silent,) in rows)


async def get_fork(conn: Connection, run_id: int) -> tuple[str | None, Step | None]:
    """The identity of the parent of a run and the last step that they share, or None twice."""
    rows = await conn.execute_fetchall(
        "SELECT fork_uid, fork_step FROM runs WHERE id = ?", (run_id,)
    )
    return next(((uid, step) for uid, step in rows), (None, None))


async def set_fork(conn: Connection, run_id: int, fork_uid: str, fork_step: Step | None) -> None:
    """Set the parent of a run.

    Args:
        fork_uid: the identity of the parent, which need not be in this database.
        fork_step: the last step that the run shares with its parent.
    """
    await update(conn, run_id, fork_uid=fork_uid, fork_step=fork_step)


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
    """Set all fields of a run that users can change.

    Raises:
        NotFoundError: the run does not exist.
        ConflictError: another run of the project has this slug.
    """
    if await slugs.run_exists(conn, project_id, slug, except_id=run_id):
        raise _slug_exists(slug)
    await touch(conn, run_id, now=now)
    return await update(
        conn, run_id, slug=slug, name=name, group_name=group_name, notes=notes,
        project_id=project_id,
    )  # fmt: skip


async def describe(
    conn: Connection,
    run_id: int,
    *,
    name: str | None = None,
    tags: Sequence[str] | None = None,
    notes: str | None = None,
) -> None:
    """Set the name, tags or notes of a run.

    Args:
        name: None to keep it.
        tags: None to keep them.
        notes: None to keep them, "" to remove them.
    """
    if name is not None:
        await update(conn, run_id, name=name)
    if notes is not None:
        await update(conn, run_id, notes=notes or None)
    if tags is not None:
        await store_tags.replace(conn, run_id, tags)


async def touch(conn: Connection, *run_ids: int, now: int) -> None:
    """Move `updated_at` of runs forward to `now`."""
    await conn.execute(
        """
        UPDATE runs SET updated_at = max(updated_at, ?)
        WHERE id IN (SELECT value FROM json_each(?))
        """,
        (now, json_array(run_ids)),
    )


async def touch_each(conn: Connection, times: Mapping[int, int]) -> None:
    """Move `updated_at` of runs forward to a time of their own."""
    await conn.executemany(
        "UPDATE runs SET updated_at = max(updated_at, ?) WHERE id = ?",
        [(time, run_id) for run_id, time in times.items()],
    )


async def delete(conn: Connection, run_id: int) -> Run:
    """Delete a run; `garbage.collect` deletes its points later.

    Raises:
        NotFoundError: the run does not exist.
    """
    await lock(conn, "runs", [run_id], to_delete=True)
    run = await get(conn, run_id)
    await delete_all(conn, [run_id])
    return run


async def delete_all(conn: Connection, run_ids: Sequence[int], *, bulk: bool = False) -> None:
    """Delete runs; `garbage.collect` deletes their points later.

    Args:
        bulk: whether to delete the rows that refer to them as well: see `Store.change`.
    """
    await lock(conn, "runs", run_ids, to_delete=True)
    await deleted_series.mark(conn, run_ids)
    await artifact_versions.release(conn, run_ids)
    ids = json_array(run_ids)
    of_runs = "run_id IN (SELECT value FROM json_each(?))"
    if bulk and not isinstance(conn, Shared):  # others always cascade
        for table in SERIES_TABLES:
            series = f"SELECT id FROM series WHERE {of_runs}"
            await conn.execute(f"DELETE FROM {table} WHERE series_id IN ({series})", (ids,))
        for table in RUN_TABLES:
            await conn.execute(f"DELETE FROM {table} WHERE {of_runs}", (ids,))
    await conn.execute("DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))", (ids,))


def run_from_row(row: Any, kind: type[R]) -> R:
    """Convert a row of `COLUMNS` to a record of type `kind`."""
    (
        id_, project_id, slug, name, group_name, state, created_at, updated_at, finished_at, notes,
        tags, archived_at, trashed_at,
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
        archived_at=None if archived_at is None else utc(archived_at),
        trashed_at=None if trashed_at is None else utc(trashed_at),
    )


def _run(row: Any) -> Run:
    return run_from_row(row, Run)
