"""A child process of `pressure.py`: it logs under load and prints its measurements as JSON.

writer: wait for a line on stdin, log a number of calls, and finish
busy: log from a main thread that runs pure Python without pauses
backlog: log for some seconds as fast as possible
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trackai
from scripts.benchmarks.harness import peak_memory, reset_peak_memory
from scripts.benchmarks.trackers import CALLS, METRICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai import Run

# This makes 10 000 points a second.
_CALLS_PER_SECOND = 10_000 // METRICS
_REPEAT = 5


def _writer(path: Path, calls: int) -> dict[str, Any]:
    run = trackai.init(project="bench", db_path=path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    before = time.process_time()
    _log(run, calls)
    run.finish()
    return {"cpu": time.process_time() - before}


def _log(run: Run, calls: int) -> None:
    for step in range(calls):
        run.log(CALLS[step % len(CALLS)])


def _work(seconds: float, run: Run | None = None) -> float:
    """Count in pure Python, and log 1 000 calls a second to a run; return the counts per second."""
    clock, counted, logged = time.perf_counter, 0, 0
    started = now = clock()
    while now < started + seconds:
        for _ in range(2000):
            counted += 1
        if run is not None:
            while logged < (now - started) * _CALLS_PER_SECOND:
                run.log(CALLS[logged % len(CALLS)])
                logged += 1
        now = clock()
    return counted / (now - started)


def _stored(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [(points,)] = connection.execute("SELECT coalesce(sum(points), 0) FROM series").fetchall()
        return int(points)


def _busy(path: Path, seconds: float) -> dict[str, Any]:
    run = trackai.init(project="bench", db_path=path)
    shares = []
    _work(seconds / 4, run)
    for _ in range(_REPEAT):  # in turn, so that a disturbance affects both measurements
        logging = _work(seconds / 2, run)
        time.sleep(0.5)  # until the drain is idle
        shares.append(logging / _work(seconds / 2))
    calls, before = int(seconds * 20_000), _stored(path)
    idle = _drained(run, path, calls, lambda: time.sleep(0.01), seconds)
    while _stored(path) < before + calls * METRICS:
        time.sleep(0.01)
    drained = _drained(run, path, calls, lambda: _work(0.2), seconds)
    run.finish()
    return {"share": statistics.median(shares), "idle": idle, "drained": drained}


def _drained(
    run: Run, path: Path, calls: int, meanwhile: Callable[[], object], seconds: float
) -> float:
    """Log a backlog; return the points stored per second while `meanwhile` is called in a loop."""
    before = _stored(path)
    _log(run, calls)
    first, started = _stored(path), time.perf_counter()
    last = first
    while last < before + calls * METRICS and time.perf_counter() < started + seconds:
        meanwhile()
        last = _stored(path)
    return (last - first) / (time.perf_counter() - started)


def _backlog(path: Path, seconds: float) -> dict[str, Any]:
    run = trackai.init(project="bench", db_path=path)
    spool = path.with_name(path.name + "-spool")
    # In the first tenth, SQLite's page cache and other buffers grow.
    started, calls, peaks, journals = time.perf_counter(), 0, [], 0
    for end in (seconds / 10, seconds):
        reset_peak_memory()
        while time.perf_counter() < started + end:
            _log(run, 1000)
            calls += 1000
            if calls % 100_000 == 0:
                journals = max(journals, len(list(spool.glob("*.journal"))))
        peaks.append(peak_memory())
    logged = time.perf_counter() - started
    waiting = calls * METRICS - _stored(path)
    run.finish()
    finished = time.perf_counter() - started - logged
    return {
        "calls": calls,
        "calls_a_second": calls / logged,
        "memory_first": peaks[0],
        "memory_then": peaks[1],
        "memory_finish": peak_memory(),
        "journals": journals,
        "waiting": waiting,
        "finish": finished,
        "missing": calls * METRICS - _stored(path),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["writer", "busy", "backlog"])
    parser.add_argument("path", type=Path)
    parser.add_argument("amount", type=float)
    arguments = parser.parse_args()
    if arguments.what == "writer":
        result = _writer(arguments.path, int(arguments.amount))
    else:
        measure = _busy if arguments.what == "busy" else _backlog
        result = measure(arguments.path, arguments.amount)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
