"""Databases: transactions, connections, and files that are removed or replaced while in use."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from trackai.errors import (
    ConflictError,
    ForeignDatabaseError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnreachableError,
)
from trackai.locks import exclusive
from trackai.store.catalogue import projects
from trackai.store.engine import log_owner, opening
from trackai.store.engine.database import Database

pytestmark = pytest.mark.sqlite("about connections to a file, its locks and its log")


async def make(db: Database, name: str) -> None:
    async with db.write() as conn:
        await projects.create(conn, name, name, now=1)


async def names(db: Database) -> list[str]:
    async with db.read() as conn:
        return sorted(
            project.name for project in await projects.list_page(conn, limit=100, offset=0)
        )


async def test_transactions_are_atomic(db: Database) -> None:
    await make(db, "a")
    with pytest.raises(ConflictError):  # noqa: PT012 - the transaction is what raises
        async with db.write() as conn:
            await projects.create(conn, "b", "b", now=1)
            await projects.create(conn, "a", "c", now=1)
    assert await names(db) == ["a"]
    await make(db, "b")
    assert await names(db) == ["a", "b"]


async def test_readers_see_committed_changes(db: Database) -> None:
    async with db.write() as conn:
        await projects.create(conn, "a", "a", now=1)
        assert await names(db) == []
    assert await names(db) == ["a"]


async def test_a_cancelled_transaction_is_rolled_back(db: Database) -> None:
    with anyio.CancelScope() as scope:
        async with db.write() as conn:
            await projects.create(conn, "a", "a", now=1)
            scope.cancel()
            await anyio.sleep_forever()
    await make(db, "b")
    assert await names(db) == ["b"]


async def test_a_cancelled_task_does_not_begin_a_transaction_later(db: Database) -> None:
    with closing(sqlite3.connect(db.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")

        async def wait() -> None:
            async with db.write():
                pass

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for _ in range(20):  # until it waits in SQLite
                await anyio.wait_all_tasks_blocked()
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
            holder.execute("ROLLBACK")
        holder.execute("BEGIN IMMEDIATE")  # the lock is free
        holder.execute("ROLLBACK")
    await make(db, "a")
    assert await names(db) == ["a"]


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(StoreUnreachableError):
        async with db.read() as conn:
            await projects.create(conn, "a", "a", now=1)


async def test_writes_are_serialised_and_reads_are_not(db: Database) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(make, db, f"p{number}")
            tasks.start_soon(names, db)
    assert len(await names(db)) == 30


def open_handles(folder: Path) -> list[str]:
    """The files below a folder that this process has open; Linux only."""
    if not Path("/proc/self/fd").exists():
        return []
    targets = []
    for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, not paths
        try:
            targets.append(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115
        except FileNotFoundError:  # the handle of the listing itself
            continue
    return [target for target in targets if target.startswith(str(folder))]


async def test_a_reader_in_use_is_closed_after_the_database(db: Database) -> None:
    await make(db, "a")
    async with db.read() as conn:
        await db.close()
        assert [project.name for project in await projects.list_page(conn, limit=9, offset=0)] == [
            "a"
        ]
    assert not open_handles(db.path.parent)
    assert await names(db) == ["a"]


@pytest.mark.parametrize("when", ["after", "within"])
async def test_a_task_that_is_cancelled_while_it_opens_leaves_nothing_open(
    db: Database, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    scope = anyio.CancelScope()
    module, name = {"after": (opening, "connect"), "within": (opening, "_connect_uri")}[when]
    original = getattr(module, name)

    async def connect(*arguments: Any, **options: Any) -> Any:
        handle = await original(*arguments, **options)
        scope.cancel()
        return handle

    async with db.read() as reader:
        pass
    await anyio.sleep(0.05)
    os.utime(db.path)  # as another process would
    monkeypatch.setattr(module, name, connect)
    with scope:
        async with db.read() as conn:
            await conn.execute("SELECT 1")
    assert scope.cancelled_caught
    monkeypatch.undo()
    with pytest.raises(ValueError, match="no active connection"):
        await reader.execute("SELECT 1")
    await db.close()
    gc.collect()
    assert not open_handles(db.path.parent)


async def test_nothing_is_left_open(db_path: Path) -> None:
    before = set(threading.enumerate())
    database = Database(db_path)
    await make(database, "a")
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(names, database)
    await database.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert not open_handles(db_path.parent)
    assert [path.name for path in db_path.parent.iterdir() if path.is_file()] == [db_path.name]


@pytest.mark.parametrize("how", ["remove", "replace", "overwrite"])
@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("reader", [True, False])
async def test_a_file_that_changes_while_in_use(
    db: Database, tmp_path: Path, how: str, checkpoint: bool, reader: bool
) -> None:
    await make(db, "old")
    await db.checkpoint()
    copy = tmp_path / "copy.db"
    shutil.copyfile(db.path, copy)
    await make(db, "newer")
    if reader:  # otherwise the database has only a write connection
        assert await names(db) == ["newer", "old"]
    if checkpoint or how == "overwrite":  # a write-ahead log would be replayed onto the copy
        await db.checkpoint()
    await anyio.sleep(0.05)  # file systems record times in milliseconds
    if how == "remove":
        db.path.unlink()
    elif how == "replace":
        copy.replace(db.path)
    else:
        shutil.copyfile(copy, db.path)
    remaining = [] if how == "remove" else ["old"]
    assert await names(db) == remaining
    await make(db, "after")
    assert await names(db) == sorted([*remaining, "after"])
    await db.close()
    connection = sqlite3.connect(db.path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_two_databases_of_one_process_after_a_removal(db: Database) -> None:
    second = Database(db.path)
    await make(db, "old")
    assert await names(second) == ["old"]
    db.path.unlink()
    await make(db, "new")
    assert await names(second) == ["new"]
    await make(second, "newer")
    assert await names(db) == ["new", "newer"]
    await second.close()
    assert await names(db) == ["new", "newer"]


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_many_tasks_after_a_removal(db: Database, what: str) -> None:
    """All reopen the database at the same time; none of them may wait forever."""
    await make(db, "old")
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(names, db)
    if what == "file":
        db.path.unlink()
    else:
        shutil.rmtree(db.path.parent)
    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(names, db)
            tasks.start_soon(make, db, f"p{number}")
    assert await names(db) == [f"p{number}" for number in range(8)]


async def test_several_databases_create_the_file_at_once(db_path: Path) -> None:
    databases = [Database(db_path) for _ in range(4)]
    async with anyio.create_task_group() as tasks:
        for number, database in enumerate(databases):
            tasks.start_soon(make, database, f"p{number}")
    assert await names(databases[0]) == ["p0", "p1", "p2", "p3"]
    for database in databases:
        await database.close()


REOPEN = """
import sys, anyio
from pathlib import Path
from trackai.store.catalogue import projects
from trackai.store.engine.database import Database

