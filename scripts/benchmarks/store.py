"""Measure how fast points are stored, from the first call of log() to the return of finish().

A script logs a million floats as fast as it can: few metrics many times, or thousands of metrics a
few times. The baseline of the speed is trackio, that of finish() is sqlite3 inserting the same rows
into a similar table. Other trackers are measured in turns with TrackAI, each in a new process with
an empty store, if they are installed here or in an environment of their own:

    python scripts/bench.py store --python trackio=/venv/bin/python wandb=/other/bin/python

At last, four processes log into one database. Their baseline is one process.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.benchmarks import pressure, trackers
from scripts.benchmarks.harness import ChildError, Figure, Report, Table, run_child

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

# Names of metrics and calls of log().
_SHAPES = ((10, 100_000), (500, 2000), (5000, 200))
_PEERS = ("trackio", "wandb")
# The seconds of log() to finish(), and of finish() alone, by tracker.
_Seconds = dict[str, list[dict[str, float]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--python", nargs="*", default=[], metavar="NAME=PATH",
        help="trackers that are installed in other environments",
    )  # fmt: skip
    parser.add_argument("--repeat", type=int, default=3, help="turns [default: 3]")
    parser.add_argument(
        "--part", type=int, default=1, help="log one in so many of the steps [default: 1]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Take all measurements; this takes minutes."""
    pythons = _pythons(arguments.python)
    figures: list[Figure] = []
    rows: list[list[str | float | None]] = []
    for names, all_steps in _SHAPES:
        steps = max(1, all_steps // arguments.part)
        points, title = names * steps, f"{names:,} names, {steps:,} steps"
        seconds, plain = _measure(pythons, names, steps, arguments.repeat)
        speeds = {name: points / _median(taken, "all") for name, taken in seconds.items()}
        peer = speeds.get("trackio")
        figures += [
            Figure(
                name=f"{title}: log to finish",
                value=speeds["trackai"],
                unit="points/s",
                at_least=None if peer is None else 1.5 * peer,
                baseline=peer,
            ),
            Figure(
                name=f"{title}: finish()",
                value=_median(seconds["trackai"], "finish"),
                unit="s",
                baseline=plain,
            ),
        ]
        rows += [
            [title, name, round(speed), _median(seconds[name], "finish")]
            for name, speed in speeds.items()
        ]
    table = Table(
        "each in turns", ["names and steps", "tracker", "points/s", "finish s"], rows
    )  # fmt: skip
    figures += pressure.writers_alone(100_000 // arguments.part, arguments.repeat)
    return Report(f"storing points, medians of {arguments.repeat} turns", figures, [table])


def _pythons(options: Iterable[str]) -> dict[str, str | None]:
    """The interpreters of the trackers; None for the one of this process."""
    installed = trackers.installed()
    pythons: dict[str, str | None] = {"trackai": None}
    pythons |= {name: None for name in _PEERS if name in installed}
    return pythons | dict(option.split("=", 1) for option in options)


def _measure(
    pythons: dict[str, str | None], names: int, steps: int, repeat: int
) -> tuple[_Seconds, float]:
    """The measurements of each tracker that works, and the seconds of sqlite3."""
    seconds: _Seconds = {}
    plain: list[float] = []
    for _ in range(repeat):  # in turn, so that a disturbance affects all measurements
        for name, python in pythons.items():
            try:
                result: Any = run_child(
                    "scripts.benchmarks.store_child", name, str(names), str(steps), python=python
                )
            except ChildError:
                if name == "trackai":
                    raise
                continue
            seconds.setdefault(name, []).append(result)
        with tempfile.TemporaryDirectory() as folder:
            plain.append(_insert_rows(Path(folder), names, steps))
    return seconds, statistics.median(plain)


def _insert_rows(folder: Path, names: int, steps: int) -> float:
    """Store as many points with sqlite3 alone, in transactions of 50 000."""
    each = max(1, 50_000 // names)
    now = time.time_ns() // 1000
    with closing(sqlite3.connect(folder / "plain.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            """
            CREATE TABLE metrics (
                series_id INTEGER, step ANY, timestamp INTEGER, value ANY, writer_id INTEGER,
                PRIMARY KEY (series_id, step, timestamp, writer_id)
            ) STRICT, WITHOUT ROWID
            """
        )
        started = time.perf_counter()
        for first in range(0, steps, each):
            connection.executemany(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?)",
                [
                    (series, step, now + step, step / 7, 1)
                    for series in range(names)
                    for step in range(first, min(first + each, steps))
                ],
            )
            connection.commit()
        return time.perf_counter() - started


def _median(measured: list[dict[str, float]], field: str) -> float:
    return statistics.median(each[field] for each in measured)
