"""Change all runs that match a filter, in order of row id and in short transactions."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import msgspec

from trackai.store.catalogue import projects, run_tables, runs, slugs, tags
from trackai.store.engine.connection import Shared
from trackai.store.engine.sql import lock
from trackai.store.upkeep import deletion
from trackai.structs.records import BulkProgress
from trackai.values.types import KeepVerb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.catalogue.run_tables import RunFilter
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

# How long a transaction may take before it begins with another run, and a step with another batch.
_TRANSACTION_SECONDS = 0.05
_STEP_SECONDS = 1.0
# Runs of a transaction at most, to change or, in SQLite, to delete.
_BATCH = 500
_DELETED = 5000

Place: TypeAlias = Literal["archive", "trash"]


class Change(Protocol):
    """What to do with each run."""

    async def apply(self, conn: Connection, run_id: int, now: int) -> set[str] | None:
        """Change a run that exists.

        Returns:
            The hashes of files that it does not need any more; None if nothing had to be changed.
        """


class Tagging(msgspec.Struct, frozen=True):
    """Adds and removes tags."""

    add: Sequence[str]
    remove: Sequence[str]

    async def apply(self, conn: Connection, run_id: int, now: int) -> set[str]:
        """Change the tags of a run."""
        await tags.remove(conn, run_id, self.remove)
        await tags.add(conn, run_id, self.add)
        await runs.touch(conn, run_id, now=now)
        return set()


class Moving(msgspec.Struct, frozen=True):
    """Moves runs to a project, which is created if it does not exist."""

    project: str

    async def apply(self, conn: Connection, run_id: int, now: int) -> set[str]:
        """Move a run; its slug gets a number if it is taken there."""
        project = await projects.get_or_create(conn, self.project, now=now)
        run = await runs.get(conn, run_id)
        if run.project_id == project.id:
            return set()
        slug = await slugs.keep_if_free(conn, project.id, run.run_id, run_id=run_id)
        await runs.update(conn, run_id, project_id=project.id, slug=slug)
        await runs.touch(conn, run_id, now=now)
        await projects.touch(conn, project.id, now=now)
        return set()


class Keeping(msgspec.Struct, frozen=True):
    """Moves runs to the archive or the trash, or takes them out of it."""

    place: Place
    is_in: bool

    async def apply(self, conn: Connection, run_id: int, now: int) -> set[str] | None:
        """Move a run; `updated_at` stays, as it tells when the run was last seen."""
        run = await runs.get(conn, run_id)
        column = run.archived_at if self.place == "archive" else run.trashed_at
        if (column is not None) == self.is_in:
            return None
        moved_at = now if self.is_in else None
        if self.place == "archive":
            await runs.update(conn, run_id, archived_at=moved_at)
        else:
            await runs.update(conn, run_id, trashed_at=moved_at)
        return set()


# What the archive and the trash are called in commands and requests.
KEEPING: dict[KeepVerb, Keeping] = {
    "archive": Keeping("archive", True),
    "unarchive": Keeping("archive", False),
    "trash": Keeping("trash", True),
    "restore": Keeping("trash", False),
}


class Deleting(msgspec.Struct, frozen=True):
    """Deletes runs; their points are deleted later."""


class _Batch(msgspec.Struct):
    """What one transaction has changed.

    Attributes:
        changed: the row ids of the runs.
        after: the row id of the last run.
        hashes: of files that no run may need any more.
        remaining: the number of matching runs with higher row ids.
    """

    changed: list[int]
    after: int
    hashes: set[str]
    remaining: int


async def change(
    db: Store, where: RunFilter, what: Change | Deleting, *, after: int = 0
) -> BulkProgress:
    """Change matching runs for about a second.

    Args:
        where: the runs to change; each is compared in the transaction that changes it.
        what: what to do with each of them.
        after: the cursor of the previous call, which goes on with the runs that it left.

    Returns:
        The progress; without a cursor, all matching runs are changed.
    """
    until = time.perf_counter() + _STEP_SECONDS
    before = db.vacuumed
    changed, hashes = list[int](), set[str]()
    # Once: the last run that has a name in the filter may be deleted in between.
    async with db.read() as conn:
        where = await run_tables.look_up(conn, where)
    while True:
        if isinstance(what, Deleting):
            delete = partial(_delete_batch, where=where, after=after)
            batch = await deletion.change_in_bulk(db, delete)
        else:
            batch = await db.change(partial(_change_batch, where=where, what=what, after=after))
        changed += batch.changed
        hashes |= batch.hashes
        after = batch.after
        if batch.remaining == 0 or time.perf_counter() > until:
            break
    freed = await deletion.reclaim(db, hashes, before) if isinstance(what, Deleting) else 0
    return BulkProgress(
        len(changed),
        batch.remaining,
        freed,
        after if batch.remaining else None,
        changed if isinstance(what, Keeping) else msgspec.UNSET,
    )


async def _lock_first(conn: Connection, where: RunFilter, after: int, limit: int) -> list[int]:
    """The first matching runs, which no other transaction changes until this one ends."""
    run_ids = await run_tables.list_ids(conn, where, after=after, limit=limit)
    await lock(conn, "runs", run_ids)
    if isinstance(conn, Shared):  # others may have changed or deleted them before they were locked
        matching = await run_tables.list_ids(conn, where, after=after, limit=limit)
        run_ids = sorted(set(run_ids).intersection(matching))
    return run_ids


async def _delete_batch(conn: Connection, *, where: RunFilter, after: int) -> _Batch:
    """Delete as many of the first runs as one transaction may take."""
    # A server locks row by row, and no more rows than a transaction may delete there.
    limit = _BATCH if isinstance(conn, Shared) else _DELETED
    run_ids = await _lock_first(conn, where, after, limit)
    deleted = await deletion.delete_batch(conn, run_ids=run_ids, most_seconds=_TRANSACTION_SECONDS)
    if run_ids:
        after = run_ids[deleted.ids - 1]
    remaining = await run_tables.count(conn, where, after=after)
    return _Batch(deleted.runs, after, deleted.hashes, remaining)


async def _change_batch(conn: Connection, *, where: RunFilter, what: Change, after: int) -> _Batch:
    """Change as many of the first runs as one transaction may take."""
    until = time.perf_counter() + _TRANSACTION_SECONDS
    now = time.time_ns() // 1000
    changed, hashes = list[int](), set[str]()
    for run_id in await _lock_first(conn, where, after, _BATCH):
        outcome = await what.apply(conn, run_id, now)
        if outcome is not None:
            hashes |= outcome
            changed.append(run_id)
        after = run_id
        if time.perf_counter() > until:
            break
    remaining = await run_tables.count(conn, where, after=after)
    return _Batch(changed, after, hashes, remaining)
