"""Signal handlers that raise in the middle of init(), log() and finish()."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.faults.test_journal import stored
from tests.ingest.test_frames import OPENED
from trackai.ingest.journal import JournalWriter
from trackai.ingest.reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def interrupt(line: int, writer: JournalWriter, step: int) -> bool:
    """Append with a KeyboardInterrupt before the n-th line of Python; whether it was raised."""
    lines = itertools.count(1)

    def trace(frame: object, event: str, _: object) -> Callable[..., Any]:
        if event == "line" and next(lines) == line:
            raise KeyboardInterrupt
        return trace

    try:
        sys.settrace(trace)
        append(writer, step)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


def append(writer: JournalWriter, step: int) -> None:
    writer.append_points("step", (f"m{step % 3}",), step, step + 1, [step / 2])


def steps(writer: JournalWriter) -> list[int]:
    """The steps in all files, which must not be damaged."""
    read: list[Any] = []
    for path in sorted(writer.paths[0].parent.iterdir()):
        reader = JournalReader(path)
        while (batch := reader.read(final=True)) is not None:
            read += [step for column in batch.columns() for step in column.steps]
        assert reader.damages == []
    return sorted(read)


def test_ctrl_c_anywhere_in_a_rotation_loses_no_other_call(tmp_path: Path) -> None:
    handles = len(os.listdir("/dev/fd"))  # noqa: PTH208
    for line in itertools.count(1):
        (tmp_path / str(line)).mkdir()
        writer = JournalWriter(tmp_path / str(line), OPENED, rotate_bytes=1)
        for step in range(4):
            append(writer, step)
        was_interrupted = interrupt(line, writer, 4)
        for step in range(5, 10):
            append(writer, step)
        assert {*range(4), *range(5, 10)} <= set(steps(writer)), line
        assert len(set(writer.paths)) == len(list(writer.paths[0].parent.iterdir())), line
        writer.close()
        assert len(os.listdir("/dev/fd")) == handles, line  # noqa: PTH208
        if not was_interrupted:
            break
    assert line > 50


def test_ctrl_c_before_the_disk_is_full_loses_no_other_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(fd: int, data: bytes) -> int:
        return os.write(fd, data[: len(data) // 2])

    for line in itertools.count(1):
        (tmp_path / str(line)).mkdir()
        writer = JournalWriter(tmp_path / str(line), OPENED)
        was_interrupted = interrupt(line, writer, 0)
        for step in range(1, 20):
            append(writer, step)
        with monkeypatch.context() as patch:
            patch.setattr("trackai.ingest.journal.write", half)
            append(writer, 20)
            assert not writer.retry()
        append(writer, 21)
        assert writer.retry()
        assert set(range(1, 22)) <= set(steps(writer)), line
        writer.close()
        if not was_interrupted:
            break
    assert line > 10


def test_time_outs_in_the_middle_of_logging(
    db_path: Path, tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python(
        """
        import random, signal, time, trackai
        from trackai.ingest import journal
        journal.JournalWriter.__init__.__kwdefaults__["rotate_bytes"] = 4000
        run = trackai.init(project="p", name="r")

        def time_out(*_):
            raise TimeoutError

        signal.signal(signal.SIGALRM, time_out)
        step, acknowledged = 0, []

        def log():
            global step
            while step < 20_000:
                run.log({"x": step}, step=step)
                acknowledged.append(step)
                step += 1

        while step < 20_000:
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0003 + random.random() * 0.001)
                    log()
                finally:  # it may time out here, too
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except TimeoutError:
                step += 1
        run.finish()
        with open("acknowledged", "w") as file:
            print(*acknowledged, file=file)
        """
    )
    assert result.stderr == ""
    points = stored(db_path)
    assert len(set(points)) == len(points)
    assert {int(step) for step in (tmp_path / "acknowledged").read_text().split()} <= set(points)


INTERRUPTED = """
    import signal, sys, trackai

    def time_out(*_):
        raise TimeoutError

    if sys.argv[2] == "time-out":
        signal.signal(signal.SIGALRM, time_out)
    else:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
    if sys.argv[1] == "init":
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[3]))
    run = trackai.init(project="p")
    run.log({"x": 1})
    if sys.argv[1] == "finish":
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[3]))
    run.finish()
