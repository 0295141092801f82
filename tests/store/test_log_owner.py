"""A write-ahead log is applied to its own database file, and to no other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
import pytest

from trackai.store.catalogue import projects
from trackai.store.engine import log_owner, stamps, write_ahead_log
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.sqlite("about the write-ahead log")

# For each line, forks a process that creates projects, one transaction each, and dies with them in
# the log. Modules are imported only once.
CREATE = """
import json, os, signal, sys, traceback
from pathlib import Path
import anyio
from trackai.store.catalogue import projects
from trackai.store.engine.database import Database

async def create(path, end, names):
    db = Database(Path(path))
    for name in names:
        async with db.write() as conn:
            await projects.create(conn, name, name, now=1)
            await conn.execute("CREATE TABLE IF NOT EXISTS filling (x)")
            await conn.execute("INSERT INTO filling VALUES (zeroblob(60000))")
    if end == "close":
        await db.close()
    elif end == "checkpoint":
        async with db.read() as conn:
            await conn.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
    os.kill(os.getpid(), signal.SIGKILL)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            anyio.run(create, *json.loads(line))
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Create(Protocol):
    """Creates projects in a process that is killed, after it has closed the database or not."""

    def __call__(self, path: Path, end: str, *names: str) -> None: ...


@pytest.fixture(scope="module")
def create() -> Iterator[Create]:
    with subprocess.Popen(
        [sys.executable, "-c", CREATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def request(path: Path, end: str, *names: str) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([str(path), end, names]), file=process.stdin, flush=True)
            assert int(process.stdout.readline()) == signal.SIGKILL

        yield request


async def names(path: Path) -> list[str]:
    db = Database(path)
    try:
        async with db.read() as conn:
            rows = await conn.execute_fetchall("PRAGMA integrity_check")
            assert list(rows) == [("ok",)]
            page = await projects.list_page(conn, limit=100, offset=0)
            return sorted(project.name for project in page)
    finally:
        await db.close()


def orphaned(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}-wal{write_ahead_log.ORPHANED}*"))


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def plain(path: Path, copy: Path) -> None:
    shutil.copyfile(path, copy)


def backup_api(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def vacuum_into(path: Path, copy: Path) -> None:
    with closing(sqlite3.connect(path)) as source:
        source.execute("VACUUM INTO ?", (str(copy),))


def command(path: Path, copy: Path) -> None:
    arguments = [sys.executable, "-m", "trackai.cli", "backup", str(copy), "--db", str(path)]
    subprocess.run(arguments, check=True, capture_output=True)


COPIES = [plain, backup_api, vacuum_into, command]


@pytest.mark.parametrize("copy_with", COPIES)
@pytest.mark.parametrize("place", ["move", "overwrite", "remove"])
@pytest.mark.parametrize("end", ["kill", "checkpoint"])
async def test_an_older_copy_replaces_the_file_of_a_killed_process(
    create: Create, tmp_path: Path, copy_with: object, place: str, end: str
) -> None:
    path, copy = tmp_path / "x.db", tmp_path / "copy.db"
    create(path, "close", "a", "b")
    copy_with(path, copy)  # type: ignore[operator]
    create(path, "close", "c")
    create(path, end, "d", "e")
    log = log_of(path).read_bytes()
    assert log
    if place == "move":
        copy.replace(path)
    elif place == "overwrite":
        shutil.copyfile(copy, path)
    else:  # the copy may get the inode of the file
        path.unlink()
        shutil.copyfile(copy, path)
    assert await names(path) == ["a", "b"]
    assert [aside.read_bytes() for aside in orphaned(path)] == [log]
    create(path, "kill", "f")
    assert await names(path) == ["a", "b", "f"]
    assert len(orphaned(path)) == 1


@pytest.mark.parametrize("copy_with", COPIES)
@pytest.mark.parametrize("place", ["move", "overwrite"])
async def test_a_copy_is_restored_again_and_again(
    create: Create, tmp_path: Path, copy_with: object, place: str
) -> None:
    """The log of the restored file does not fit the copy, which is all that file had before."""
    path, copy = tmp_path / "x.db", tmp_path / "copy.db"
    create(path, "close", "a", "b")
    copy_with(path, copy)  # type: ignore[operator]
    for _ in range(3):
        create(path, "kill", "c", "d")
        if place == "move":
            shutil.copyfile(copy, tmp_path / "restored.db").replace(path)
        else:
            shutil.copyfile(copy, path)
    assert await names(path) == ["a", "b"]
    assert len(orphaned(path)) == 3


@pytest.mark.parametrize("copy_with", [backup_api, vacuum_into, command])
async def test_a_copy_that_was_made_while_the_log_was_written(
    create: Create, tmp_path: Path, copy_with: object
) -> None:
    """VACUUM arranges pages differently; a copy of the pages may take the log of its original."""
    path, copy = tmp_path / "x.db", tmp_path / "copy.db"
    create(path, "close", "a", "b", "c", "d")
    db = Database(path)
    async with db.write() as conn:
        await conn.execute("DELETE FROM filling WHERE rowid < 4")
        await projects.create(conn, "e", "e", now=1)
    await anyio.to_thread.run_sync(copy_with, path, copy)  # type: ignore[arg-type]
    async with db.write() as conn:
        await projects.create(conn, "f", "f", now=1)
    log = log_of(path).read_bytes()
    await db.close()
    log_of(path).write_bytes(log)  # as a killed process leaves it
    copy.replace(path)
    fits = copy_with is backup_api
    assert await names(path) == ["a", "b", "c", "d", "e", *(["f"] if fits else [])]
    assert len(orphaned(path)) == (not fits)


async def test_the_log_of_another_database(create: Create, tmp_path: Path) -> None:
    path, other = tmp_path / "x.db", tmp_path / "other.db"
    create(path, "close", "a")
    create(other, "kill", "b", "c")
    shutil.copyfile(log_of(other), log_of(path))
    assert await names(path) == ["a"]
    assert await names(other) == ["b", "c"]
    assert (len(orphaned(path)), len(orphaned(other))) == (1, 0)


def move_all(path: Path) -> Path:
    return path.parent.rename(path.parent.with_name("moved")) / path.name


def copy_all(path: Path) -> Path:
    return Path(shutil.copytree(path.parent, path.parent.with_name("copied"))) / path.name


def recreate_all(path: Path) -> Path:
    """Copy everything back to the same place, as from a tape: inodes are reused."""
    aside = Path(shutil.copytree(path.parent, path.parent.with_name("aside")))
    shutil.rmtree(path.parent)
    shutil.copytree(aside, path.parent)
    return path


def rename_file_and_log(path: Path) -> Path:
    log_of(path).rename(path.with_name("renamed.db-wal"))
    return path.rename(path.with_name("renamed.db"))


def rewrite_file(path: Path) -> Path:
    """Replace the file by a copy of itself, as rsync and some editors do."""
    shutil.copyfile(path, path.with_name("new"))
    return path.with_name("new").replace(path)


def leave(path: Path) -> Path:
    return path


@pytest.mark.parametrize(
    "move", [move_all, copy_all, recreate_all, rename_file_and_log, rewrite_file, leave]
)
@pytest.mark.parametrize("end", ["kill", "checkpoint"])
@pytest.mark.parametrize("is_new", [True, False])
async def test_the_log_of_a_killed_process_is_applied(
    create: Create, tmp_path: Path, move: object, end: str, is_new: bool
) -> None:
    path = tmp_path / "store" / "x.db"
    path.parent.mkdir()
    if not is_new:
        create(path, "close", "0")
    create(path, end, "a", "b", "c")
    path = move(path)  # type: ignore[operator]
    assert await names(path) == [*(() if is_new else ("0",)), "a", "b", "c"]
    assert orphaned(path) == []


@pytest.mark.parametrize("pages", range(0, 60, 7))
async def test_the_log_is_applied_after_a_kill_within_a_checkpoint(
    create: Create, tmp_path: Path, pages: int
) -> None:
    """A checkpoint writes the newest version of each page, in order."""
    path = tmp_path / "x.db"
    create(path, "close", "a")
    create(path, "kill", "b", "c", "d")
    log, whole = log_of(path).read_bytes(), tmp_path / "whole.db"
    shutil.copyfile(path, whole)
    log_of(whole).write_bytes(log)
    with closing(sqlite3.connect(whole)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.write(whole.read_bytes()[: pages * 4096])
    assert await names(path) == ["a", "b", "c", "d"]
    assert orphaned(path) == []


FOREIGN_WRITER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE projects SET name = name || 'x'"],
        ["VACUUM", "UPDATE projects SET name = name || 'x'"],
        ["CREATE TABLE t (x)", "INSERT INTO t VALUES (zeroblob(90000))",
         "UPDATE projects SET name = name || 'x'"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
async def test_the_log_of_another_program_is_applied(
    create: Create, tmp_path: Path, statements: list[str], first: bool
) -> None:
    """It writes no stamps, before or after transactions that do."""
    path = tmp_path / "x.db"
    create(path, "close", "a")
    if not first:
        create(path, "kill", "b")
    subprocess.run([sys.executable, "-c", FOREIGN_WRITER, str(path), *statements], check=False)
    shutil.copyfile(path, tmp_path / "copy.db")
    shutil.copyfile(log_of(path), log_of(tmp_path / "copy.db"))
    if first:
        create(tmp_path / "copy.db", "kill", "c")
        assert await names(tmp_path / "copy.db") == ["ax", "c"]
    assert await names(path) == (["ax"] if first else ["ax", "bx"])
    assert orphaned(path) == []


async def test_a_damaged_log_is_left_to_sqlite(create: Create, tmp_path: Path) -> None:
    """After a power failure, pages of a log may be missing: SQLite ignores what follows."""
    path = tmp_path / "x.db"
    create(path, "close", "a")
    create(path, "kill", "b", "c")
    data = bytearray(log_of(path).read_bytes())
    data[32 + 24 : 32 + 24 + 512] = bytes(512)  # of the first page
    log_of(path).write_bytes(data)
    assert await names(path) == ["a", "b"]
    assert orphaned(path) == []


@pytest.mark.parametrize("opens_first", ["user", "other"])
@pytest.mark.parametrize("copy_with", COPIES)
async def test_a_copy_is_moved_into_place_under_a_process(
    create: Create, tmp_path: Path, copy_with: object, opens_first: str
) -> None:
    """Another process may open the copy before the user of the former file notices it."""
    path, copy = tmp_path / "x.db", tmp_path / "copy.db"
    create(path, "close", "a")
    db = Database(path)
    async with db.write() as conn:
        await projects.create(conn, "b", "b", now=1)
    await db.checkpoint()
    await anyio.to_thread.run_sync(copy_with, path, copy)  # type: ignore[arg-type]
    async with db.write() as conn:
        await projects.create(conn, "c", "c", now=1)
    await db.checkpoint()  # the log is empty
    copy.replace(path)
    if opens_first == "other":
        await anyio.to_thread.run_sync(create, path, "kill", "d")
    async with db.write() as conn:
        await projects.create(conn, "e", "e", now=1)
    if opens_first == "user":
        await anyio.to_thread.run_sync(create, path, "kill", "d")
    async with db.write() as conn:
        await projects.create(conn, "f", "f", now=1)
    await db.close()
    assert await names(path) == ["a", "b", "d", "e", "f"]


def test_stamps_succeed_each_other() -> None:
    stamp = 0
    for _ in range(100):
        following = stamps.successor(stamp)
        assert -(1 << 31) <= following < 1 << 31
        assert following != stamp
        assert (following >> 16) & 0xFFFF == stamp & 0xFFFF
        stamp = following


async def test_a_log_is_compared_again_before_it_is_set_aside(
    create: Create, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may start the log again between reading the file and reading the log."""
    path = tmp_path / "x.db"
    create(path, "kill", "a", "b")
    outcomes = iter(["other file", "other file", "same file"])
    monkeypatch.setattr(stamps, "origin", lambda *_: next(outcomes))
    monkeypatch.setattr(log_owner, "_PAUSE_SECONDS", 0)
    assert await names(path) == ["a", "b"]
    assert orphaned(path) == []


async def test_reading_writes_no_stamp(create: Create, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    create(path, "close", "a")
    before = path.read_bytes()
    db = Database(path)
    async with db.write() as conn:
        await conn.execute_fetchall("SELECT * FROM projects")
    await db.close()
    assert path.read_bytes() == before


async def test_a_busy_log_belongs_to_its_file(tmp_path: Path) -> None:
    """Processes that open the file beside writers and checkpoints never set the log aside."""
    path = tmp_path / "x.db"
    db = Database(path)
    until = time.monotonic() + 3
    opened = 0

    async def write() -> None:
        number = 0
        while time.monotonic() < until:
            async with db.write() as conn:
                await projects.create(conn, f"p{number}", f"p{number}", now=1)
                await conn.execute("CREATE TABLE IF NOT EXISTS filling (x)")
                await conn.execute("INSERT INTO filling VALUES (zeroblob(300000))")
            number += 1
            if number % 3 == 0:
                await db.checkpoint()

    async def reopen() -> None:
        nonlocal opened
        while time.monotonic() < until:
            other = Database(path)
            await other.open()
            await other.close()
            opened += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        tasks.start_soon(reopen)
        tasks.start_soon(
            lambda: anyio.run_process([sys.executable, "-c", REOPEN, str(path)], check=True)
        )
    await db.close()
    assert opened > 5
    assert orphaned(path) == []
    assert os.listdir(tmp_path)  # noqa: PTH208


REOPEN = """
import sys, time, anyio
from pathlib import Path
from trackai.store.engine.database import Database

async def main():
    until = time.monotonic() + 2
    while time.monotonic() < until:
        db = Database(Path(sys.argv[1]))
        await db.open()
        await db.close()

anyio.run(main)
"""
