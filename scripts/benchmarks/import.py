"""Measure the speed and memory of imports of wandb's folders and MLflow's databases.

`trackai import` runs in a child process. Its memory is the peak of the proportional set sizes of
the process and its worker. The first baseline is sqlite3's executemany of prepared tuples into a
table without an index, once before and once after the import. The second is the tracker's own
reader of the same files, if there is an interpreter that has it: of MLflow, or of an older wandb,
such as 0.19: later versions read these files only in Go.
"""
# ruff: noqa: N999 - the module has the name of the command

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.harness import ChildError, Figure, Report, run_child
from scripts.benchmarks.import_command import measure_import
from scripts.benchmarks.import_sources import METRICS, STARTED_AT, write_mlflow, write_wandb

if TYPE_CHECKING:
    import argparse

_WRITERS = {"wandb": write_wandb, "mlflow": write_mlflow}
_MIN_SHARE_OF_PLAIN = 0.7
_MIN_TIMES_READER = 10
_MAX_MEGABYTES = 200
_POINTS_PER_TRANSACTION = 100_000
# The points after which the tracker's own reader may stop.
_POINTS_OF_READER = 200_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "trackers", nargs="*", metavar="TRACKER", help="wandb or mlflow [default: both]"
    )
    parser.add_argument("--points", type=int, default=5_000_000, help="[default: 5000000]")
    for tracker in _WRITERS:
        parser.add_argument(f"--{tracker}-python", help=f"interpreter with {tracker}'s reader")


def run(arguments: argparse.Namespace) -> Report:
    """Write sources and import them."""
    figures: list[Figure] = []
    notes = ["Baseline: executemany; in the last line of a tracker, its own reader."]
    for tracker in arguments.trackers or _WRITERS:
        with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
            python = getattr(arguments, f"{tracker}_python")
            figures += _measure(tracker, Path(folder), arguments.points, python, notes)
    return Report(f"Importing {arguments.points:,} points", figures, notes=notes)


def _measure(
    tracker: str, folder: Path, points: int, python: str | None, notes: list[str]
) -> list[Figure]:
    source, database = folder / tracker, folder / "trackai.db"
    points -= points % METRICS
    _WRITERS[tracker](source, points)
    before, processor_before = _insert_plainly(folder / "plain.db", points)
    seconds, processor, megabytes, receipt = measure_import(tracker, source, database)
    after, processor_after = _insert_plainly(folder / "plain.db", points)
    if not receipt["complete"] or receipt["stored"] != points:
        raise SystemExit(f"must store {points} points, got {receipt}")
    plain = points / statistics.mean([before, after])
    notes.append(f"{tracker}: executemany took {before:.1f} s before, and {after:.1f} s after.")
    size = database.stat().st_size
    rate = points / seconds
    figures = [
        Figure(
            name=f"{tracker}: import", value=rate, unit="points/s",
            at_least=_MIN_SHARE_OF_PLAIN * plain, baseline=plain,
        ),
        Figure(
            name=f"{tracker}: processor time", value=processor / points * 1e6, unit="µs/point",
            baseline=statistics.mean([processor_before, processor_after]) / points * 1e6,
        ),
        Figure(
            name=f"{tracker}: memory at its peak", value=megabytes, unit="MB",
            at_most=_MAX_MEGABYTES,
        ),
        Figure(name=f"{tracker}: size of the database", value=size / points, unit="bytes/point"),
    ]  # fmt: skip
    try:
        reader = run_child(
            "scripts.benchmarks.import_reader", tracker, str(source), str(_POINTS_OF_READER),
            python=python,
        )  # fmt: skip
    except ChildError as error:
        notes.append(f"{tracker}: its own reader was not measured ({error}).")
    else:
        figures.append(
            Figure(
                name=f"{tracker}: import, beside its own reader", value=rate, unit="points/s",
                at_least=_MIN_TIMES_READER * reader, baseline=reader,
            )
        )  # fmt: skip
    return figures


def _insert_plainly(path: Path, points: int) -> tuple[float, float]:
    """Return the seconds and the processor seconds of executemany, without making the tuples."""
    seconds = processor_seconds = 0.0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE points (run INTEGER, metric TEXT, step INTEGER, time INTEGER, value REAL)"
        )
        for first in range(0, points, _POINTS_PER_TRANSACTION):
            numbers = range(first, min(first + _POINTS_PER_TRANSACTION, points))
            rows = [
                (1, f"metric_{number % METRICS}", number // METRICS, STARTED_AT + number,
                 random.random())
                for number in numbers
            ]  # fmt: skip
            started, processor_started = time.perf_counter(), time.process_time()
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
            seconds += time.perf_counter() - started
            processor_seconds += time.process_time() - processor_started
    path.unlink()
    return seconds, processor_seconds