async def main():
    path, number = Path(sys.argv[1]), 0
    while path.parent.joinpath("go").exists():
        db = Database(path)
        async with db.write() as conn:
            await projects.get_or_create(conn, sys.argv[2], now=1)
        async with db.read() as conn:
            await projects.list_page(conn, limit=100, offset=0)
        await db.close()
        number += 1
    print(number)

anyio.run(main)
"""


async def test_a_removal_at_any_moment_fails_no_process(db_path: Path, tmp_path: Path) -> None:
    db_path.parent.mkdir()
    go = db_path.parent / "go"
    go.touch()
    # Opening takes longer on a busy machine; a process must be able to finish between two removals.
    timed = Database(tmp_path / "timed.db")
    started = anyio.current_time()
    await timed.open()
    pause = max(0.02, (anyio.current_time() - started) / 4)
    await timed.close()
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", REOPEN, str(db_path), name],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for name in ("a", "b", "c")
        ]
        stack.callback(go.unlink, missing_ok=True)
        for _ in range(200):
            await anyio.sleep(pause)
            db_path.unlink(missing_ok=True)
        go.unlink()
        for process in processes:
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert int(output) > 0
    db = Database(db_path)
    await make(db, "last")
    await db.close()
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_removal_after_the_log_was_inspected(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of the removed file must not be applied to the one that takes its place."""
    first = Database(db_path)
    await make(first, "a")
    await make(first, "b")  # the first one empties the log
    separate = log_owner.separate

    def separate_and_remove(*args: Any, **options: Any) -> None:
        separate(*args, **options)
        monkeypatch.setattr(log_owner, "separate", separate)
        db_path.unlink()

    monkeypatch.setattr(log_owner, "separate", separate_and_remove)
    second = Database(db_path)
    assert await names(second) == []
    await make(second, "c")
    await make(first, "d")
    assert await names(second) == ["c", "d"]
    await first.close()
    await second.close()
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_connections_of_the_program_itself_keep_their_locks(db_path: Path) -> None:
    """Another process must not take its connection for the last one, and remove the log."""
    first = Database(db_path)
    await make(first, "a")
    await first.close()
    wal = db_path.with_name(db_path.name + "-wal")
    with closing(sqlite3.connect(db_path)) as own:
        own.execute("UPDATE projects SET name = 'b'")
        own.commit()
        before = wal.stat().st_ino
        second = Database(db_path)
        assert await names(second) == ["b"]
        subprocess.run([sys.executable, "-c", LOOK, str(db_path)], check=True, capture_output=True)
        assert wal.stat().st_ino == before
        await make(second, "c")
        await second.close()
        assert own.execute("SELECT COUNT(*) FROM projects").fetchall() == [(2,)]
        assert own.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM projects").fetchall()
