"""Measure the response times of the server: pages of points, comparisons, charts, tables of runs.

The server runs in a child process. Its database has a run with a series of a million points and
twenty shorter ones, fifty runs of a thousand points, a series of ten million points and one of
100 000, and a project of ten thousand runs. Requests use one open connection; responses are read,
but not decoded. The baseline of a request is sqlite3 fetching the rows or points that the response
is computed from.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from scripts.benchmarks import chart_questions
from scripts.benchmarks.chart_questions import Question
from scripts.benchmarks.fill_database import add_run, new_database
from scripts.benchmarks.harness import Report, Table, serve

if TYPE_CHECKING:
    import argparse

METRIC = "train/loss"
MORE_METRICS, MORE_POINTS = 20, 1000
RUNS, RUN_POINTS = 50, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="points of the long series [default: 1000000]"
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
        "--repeat",
        type=int,
        default=50,
        help="requests to take the median of [default: 50]",
    )


def run(arguments: argparse.Namespace) -> Report:
    """Create the database and measure; this takes two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        started = time.perf_counter()
        long_run, compared = anyio.run(_fill, path, arguments.points)
        filled = time.perf_counter() - started
        store = anyio.run(chart_questions.fill, path, arguments.long, arguments.table)
        questions = _questions(long_run, arguments.points, compared)
        of_charts = chart_questions.questions(store, compared, METRIC)
        with serve(path) as client, closing(sqlite3.connect(path)) as plain:
            figures = [chart_questions.idle_memory(client)]
            figures += [
                chart_questions.measure_one(question, client, plain, arguments.repeat)
                for question in questions
            ]
            figures += chart_questions.measure(of_charts, client, plain, arguments.repeat)
            sizes = [
                (question.name, len(question.ask(client))) for question in [*questions, *of_charts]
            ]
    points = arguments.points + MORE_METRICS * MORE_POINTS + RUNS * RUN_POINTS
    return Report(
        f"the server's responses, medians of {arguments.repeat} requests, fewer for slow ones",
        figures,
        [Table("Size of the answers", ["", "bytes"], sizes)],
        [
            "Baseline: sqlite3 fetching the same rows into tuples.",
            f"The database has {points:,} points; storing them took {filled:.1f} s.",
            *store.notes,
        ],
    )


async def _fill(path: Path, points: int) -> tuple[int, list[int]]:
    short_series = {f"train/metric_{number}": MORE_POINTS for number in range(MORE_METRICS)}
    async with new_database(path) as database:
        long_run = await add_run(database, "long", {METRIC: points, **short_series})
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
