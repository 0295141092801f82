"""Kill processes that log, at random times, and count lost and duplicated points.

Each process acknowledges every call of log() on a pipe after it returns. Some processes are killed
while they log, some while they rotate their journals, and some within finish().
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

# Journals rotate every few hundred calls, so that processes are also killed at rotations.
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
    """The points of all processes after recovery.

    Attributes:
        wrong_figures: series whose figures do not match their rows.
        wrong_states: runs that are still "running".
    """

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    wrong_figures: int
    wrong_states: int


def kill_many(db_path: Path, kills: int, *, seed: int, at_once: int = 4) -> Outcome:
    """Start and kill processes on one database, run `trackai recover`, and count points.

    Args:
        kills: the number of processes.
        at_once: the number of processes that run at the same time.
    """
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
    """Return the number of calls that a process acknowledged before it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, name, str(calls), str(rotate)],
        env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        # Logging, draining and finishing all fall within this time.
        time.sleep(instant * 0.25)
        process.send_signal(signal.SIGKILL)
        return len(first + process.stdout.read())


def _count(db_path: Path, acknowledged: dict[str, int]) -> Outcome:
    outcome = Outcome(len(acknowledged), sum(acknowledged.values()) * 2, 0, 0, 0, 0)
    with closing(sqlite3.connect(db_path)) as connection:
        for name, calls in acknowledged.items():
            for path in ("a", "b"):
                rows = connection.execute(
                    """
                    SELECT metrics.step, metrics.value, series.points
                    FROM metrics
                    JOIN series ON series.id = series_id
                    JOIN runs ON runs.id = run_id
                    WHERE runs.name = ? AND path = ?
                    """,
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
    """Add the options of the benchmark."""
    parser.add_argument("--kills", type=int, default=500, help="processes [default: 500]")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="of the random times"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Kill processes, and report what was lost."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_many(Path(folder, "t.db"), arguments.kills, seed=arguments.seed)
    return Report(
        f"{outcome.kills} processes killed while they logged, seed {arguments.seed}",
        [
            Figure(name="acknowledged points", value=outcome.acknowledged),
            Figure(name="of them lost", value=outcome.lost, at_most=0),
            Figure(name="stored twice", value=outcome.doubled, at_most=0),
            Figure(name="series with figures that are not of their rows",
                   value=outcome.wrong_figures, at_most=0),
            Figure(name="runs that still say they run", value=outcome.wrong_states, at_most=0),
        ],
    )  # fmt: skip
