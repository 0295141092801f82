"""Another SQLite library in the process that logs removes the write-ahead log.

It has the system drop our locks, takes itself for the only user of the database, and removes
`-wal` and `-shm` when it closes its connection.
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from trackai.errors import DiskFullError, StoreError
from trackai.store.catalogue import projects
from trackai.store.engine.database import Database
from trackai.store.engine.driver_errors import driver_errors

Run = Callable[..., subprocess.CompletedProcess[str]]

BY_LIBRARY = """
import os, subprocess, sys, time, apsw, trackai
path = os.environ["TRACKAI_DB_PATH"]
def read():
    connection = apsw.Connection(path)
    connection.execute("SELECT COUNT(*) FROM metrics").fetchall()
    connection.close()
"""
BY_HAND = """
import os, time, trackai
path = os.environ["TRACKAI_DB_PATH"]
def read():
    for suffix in ("-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
"""
LOG = """
run = trackai.init(project="p", name="r")
for part in range(6):
    for step in range(part * 500, part * 500 + 500):
        run.log({"x": step}, step=step)
    time.sleep(0.3)
    read()
run.finish()
"""
# Beside readers: one that is used again and again, one that is not, and other processes.
LOG_AND_READ = """
run = trackai.init(project="p", name="r")
api, idle = trackai.Api(), trackai.Api()
assert len(list(idle.runs("p"))) == 1
log = "import trackai; r = trackai.init(project='p'); r.log({'x': 1}); r.finish()"
for part in range(6):
    for step in range(part * 500, part * 500 + 500):
        run.log({"x": step}, step=step)
    time.sleep(0.3)
    read()
    assert len(list(api.runs("p"))) >= 1
    subprocess.run([sys.executable, "-c", log], check=True)
run.finish()
"""


def check(path: Path, points: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT COUNT(*) FROM metrics").fetchall() == [(points,)]
        assert connection.execute("SELECT SUM(points) FROM series").fetchall() == [(points,)]
        states = connection.execute("SELECT DISTINCT state FROM runs").fetchall()
        assert states == [("completed",)]
    assert not list(path.with_name(path.name + "-spool").glob("*.journal"))


@pytest.mark.parametrize("read", [BY_LIBRARY, BY_HAND])
def test_a_run_goes_on(db_path: Path, run_python: Run, read: str) -> None:
    assert run_python(read + LOG).stderr == ""
    check(db_path, 3000)


def test_a_run_and_readers_of_one_process_go_on(db_path: Path, run_python: Run) -> None:
    """SQLite shares the index of the log among them: all have to be reopened."""
    assert run_python(BY_LIBRARY + LOG_AND_READ).stderr == ""
    check(db_path, 3006)


async def test_open_readers_are_closed_before_the_log_is_used_again(db: Database) -> None:
    async def create(name: str) -> None:
        async with db.write() as conn:
            await projects.create(conn, name, name, now=1)

    async def remove_log() -> None:
        for suffix in ("-wal", "-shm"):
            db.path.with_name(db.path.name + suffix).unlink()

    await create("a")
    other = Database(db.path)
    async with other.read() as conn:
        await projects.list_page(conn, limit=9, offset=0)
    async with anyio.create_task_group() as tasks, db.read():
        await remove_log()
        tasks.start_soon(create, "b")
        await anyio.sleep(0.2)  # waits until the reader is closed
    await create("c")
    async with other.read() as conn:
        page = await projects.list_page(conn, limit=9, offset=0)
    assert sorted(project.name for project in page) == ["a", "b", "c"]
    await other.close()
    assert db.path.with_name(db.path.name + "-shm").exists()


async def test_a_database_without_a_write_ahead_log_is_used(db: Database) -> None:
    await db.close()
    with closing(sqlite3.connect(db.path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM projects").fetchall()
        with anyio.fail_after(20):  # the reader does not allow a log
            await db.open()
        assert not db.path.with_name(db.path.name + "-wal").exists()
        connection.execute("COMMIT")
    async with db.write() as conn:
        await projects.create(conn, "a", "a", now=1)
    async with db.read() as conn:
        assert len(await projects.list_page(conn, limit=10, offset=0)) == 1


@pytest.mark.parametrize(
    ("code", "class_", "text"),
    [
        (sqlite3.SQLITE_FULL, DiskFullError, "free space"),
        (sqlite3.SQLITE_IOERR_SHORT_READ, StoreError, "check its disk"),
        (sqlite3.SQLITE_IOERR, StoreError, "check its disk"),
    ],
)
def test_only_a_full_disk_is_called_full(
    tmp_path: Path, code: int, class_: type[StoreError], text: str
) -> None:
    error = sqlite3.OperationalError("message")
    error.sqlite_errorcode, error.sqlite_errorname = code, "NAME"
    with pytest.raises(StoreError, match=text) as raised, driver_errors(tmp_path):
        raise error
    assert type(raised.value) is class_
