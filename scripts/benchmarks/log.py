"""Measure calls of trackai.log() with ten floats, and how their points are stored.

Each measurement uses a new process and a new database. The baseline of a call is to encode the same
values with msgpack and write them to a file; the report names the other baselines. Other trackers
are measured too if they are installed:

    uv run --with trackio --with wandb python scripts/bench.py log

Trackers that cannot be installed together stay in environments of their own:

    python scripts/bench.py log --peers /path/to/pandm/bin/python
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
from scripts.benchmarks.harness import ROOT, ChildError, Figure, Report, Table, run_child

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

# Calls in bursts with pauses between them keep the drain busy.
BURST, PAUSE = 200, 0.01
# The calls of a script that logs at an ordinary pace.
_SLOW_CALLS = 300
# In MB: memory must not grow with the calls, except by SQLite's page cache of 16 MiB.
PAGE_CACHE = 17


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--quick", action="store_true", help="take a few seconds, with imprecise results"
    )
    parser.add_argument(
        "--backlog", type=float, default=60.0, help="seconds of logging at full speed [default: 60]"
    )
    parser.add_argument("--calls", type=int, default=20_000, help="calls of log() [default: 20000]")
    parser.add_argument(
        "--repeat", type=int, default=5,
        help="measurements to take the median of [default: 5]",
    )  # fmt: skip
    parser.add_argument(
        "--trackers",
        nargs="*",
        metavar="NAME",
        help=f"trackers to compare, of: {', '.join(trackers.TRACKERS)} "
        "[default: all that are installed]",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="PYTHON",
        default=[],
        help="interpreters of other environments with trackers to compare",
    )
    parser.add_argument(
        "--tracker-calls", type=int, default=5000, help="calls to each tracker [default: 5000]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Take all measurements; this takes minutes, longer with other trackers."""
    calls, repeat, quick = arguments.calls, arguments.repeat, arguments.quick
    if quick:
        calls, repeat = min(calls, 2000), 1
        arguments.tracker_calls = min(arguments.tracker_calls, 500)
    names = trackers.installed() if arguments.trackers is None else arguments.trackers
    compared: list[tuple[str, str | None]] = [(name, None) for name in names]
    for python in arguments.peers:
        found = run_child("scripts.benchmarks.trackers", python=python)
        compared += [(name, python) for name in found if name not in names]
    return Report(
        f"trackai.log() of {trackers.METRICS} floats, {calls:,} calls, medians of {repeat} runs",
        [
            *_calls(calls, repeat),
            *_startup(repeat),
            *_memory(calls),
            *pressure.writers((1, 4) if quick else (1, 4, 16), 4000 if quick else 64_000),
            *pressure.busy(1.0 if quick else 4.0),
            *pressure.backlog(1.0 if quick else arguments.backlog),
        ],
        [_side_by_side(compared, arguments.tracker_calls)],
        [
            "Baselines: for a call, writing the same values as msgpack to a file; for storing,",
            "sqlite3 inserting the same rows into the same table; for the import, importing",
            "msgspec, anyio and aiosqlite; for init(), sqlite3 creating the same empty database.",
            "Of both, the CPU time of the process.",
        ],
    )


def _tracker(
    name: str, calls: int, *, pause: float = 0.0, burst: int = BURST, python: str | None = None
) -> Any:
    return run_child(
        "scripts.benchmarks.trackers", name, "--calls", str(calls),
        "--burst", str(burst), "--pause", str(pause), python=python,
    )  # fmt: skip


def _calls(calls: int, repeat: int) -> list[Figure]:
    steady, bursts, plain, plain_bursts, rows = [], [], [], [], []
    for _ in range(repeat):  # in turn, so that a disturbance affects all measurements
        plain.append(_tracker("baseline", calls))
        steady.append(_tracker("trackai", calls))
        plain_bursts.append(_tracker("baseline", calls, pause=PAUSE))
        bursts.append(_tracker("trackai", calls, pause=PAUSE))
        rows.append(_in_new_folder(lambda folder: _insert_rows(folder, calls)))
    figures = []
    for title, trackai_results, plain_results in (
        ("a call, back to back", steady, plain),
        (f"a call in bursts of {BURST}, drain at work", bursts, plain_bursts),
    ):
        for field, goal in (("median", 3.0), ("mean", 8.0), ("p99", None)):
            figures.append(
                Figure(
                    name=f"{title}: {field}",
                    value=_median(trackai_results, "microseconds", field),
                    unit="µs",
                    at_most=goal,
                    baseline=_median(plain_results, "microseconds", field),
                )
            )
    return [
        *figures,
        Figure(
            name="points stored during the calls, of them all",
            value=100 * _median(bursts, "stored_before_finish") / (calls * trackers.METRICS),
            unit="%",
        ),
        Figure(
            name="last call back to back to all points stored",
            value=_median(steady, "finish"),
            unit="s",
            at_most=1.0,
            baseline=_median(rows, "seconds"),
        ),
        Figure(
            name="size of the database",
            value=_median(steady, "bytes_per_point"),
            unit="bytes/point",
            at_most=34,
            baseline=_median(rows, "bytes_per_point"),
        ),
    ]


