"""SIGTERM at moments when a handler in Python could be late, be lost or wait for itself."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SIGTERM = -signal.SIGTERM


def run_script(db_path: Path, script: str) -> tuple[int, str]:
    path = db_path.parent.parent / "train.py"
    path.write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, path],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


def runs(db_path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(db_path)
    try:
        return connection.execute(
            "SELECT run, state, points FROM run_overview ORDER BY run"
        ).fetchall()
    finally:
        connection.close()


def test_sigterm_has_a_handler_only_while_a_run_is_unfinished(db_path: Path) -> None:
    script = """
    import signal, trackai
    def has_handler():
        return signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    first = trackai.init(project="p", name="first")
    second = trackai.init(project="p", name="second", reinit="create_new")
    first.finish()
    print(has_handler())
    second.finish()
    print(has_handler())
    try:
        trackai.init(project="p", id="none", resume="must")
    except trackai.NotFoundError:
        print(has_handler())
    with trackai.init(project="p", name="third"):
        print(has_handler())
    print(has_handler())
    """
    assert run_script(db_path, script) == (0, "True\nFalse\nFalse\nTrue\nFalse\n")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_ends_a_worker_that_starts_to_wait_just_after_the_signal(
    db_path: Path, method: str
) -> None:
    # As then, the signal does not interrupt the main thread: here, it arrives in another thread.
    script = f"""
    import multiprocessing, pathlib, signal, threading, time, trackai

    started = pathlib.Path(__file__).with_name("started")

    def terminate():
        time.sleep(0.5)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    def log(number):
        trackai.init(project="p", name="r")
        trackai.log({{"x": number}})
        threading.Thread(target=terminate, daemon=True).start()
        started.touch()
        time.sleep(0.2)

    if __name__ == "__main__":
        with multiprocessing.get_context({method!r}).Pool(1) as pool:
            [worker] = pool._pool
            result = pool.map_async(log, [1])
            while not started.exists():
                time.sleep(0.01)
            with pool._inqueue._rlock:  # so does Pool.terminate()
                result.get()
                worker.join(10)
                print(worker.exitcode)
    """
    assert run_script(db_path, script) == (0, f"{SIGTERM}\n")
    assert runs(db_path) == [("r", "completed", 1)]


@pytest.mark.parametrize("end", ["run.finish()", "pass"])
def test_sigterm_while_a_run_is_finished(db_path: Path, end: str) -> None:
    # The interrupted code holds the lock that the event loop needs to report that it is done.
    script = f"""
    import os, signal, trackai
    from trackai.sdk import run as module

    def interrupted_wait(futures, wait=module.wait):
        module.wait = wait
        with futures[0]._condition:
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(100): pass
        return wait(futures)

    module.wait = interrupted_wait
    other = trackai.init(project="p", name="other")
    run = trackai.init(project="p", name="r", reinit="create_new")
    other.log({{"x": 1}})
    run.log({{"x": 1}})
    {end}
    """
    assert run_script(db_path, script) == (SIGTERM, "")
    finished = "r" if end == "run.finish()" else "other"
    states = {"r": "failed", "other": "failed", finished: "completed"}
    assert runs(db_path) == [("other", states["other"], 1), ("r", states["r"], 1)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_sigterm_ends_a_forked_process_at_once(db_path: Path) -> None:
    script = """
    import os, signal, time
    os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
    import trackai

    run = trackai.init(project="p", name="r")
    run.log({"x": 1})
    pid = os.fork()
    if pid == 0:
        time.sleep(10)
        os._exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    run.finish()
    if os.fork() == 0:
        time.sleep(10)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    assert run_script(db_path, script) == (0, f"{SIGTERM}\nset()\n{SIGTERM}\n")
    assert runs(db_path) == [("r", "completed", 1)]
