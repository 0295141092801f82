"""Measure `trackai export` of a million points in each format, in a child process.

The baseline of Parquet is a short script: one query by sqlite3 that includes the names of runs and
metrics, and one pyarrow table, written with its defaults.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from scripts.benchmarks.fill_database import add_run, new_database
from scripts.benchmarks.harness import Figure, Report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_RUNS = 10
_METRICS = 10
_MAX_SECONDS = 3.0
_BY_HAND = """
import sqlite3, sys
import pyarrow as pa, pyarrow.parquet as pq

names = ("project", "run", "metric", "step", "timestamp", "value")
rows = sqlite3.connect(sys.argv[1]).execute('''
    SELECT projects.name, runs.slug, path, step, timestamp, value FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = run_id
    JOIN projects ON projects.id = project_id
''').fetchall()
pq.write_table(pa.table(dict(zip(names, zip(*rows)))), sys.argv[2])
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="in the database [default: 1000000]"
    )
    parser.add_argument(
        "--repeat", type=int, default=3,
        help="measurements to take the median of [default: 3]",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> Report:
    """Fill a database and export it."""
    points = arguments.points // (_RUNS * _METRICS)
    total = points * _RUNS * _METRICS
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        database = Path(folder) / "trackai.db"
        anyio.run(_fill, database, points)
        times: dict[str, list[tuple[float, float]]] = {}
        sizes = {}
        for _ in range(arguments.repeat):
            out = Path(folder) / "hand.parquet"
            command = [sys.executable, "-c", _BY_HAND, str(database), str(out)]
            times.setdefault("by hand", []).append(_seconds(command))
            for format_ in ("parquet", "csv", "jsonl"):
                out = Path(folder) / f"out.{format_}"
                out.unlink(missing_ok=True)
                command = [
                    sys.executable, "-m", "trackai.cli", "export", "--all", "-o", str(out),
                    "--db", str(database),
                ]  # fmt: skip
                times.setdefault(format_, []).append(_seconds(command))
                sizes[format_] = out.stat().st_size
    seconds, cpu_seconds = (
        {name: statistics.median(pair[index] for pair in pairs) for name, pairs in times.items()}
        for index in (0, 1)
    )
    return Report(
        f"Exporting {total:,} points of {_RUNS} runs",
        [
            Figure(
                name="to Parquet", value=seconds["parquet"], unit="s", at_most=_MAX_SECONDS,
                baseline=seconds["by hand"],
            ),
            Figure(
                name="its time on the processor", value=cpu_seconds["parquet"], unit="s",
                baseline=cpu_seconds["by hand"],
            ),
            Figure(name="to CSV", value=seconds["csv"], unit="s"),
            Figure(name="to JSON lines", value=seconds["jsonl"], unit="s"),
            *(
                Figure(name=f"size as {name}", value=size / total, unit="bytes/point")
                for name, size in sizes.items()
            ),
        ],
        notes=["Baseline: a script with one query by sqlite3 and one pyarrow table."],
    )  # fmt: skip


async def _fill(path: Path, points: int) -> None:
    async with new_database(path) as database:
        for number in range(_RUNS):
            names = {f"metric/{metric}": points for metric in range(_METRICS)}
            await add_run(database, f"run-{number}", names)


def _seconds(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return its duration and its CPU time."""
    before, started = _child_cpu_seconds(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started, _child_cpu_seconds() - before


def _child_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