connection.close()
"""

KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("CREATE TABLE ghost (x)")
connection.execute("INSERT INTO projects (slug, name, created_at, updated_at) VALUES (1, 1, 1, 1)")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("link", [False, True])
async def test_the_log_of_a_removed_file_is_not_applied(tmp_path: Path, link: bool) -> None:
    real = path = tmp_path / "x.db"
    if link:
        real = tmp_path / "elsewhere" / "y.db"
        real.parent.mkdir()
        path.symlink_to(real)
    database = Database(path)
    await make(database, "old")
    await database.close()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert real.with_name(real.name + "-wal").stat().st_size > 0
    real.unlink()
    assert await names(database) == []
    await make(database, "new")
    await database.close()
    assert path.is_symlink() == link
    with closing(sqlite3.connect(real)) as connection:
        assert connection.execute("SELECT name FROM projects").fetchall() == [("new",)]
        ghost = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ghost'").fetchall()
        assert ghost == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_busy_database_is_a_clear_error(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.1)
    fresh = Database(db.path)
    holder = sqlite3.connect(db.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="another program"):
        await make(fresh, "a")
    holder.execute("ROLLBACK")
    holder.close()
    await make(fresh, "a")
    await fresh.close()


async def test_a_database_that_is_being_opened_is_a_clear_error(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    async with exclusive(db.spool / "open.lock"):  # as by a process that has been stopped
        with pytest.raises(StoreBusyError, match="being opened by another process"):
            await Database(db.path).open()
        await db.close()  # without the lock
    await make(db, "a")


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
    with pytest.raises(ForeignDatabaseError, match="TRACKAI_DB_PATH"):
        await Database(path).open()
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


async def test_a_database_of_another_program_in_use(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("PRAGMA journal_mode = WAL")
        foreign.execute("CREATE TABLE runs (id TEXT)")
        foreign.execute("INSERT INTO runs VALUES ('theirs')")
        foreign.commit()
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        for use in (Database(path).open, Database(path).checkpoint):
            with pytest.raises(ForeignDatabaseError, match="another program") as caught:
                await use()
            assert str(path) in str(caught.value)
            assert "\n" not in str(caught.value)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ForeignDatabaseError, match="TRACKAI_DB_PATH"):
        await Database(tmp_path).open()
    assert not list(tmp_path.iterdir())


async def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "x.db", tmp_path / "file" / "deeper" / "x.db"):
        with pytest.raises(StoreUnreachableError, match="TRACKAI_DB_PATH"):
            await Database(path).open()
    assert (tmp_path / "file").read_text() == "x"


# Root becomes the user nobody first; lazy imports happen before that.
UNPRIVILEGED = """
import asyncio, os, sys
from pathlib import Path
from trackai.errors import StoreError
from trackai.store.engine.database import Database

async def write(path):
    db = Database(path)
    try:
        async with db.write() as conn:
            await conn.execute("DELETE FROM projects")
    finally:
        await db.close()

folder = Path(sys.argv[1])
asyncio.run(write(folder / "x.db"))
user = os.geteuid()
for folder_mode, file_mode, path in (
    (0o555, 0o666, "new.db"),
    (0o555, 0o666, "deeper/new.db"),
    (0o555, 0o444, "x.db"),
    (0o777, 0o000, "x.db"),
    (0o000, 0o666, "x.db"),
):
    (folder / "x.db").chmod(file_mode)
    folder.chmod(folder_mode)
    if user == 0:
        os.seteuid(65534)
    try:
        asyncio.run(write(folder / path))
    except StoreError as error:
        print(type(error).__name__, error)
    os.seteuid(user)
    folder.chmod(0o777)
"""


def test_a_path_that_cannot_be_written_is_a_clear_error() -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's folders are private
        Path(outer).chmod(0o755)
        answer = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(Path(outer, "store"))],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert line.startswith("StoreUnreachableError cannot write the database ")
        assert line.endswith("set TRACKAI_DB_PATH to a file in a folder that you can write to")


READING = """
import asyncio, os, sys
from pathlib import Path
from trackai.errors import StoreError
from trackai.store.catalogue import projects
from trackai.store.engine.database import Database

async def make(db):
    async with db.write() as conn:
        await projects.create(conn, "a", "a", now=1)
    await db.close()

