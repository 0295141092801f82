"""kill -9 at chosen calls: inside a migration, a rotation, a drain and finish()."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.store.test_migrate import LARGE, make_older_database, schema
from trackai.ingest.frames import Opened
from trackai.ingest.journal import JournalWriter
from trackai.store.engine.database import Database
from trackai.store.engine.migrate import migrations
from trackai.store.engine.sql import VALUE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

# Opens a copy of a database, and is killed before the n-th call of SQLite, for every n. Each
# attempt runs in a forked process, so that modules are imported only once.
DIE_MIGRATING = """
import asyncio, os, shutil, signal, sys
import aiosqlite
from pathlib import Path
from trackai.ingest.recovery import recover
from trackai.store.engine.database import Database
from trackai.store.engine.direct import Direct

async def migrate(path):
    db = Database(path)
    await db.open()
    await db.close()

async def recover_all(path):
    db = Database(path)
    await db.open()
    await recover(db)
    await db.close()

def child(path, remaining):
    def counted(function):
        def count(*args, **kwargs):
            nonlocal remaining
            remaining -= 1
            if remaining == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return count

    for owner, name in (
        (aiosqlite.Connection, "_execute"), (Direct, "execute"), (Direct, "execute_fetchall")
    ):
        setattr(owner, name, counted(getattr(owner, name)))
    asyncio.run(migrate(path))
    os._exit(0)

folder = Path(sys.argv[1])
deaths, status = 0, -1
while status != 0:
    copy = folder / f"dead-{deaths}"
    shutil.copytree(folder / "old", copy)
    path = copy / "t.db"
    pid = os.fork()
    if pid == 0:
        child(path, deaths + 1)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL), status
    asyncio.run(recover_all(path))
    deaths += 1
print(deaths - 1)
"""


@pytest.mark.parametrize("version", [1, 6, len(migrations()) - 1])
async def test_a_kill_at_any_moment_of_a_migration(tmp_path: Path, version: int) -> None:
    """No point of the old database and of a waiting journal is lost."""
    old = tmp_path / "old" / "t.db"
    make_older_database(old, version)
    spool = old.with_name("t.db-spool")
    spool.mkdir()
    opened = Opened(
        run_uid="later", writer_uid="w", project="p", run_slug="later", name=None, group=None,
        attempt=1, rank=0, host="h", pid=1, created_at=1, started_at=2,
    )  # fmt: skip
    journal = JournalWriter(spool, opened)
    for step in range(50):
        journal.append_points("step", ("y",), step, step + 1, [step / 2])
    journal.close()
    answer = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", DIE_MIGRATING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert answer.returncode == 0, answer.stderr
    deaths = int(answer.stdout)
    assert deaths > len(migrations()) - version
    fresh = Database(tmp_path / "fresh.db")
    await fresh.open()
    await fresh.close()
    for number in range(deaths + 1):
        path = tmp_path / f"dead-{number}" / "t.db"
        assert schema(path) == schema(fresh.path), number
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(
                "SELECT run, metric, step, value FROM points ORDER BY metric, step"
            ).fetchall()
            states = connection.execute("SELECT slug, state FROM runs ORDER BY id").fetchall()
        assert rows == [
            ("r", "x", 0, "hello"),
            ("r", "x", 1, LARGE),
            *(("later", "y", step, step / 2) for step in range(50))
        ]  # fmt: skip
        assert states == [("r", "running"), ("later", "failed")]


# Logs, acknowledges each call on a pipe, and is killed at a call that is given by module, name,
# number of calls, and "before" or "after".
DIE_LOGGING = """
import importlib, inspect, os, signal, sys, time
from trackai.ingest import journal
import trackai

name, place = sys.argv[1], sys.argv[2]
journal.JournalWriter.__init__.__kwdefaults__["rotate_bytes"] = 40_000
run = trackai.init(project="kill", name=name)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def kill_at(place):
    where, called, nth, when = place.split()
    module, _, owner = where.partition(":")
    owner = getattr(importlib.import_module(module), owner) if owner else (
        importlib.import_module(module))
    real, remaining = getattr(owner, called), int(nth)

    def counted():
        nonlocal remaining
        remaining -= 1
        return remaining == 0

    async def waiting(*args, **kwargs):
        now = counted()
        if now and when == "before":
            die()
        result = await real(*args, **kwargs)
        if now:
            die()
        return result

    def plain(*args, **kwargs):
        now = counted()
        if now and when == "before":
            die()
        result = real(*args, **kwargs)
        if now:
            die()
        return result

    setattr(owner, called, waiting if inspect.iscoroutinefunction(real) else plain)

finishing = place.startswith("finish ")
if not finishing:
    kill_at(place)
for step in range(1000 if finishing else 1_000_000):
    run.log({"a": float(step), "b": step, "text": f"{step} " * 1000}, step=step)
    os.write(1, b".")
    if not finishing:
        time.sleep(0.0005)
