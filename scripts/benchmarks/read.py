"""How long the server takes to answer a page of points, a whole series, a comparison of runs.

The server is a process of its own, over a database with a run that has a series of a million
points and some more metrics, and fifty runs of a thousand points. Requests go over one open
connection; answers are read but not decoded. The baseline of each is what plain sqlite3 needs to
fetch the same rows into tuples.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from scripts.benchmarks.filling import add_run, new_database
from scripts.benchmarks.harness import Client, Figure, Report, Table, median_seconds, serve

if TYPE_CHECKING:
    import argparse

METRIC = "train/loss"
MORE_METRICS, MORE_POINTS = 20, 1000
RUNS, RUN_POINTS = 50, 1000


@dataclass(frozen=True)
class Question:
    """A request, the milliseconds that it may take, and the SQL that fetches the same rows."""

    name: str
    path: str
    sql: str
    at_most: float | None = None
    body: Any = None

    def ask(self, client: Client) -> bytes:
        return client.get(self.path) if self.body is None else client.post(self.path, self.body)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="of the long series [default: 1000000]"
    )
    parser.add_argument(
        "--repeat", type=int, default=50, help="take medians of this many requests [default: 50]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Make the database, and measure; this takes half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        started = time.perf_counter()
        long_run, compared = anyio.run(_fill, path, arguments.points)
        filled = time.perf_counter() - started
        questions = _questions(long_run, arguments.points, compared)
        with serve(path) as client, closing(sqlite3.connect(path)) as plain:
            figures = [_measure(one, client, plain, arguments.repeat) for one in questions]
            sizes = [(one.name, len(one.ask(client))) for one in questions]
    points = arguments.points + MORE_METRICS * MORE_POINTS + RUNS * RUN_POINTS
    return Report(
        f"the server's answers, medians of {arguments.repeat} requests, long ones of fewer",
        figures,
        [Table("Size of the answers", ["", "bytes"], sizes)],
        [
            "Baseline: plain sqlite3 fetches the same rows into tuples.",
            f"The database has {points:,} points; storing them took {filled:.1f} s.",
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


def _measure(question: Question, client: Client, plain: sqlite3.Connection, repeat: int) -> Figure:
    if question.at_most is not None and question.at_most > 1000:
        repeat = max(3, repeat // 10)
    seconds, baseline = median_seconds(
        lambda: question.ask(client),
        lambda: plain.execute(question.sql).fetchall(),
        repeat=repeat,
    )
    return Figure(
        name=question.name,
        value=1000 * seconds,
        unit="ms",
        at_most=question.at_most,
        baseline=1000 * baseline,
    )
