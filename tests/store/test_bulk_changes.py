"""Changes of all runs that match a filter, in many steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.filters.parser import parse_filter
from trackai.store.catalogue import runs as store_runs
from trackai.store.catalogue.run_tables import RunFilter, list_ids
from trackai.store.engine.sql import lock
from trackai.store.upkeep import bulk_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Server
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.values.types import KeepVerb


@pytest.fixture
def runs(server: Server) -> None:
    for number in range(5):
        with trackai.init(project="p", name=f"run {number}", tags=["old"]) as run:
            run.log({"loss": number}, step=0)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("change", "left"),
    [
        (bulk_changes.Deleting(), [3]),
        # Runs that do not match any more do not shift the others.
        (bulk_changes.Tagging(["new"], ["old"]), [3]),
        (bulk_changes.Moving("other"), [3]),
    ],
)
async def test_each_matching_run_is_changed_once(
    db: Store, monkeypatch: pytest.MonkeyPatch, change: bulk_changes.Change, left: list[int]
) -> None:
    monkeypatch.setattr(bulk_changes, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(bulk_changes, "_TRANSACTION_SECONDS", 0.0)
    where = RunFilter(tree=parse_filter("tag = old and project = p"), exclude=(3,))
    steps = []
    after: int | None = 0
    while after is not None:
        progress = await bulk_changes.change(db, where, change, after=after)
        steps.append((progress.changed, progress.remaining))
        after = progress.cursor
    assert steps == [(1, 3), (1, 2), (1, 1), (1, 0)]
    async with db.read() as conn:
        matching = RunFilter(tree=parse_filter("tag = old and project = p"))
        assert await list_ids(conn, matching) == left


@pytest.mark.usefixtures("runs")
async def test_a_deletion_locks_few_runs_that_it_cannot_delete_yet(
    db: Store, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = []

    async def note_lock(conn: Connection, table: str, ids: Sequence[int]) -> None:
        locked.append(len(ids))
        await lock(conn, table, ids)

    monkeypatch.setattr(bulk_changes, "_BATCH", 2)
    monkeypatch.setattr(bulk_changes, "lock", note_lock)
    progress = await bulk_changes.change(db, RunFilter(), bulk_changes.Deleting())
    assert progress.changed == 5
    # A file is locked as a whole.
    assert max(locked) == (2 if engine == "postgresql" else 5)


@pytest.mark.usefixtures("runs")
async def test_runs_go_to_the_archive_and_the_trash_and_back(
    db: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_changes, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(bulk_changes, "_TRANSACTION_SECONDS", 0.0)

    async def keep(how: KeepVerb, where: RunFilter) -> list[int]:
        changed: list[int] = []
        after: int | None = 0
        while after is not None:
            progress = await bulk_changes.change(db, where, bulk_changes.KEEPING[how], after=after)
            assert isinstance(progress.run_ids, list)
            assert progress.changed == len(progress.run_ids)
            changed += progress.run_ids
            after = progress.cursor
        return changed

    async def active() -> list[int]:
        async with db.read() as conn:
            return await list_ids(conn, RunFilter())

    async with db.read() as conn:
        before = [await store_runs.get(conn, run_id) for run_id in range(1, 6)]
    some = RunFilter(tree=parse_filter("loss >= 2"))
    assert await keep("archive", some) == [3, 4, 5]
    assert await active() == [1, 2]
    # Only what changes is reported, so that undoing it leaves the others alone.
    assert await keep("archive", RunFilter(ids=(1, 3))) == [1]
    assert await keep("unarchive", RunFilter(ids=(1, 2, 3, 4, 5))) == [1, 3, 4, 5]
    assert await keep("trash", some) == [3, 4, 5]
    assert await keep("trash", some) == []
    assert await keep("restore", RunFilter(trashed=True)) == [3, 4, 5]
    async with db.read() as conn:
        assert [await store_runs.get(conn, run_id) for run_id in range(1, 6)] == before


@pytest.mark.usefixtures("runs")
async def test_a_name_may_vanish_with_the_last_run_that_has_it(db: Store) -> None:
    where = RunFilter(tree=parse_filter("loss >= 0"))
    progress = await bulk_changes.change(db, where, bulk_changes.Deleting())
    assert (progress.changed, progress.remaining, progress.cursor) == (5, 0, None)


@pytest.mark.usefixtures("runs")
async def test_runs_that_others_change_meanwhile_are_left_out(
    db: Store, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def change_others(conn: Connection) -> None:
        await store_runs.delete(conn, 2)
        await store_runs.update(conn, 4, trashed_at=1)

    async def lock_late(conn: Connection, *arguments: Any) -> None:
        monkeypatch.undo()
        await db.change(change_others)
        await lock(conn, *arguments)

    if engine == "sqlite":  # others cannot write meanwhile
        await db.change(change_others)
    else:
        monkeypatch.setattr(bulk_changes, "lock", lock_late)
    where = RunFilter(tree=parse_filter("tag = old"))
    progress = await bulk_changes.change(db, where, bulk_changes.KEEPING["archive"])
    assert progress.run_ids == [1, 3, 5]