kill_at(place.removeprefix("finish "))
run.finish()
"""

PLACES = [
    f"{place} {when}"
    for place in (
        "trackai.ingest.journal create_locked 2",
        "pathlib:Path rename 3",
        "trackai.store.engine.transactions commit 1",
        "trackai.store.engine.transactions commit 2",
        "trackai.store.points.metrics append_parts 2",
        "trackai.store.points.large_values insert 2",
        "trackai.store.catalogue.journals set_positions 3",
        "trackai.store.catalogue.journals forget 1",
        "trackai.ingest.journal:JournalWriter remove 2",
        "finish trackai.ingest.drain:Drain store_next 1",
        "finish trackai.store.engine.database:Database checkpoint 1",
        "finish trackai.store.catalogue.journals forget 1",
        "finish trackai.ingest.journal:JournalWriter remove 1",
        "finish trackai.ingest.journal:JournalWriter close 1",
        "finish trackai.store.engine.database:Database close 1",
    )
    for when in ("before", "after")
]

BESIDE = """
import sys, trackai
run = trackai.init(project="kill", name="beside")
step = 0
print("ready", flush=True)
import threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set())).start()
while not stop.wait(0.001):
    run.log({"a": float(step), "b": step}, step=step)
    step += 1
run.finish()
print(step)
"""


def test_a_running_server_recovers_the_journals_of_killed_processes(
    db_path: Path, server: Server
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BESIDE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as beside:
        assert beside.stdout is not None
        assert beside.stdout.readline() == "ready\n"
        with ThreadPoolExecutor(4) as pool:
            acknowledged = list(pool.map(die_at, range(len(PLACES))))
        # Only the server can recover them.
        deadline = time.monotonic() + 60
        while remaining := unrecovered(db_path, beside.pid):
            assert time.monotonic() < deadline, remaining
            time.sleep(0.1)
        logged = int(beside.communicate("\n", timeout=60)[0])
    assert beside.returncode == 0
    with closing(sqlite3.connect(db_path)) as connection:
        states = dict(connection.execute("SELECT name, state FROM runs").fetchall())
        assert states.pop("beside") == "completed"
        check(connection, "beside", logged, exactly=True)
        for number, (place, calls) in enumerate(zip(PLACES, acknowledged, strict=True)):
            # Before finish(), the end of the run has been recorded.
            finishing = place.startswith("finish")
            assert states[f"r{number}"] == ("completed" if finishing else "failed"), place
            check(connection, f"r{number}", calls, exactly=finishing)
            check_texts(connection, f"r{number}")
        [(values,)] = connection.execute("SELECT COUNT(*) FROM large_values").fetchall()
        markers = connection.execute("SELECT COUNT(*) FROM metrics WHERE value IS x''").fetchall()
        assert markers == [(values,)]


def die_at(number: int) -> int:
    """The number of calls that a process acknowledged before it was killed."""
    died = subprocess.run(
        [sys.executable, "-c", DIE_LOGGING, f"r{number}", PLACES[number]],
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert died.returncode == -signal.SIGKILL, (PLACES[number], died.stderr)
    return len(died.stdout)


def unrecovered(db_path: Path, alive: int) -> list[str]:
    """Running writers and journals, except for those of the process `alive`."""
    with closing(sqlite3.connect(db_path)) as connection:
        rows = connection.execute(
            "SELECT uid FROM writers WHERE state = 'running' AND pid != ?", (alive,)
        ).fetchall()
        [(its_uid,)] = connection.execute(
            "SELECT uid FROM writers WHERE pid = ?", (alive,)
        ).fetchall()
    spool = db_path.with_name(db_path.name + "-spool")
    journals = [path.name for path in spool.glob("*.journal") if its_uid not in path.name]
    return [uid for (uid,) in rows] + journals


def check(connection: sqlite3.Connection, name: str, calls: int, *, exactly: bool) -> None:
    """All acknowledged calls are stored once; the interrupted one is stored as a whole or not."""
    for path in ("a", "b"):
        rows: list[Any] = connection.execute(
            """
            SELECT metrics.step, metrics.value, series.points
            FROM metrics
            JOIN series ON series.id = series_id
            JOIN runs ON runs.id = run_id
            WHERE runs.name = ? AND path = ?
            ORDER BY 1
            """,
            (name, path),
        ).fetchall()
        assert len(rows) in ((calls,) if exactly else (calls, calls + 1)), name
        assert [step for step, _, _ in rows] == list(range(len(rows))), name
        assert all(value == step for step, value, _ in rows), name
        assert not rows or rows[0][2] == len(rows), name


def check_texts(connection: sqlite3.Connection, name: str) -> None:
    """Each call has its own text, which is large."""
    rows = connection.execute(
        f"""
        SELECT metrics.step, {VALUE},
               (SELECT points FROM series AS a WHERE a.run_id = runs.id AND a.path = 'a')
        FROM metrics
        JOIN series ON series.id = series_id
        JOIN runs ON runs.id = run_id
        WHERE runs.name = ? AND path = 'text'
        ORDER BY 1
        """,
        (name,),
    ).fetchall()
    assert all(text == f"{step} " * 1000 for step, text, _ in rows), name
    assert not rows or rows[0][2] == len(rows), name
