"""The requests for charts and tables of `bench.py read`, and their database."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scripts.benchmarks.fill_database import add_run, add_table, new_database, roll_up
from scripts.benchmarks.harness import (
    Client,
    Figure,
    median_seconds,
    resident_memory,
    run_child,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

METRIC = "loss"
SHORT_POINTS = 100_000
# The numbers of steps of windows of the long series.
WINDOWS = (1000, 4000, 8000, 16_000, 30_000, 100_000, 1_000_000)
TABLE_METRICS, TABLE_KEYS = 50, 30


@dataclass(frozen=True)
class Question:
    """A request to measure.

    Attributes:
        sql: the baseline, a query that fetches the same rows.
        at_most: the goal in milliseconds.
        body: the JSON body of a POST request; None for GET.
        slow: whether to repeat it less often.
    """

    name: str
    path: str
    sql: str | None = None
    at_most: float | None = None
    body: Any = None
    slow: bool = False

    def ask(self, client: Client) -> bytes:
        """Send the request; return the body of the response."""
        return client.get(self.path) if self.body is None else client.post(self.path, self.body)


@dataclass(frozen=True)
class Store:
    """The row ids of the runs with the long and the short series, and of the project of runs."""

    long_run: int
    short_run: int
    points: int
    project: int
    notes: list[str]


async def fill(path: Path, points: int, table: int) -> Store:
    """Add the data for charts and tables to a database.

    Args:
        points: points of the long series.
        table: the number of runs of the project.
    """
    async with new_database(path) as database:
        before = path.stat().st_size
        long_run = await add_run(database, "longest", {METRIC: points})
        started = time.perf_counter()
        await roll_up(database)
        seconds = time.perf_counter() - started
        await database.checkpoint()
        size = (path.stat().st_size - before) / points
        short_run = await add_run(database, "shorter", {METRIC: min(points, SHORT_POINTS)})
        project = await add_table(database, table, TABLE_METRICS, TABLE_KEYS)
        await roll_up(database)
    note = f"The series of {points:,} points takes {size:.1f} bytes per point, rollups included"
    notes = [f"{note}; computing these took {seconds:.1f} s."]
    return Store(long_run, short_run, points, project, notes)


def questions(store: Store, compared: Sequence[int], compared_metric: str) -> list[Question]:
    """Return the requests for charts and tables."""
    long = f"/api/metrics/runs/{store.long_run}/metric/{METRIC}?points=1000"
    short = f"/api/metrics/runs/{store.short_run}/metric/{METRIC}?points=1000"
    short_points = min(store.points, SHORT_POINTS)
    questions = [
        Question(f"1,000 buckets of {store.points:,} points", long, at_most=10),
        Question(f"1,000 buckets of {short_points:,} points", short, at_most=10),
    ]
    for width in WINDOWS:
        if width < store.points:
            first = (store.points - width) // 2
            window = f"step_min={first}&step_max={first + width - 1}"
            sql = f"""
                SELECT step, timestamp, value FROM metrics
                WHERE series_id = (SELECT id FROM series WHERE run_id = {store.long_run})
                  AND step BETWEEN {first} AND {first + width - 1}
            """
            name = f"a window of {width:,} steps of it"
            questions.append(Question(name, f"{long}&{window}", sql, at_most=10))
    questions += [
        Question(f"{store.points:,} points smoothed", f"{long}&smoothing=0.9", slow=True),
        Question(f"{short_points:,} points smoothed", f"{short}&smoothing=0.9", slow=True),
    ]
    ids = ",".join(map(str, compared))
    rows = f"""
        SELECT series_id, step, value FROM metrics
        WHERE series_id IN (SELECT id FROM series WHERE run_id IN ({ids}))
        ORDER BY series_id, step
    """
    body = {"run_ids": list(compared), "metric_paths": [compared_metric], "points": 500}
    count = len(compared)
    questions += [
        Question(
            f"compare {count} runs, thinned to 500", "/api/metrics/compare", rows, 40, body
        ),
        Question(
            f"mean and deviation of {count} runs", "/api/metrics/compare", rows, None,
            {**body, "group_by": "all"},
        ),
        _table(store),
    ]  # fmt: skip
    return questions


def _table(store: Store) -> Question:
    """Return a request that filters by a metric, sorts by another, and shows six columns."""
    columns = (
        "config.key/1,config.key/2,metric.metric/1,metric.metric/2.max,metric.metric/3.min,name"
    )
    path = (
        f"/api/runs?project_id={store.project}&limit=100&sort_by=metric.metric/2.min"
        f"&filter={quote('metric.metric/1.max>0.7')}&columns={quote(columns)}"
    )
    sql = """
        SELECT filtered.run_id, sorted.min_value
        FROM series AS filtered
        JOIN series AS sorted ON sorted.run_id = filtered.run_id AND sorted.path = 'metric/2'
        WHERE filtered.path = 'metric/1' AND filtered.max_value > 0.7
        ORDER BY sorted.min_value DESC
        LIMIT 100
    """
    return Question("a page of 100 of many runs", path, sql, 20)


def measure(
    questions: Sequence[Question], client: Client, plain: sqlite3.Connection, repeat: int
) -> list[Figure]:
    """Measure all requests, and the ratio of the first two: the long and the short series."""
    figures = [measure_one(question, client, plain, repeat) for question in questions]
    long, short = median_seconds(
        lambda: questions[0].ask(client), lambda: questions[1].ask(client), repeat=repeat
    )
    return [
        *figures,
        Figure(name="the long series, to the shorter", value=long / short, unit="x", at_most=1.5),
    ]


def measure_one(
    question: Question, client: Client, plain: sqlite3.Connection, repeat: int
) -> Figure:
    """Measure the median time of a request, and of its baseline."""
    seconds, baseline = median_seconds(
        lambda: question.ask(client),
        lambda: question.sql and plain.execute(question.sql).fetchall(),
        repeat=max(3, repeat // 10) if question.slow else repeat,
    )
    return Figure(
        name=question.name,
        value=1000 * seconds,
        unit="ms",
        at_most=question.at_most,
        baseline=1000 * baseline if question.sql else None,
    )


def idle_memory(client: Client) -> Figure:
    """Measure the memory of the server before the first request."""
    assert client.server_pid is not None
    memory = resident_memory(client.server_pid)
    plain = run_child("scripts.benchmarks.startup", "server")["memory"]
    return Figure(
        name="memory of the idle server", value=memory, unit="MB", at_most=46, baseline=plain
    )
