"""Forked processes inherit neither connections nor locks, whenever the fork happens."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")

# `fork(check)` returns the result of `check()` in a forked process.
FORKING = """
import os, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # about forking with threads
import trackai
from trackai.store.engine.database import Database
from anyio.from_thread import start_blocking_portal

def fork(check):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, str(check()).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        result = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return result

def inherited():
    names = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            names.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        except OSError:
            pass
    return [
        name for name in names if name.startswith("trackai.db") or name.endswith(".journal")
    ]

def init():
    try:
        with trackai.init(project="p", name="child") as run:
            run.log({"x": 1})
        return "stored"
    except trackai.StoreError as error:
        return error
"""


def test_the_database_is_closed_during_a_fork(
    run_python: Callable[..., Any],
) -> None:
    script = """
    # The slow hook of another library, which is called after that of TrackAI.
    hook = lambda: None
    os.register_at_fork(before=lambda: hook())
    """
    logging = """
    run = trackai.init(project="p", name="r")
    stop = threading.Event()

    def log():
        while not stop.wait(0.001):
            run.log({"x": 1})

    thread = threading.Thread(target=log)
    thread.start()
    hook = lambda: time.sleep(0.1)
    for _ in range(5):
        print(fork(inherited))
    print(fork(init))
    hook = lambda: None
    stop.set()
    thread.join()
    run.finish()
    """
    # The hook is registered before TrackAI is imported.
    parts = "import os", textwrap.dedent(script), FORKING, textwrap.dedent(logging)
    result = run_python("\n".join(parts))
    assert (result.stdout, result.stderr) == ("[]\n" * 5 + "stored\n", "")


def test_a_fork_while_a_thread_starts_and_finishes_runs(
    run_python: Callable[..., Any],
) -> None:
    script = """
    stop = threading.Event()

    def begin_and_end():
        while not stop.is_set():
            with trackai.init(project="p", name="r") as run:
                run.log({"x": 1})

    thread = threading.Thread(target=begin_and_end)
    thread.start()
    results = [fork(inherited) for _ in range(60)]
    stop.set()
    thread.join()
    print([result for result in results if result != "[]"])
    """
    result = run_python(FORKING + textwrap.dedent(script))
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_a_child_refuses_to_open_a_database_with_an_inherited_connection(
    run_python: Callable[..., Any],
) -> None:
    script = """
    from pathlib import Path
    with start_blocking_portal() as portal:
        db = portal.call(Database, Path(os.environ["TRACKAI_DB_PATH"]))
        portal.call(db.open)
        print(fork(init))
        print(fork(lambda: fork(init)))
        portal.call(db.close)
        print(fork(init))
    """
    result = run_python(FORKING + textwrap.dedent(script))
    refused = "this process was forked while the database was in use"
    first, second, third = result.stdout.splitlines()
    assert (refused in first, refused in second, third) == (True, True, "stored")
