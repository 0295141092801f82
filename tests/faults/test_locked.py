"""A database that another program keeps locked for longer than SQLite waits for it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.faults.test_journal import stored, trackai

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOLD = """
import os, sqlite3, sys
connection = sqlite3.connect(os.environ["TRACKAI_DB_PATH"], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""

# `lock()` starts another program that holds the lock; waiting for it is given up early here.
BEGIN = """
    import logging, os, subprocess, sys, threading, time, trackai
    from trackai.store.engine import opening
    opening.BUSY_SECONDS = 0.1

    HOLD = os.environ.pop("HOLD")

    def lock():
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout.readline() == "locked\\n"
        return other

    run = trackai.init(project="p", name="r")
    for step in range(1000):
        run.log({"x": step})
    time.sleep(0.5)
"""


def state(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        [(found,)] = connection.execute("SELECT state FROM runs").fetchall()
        return str(found)


def test_training_goes_on_and_is_told_once(db_path: Path, run_python: Callable[..., Any]) -> None:
    result = run_python(
        BEGIN
        + """
    other = lock()
    for step in range(1000, 5000):
        run.log({"x": step})
    time.sleep(4)
    other.communicate("\\n")
    run.finish()
    """,
        HOLD=HOLD,
    )
    [warning] = result.stderr.splitlines()
    assert "points wait in" in warning
    assert "locked by another program" in warning
    assert (state(db_path), stored(db_path)) == ("completed", list(range(5000)))


def test_finish_says_where_the_points_wait(db_path: Path, run_python: Callable[..., Any]) -> None:
    result = run_python(
        BEGIN
        + """
    other = lock()
    for step in range(1000, 5000):
        run.log({"x": step})
    run.finish()
    other.communicate("\\n")
    """,
        HOLD=HOLD,
    )
    [journal] = db_path.with_name(db_path.name + "-spool").glob("*.journal")
    assert f"is kept in {journal}" in result.stderr.splitlines()[-1]
    assert len(result.stderr.splitlines()) <= 2
    assert state(db_path) == "running"
    trackai("recover", "--json", db=db_path)
    assert (state(db_path), stored(db_path)) == ("completed", list(range(5000)))


DIE = """
import os, trackai
run = trackai.init(project="p", name="r")
for step in range(100):
    run.log({"x": step})
os.kill(os.getpid(), 9)
"""
# The command, but it does not wait for half a minute.
RECOVER = """
from trackai.cli import main
from trackai.store.engine import opening
opening.BUSY_SECONDS = 0.1
main(["recover"])
"""


def test_recover_says_what_it_could_not_store(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    run_python(DIE, check=False)
    with closing(sqlite3.connect(db_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = run_python(RECOVER, check=False)
        assert (result.returncode, result.stdout) == (1, "")
        [said] = result.stderr.splitlines()
        assert f"could not recover journals in {db_path}-spool: " in said
        assert "locked by another program" in said
        other.execute("ROLLBACK")
    [recovered] = trackai("recover", "--json", db=db_path)["recovered"]
    assert (recovered["run"], state(db_path), stored(db_path)) == ("r", "failed", [*range(100)])


def test_init_waits_also_where_there_is_something_to_recover(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    run_python(DIE, check=False)
    result = run_python(
        """
        import logging, os, sqlite3, trackai
        from trackai.store.engine import opening
        opening.BUSY_SECONDS = 0.1
        other = sqlite3.connect(
            os.environ["TRACKAI_DB_PATH"], isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")

        class GiveWay(logging.StreamHandler):
            def emit(self, record):
                super().emit(record)
                other.execute("ROLLBACK")

        logging.getLogger("trackai").addHandler(GiveWay())
        with trackai.init(project="p", name="r", resume="must") as run:
            run.log({"x": 100})
        """
    )
    [warning] = result.stderr.splitlines()
    assert "waiting for the database" in warning
    assert stored(db_path) == [*range(101)]


def test_init_waits(db_path: Path, run_python: Callable[..., Any]) -> None:
    result = run_python(
        BEGIN
        + """
    run.finish()
    other = lock()
    threading.Timer(2, other.communicate, ["\\n"]).start()
    run = trackai.init(project="p", name="r", resume="must")
    run.log({"x": 1000})
    run.finish()
    """,
        HOLD=HOLD,
    )
    [warning] = result.stderr.splitlines()
    assert "waiting for the database" in warning
    assert stored(db_path) == list(range(1001))
