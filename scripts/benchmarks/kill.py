"""Kill processes that log, at random times, and count lost and duplicated points.

Each process acknowledges every call of log() on a pipe after it returns. Some processes are killed
while they log, some while they rotate their journals, and some within finish(). Meanwhile backups
are made and moved into the place of the database, journals are recovered, and a server is started
and killed. The points that were only in a replaced file are not expected afterwards: the database
must hold those of the backup, and those of the journals that existed when it was moved.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.harness import ChildError, Figure, Report
from trackai.ingest.reader import JournalReader

if TYPE_CHECKING:
    import argparse

# Logs calls, and tells of each. Journals rotate often, so that processes are also killed then.
CHILD = """
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


_POINTS = """
SELECT metrics.step, metrics.value, series.points
FROM metrics
JOIN series ON series.id = metrics.series_id
JOIN runs ON runs.id = series.run_id
WHERE runs.name = ? AND path = ?
"""


@dataclass
class Outcome:
    """The points of all processes after recovery.

    Attributes:
        held: the acknowledged points that the last file in place must hold.
        moved: how often a backup was moved into place.
        wrong_figures: series whose figures do not match their rows.
        wrong_states: runs that are still "running".
    """

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    wrong_figures: int
    wrong_states: int
    held: int
    moved: int


def kill_many(db_path: Path, kills: int, *, seed: int, at_once: int = 4, moves: int = 0) -> Outcome:
    """Start and kill processes on one database, run `trackai recover`, and count points.

    Args:
        kills: the number of processes.
        at_once: the number of processes that run at the same time.
        moves: how many backups are moved into the place of the database meanwhile.
    """
    rng = random.Random(seed)
    plans = [
        (f"r{number}", rng.choice((200, 2000, 100_000)), rng.choice((2_000, 100_000)), rng.random())
        for number in range(kills)
    ]
    mover = Mover(db_path, rng)
    with ThreadPoolExecutor(at_once) as pool:
        outcomes = [pool.submit(mover.kill_one, *plan) for plan in plans]
        for _ in range(moves):
            mover.act()
        acknowledged = [outcome.result() for outcome in outcomes]
    mover.stop_server()
    for _ in range(2):  # the second one finds nothing to do
        mover.command("recover")
    mover.command("doctor", "--fix")
    return mover.count(dict(zip((plan[0] for plan in plans), acknowledged, strict=True)))


@dataclass
class Held:
    """The points of a run that the database must hold: some steps, and all from `first` on."""

    steps: set[int] = field(default_factory=set)
    first: float = 0

    def of(self, calls: int) -> set[int]:
        """The steps, of so many calls."""
        logged = range(calls)
        return self.steps.intersection(logged) | set(logged[int(min(self.first, calls)) :])


