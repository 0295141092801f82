"""How long it takes to get a long series into a pandas data frame, or an Arrow table.

It is read from the file by `trackai.Api`, with nothing kept from one time to the next. The
baseline is what pandas needs to read the same columns from the same file with a query
(`read_sql_query`): what people do where a tracker gives them nothing else.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pandas as pd

import trackai
from scripts.benchmarks.filling import add_run, new_database
from scripts.benchmarks.harness import Figure, Report, median_seconds, peak_memory
from trackai.store.points import rollups

if TYPE_CHECKING:
    import argparse

METRIC = "train/loss"
_QUERY = """
    SELECT step, timestamp, value FROM metrics
    WHERE series_id = (SELECT id FROM series WHERE run_id = ? AND path = ?)
    ORDER BY step, timestamp, writer_id
"""
THINNED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument(
        "--points", type=int, default=1_000_000, help="of the series [default: 1000000]"
    )
    parser.add_argument(
        "--repeat", type=int, default=5, help="take medians of so many times [default: 5]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Make the database, and measure; this takes half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        run_id = anyio.run(_fill, path, arguments.points)
        one = trackai.Api(path).run(run_id)
        with closing(sqlite3.connect(path)) as plain:
            pandas, arrow, thin, baseline = median_seconds(
                lambda: one.history(METRIC).to_pandas(),
                lambda: one.history(METRIC).to_arrow(),
                lambda: one.history(METRIC, points=THINNED).to_pandas(),
                lambda: pd.read_sql_query(_QUERY, plain, params=(run_id, METRIC)),
                repeat=arguments.repeat,
            )
    points = f"{arguments.points:,} points"
    return Report(
        f"data frames, medians of {arguments.repeat}",
        [
            Figure(name=f"{points} to pandas", value=pandas, unit="s", at_most=1.5,
                   baseline=baseline),
            Figure(name=f"{points} to Arrow", value=arrow, unit="s", baseline=baseline),
            Figure(name=f"the same in {THINNED:,} means", value=thin, unit="s", baseline=baseline),
            Figure(name="peak memory", value=peak_memory(), unit="MB"),
        ],
        notes=["Baseline: pandas.read_sql_query over the same rows and columns."],
    )  # fmt: skip


async def _fill(path: Path, points: int) -> int:
    async with new_database(path) as database:
        run_id = await add_run(database, "long", {METRIC: points})
        # As a server, or the process that logs, does in idle time.
        async with database.write() as conn:
            while (series_id := await rollups.next_stale(conn)) is not None:
                await rollups.refresh(conn, series_id)
        return run_id
