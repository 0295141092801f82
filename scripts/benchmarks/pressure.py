"""What becomes of points where there are many writers, a busy main thread, or a long backlog."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.harness import ROOT, ChildError, Figure, run_child, serve
from scripts.benchmarks.trackers import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = "scripts.benchmarks.pressed"
# Of SQLite's page caches and of frames on their way, which grow once.
_MEMORY = 32


def writers(numbers: tuple[int, ...], calls: int) -> list[Figure]:
    """The same number of calls by several processes, each with a run of its own."""
    found = [_write(number, calls) for number in numbers]
    one = found[0]["speed"]
    figures = [
        Figure(
            name=f"stored with {number} writers at once" if number > 1 else "stored, one writer",
            value=result["speed"],
            unit="points/s",
            at_least=one / 2 if number > 1 else None,
            baseline=one if number > 1 else None,
        )
        for number, result in zip(numbers, found, strict=True)
    ]
    if len(found) > 1:
        # This says the same where other programs are at work too.
        figures.append(
            Figure(
                name=f"a point with {numbers[-1]} writers at once",
                value=found[-1]["cpu"],
                unit="µs of a CPU",
                baseline=found[0]["cpu"],
            )
        )
    complaints = sum(result["complaints"] for result in found)
    missing = sum(abs(result["missing"]) for result in found)
    return [
        *figures,
        Figure(name="of these writers complained of anything", value=complaints, at_most=0),
        Figure(name="of their points are missing", value=missing, at_most=0),
    ]


def _write(number: int, calls: int) -> dict[str, float]:
    each = calls // number
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        with _server_that_reads(path):
            children = [_start("writer", path, each) for _ in range(number)]
            for child in children:
                _await(child, "ready")
            started = time.perf_counter()
            for child in children:
                assert child.stdin is not None
                child.stdin.write("\n")
                child.stdin.flush()
            ends = [child.communicate() for child in children]
            seconds = time.perf_counter() - started
        with closing(sqlite3.connect(path)) as connection:
            [(points,)] = connection.execute("SELECT COUNT(*) FROM metrics").fetchall()
    said = [errors for _, errors in ends]
    if any(child.returncode for child in children):
        raise ChildError(next(text for text in said if text).splitlines()[-1])
    cpu = sum(json.loads(output)["cpu"] for output, _ in ends)
    return {
        "speed": points / seconds,
        "cpu": 1e6 * cpu / points,
        "complaints": sum(map(bool, said)),
        "missing": each * number * METRICS - points,
    }


def _start(what: str, path: Path, amount: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE, what, str(path), str(amount)],
        cwd=ROOT,
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
def _server_that_reads(path: Path) -> Iterator[None]:
    """A server of which something is asked ten times a second."""
    done = threading.Event()
    with serve(path) as client:

        def ask() -> None:
            while not done.wait(0.1):
                client.get("/api/runs?limit=50")

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def busy(seconds: float) -> list[Figure]:
    """A main thread that runs pure Python without a pause."""
    found = _child("busy", seconds)
    return [
        Figure(
            name="stored beside an idle main thread",
            value=found["idle"],
            unit="points/s",
            at_least=500_000,
        ),
        Figure(
            name="stored beside a main thread that never rests",
            value=found["drained"],
            unit="points/s",
            at_least=50_000,
            baseline=found["idle"],
        ),
        Figure(
            name="its speed at 10 000 points/s logged, of that without",
            value=100 * found["share"],
            unit="%",
            at_least=85,
        ),
    ]


def backlog(seconds: float) -> list[Figure]:
    """Calls as fast as possible, which is faster than they can be stored."""
    found, shown = _on_a_terminal("backlog", seconds)
    title = f"{seconds:g} s at full speed"
    return [
        Figure(name=f"{title}: calls", value=found["calls_a_second"], unit="/s"),
        Figure(
            name=f"{title}: peak memory after the first tenth",
            value=found["memory_then"],
            unit="MB",
            at_most=found["memory_first"] + _MEMORY,
            baseline=found["memory_first"],
        ),
        Figure(
            name=f"{title}: peak memory in finish()",
            value=found["memory_finish"],
            unit="MB",
            at_most=found["memory_first"] + _MEMORY,
            baseline=found["memory_first"],
        ),
        Figure(name=f"{title}: journals at once, at most", value=found["journals"]),
        Figure(name=f"{title}: points that finish() still stores", value=found["waiting"]),
        Figure(
            name=f"{title}: finish()",
            value=found["finish"],
            unit="s, with progress" if "storing the last points" in shown else "s",
        ),
        Figure(name=f"{title}: points missing", value=abs(found["missing"]), at_most=0),
    ]


def _child(what: str, amount: float) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return run_child(_MODULE, what, str(Path(folder, "trackai.db")), str(amount))


def _on_a_terminal(what: str, amount: float) -> tuple[Any, str]:
    """What a process has measured, and what it has shown on its terminal."""
    import pty  # Unix has it

    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, what, str(path), str(amount)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        shown = _read_all(ours)
        output, _ = process.communicate()
    if process.returncode:
        raise ChildError(shown.strip().splitlines()[-1])
    return json.loads(output.splitlines()[-1]), shown


def _read_all(terminal: int) -> str:
    parts = []
    try:
        while part := os.read(terminal, 1 << 16):
            parts.append(part)
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(terminal)
    return b"".join(parts).decode()