"""


@pytest.mark.parametrize("how", ["time-out", "Ctrl-C"])
@pytest.mark.parametrize("where", ["init", "finish"])
def test_signals_in_the_first_milliseconds(db_path: Path, where: str, how: str) -> None:
    trackai.init(project="other").finish()  # creates the database
    for number in range(25):
        seconds = 0.0001 + number * 0.002
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(INTERRUPTED), where, how, str(seconds)],
            env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert result.returncode != -signal.SIGSEGV, result.stderr
    connection = sqlite3.connect(db_path)
    states = {state for (state,) in connection.execute("SELECT state FROM runs")}
    connection.close()
    assert "running" not in states
    assert not list(db_path.parent.glob("*-spool/*.journal*"))


def test_a_time_out_while_init_is_imported(run_python: Callable[..., Any]) -> None:
    result = run_python(
        """
        import os, signal, sys, time, trackai

        def time_out(*_):
            raise TimeoutError

        class Interrupting:
            def find_spec(self, name, path, target=None):
                if name == "trackai.sdk.run":
                    os.kill(os.getpid(), signal.SIGALRM)
                    time.sleep(0.2)

        signal.signal(signal.SIGALRM, time_out)
        sys.meta_path.insert(0, Interrupting())
        try:
            trackai.init(project="p", name="a")
        except TimeoutError:
            print("timed out")
        deadline = time.monotonic() + 20
        while "trackai.sdk.active" not in sys.modules and time.monotonic() < deadline:
            time.sleep(0.01)
        print("trackai.sdk.active" in sys.modules)
        trackai.init(project="p", name="b").finish()
        """
    )
    assert (result.stdout, result.stderr) == ("timed out\nTrue\n", "")
    assert [run.name for run in trackai.Api().runs("p")] == ["b"]


def test_ctrl_c_while_init_waits_for_a_locked_database(
    db_path: Path, run_python: Callable[..., Any]
) -> None:
    trackai.init(project="other").finish()
    result = run_python(
        """
        import os, signal, sqlite3, time, trackai
        other = sqlite3.connect(os.environ["TRACKAI_DB_PATH"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        started = time.monotonic()
        try:
            trackai.init(project="p")
        except KeyboardInterrupt:
            print(time.monotonic() - started < 5)
        other.execute("ROLLBACK")
        with trackai.init(project="p", name="next") as run:
            run.log({"x": 1})
        """
    )
    assert (result.stdout, result.stderr) == ("True\n", "")
    states = {run.name: run.state for run in trackai.Api().runs("p")}
    assert states.pop("next") == "completed"
    assert set(states.values()) <= {"failed"}


@pytest.mark.parametrize(("ending", "returncode"), [("pass", 0), ("raise KeyboardInterrupt", -2)])
def test_ctrl_c_while_the_end_of_the_script_stores_runs(
    db_path: Path, run_python: Callable[..., Any], ending: str, returncode: int
) -> None:
    result = run_python(
        f"""
        import os, signal, sqlite3, sys, trackai
        from trackai.sdk import run as module
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.excepthook = lambda *error: None
        runs = [trackai.init(project="p", name=name, reinit="create_new") for name in "ab"]
        for run in runs:
            run.log({{"x": 1}})
            assert run._store_now(30)
        other = sqlite3.connect(os.environ["TRACKAI_DB_PATH"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for run in runs:
            run.log({{"x": 2}})

        def interrupted_wait(futures, wait=module.wait):
            os.kill(os.getpid(), signal.SIGINT)
            wait(futures)

        module.wait = interrupted_wait
        {ending}
        """,
        check=False,
    )
    assert result.returncode == returncode
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [
        "finish() of run 'a' was interrupted",
        "finish() of run 'b' was interrupted",
    ]
    trackai.init(project="p", name="next").finish()  # stores what is left
    states = {run.name: run.state for run in trackai.Api().runs("p")}
    assert states["a"] == states["b"] == ("failed" if returncode else "completed")
    assert stored(db_path) == [1, 1, 2, 2]
