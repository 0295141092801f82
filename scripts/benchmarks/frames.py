"""Measure reading a long series into a pandas data frame or an Arrow table.

`trackai.Api` reads it from the database and from a server, without a cache. The baseline is
`pandas.read_sql_query` with a query for the same rows and columns. Times are CPU time, that of the
server included, as other programs affect it little.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pandas as pd

import trackai
from scripts.benchmarks.fill_database import add_run, new_database, roll_up
from scripts.benchmarks.harness import Client, Figure, Report, peak_memory, serve
from scripts.benchmarks.remote_speed import cpu_seconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

METRIC = "train/loss"
_QUERY = """
    SELECT step, timestamp, value FROM metrics
    WHERE series_id = (SELECT id FROM series WHERE run_id = ? AND path = ?)
    ORDER BY step, timestamp, writer_id
"""
THINNED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="points of the series [default: 1000000]"
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=5,
        help="measurements to take the least of [default: 5]",
    )


def run(arguments: argparse.Namespace) -> Report:
    """Create the database and measure; this takes half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        run_id = anyio.run(_fill, path, arguments.points)
        stored = trackai.Api(path).run(run_id)
        with closing(sqlite3.connect(path)) as plain, serve(path) as client:
            host, port = client.address
            served = trackai.Api(f"http://{host}:{port}").run(run_id)
            pandas, remote, lists, arrow, thin, baseline = _least_seconds(
                client,
                arguments.repeat,
                lambda: stored.history(METRIC).to_pandas(),
                lambda: served.history(METRIC).to_pandas(),
                lambda: stored.history(METRIC)[METRIC],
                lambda: stored.history(METRIC).to_arrow(),
                lambda: stored.history(METRIC, points=THINNED).to_pandas(),
                lambda: pd.read_sql_query(_QUERY, plain, params=(run_id, METRIC)),
            )
    points = f"{arguments.points:,} points"
    return Report(
        f"data frames, the least CPU time of {arguments.repeat}",
        [
            Figure(name=f"{points} to pandas", value=pandas, unit="s", at_most=0.4 * baseline,
                   baseline=baseline),
            Figure(name=f"{points} of a server to pandas", value=remote, unit="s",
                   at_most=0.6 * baseline, baseline=baseline),
            Figure(name=f"{points} to lists", value=lists, unit="s", baseline=baseline),
            Figure(name=f"{points} to Arrow", value=arrow, unit="s", baseline=baseline),
            Figure(name=f"the same in {THINNED:,} means", value=thin, unit="s", baseline=baseline),
            Figure(name="peak memory", value=peak_memory(), unit="MB"),
        ],
        notes=["Baseline: pandas.read_sql_query over the same rows and columns."],
    )  # fmt: skip


def _least_seconds(client: Client, repeat: int, *actions: Callable[[], object]) -> list[float]:
    """The least CPU time of each action, in turns, with that of the server."""
    assert client.server_pid is not None
    least = [float("inf") for _ in actions]
    for _ in range(repeat):
        for number, action in enumerate(actions):
            before = time.process_time() + cpu_seconds(client.server_pid)
            action()
            after = time.process_time() + cpu_seconds(client.server_pid)
            least[number] = min(least[number], after - before)
    return least


async def _fill(path: Path, points: int) -> int:
    async with new_database(path) as database:
        run_id = await add_run(database, "long", {METRIC: points})
        await roll_up(database)
        return run_id
