"""Measure the speed and memory of an import of 5 million rows of 200 runs from Neptune.

`trackai import neptune` runs in a child process. Its memory is the peak of the proportional set
sizes of the process and its workers. The baseline is sqlite3's executemany of prepared tuples into
the same table, on one core.
"""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.harness import Figure, Report
from scripts.benchmarks.import_command import measure_import
from scripts.neptune_export import make

if TYPE_CHECKING:
    import argparse

_MIN_ROWS_PER_SECOND = 500_000
_MAX_MEGABYTES = 500
_PLAIN_ROWS = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--runs", type=int, default=200, help="[default: 200]")
    parser.add_argument("--rows", type=int, default=5_000_000, help="[default: 5000000]")
    parser.add_argument("--jobs", type=int, help="number of processes that read")


def run(arguments: argparse.Namespace) -> Report:
    """Create an export, and import it twice."""
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        export, database = Path(folder) / "export", Path(folder) / "trackai.db"
        rows = make(export, arguments.runs, arguments.rows)
        plain = _plain_rows_per_second(Path(folder) / "plain.db")
        jobs = [] if arguments.jobs is None else ["--jobs", str(arguments.jobs)]
        seconds, _, megabytes, receipt = measure_import("neptune", export, database, *jobs)
        if not receipt["complete"] or receipt["totals"]["stored"] != rows:
            raise SystemExit(f"must store {rows} rows, got {receipt['totals']}")
        again = measure_import("neptune", export, database, *jobs).seconds
        return Report(
            f"Importing {rows:,} rows of {arguments.runs} runs",
            [
                Figure(
                    name="import", value=rows / seconds, unit="rows/s",
                    at_least=_MIN_ROWS_PER_SECOND, baseline=plain,
                ),
                Figure(
                    name="memory at its peak", value=megabytes, unit="MB",
                    at_most=_MAX_MEGABYTES,
                ),
                Figure(name="importing it again", value=again, unit="s"),
                Figure(
                    name="size of the database",
                    value=database.stat().st_size / rows, unit="bytes/row",
                ),
            ],
            notes=["Baseline: sqlite3's executemany of prepared tuples into the same table."],
        )  # fmt: skip


def _plain_rows_per_second(path: Path) -> float:
    values = [random.random() for _ in range(_PLAIN_ROWS)]
    rows = [(n // 1250, n % 1250, n, value, 1) for n, value in enumerate(values)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            """
            CREATE TABLE metrics (
                series_id INTEGER NOT NULL, step ANY NOT NULL, timestamp INTEGER NOT NULL,
                value ANY, writer_id INTEGER NOT NULL,
                PRIMARY KEY (series_id, step, timestamp, writer_id)
            ) STRICT, WITHOUT ROWID
            """
        )
        started = time.perf_counter()
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        seconds = time.perf_counter() - started
    os.unlink(path)  # noqa: PTH108
    return _PLAIN_ROWS / seconds
