"""The end of a script decides the state of its run: signals, exit codes, the script's handlers."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def outcome(path: Path) -> tuple[str, int]:
    connection = sqlite3.connect(path)
    try:
        [row] = connection.execute(
            "SELECT state, (SELECT COUNT(*) FROM metrics) FROM runs"
        ).fetchall()
        return row  # type: ignore[no-any-return]
    finally:
        connection.close()


def run_until_ready(db_path: Path, script: str, then: signal.Signals | None) -> tuple[int, str]:
    """Run a script, and send it a signal once it has printed "ready"."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        if then is not None:
            line = process.stdout.readline()
            assert line == "ready\n", line + process.stdout.read()
            process.send_signal(then)
        rest = process.stdout.read()
        watchdog.cancel()
        return process.wait(60), rest


BEGIN = """
    import signal, sys, time, trackai
    run = trackai.init(project="p")
    for step in range(100):
        run.log({"x": step})
"""
LOOP = """
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_as_failed(db_path: Path, number: signal.Signals) -> None:
    code, _ = run_until_ready(db_path, BEGIN + LOOP, number)
    assert code == -number
    assert outcome(db_path) == ("failed", 100)


def test_a_signal_in_the_middle_of_logging(db_path: Path) -> None:
    script = BEGIN + '    print("ready", flush=True)\n    while True: run.log({"x": 1.0})\n'
    code, _ = run_until_ready(db_path, script, signal.SIGTERM)
    assert code == -signal.SIGTERM
    state, points = outcome(db_path)
    assert state == "failed"
    assert points >= 100


@pytest.mark.parametrize("first", ["handler", "run"])
def test_a_handler_of_the_script_is_kept(db_path: Path, first: str) -> None:
    handler = """
    def stop(*_):
        os.write(1, b"mine\\n")  # print() may be interrupted by the signal, and is not reentrant
        sys.exit(0)
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, stop)
"""
    script = handler + BEGIN + LOOP if first == "handler" else BEGIN + handler + LOOP
    code, output = run_until_ready(db_path, script, signal.SIGTERM)
    assert (code, output) == (0, "mine\n")
    assert outcome(db_path) == ("completed", 100)


@pytest.mark.parametrize(
    ("ending", "code", "state"),
    [
        ("sys.exit(1)", 1, "failed"),
        ("sys.exit('no')", 1, "failed"),
        ("sys.exit()", 0, "completed"),
        ("def main(): sys.exit(3)\n    main()", 3, "failed"),
        ("try: sys.exit(1)\n    except SystemExit: pass\n    print()", 0, "completed"),
        ("def main():\n        try: sys.exit(1)\n        except SystemExit: pass\n    main()",
         0, "completed"),
    ],
)  # fmt: skip
def test_exit_codes(db_path: Path, ending: str, code: int, state: str) -> None:
    assert run_until_ready(db_path, BEGIN + "    " + ending + "\n", None)[0] == code
    assert outcome(db_path) == (state, 100)


def test_init_inside_a_running_event_loop(db_path: Path) -> None:
    script = """
    import asyncio, trackai

    async def main():
        for cell in range(3):  # running a cell again starts a new run
            run = trackai.init(project="p", name="r")
            for step in range(100):
                run.log({"x": step})
                await asyncio.sleep(0)
        trackai.finish()

    asyncio.run(main())
"""
    assert run_until_ready(db_path, script, None) == (0, "")
    connection = sqlite3.connect(db_path)
    assert (
        connection.execute("SELECT state, points FROM run_overview").fetchall()
        == [("completed", 100)] * 3
    )
    connection.close()