def _startup(repeat: int) -> list[Figure]:
    dependencies, new, existing, plain = [], [], [], []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "trackai.db"))
            dependencies.append(run_child("scripts.benchmarks.startup"))
            new.append(run_child("scripts.benchmarks.startup", path))
            existing.append(run_child("scripts.benchmarks.startup", path))
        plain.append(_in_new_folder(_make_database))
    return [
        Figure(
            name="import trackai",
            value=_median([*new, *existing], "import"),
            unit="s",
            at_most=0.12,
            baseline=_median(dependencies, "import"),
        ),
        Figure(
            name="of Starlette, uvicorn and NumPy are loaded",
            value=_median(new, "unwanted"),
            at_most=0,
        ),
        Figure(
            name="init(), new database",
            value=_median(new, "init"),
            unit="s",
            at_most=0.06,
            baseline=_median(plain, "seconds"),
        ),
        Figure(
            name="init(), existing database",
            value=_median(existing, "init"),
            unit="s",
            at_most=0.1,
        ),
    ]


def _memory(calls: int) -> list[Figure]:
    few, many = (_tracker("trackai", number)["peak_memory"] for number in (calls, calls * 10))
    slow, plain = (
        _tracker(name, _SLOW_CALLS, burst=1, pause=PAUSE)["peak_memory"]
        for name in ("trackai", "baseline")
    )
    return [
        Figure(
            name=f"peak memory, {1 / PAUSE:.0f} calls a second",
            value=slow,
            unit="MB",
            at_most=36,
            baseline=plain,
        ),
        Figure(name=f"peak memory, {calls:,} calls", value=few, unit="MB"),
        Figure(
            name=f"peak memory, {calls * 10:,} calls",
            value=many,
            unit="MB",
            at_most=few + PAGE_CACHE,
        ),
    ]


def _side_by_side(compared: list[tuple[str, str | None]], calls: int) -> Table:
    """Measure trackers, each in the environment of an interpreter; None for this one."""
    rows: list[list[str | float | None]] = []
    for name, python in compared:
        try:
            result = _tracker(name, calls, python=python)
        except ChildError as error:
            rows.append([name, *[None] * 7, str(error)[:60]])
            continue
        spread = result["microseconds"]
        rows.append(
            [
                name, spread["median"], spread["mean"], spread["p99"], result["init"],
                result["finish"], result["bytes_per_point"], result["peak_memory"], None,
            ]
        )  # fmt: skip
    return Table(
        f"{calls:,} calls to each, back to back",
        [
            "tracker",
            "median µs",
            "mean µs",
            "p99 µs",
            "init s",
            "finish s",
            "bytes/point",
            "MB",
            "error",
        ],
        rows,
    )


def _median(results: list[Any], *path: str) -> float:
    values = results
    for key in path:
        values = [value[key] for value in values]
    return float(statistics.median(values))


def _in_new_folder(measure: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder))


def _make_database(folder: Path) -> dict[str, float]:
    """Create an empty database with TrackAI's tables, using only sqlite3."""
    started = time.process_time()
    with closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        for path in sorted((ROOT / "migrations").glob("*.sql")):
            connection.executescript(f"BEGIN; {path.read_text()}; COMMIT")
    return {"seconds": time.process_time() - started}


def _insert_rows(folder: Path, calls: int) -> dict[str, float]:
    """Store the same points using only sqlite3, in transactions of 5,000 calls."""
    _make_database(folder)
    path = folder / "plain.db"
    now = time.time_ns() // 1000
    started = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        for first in range(0, calls, 5000):
            connection.executemany(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?)",
                [
                    (series, step, now + step, step / 7, 1)
                    for series in range(trackers.METRICS)
                    for step in range(first, min(first + 5000, calls))
                ],
            )
            connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {
        "seconds": time.perf_counter() - started,
        "bytes_per_point": path.stat().st_size / (calls * trackers.METRICS),
    }