@dataclass
class Mover:
    """Kills processes, makes backups, and moves them into the place of the database."""

    db_path: Path
    rng: random.Random
    held: dict[str, Held] = field(default_factory=dict)
    backups: list[Path] = field(default_factory=list)
    moved: int = 0
    server: subprocess.Popen[bytes] | None = None

    def kill_one(self, name: str, calls: int, rotate: int, instant: float) -> int:
        """Return the number of calls that a process acknowledged before it was killed."""
        self.held[name] = Held()
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, name, str(calls), str(rotate)],
            env={**os.environ, "TRACKAI_DB_PATH": str(self.db_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # warnings about files that were replaced
        ) as process:
            assert process.stdout is not None
            first = process.stdout.read(1)
            # Logging, draining and finishing all fall within this time.
            time.sleep(instant * 0.25)
            process.send_signal(signal.SIGKILL)
            acknowledged = len(first + process.stdout.read())
        if process.returncode not in {0, -signal.SIGKILL}:
            raise ChildError(f"{name} ended with exit code {process.returncode}")
        return acknowledged

    def act(self) -> None:
        """Make a backup, move it or an earlier one, recover, and start or kill a server."""
        time.sleep(self.rng.random())
        while not self.db_path.exists():
            time.sleep(0.05)
        if not self.backups:
            self.back_up()
        for action in self.rng.sample([self.back_up, self.recover, self.toggle_server], 2):
            action()
        time.sleep(self.rng.random() / 2)
        self.move(self.rng.choice(self.backups[-2:]))

    def back_up(self) -> None:
        copy = self.db_path.with_name(f"backup-{self.moved}-{len(self.backups)}.db")
        self.command("backup", str(copy))
        self.backups.append(copy)

    def recover(self) -> None:
        self.command("recover")

    def toggle_server(self) -> None:
        if self.server is None:
            serve = [sys.executable, "-m", "trackai.cli", "serve", "--port", "0"]
            self.server = subprocess.Popen(
                [*serve, "--db", str(self.db_path)], stderr=subprocess.DEVNULL
            )
        else:
            self.stop_server()

    def stop_server(self) -> None:
        if self.server is not None:
            if self.server.poll() is not None:
                raise ChildError(f"the server ended with exit code {self.server.returncode}")
            self.server.kill()
            self.server.wait()
            self.server = None

    def move(self, backup: Path) -> None:
        """Move a copy of a backup into place, and remember what the database must hold then."""
        known = set(self.held)
        after = {name: Held(steps, math.inf) for name, steps in steps_of_runs(backup).items()}
        copy, links = self.db_path.with_name("copy.db"), self.db_path.with_name("links")
        shutil.copyfile(backup, copy)
        links.mkdir()
        spool = self.db_path.with_name(self.db_path.name + "-spool")
        for journal in spool.glob("*.journal"):
            with suppress(FileNotFoundError):
                os.link(journal, links / journal.name)
        copy.replace(self.db_path)
        existing = [link for link in links.iterdir() if (spool / link.name).exists()]
        for name in known:
            after.setdefault(name, Held(first=math.inf))
        for journal in existing:
            run, first = _first_step(journal)
            if run in after:  # otherwise it began meanwhile, and all of it is expected
                after[run].first = min(after[run].first, first)
        self.held.update(after)
        shutil.rmtree(links)
        self.moved += 1

    def command(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "trackai.cli", *arguments, "--db", str(self.db_path)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise ChildError(f"trackai {arguments[0]}: {done.stdout}{done.stderr}")

    def count(self, acknowledged: dict[str, int]) -> Outcome:
        """Compare the database with what it must hold."""
        outcome = Outcome(len(acknowledged), sum(acknowledged.values()) * 2, 0, 0, 0, 0, 0, 0)
        outcome.moved = self.moved
        with closing(sqlite3.connect(self.db_path)) as connection:
            for name, calls in acknowledged.items():
                held = self.held[name].of(calls)
                outcome.held += 2 * len(held)
                for path in ("a", "b"):
                    rows = connection.execute(_POINTS, (name, path)).fetchall()
                    steps = {step for step, value, _ in rows if value == step}
                    outcome.lost += len(held - steps)
                    outcome.doubled += len(rows) - len(steps)
                    outcome.wrong_figures += bool(rows) and rows[0][2] != len(rows)
            (outcome.wrong_states,) = connection.execute(
                "SELECT COUNT(*) FROM runs WHERE state = 'running'"
            ).fetchone()
        return outcome


def steps_of_runs(backup: Path) -> dict[str, set[int]]:
    """The steps of each run in a backup."""
    steps: dict[str, set[int]] = {}
    with closing(sqlite3.connect(f"{backup.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        for name, step in connection.execute(
            """
            SELECT runs.name, metrics.step FROM runs
            LEFT JOIN series ON series.run_id = runs.id AND path = 'b'
            LEFT JOIN metrics ON metrics.series_id = series.id
            """
        ):
            steps.setdefault(name, set()).add(step)
    return steps


def _first_step(journal: Path) -> tuple[str | None, float]:
    """The run of a journal, and the first step in it."""
    reader = JournalReader(journal)
    batch = reader.read()
    if batch is None or not batch.calls:
        return (reader.opened.name if reader.opened else None), math.inf
    return batch.opened.name, min(batch.columns()[0].steps)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--kills", type=int, default=500, help="processes [default: 500]")
    parser.add_argument(
        "--moves", type=int, default=60, help="backups moved into place [default: 60]"
    )
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="of the random times"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Kill processes, and report what was lost."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_many(
            Path(folder, "t.db"), arguments.kills, seed=arguments.seed, moves=arguments.moves
        )
    return Report(
        f"{outcome.kills} processes killed while they logged, {outcome.moved} backups moved into "
        f"place, seed {arguments.seed}",
        [
            Figure(name="acknowledged points", value=outcome.acknowledged),
            Figure(name="of them in the backup or a journal at the last move, or later",
                   value=outcome.held),
            Figure(name="of these lost", value=outcome.lost, at_most=0),
            Figure(name="stored twice", value=outcome.doubled, at_most=0),
            Figure(name="series with figures that are not of their rows",
                   value=outcome.wrong_figures, at_most=0),
            Figure(name="runs that still say they run", value=outcome.wrong_states, at_most=0),
        ],
    )  # fmt: skip
