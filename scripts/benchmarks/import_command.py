"""Runs `trackai import` in a child process, and measures it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from scripts.benchmarks.harness import ROOT

_INTERVAL_SECONDS = 0.1


class Measured(NamedTuple):
    """An import.

    Attributes:
        processor_seconds: of the process and its workers.
        megabytes: the peak of the proportional set sizes of the process and its workers.
    """

    seconds: float
    processor_seconds: float
    megabytes: float
    receipt: dict[str, Any]


def measure_import(tracker: str, source: Path, database: Path, *options: str) -> Measured:
    """Import a source."""
    started, before = time.perf_counter(), os.times()
    with subprocess.Popen(
        [
            sys.executable, "-m", "trackai.cli", "import", tracker, str(source),
            "--db", str(database), "--json", *options,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        peak = [0.0]
        watcher = threading.Thread(target=_watch_memory, args=(process, peak))
        watcher.start()
        output, _ = process.communicate()
        seconds = time.perf_counter() - started
        watcher.join()
    after = os.times()
    processor_seconds = sum(after[2:4]) - sum(before[2:4])
    return Measured(seconds, processor_seconds, peak[0], json.loads(output))


def _watch_memory(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(_megabytes, _process_tree(process.pid))))
        time.sleep(_INTERVAL_SECONDS)


def _process_tree(pid: int) -> list[int]:
    pids = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += _process_tree(int(child))
    except OSError:  # the process has exited, or the system has no /proc
        pass
    return pids


def _megabytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
