"""A database that another program locks for longer than the busy timeout."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

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

# `lock()` starts another program that holds the lock; the busy timeout is short.
BEGIN = """
    import logging, os, subprocess, sys, threading, time, trackai
    from trackai.store.engine import opening
    opening.BUSY_SECONDS = 0.1

    HOLD = os.environ.pop("HOLD")

    def lock():
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout.readline() == "locked\\n"
        return holder

    run = trackai.init(project="p", name="r")
    for step in range(1000):
        run.log({"x": step})
    time.sleep(0.5)
"""


def state(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        [(state_,)] = connection.execute("SELECT state FROM runs").fetchall()
        return str(state_)


def test_training_continues_with_one_warning(db_path: Path, run_python: Callable[..., Any]) -> None:
    result = run_python(
        BEGIN
        + """
    holder = lock()
    for step in range(1000, 5000):
        run.log({"x": step})
    time.sleep(4)
    holder.communicate("\\n")
    run.finish()
    """,
        HOLD=HOLD,
    )
    [warning] = result.stderr.splitlines()
    assert "points wait in" in warning
    assert "locked by another program" in warning
    assert (state(db_path), stored(db_path)) == ("completed", list(range(5000)))


def test_finish_names_the_journal_of_the_waiting_points(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        BEGIN
        + """
    holder = lock()
    for step in range(1000, 5000):
        run.log({"x": step})
    run.finish()
    holder.communicate("\\n")
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
# The command with a short busy timeout.
RECOVER = """
from trackai.cli import main
from trackai.store.engine import opening
opening.BUSY_SECONDS = 0.1
main(["recover"])
"""


def test_recover_reports_that_the_database_is_locked(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    run_python(DIE, check=False)
    with closing(sqlite3.connect(db_path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        result = run_python(RECOVER, check=False)
        assert (result.returncode, result.stdout) == (1, "")
        [message] = result.stderr.splitlines()
        assert f"could not recover journals in {db_path}-spool: " in message
        assert "locked by another program" in message
        holder.execute("ROLLBACK")
    [recovered] = trackai("recover", "--json", db=db_path)["recovered"]
    assert (recovered["run"], state(db_path), stored(db_path)) == ("r", "failed", [*range(100)])


def test_init_waits_with_journals_to_recover(db_path: Path, run_python: Callable[..., Any]) -> None:
    run_python(DIE, check=False)
    result = run_python(
        """
        import logging, os, sqlite3, trackai
        from trackai.store.engine import opening
        opening.BUSY_SECONDS = 0.1
        holder = sqlite3.connect(
            os.environ["TRACKAI_DB_PATH"], isolation_level=None, check_same_thread=False
        )
        holder.execute("BEGIN IMMEDIATE")

        class GiveWay(logging.StreamHandler):
            def emit(self, record):
                super().emit(record)
                holder.execute("ROLLBACK")

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
    holder = lock()
    threading.Timer(2, holder.communicate, ["\\n"]).start()
    run = trackai.init(project="p", name="r", resume="must")
    run.log({"x": 1000})
    run.finish()
    """,
        HOLD=HOLD,
    )
    [warning] = result.stderr.splitlines()
    assert "waiting for the database" in warning
    assert stored(db_path) == list(range(1001))


@pytest.mark.parametrize("durability", ["process", "power"])
def test_finish_says_when_a_reader_keeps_points_out_of_the_main_file(
    db_path: Path, run_python: Callable[..., Any], durability: str
) -> None:
    run_python("import trackai; r = trackai.init(project='p'); r.log({'x': 0}); r.finish()")
    script = f"""
        import trackai
        run = trackai.init(project="p", durability={durability!r})
        for step in range(1000):
            run.log({{"y": step}})
        run.finish()
    """
    with closing(sqlite3.connect(db_path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM metrics").fetchall()
        [line] = run_python(script).stderr.splitlines()
        assert line.startswith(f"another program is reading {db_path}")
        assert "trackai backup" in line
    copy = db_path.with_name("copy.db")
    shutil.copyfile(db_path, copy)  # the reader was the last user, and moved the points
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM metrics").fetchall() == [(1001,)]


def test_finish_does_not_wait_for_a_short_reader(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        """
        import os, sqlite3, threading, time, trackai
        run = trackai.init(project="p")
        run.log({"x": 0})
        time.sleep(0.5)
        reader = sqlite3.connect(
            os.environ["TRACKAI_DB_PATH"], isolation_level=None, check_same_thread=False
        )
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM metrics").fetchall()
        threading.Timer(0.7, reader.close).start()
        for step in range(1000):
            run.log({"y": step})
        run.finish()
        """
    )
    assert result.stderr == ""
