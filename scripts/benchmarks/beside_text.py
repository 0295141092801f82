"""Store numbers of a run that has logged one large text, or not; see `ingest`.

Run as `python -m scripts.benchmarks.beside_text CHARACTERS CALLS`; prints the seconds as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import trackai
from scripts.benchmarks.harness import Figure, run_child

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHARACTERS = 10_000_000
_REPEAT = 5


def measure(calls: int) -> list[Figure]:
    """Compare `calls` calls of two numbers with and without a text, in turns."""
    alone: list[float] = []
    beside: list[float] = []
    waits: list[float] = []
    for _ in range(_REPEAT):
        alone.append(_store(0, calls))
        beside.append(_store(_CHARACTERS, calls, waits))
    return [
        Figure(
            name=f"{2 * calls:,} numbers beside a text of 10 MB, to the same without it",
            value=median(beside) / median(alone),
            unit="x",
            at_most=1.5,
        ),
        Figure(
            name="longest wait of another process for the write lock meanwhile",
            value=max(waits) * 1000,
            unit="ms",
            at_most=250,
        ),
    ]


def _store(characters: int, calls: int, waits: list[float] | None = None) -> float:
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        path = Path(folder, "trackai.db")
        env = {"TRACKAI_DB_PATH": str(path)}
        arguments = "scripts.benchmarks.beside_text", str(characters), str(calls)
        if waits is None:
            return float(run_child(*arguments, env=env))
        with trackai.init(project="bench", db_path=path):
            pass
        with _waiting(path, waits):
            return float(run_child(*arguments, env=env))


@contextmanager
def _waiting(path: Path, waits: list[float]) -> Iterator[None]:
    """Begin write transactions meanwhile; on exit, add the waiting times to the list."""
    context = multiprocessing.get_context("spawn")
    ready, stop, queue = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=_wait, args=(path, ready, stop, queue))
    process.start()
    ready.wait(60)
    try:
        yield
    finally:
        stop.set()
        waits += queue.get(timeout=60)
        process.join()


def _wait(path: Path, ready: Any, stop: Any, queue: Any) -> None:
    waits: list[float] = []
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        ready.set()
        while not (waits and stop.is_set()):
            began = time.perf_counter()
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    time.sleep(0.0005)
            waits.append(time.perf_counter() - began)
            connection.execute("ROLLBACK")
            time.sleep(0.002)
    queue.put(waits)


def main() -> None:
    """Log in this process."""
    characters, calls = map(int, sys.argv[1:])
    run = trackai.init(project="bench")
    began = time.perf_counter()
    if characters:
        run.log({"text": "x" * characters})
    for step in range(calls):
        run.log({"loss": step * 0.5, "accuracy": step * 0.25})
    run.finish()
    print(json.dumps(time.perf_counter() - began))


if __name__ == "__main__":
    main()
