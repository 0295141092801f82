"""trackai tail, from the database and from a server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import trackai as sdk
from tests.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from tests.conftest import Server


@contextmanager
def tailing(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `trackai tail` in a subprocess."""
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "tail", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[Any]:
    assert process.stdout is not None
    assert process.stderr is not None
    events = []
    for _ in range(count):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        events.append(json.loads(line))
    return events


@pytest.fixture(params=["file", "server"])
def where(request: pytest.FixtureRequest, db_path: Path) -> list[str]:
    if request.param == "file":
        return []
    server: Server = request.getfixturevalue("server")
    return ["--url", server.url]


def test_an_active_run_is_followed_until_it_ends(where: list[str], db_path: Path) -> None:
    with sdk.init(project="p", name="live") as run:
        run.log({"loss": 0.5, "flag": True}, step=0)
        with tailing("live", "--json", *where) as process:
            [first] = lines(process, 1)
            assert first["event"] == "values"
            assert (first["version"], first["step"]) == (1, 0)
            assert first["values"] == {"flag": True, "loss": 0.5}
            run.log({"loss": float("nan")}, step=2.5)
            assert lines(process, 1)[0]["values"] == {"loss": "NaN"}
            run.log({"loss": 0.25}, step=1)  # steps in any order
            assert lines(process, 1)[0]["step"] == 1
            run.log_system({"gpu": 0.5})
            assert lines(process, 1)[0]["step"] is None
            run.log({"text": "a b"})
            run.finish()
            last, end = lines(process, 2)
            assert last["values"] == {"text": "a b"}
            assert (end["event"], end["run"]["state"]) == ("state", "completed")
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""


def test_the_last_lines_are_printed_first(where: list[str], trackai: Trackai) -> None:
    with sdk.init(project="p", name="done") as run:
        for step in range(30):
            run.log({"a": step, "b/c": -step}, step=step)
        run.log_system({"gpu": 1})
    out = trackai("tail", "done", "-n", "3", *where).out.splitlines()
    assert [line.split("  ", 1)[1] for line in out] == [
        "step 28  a 28  b/c -28", "step 29  a 29  b/c -29", "-  gpu 1",
    ]  # fmt: skip
    answer = trackai("tail", "p/done", "--lines", "1", "-m", "b/*", *where)
    assert answer.out.endswith("step 29  b/c -29\n")
    assert answer.err == f"done (id {run.id}) is completed\n"
    assert trackai("tail", "latest", "--lines", "0", *where).out == ""


@pytest.mark.parametrize("command", [["tail", "latest"], ["plot", "loss"]])
def test_urls_without_a_scheme_are_refused(command: list[str], trackai: Trackai) -> None:
    error = trackai(*command, "--url", "localhost:8000", code=2).err
    assert error == "trackai: url: must start with http:// or https://, got 'localhost:8000'\n"


def test_unknown_and_ambiguous_runs(where: list[str], trackai: Trackai) -> None:
    for name in ("a", "b"):
        sdk.init(project=name, name="same").finish()
    assert "run 'nope' not found" in trackai("tail", "nope", *where, code=3).err
    error = trackai("tail", "same", *where, code=2).err
    assert "a/same (id 1)" in error
    assert "b/same (id 2)" in error
    assert error.count("\n") == 1
    assert trackai("tail", "2", *where).out == ""


def test_it_ends_when_the_process_is_killed(db_path: Path) -> None:
    script = (
        "import os, signal, sys, trackai\n"
        "run = trackai.init(project='p', name='killed')\n"
        "run.log({'x': 1.0})\n"
        "print(run.id, flush=True)\n"
        "sys.stdin.read()\n"
        "run.log({'x': 2.0})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as training:
        assert training.stdout is not None
        with tailing(training.stdout.readline().strip(), "--json") as process:
            assert lines(process, 1)[0]["values"] == {"x": 1.0}
            training.communicate("")
            values, end = lines(process, 2)
            assert values["values"] == {"x": 2.0}
            assert end["run"]["state"] == "failed"
            assert process.wait(20) == 0


def test_it_ends_when_the_run_is_deleted(where: list[str], trackai: Trackai) -> None:
    trackai("log", "--run", "r", "x=1")
    with tailing("r", "--json", *where) as process:
        lines(process, 1)
        trackai("delete", "r", "--yes")
        assert process.wait(20) == 3
        assert process.stderr is not None
        assert "not found" in process.stderr.read()


def test_ctrl_c_and_closed_pipes_end_it_silently(where: list[str], trackai: Trackai) -> None:
    trackai("log", "--run", "r", "x=1")
    with tailing("r", *where) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().endswith("step 0  x 1\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read().strip() == ""
    with tailing("r", *where) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        trackai("log", "--run", "r", "x=2")
        assert process.wait(20) == 1
        assert process.stderr.read() == ""


def test_an_unreachable_server(trackai: Trackai) -> None:
    assert "is it running" in trackai("tail", "1", "--url", "http://127.0.0.1:9", code=1).err


def test_a_server_that_is_restarted_is_followed_on(db_path: Path) -> None:
    with sdk.init(project="p", name="r") as run:
        run.log({"x": 0}, step=0)
        with serving(db_path) as server:
            port = server.url.rpartition(":")[2]
            with tailing("r", "--json", "--url", server.url) as process:
                assert lines(process, 1)[0]["values"] == {"x": 0}
                server.process.kill()
                server.process.wait()
                run.log({"x": 1}, step=1)
                with subprocess.Popen(
                    [sys.executable, "-m", "trackai.cli", "serve", "--port", port,
                     "--db", str(db_path)],
                    stderr=subprocess.DEVNULL,
                ) as again:  # fmt: skip
                    try:
                        assert lines(process, 1)[0]["values"] == {"x": 1}
                        run.finish()
                        assert lines(process, 1)[0]["run"]["state"] == "completed"
                        assert process.wait(20) == 0
                        assert process.stderr is not None
                        assert process.stderr.read() == ""
                    finally:
                        again.terminate()
