"""Deleting runs when the disk is full."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import anyio
import pytest

from trackai.errors import DiskFullError, StoreError
from trackai.store.catalogue import files, projects, runs, writers
from trackai.store.points import metrics
from trackai.store.upkeep import deletion, garbage, reserve
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from trackai.store.engine.database import Database

pytestmark = pytest.mark.sqlite("about pages of a file and a full disk")


async def _create_runs(db: Database, number: int) -> list[int]:
    """Runs with so many series that noting the deletion of one takes further pages."""
    ids = []
    async with db.write() as conn:
        project = await projects.create(conn, "p", "p", now=1)
        for at in range(number):
            run = await runs.create(
                conn, uid=f"u{at}", project_id=project.id, slug=f"r{at}", name=None,
                group_name=None, now=1,
            )  # fmt: skip
            writer_id = await writers.get_or_create(
                conn, uid=f"w{at}", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
            )
            columns = [Column(f"m{n}", "step", [0], [1], [1.0]) for n in range(1500)]
            await metrics.append(conn, run.id, writer_id, columns)
            ids.append(run.id)
    return ids


async def _limit(db: Database, pages: int) -> None:
    """Let SQLite report a full disk as soon as the file has to grow."""
    async with db.write() as conn:
        await conn.execute_fetchall(f"PRAGMA max_page_count = {pages}")


async def _page_count(db: Database) -> int:
    async with db.read() as conn:
        [(pages,)] = await conn.execute_fetchall("PRAGMA page_count")
    return int(pages)


@pytest.mark.parametrize(
    "delete",
    [
        lambda db: deletion.delete_run(db, 1),
        lambda db: deletion.delete_runs(db, [1, 2]),
        lambda db: deletion.delete_project(db, 1),
    ],
)
async def test_a_full_disk_does_not_keep_runs_from_being_deleted(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    delete: Callable[[Database], Awaitable[object]],
) -> None:
    ids = await _create_runs(db, 3)
    await _limit(db, await _page_count(db))
    with pytest.raises(StoreError, match="full"):
        await delete(db)  # the reserve has not been created yet
    async with db.read() as conn:
        assert await runs.existing(conn, ids) == ids
    reserve.keep(db.spool)
    path = db.spool / "reserve"
    assert path.stat().st_size == reserve.SIZE
    move_pages = db.move_pages

    async def move_pages_with_room() -> None:
        if not path.exists():
            await _limit(db, 1_000_000)
        await move_pages()

    monkeypatch.setattr(db, "move_pages", move_pages_with_room)
    await delete(db)
    assert not path.exists()
    async with db.read() as conn:
        assert ids[0] not in await runs.existing(conn, ids)
    reserve.keep(db.spool)
    assert path.exists()


async def test_space_that_another_collection_returns_counts(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server collects garbage all the time, also while runs are being deleted."""
    await _create_runs(db, 2)
    await db.checkpoint()
    before = db.path.stat().st_size
    forget = files.forget

    async def forget_after_collection(db: Database, hashes: set[str]) -> int:
        await garbage.collect(db)
        return await forget(db, hashes)

    monkeypatch.setattr(files, "forget", forget_after_collection)
    _, freed = await deletion.delete_project(db, 1)
    await db.checkpoint()
    assert freed >= before - db.path.stat().st_size > 0  # the deletion itself takes some pages


async def test_a_full_disk_after_the_deletion_is_no_error(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = await _create_runs(db, 2)

    async def full(db: Database) -> int:
        raise DiskFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(garbage, "collect", full)
        run, _ = await deletion.delete_run(db, ids[0])
    assert run.id == ids[0]
    assert "not all of its space is free yet" in caplog.text
    assert await garbage.collect(db) >= 0  # the server continues it later
    async with db.read() as conn:
        [(left,)] = await conn.execute_fetchall("SELECT COUNT(*) FROM metrics")
    assert left == 1500


async def test_other_errors_do_not_use_the_reserve(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _create_runs(db, 1)
    reserve.keep(db.spool)

    async def broken(*arguments: object) -> None:
        raise sqlite3.OperationalError("something else")

    monkeypatch.setattr(runs, "delete", broken)
    with pytest.raises(StoreError, match="something else"):
        await deletion.delete_run(db, 1)
    assert (db.spool / "reserve").exists()


async def test_little_space_is_left_alone(
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reserve.keep(tmp_path / "missing")
    usage = (10 * reserve.SIZE, 9 * reserve.SIZE, reserve.SIZE)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("U", (), {"free": usage[2]}))
    for _ in range(2):  # as every two seconds
        await anyio.to_thread.run_sync(reserve.keep, db.spool)
    [message] = caplog.messages
    assert message.startswith(f"{db.spool}: less than 24 MB are free, so no space is reserved")
    assert not (db.spool / "reserve").exists()
    assert not reserve.release(db.spool)


async def test_a_smaller_reserve_of_an_earlier_version_is_replaced(db: Database) -> None:
    await db.open()
    path = db.spool / "reserve"
    path.write_bytes(bytes(reserve.SIZE // 2))
    await anyio.to_thread.run_sync(reserve.keep, db.spool)
    assert path.stat().st_size == reserve.SIZE
    before = path.stat()
    await anyio.to_thread.run_sync(reserve.keep, db.spool)
    assert path.stat() == before
