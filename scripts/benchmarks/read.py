"""How long the server takes to answer: pages of points, comparisons, charts, tables of runs.

The server is a process of its own, over a database with a run that has a series of a million
points and some more metrics, fifty runs of a thousand points, a series of ten million points and
one of 100 000, and a project of ten thousand runs. Requests go over one open connection; answers
are read but not decoded. The baseline of each is what plain sqlite3 needs to fetch the rows, of
charts the points, of which the answer is made.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from scripts.benchmarks import reading
from scripts.benchmarks.filling import add_run, new_database
from scripts.benchmarks.harness import Report, Table, serve
from scripts.benchmarks.reading import Question

if TYPE_CHECKING:
    import argparse

METRIC = "train/loss"
MORE_METRICS, MORE_POINTS = 20, 1000
RUNS, RUN_POINTS = 50, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="of the long series [default: 1000000]"
    )
    parser.add_argument(
        "--long",
        type=int,
        default=10_000_000,
        help="points of the series for charts [default: 10000000]",
    )
    parser.add_argument(
        "--table", type=int, default=10_000, help="runs of the table [default: 10000]"
    )
    parser.add_argument(
        "--repeat", type=int, default=50, help="take medians of this many requests [default: 50]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Make the database, and measure; this takes two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        started = time.perf_counter()
        long_run, compared = anyio.run(_fill, path, arguments.points)
        filled = time.perf_counter() - started
        store = anyio.run(reading.fill, path, arguments.long, arguments.table)
        questions = _questions(long_run, arguments.points, compared)
        of_charts = reading.questions(store, compared, METRIC)
        with serve(path) as client, closing(sqlite3.connect(path)) as plain:
            figures = [reading.idle_memory(client)]
            figures += [
                reading.measure_one(one, client, plain, arguments.repeat) for one in questions
            ]
            figures += reading.measure(of_charts, client, plain, arguments.repeat)
            sizes = [(one.name, len(one.ask(client))) for one in [*questions, *of_charts]]
    points = arguments.points + MORE_METRICS * MORE_POINTS + RUNS * RUN_POINTS
    return Report(
        f"the server's answers, medians of {arguments.repeat} requests, long ones of fewer",
        figures,
        [Table("Size of the answers", ["", "bytes"], sizes)],
        [
            "Baseline: plain sqlite3 fetches the same rows into tuples.",
            f"The database has {points:,} points; storing them took {filled:.1f} s.",
            *store.notes,
        ],
    )


async def _fill(path: Path, points: int) -> tuple[int, list[int]]:
    more = {f"train/metric_{number}": MORE_POINTS for number in range(MORE_METRICS)}
    async with new_database(path) as database:
        long_run = await add_run(database, "long", {METRIC: points, **more})
        compared = [
            await add_run(database, f"run-{number}", {METRIC: RUN_POINTS}) for number in range(RUNS)
        ]
    return long_run, compared


def _questions(long_run: int, points: int, compared: list[int]) -> list[Question]:
    address = f"/api/metrics/runs/{long_run}"
    page = f"""
        SELECT step, timestamp, value FROM metrics
        WHERE series_id = (SELECT id FROM series WHERE run_id = {long_run} AND path = '{METRIC}')
        ORDER BY step, timestamp
        LIMIT
    """
    comparison = f"""
        SELECT series_id, step, value FROM metrics
        WHERE series_id IN
            (SELECT id FROM series WHERE run_id <> {long_run} AND path = '{METRIC}')
        ORDER BY series_id, step
    """
    names = f"SELECT DISTINCT path FROM series WHERE run_id = {long_run} ORDER BY path"
    return [
        Question("a round trip: /health", "/health", "SELECT 1"),
        Question(
            f"the first 1,000 of {points:,} points",
            f"{address}/metric/{METRIC}?limit=1000",
            f"{page} 1000",
            5,
        ),
        Question(
            f"all {points:,} points",
            f"{address}/metric/{METRIC}?limit={points}",
            f"{page} {points}",
            1200,
            slow=True,
        ),
        Question(
            f"compare {RUNS} runs of {RUN_POINTS:,} points",
            "/api/metrics/compare",
            comparison,
            60,
            {"run_ids": compared, "metric_paths": [METRIC]},
        ),
        Question("the names of the long run's metrics", address, names, 3),
    ]