async def read(db):
    try:
        await db.open()
        async with db.snapshot() as conn:
            print([project.name for project in await projects.list_page(conn, limit=9, offset=0)])
        await make(db)
    except StoreError as error:
        print(type(error).__name__, error)
    finally:
        await db.close()

path = Path(sys.argv[1], "x.db")
path.parent.mkdir()
asyncio.run(make(Database(path)))
path.chmod(0o444)
path.parent.chmod(0o555)
before = sorted(path.parent.iterdir())
if os.geteuid() == 0:
    os.seteuid(65534)
asyncio.run(read(Database(path)))
assert sorted(path.parent.iterdir()) == before
os.seteuid(os.getuid())
path.parent.chmod(0o755)
path.with_name("x.db-wal").touch()  # a process is writing it
path.parent.chmod(0o555)
if os.geteuid() == 0:
    os.seteuid(65534)
asyncio.run(read(Database(path)))
os.seteuid(os.getuid())
path.parent.chmod(0o755)
"""


def test_a_read_only_database_is_read() -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's folders are private
        Path(outer).chmod(0o755)
        answer = subprocess.run(
            [sys.executable, "-c", READING, str(Path(outer, "store"))],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert answer.returncode == 0, answer.stderr
    read, refused, read_beside_writer, refused_again = answer.stdout.splitlines()
    assert read == read_beside_writer == "['a']"
    for line in (refused, refused_again):
        assert line.startswith("StoreUnreachableError cannot write the database ")


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


async def test_a_reader_delays_a_checkpoint_but_no_writer(db: Database) -> None:
    """SQLite blocks writers while a checkpoint waits for readers, by default for 30 seconds."""
    async with db.write() as conn:
        await conn.execute("CREATE TABLE t (x)")
    async with db.snapshot() as reader:
        await reader.execute_fetchall("SELECT * FROM t")
        async with db.write() as conn:
            await conn.execute("INSERT INTO t VALUES (1)")
        assert not await db.checkpoint()
        async with db.write() as conn:
            await conn.execute("INSERT INTO t VALUES (2)")
            # The timeout of writers is restored.
            rows = await conn.execute_fetchall("PRAGMA busy_timeout")
        assert list(rows) == [(30_000,)]
    assert await db.checkpoint()
    assert db.path.with_name(db.path.name + "-wal").stat().st_size == 0


async def test_own_writes_do_not_outdate_connections(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute("CREATE TABLE t (x)")
    async with db.read() as first:
        pass
    generation = db.generation
    size = db.path.stat().st_size
    for _ in range(3):
        async with db.write() as conn:  # more than SQLite leaves in the log
            await conn.execute("INSERT INTO t VALUES (zeroblob(9000000))")
        async with db.read() as reader:
            assert reader is first
    assert db.path.stat().st_size > size + 9_000_000
    async with db.write() as conn:
        os.utime(db.path)  # as during a commit of many pages
        async with db.read() as reader:
            assert reader is first
    await db.move_pages()
    await db.checkpoint()
    async with db.write(), db.read() as reader:
        assert reader is first
    assert db.generation == generation
    await anyio.sleep(0.05)
    os.utime(db.path)  # as another process would
    async with db.read() as reader:
        assert reader is not first


async def test_own_writes_that_overlap_do_not_outdate_connections(db: Database) -> None:
    async with db.read() as first:
        pass
    generation = db.generation
    with db._own_change(db._idle[-1]):
        async with db.write() as conn:
            await conn.execute("CREATE TABLE t (x)")
            await db.move_pages()
            os.utime(db.path, (1, 1))  # as the write of a page would
        os.utime(db.path, (2, 2))
    async with db.write():
        pass
    async with db.read() as reader:
        assert reader is first
    assert db.generation == generation


async def test_a_write_may_leave_the_checkpoint_to_its_caller(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute("CREATE TABLE t (x)")
    await db.checkpoint()
    async with db.write() as conn:  # the first one in an empty log always checkpoints
        await conn.execute("INSERT INTO t VALUES (0)")
    size = db.path.stat().st_size
    async with db.write(checkpoints=False) as conn:  # more than SQLite leaves in the log
        await conn.execute("INSERT INTO t VALUES (zeroblob(9000000))")
    assert db.path.stat().st_size == size
    async with db.write() as conn:  # only for this transaction
        await conn.execute("INSERT INTO t VALUES (1)")
    assert db.path.stat().st_size > size + 9_000_000


async def test_a_copy_with_a_rollback_journal_gets_a_write_ahead_log(
    db: Database, tmp_path: Path
) -> None:
    await db.open()
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(db.path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    opened = Database(copy)
    await opened.open()
    await opened.close()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
