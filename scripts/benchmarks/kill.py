"""Kill processes that log, at random instants, and count what is missing or there twice.

Every process acknowledges each call of log() on a pipe once it has returned. Some are killed while
they log, some while they rotate their journals, some within finish().
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.harness import Figure, Report

if TYPE_CHECKING:
    import argparse

# Journals rotate every few hundred calls here, and drains have little to do at a time.
_CHILD = """
import os, sys
from trackai.ingest import journal
import trackai

name, calls, rotate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
journal.ROTATE_BYTES = journal.JournalWriter.__init__.__kwdefaults__["rotate_bytes"] = rotate
run = trackai.init(project="kill", name=name)
for step in range(calls):
    run.log({"a": float(step), "b": step}, step=step)
    os.write(1, b".")
run.finish()
"""


@dataclass
class Outcome:
    """What became of the points of the processes."""

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    wrong_figures: int
    wrong_states: int


def kill_many(db_path: Path, kills: int, *, seed: int, at_once: int = 4) -> Outcome:
    """Start and kill so many processes on one database, recover, and count."""
    rng = random.Random(seed)
    plans = [
        (f"r{number}", rng.choice((200, 2000, 100_000)), rng.choice((2_000, 100_000)), rng.random())
        for number in range(kills)
    ]
    with ThreadPoolExecutor(at_once) as pool:
        acknowledged = list(pool.map(lambda plan: _kill_one(db_path, *plan), plans))
    recover = [sys.executable, "-m", "trackai.cli", "recover", "--db", str(db_path)]
    subprocess.run(recover, check=True, capture_output=True, timeout=300)
    return _count(db_path, dict(zip((plan[0] for plan in plans), acknowledged, strict=True)))


def _kill_one(db_path: Path, name: str, calls: int, rotate: int, instant: float) -> int:
    """How many calls a process acknowledged before it died."""
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, name, str(calls), str(rotate)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        # What takes long is begun and finished within this: logging, draining, finishing.
        time.sleep(instant * 0.25)
        process.send_signal(signal.SIGKILL)
        return len(first + process.stdout.read())


def _count(db_path: Path, acknowledged: dict[str, int]) -> Outcome:
    outcome = Outcome(len(acknowledged), sum(acknowledged.values()) * 2, 0, 0, 0, 0)
    with closing(sqlite3.connect(db_path)) as connection:
        for name, calls in acknowledged.items():
            for path in ("a", "b"):
                rows = connection.execute(
                    "SELECT metrics.step, metrics.value, series.points FROM metrics"
                    " JOIN series ON series.id = series_id JOIN runs ON runs.id = run_id"
                    " WHERE runs.name = ? AND path = ?",
                    (name, path),
                ).fetchall()
                steps = {step for step, value, _ in rows if value == step}
                outcome.lost += len(set(range(calls)) - steps)
                outcome.doubled += len(rows) - len(steps)
                outcome.wrong_figures += bool(rows) and rows[0][2] != len(rows)
        (outcome.wrong_states,) = connection.execute(
            "SELECT COUNT(*) FROM runs WHERE state = 'running'"
        ).fetchone()
    return outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)


def run(arguments: argparse.Namespace) -> Report:
    """Kill, and report."""
    with tempfile.TemporaryDirectory() as folder:
        found = kill_many(Path(folder, "t.db"), arguments.kills, seed=arguments.seed)
    return Report(
        f"{found.kills} processes killed while they logged, seed {arguments.seed}",
        [
            Figure(name="acknowledged points", value=found.acknowledged),
            Figure(name="of them lost", value=found.lost, at_most=0),
            Figure(name="stored twice", value=found.doubled, at_most=0),
            Figure(name="series with figures that are not of their rows",
                   value=found.wrong_figures, at_most=0),
            Figure(name="runs that still say they run", value=found.wrong_states, at_most=0),
        ],
    )  # fmt: skip
