"""Measure storing with many writers, a busy main thread, and a long backlog."""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.harness import ROOT, ChildError, Figure, run_child, serve
from scripts.benchmarks.trackers import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = "scripts.benchmarks.pressure_child"
# In MB: the growth of SQLite's page caches and of buffered frames.
_MEMORY_GROWTH = 32


def writers_alone(calls: int, repeat: int) -> list[Figure]:
    """Measure four processes without a server beside one, in turns.

    Args:
        calls: the number of calls in total.
    """
    turns = [[_write(number, calls, server=False) for number in (1, 4)] for _ in range(repeat)]
    one, four = (
        {field: statistics.median(result[field] for result in results) for field in results[0]}
        for results in zip(*turns, strict=True)
    )
    return [
        Figure(
            name="four writers at once, without a server",
            value=four["speed"],
            unit="points/s",
            at_least=1.1 * one["speed"],
            baseline=one["speed"],
        ),
        Figure(
            name="a point of four writers",
            value=four["cpu"],
            unit="µs of a CPU",
            baseline=one["cpu"],
        ),
    ]


def writers(numbers: tuple[int, ...], calls: int) -> list[Figure]:
    """Measure the same number of calls in total, by different numbers of processes.

    Args:
        numbers: the numbers of processes; each process has its own run.
    """
    results = [_write(number, calls) for number in numbers]
    single_speed = results[0]["speed"]
    figures = [
        Figure(
            name=f"stored with {number} writers at once" if number > 1 else "stored, one writer",
            value=result["speed"],
            unit="points/s",
            at_least=single_speed / 2 if number > 1 else None,
            baseline=single_speed if number > 1 else None,
        )
        for number, result in zip(numbers, results, strict=True)
    ]
    if len(results) > 1:
        # Unlike the speed, CPU time does not depend on other programs.
        figures.append(
            Figure(
                name=f"a point with {numbers[-1]} writers at once",
                value=results[-1]["cpu"],
                unit="µs of a CPU",
                baseline=results[0]["cpu"],
            )
        )
    complaints = sum(result["complaints"] for result in results)
    missing = sum(abs(result["missing"]) for result in results)
    return [
        *figures,
        Figure(name="of these writers complained of anything", value=complaints, at_most=0),
        Figure(name="of their points are missing", value=missing, at_most=0),
    ]


def _write(number: int, calls: int, *, server: bool = True) -> dict[str, float]:
    each = calls // number
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        with _server_with_requests(path) if server else nullcontext():
            children = [_start("writer", path, each) for _ in range(number)]
            for child in children:
                _await(child, "ready")
            started = time.perf_counter()
            for child in children:
                assert child.stdin is not None
                child.stdin.write("\n")
                child.stdin.flush()
            outputs = [child.communicate() for child in children]
            seconds = time.perf_counter() - started
        with closing(sqlite3.connect(path)) as connection:
            [(points,)] = connection.execute("SELECT COUNT(*) FROM metrics").fetchall()
    errors_of_children = [errors for _, errors in outputs]
    if any(child.returncode for child in children):
        raise ChildError(next(text for text in errors_of_children if text).splitlines()[-1])
    cpu = sum(json.loads(output)["cpu"] for output, _ in outputs)
    return {
        "speed": points / seconds,
        "cpu": 1e6 * cpu / points,
        "complaints": sum(map(bool, errors_of_children)),
        "missing": each * number * METRICS - points,
    }


def _start(what: str, path: Path, amount: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE, what, str(path), str(amount)],
        cwd=ROOT,
        # What is printed is a complaint: not where the run is, nor that something is not recorded.
        env={**os.environ, "TRACKAI_SILENT": "1", "TRACKAI_AUTO_LOG": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _await(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdout is not None
    if child.stdout.readline().strip() != word:
        raise ChildError(child.communicate()[1])


@contextmanager
def _server_with_requests(path: Path) -> Iterator[None]:
    """Run a server, and request a list of runs ten times a second."""
    done = threading.Event()
    with serve(path) as client:

        def request_runs() -> None:
            while not done.wait(0.1):
                client.get("/api/runs?limit=50")

        thread = threading.Thread(target=request_runs)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def busy(seconds: float) -> list[Figure]:
    """Measure storing beside a main thread that runs pure Python without pauses."""
    result = _run("busy", seconds)
    return [
        Figure(
            name="stored beside an idle main thread",
            value=result["idle"],
            unit="points/s",
            at_least=500_000,
        ),
        Figure(
            name="stored beside a main thread that never rests",
            value=result["drained"],
            unit="points/s",
            at_least=50_000,
            baseline=result["idle"],
        ),
        Figure(
            name="its speed at 10 000 points/s logged, of that without",
            value=100 * result["share"],
            unit="%",
            at_least=85,
        ),
    ]


def backlog(seconds: float) -> list[Figure]:
    """Measure calls at full speed, which is faster than the points can be stored."""
    result, terminal_output = _run_on_terminal("backlog", seconds)
    title = f"{seconds:g} s at full speed"
    return [
        Figure(name=f"{title}: calls", value=result["calls_a_second"], unit="/s"),
        Figure(
            name=f"{title}: peak memory after the first tenth",
            value=result["memory_then"],
            unit="MB",
            at_most=result["memory_first"] + _MEMORY_GROWTH,
            baseline=result["memory_first"],
        ),
        Figure(
            name=f"{title}: peak memory in finish()",
            value=result["memory_finish"],
            unit="MB",
            at_most=result["memory_first"] + _MEMORY_GROWTH,
            baseline=result["memory_first"],
        ),
        Figure(name=f"{title}: journals at once, at most", value=result["journals"]),
        Figure(name=f"{title}: points that finish() still stores", value=result["waiting"]),
        Figure(
            name=f"{title}: finish()",
            value=result["finish"],
            unit="s, with progress" if "storing the last points" in terminal_output else "s",
        ),
        Figure(name=f"{title}: points missing", value=abs(result["missing"]), at_most=0),
    ]


def _run(what: str, amount: float) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return run_child(_MODULE, what, str(Path(folder, "trackai.db")), str(amount))


def _run_on_terminal(what: str, amount: float) -> tuple[Any, str]:
    """Return the measurements of a child process, and its output on a terminal."""
    import pty  # not available on Windows

    terminal, child_terminal = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, what, str(path), str(amount)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=child_terminal,
        )
        os.close(child_terminal)
        terminal_output = _read_all(terminal)
        output, _ = process.communicate()
    if process.returncode:
        raise ChildError(terminal_output.strip().splitlines()[-1])
    return json.loads(output.splitlines()[-1]), terminal_output


def _read_all(terminal: int) -> str:
    parts = []
    try:
        while part := os.read(terminal, 1 << 16):
            parts.append(part)
    except OSError:  # the child has closed its end
        pass
    finally:
        os.close(terminal)
    return b"".join(parts).decode()
