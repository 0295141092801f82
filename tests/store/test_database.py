"""One file: transactions, connections, and what happens when it changes under us."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from trackai.errors import (
    ConflictError,
    ForeignDatabaseError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnreachableError,
)
from trackai.store import database as module
from trackai.store import projects
from trackai.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path


async def make(db: Database, name: str) -> None:
    async with db.write() as conn:
        await projects.create(conn, name, name, now=1)


async def names(db: Database) -> list[str]:
    async with db.read() as conn:
        return sorted(one.name for one in await projects.list_page(conn, limit=100, offset=0))


async def test_a_transaction_is_whole_or_not_there(db: Database) -> None:
    await make(db, "a")
    with pytest.raises(ConflictError):  # noqa: PT012 - the transaction is what raises
        async with db.write() as conn:
            await projects.create(conn, "b", "b", now=1)
            await projects.create(conn, "a", "c", now=1)
    assert await names(db) == ["a"]
    await make(db, "b")
    assert await names(db) == ["a", "b"]


async def test_readers_see_what_is_committed(db: Database) -> None:
    async with db.write() as conn:
        await projects.create(conn, "a", "a", now=1)
        assert await names(db) == []
    assert await names(db) == ["a"]


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(StoreUnreachableError):
        async with db.read() as conn:
            await projects.create(conn, "a", "a", now=1)


async def test_writes_wait_for_each_other_and_reads_for_nobody(db: Database) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(make, db, f"p{number}")
            tasks.start_soon(names, db)
    assert len(await names(db)) == 30


async def test_nothing_is_left_open(db_path: Path) -> None:
    before = threading.active_count()
    database = Database(db_path)
    await make(database, "a")
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(names, database)
    await database.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        await anyio.sleep(0.01)  # a thread has answered before it ends
    assert threading.active_count() <= before
    assert [path.name for path in db_path.parent.iterdir() if path.is_file()] == [db_path.name]


@pytest.mark.parametrize("how", ["remove", "replace", "overwrite"])
@pytest.mark.parametrize("checkpoint", [True, False])
async def test_a_file_that_changes_under_us(
    db: Database, tmp_path: Path, how: str, checkpoint: bool
) -> None:
    await make(db, "old")
    await db.checkpoint()
    copy = tmp_path / "copy.db"
    shutil.copyfile(db.path, copy)
    await make(db, "newer")
    assert await names(db) == ["newer", "old"]
    if checkpoint or how == "overwrite":  # a write-ahead log would be replayed onto the copy
        await db.checkpoint()
    if how == "remove":
        db.path.unlink()
    elif how == "replace":
        copy.replace(db.path)
    else:
        shutil.copyfile(copy, db.path)
    kept = [] if how == "remove" else ["old"]
    assert await names(db) == kept
    await make(db, "after")
    assert await names(db) == sorted([*kept, "after"])
    await db.close()
    connection = sqlite3.connect(db.path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_two_processes_worth_of_connections_after_a_removal(db: Database) -> None:
    other = Database(db.path)
    await make(db, "old")
    assert await names(other) == ["old"]
    db.path.unlink()
    await make(db, "new")
    assert await names(other) == ["new"]
    await make(other, "newer")
    assert await names(db) == ["new", "newer"]
    await other.close()
    assert await names(db) == ["new", "newer"]


async def test_a_busy_database_is_a_clear_error(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    fresh = Database(db.path)
    holder = sqlite3.connect(db.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="another program"):
        await make(fresh, "a")
    holder.execute("ROLLBACK")
    holder.close()
    await make(fresh, "a")
    await fresh.close()


async def test_damage_is_a_clear_error(db: Database) -> None:
    await make(db, "a")
    await db.close()
    with db.path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)
    with pytest.raises(StoreDamagedError, match="damaged"):
        await Database(db.path).open()


@pytest.mark.parametrize("content", [b"text", b"SQLite format 3\x00" + b"\x00" * 84])
async def test_a_file_that_is_not_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(ForeignDatabaseError):
        await Database(path).open()
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    database = Database(tmp_path / "x.db")
    await make(database, "a")
    await database.close()
    assert (tmp_path / "x.db").read_bytes()[68:72] == b"TRAI"


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("SELECT COUNT(*) FROM projects").fetchone()
connection.close()
"""


async def test_opening_another_connection_does_not_drop_our_locks(db: Database) -> None:
    """Another process that closes its connection must not take itself for the last one."""
    await make(db, "a")
    await names(db)  # opens a second connection
    second = Database(db.path)
    await names(second)
    await second.close()
    await anyio.run_process([sys.executable, "-c", HOLD, str(db.path)])
    assert db.path.with_name(db.path.name + "-wal").exists()
    await make(db, "b")
    assert await names(db) == ["a", "b"]
