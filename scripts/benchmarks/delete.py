"""Measure how long writers wait while the server deletes a long run.

Two writers run all the time: a client that posts batches of ten points to the server, and a process
that stores points in the same database, as a training script does. The baseline is their waiting
time before the deletion.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from scripts.benchmarks.fill_database import add_run, new_database, roll_up
from scripts.benchmarks.harness import Client, Figure, Report, serve, spread
from trackai.store.catalogue import writers
from trackai.store.engine.database import Database
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_METRICS = 10
_BASELINE_SECONDS = 5.0
_PAUSE_SECONDS = 0.002
_MAX_MILLISECONDS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--points",
        type=int,
        default=10_000_000,
        help="points of the deleted run [default: 10000000]",
    )


def run(arguments: argparse.Namespace) -> Report:
    """Create a long run and delete it; this takes two minutes."""
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        path = Path(folder, "trackai.db")
        long_run, posted, stored = anyio.run(_fill, path, arguments.points)
        with serve(path) as client:
            with _writing(client, path, posted, stored) as before_waits:
                time.sleep(_BASELINE_SECONDS)
            with _writing(client, path, posted, stored) as during_waits:
                started = time.perf_counter()
                answer = json.loads(client.delete(f"/api/runs/{long_run}"))
                seconds = time.perf_counter() - started
        size = path.stat().st_size
    figures = [
        Figure(name="until the answer", value=seconds, unit="s"),
        Figure(name="given back to the file system", value=answer["bytes"] / 1e6, unit="MB"),
        Figure(name="left of the file", value=size / 1e6, unit="MB"),
    ]
    for name, during, before in zip(
        ("a client that posts", "a process that stores"), during_waits, before_waits, strict=True
    ):
        waits, baseline = spread(during), spread(before)
        figures += [
            Figure(
                name=f"{name} waits: median", value=waits.median * 1000, unit="ms",
                baseline=baseline.median * 1000,
            ),
            Figure(name="p99", value=waits.p99 * 1000, unit="ms", baseline=baseline.p99 * 1000),
            Figure(
                name=f"longest of {len(during):,}", value=max(during) * 1000, unit="ms",
                at_most=_MAX_MILLISECONDS, baseline=max(before) * 1000,
            ),
        ]  # fmt: skip
    return Report(
        f"deleting a run of {arguments.points:,} points while two others write",
        figures,
        [],
        ["Baselines: the waiting times before the deletion."],
    )


async def _fill(path: Path, points: int) -> tuple[int, int, int]:
    async with new_database(path) as database:
        long_run = await add_run(database, "long", {"loss": points})
        await roll_up(database)
        posted = await add_run(database, "posted", {})
        return long_run, posted, await add_run(database, "stored", {})


@contextmanager
def _writing(client: Client, path: Path, posted: int, stored: int) -> Iterator[list[list[float]]]:
    """Run both writers; on exit, add the durations of their writes to the list, one list each."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    waits: list[list[float]] = []
    with ExitStack() as stack:
        queues = []
        for target, *arguments in ((_post, client.address, posted), (_store, path, stored)):
            started, queue = context.Event(), context.Queue()
            process = context.Process(target=target, args=(*arguments, started, stop, queue))
            process.start()
            stack.callback(process.join)
            queues.append(queue)
            started.wait(60)
        try:
            yield waits
        finally:
            stop.set()
            waits += [queue.get(timeout=60) for queue in queues]


def _post(address: tuple[str, int], run: int, ready: Any, stop: Any, waits: Any) -> None:
    client = Client(*address)
    durations: list[float] = []
    while not (durations and stop.is_set()):
        values = {f"metric/{number}": 0.5 for number in range(_METRICS)}
        row = {"step": time.time_ns() // 1000, "values": values}
        started = time.perf_counter()
        client.post(f"/api/metrics/runs/{run}", {"rows": [row]})
        durations.append(time.perf_counter() - started)
        ready.set()
        time.sleep(_PAUSE_SECONDS)
    waits.put(durations)


def _store(path: Path, run: int, ready: Any, stop: Any, waits: Any) -> None:
    waits.put(anyio.run(_store_points, path, run, ready, stop))


async def _store_points(path: Path, run: int, ready: Any, stop: Any) -> list[float]:
    durations: list[float] = []
    database = Database(path)
    await database.open()
    try:
        async with database.write() as conn:
            writer = await writers.get_or_create(
                conn, uid=os.urandom(8).hex(), run_id=run, attempt=1, rank=0, host="bench",
                pid=os.getpid(), now=time.time_ns() // 1000,
            )  # fmt: skip
        while not (durations and stop.is_set()):
            now = time.time_ns() // 1000
            columns = [
                Column(f"metric/{number}", "step", [now], [now], [0.5])
                for number in range(_METRICS)
            ]
            started = time.perf_counter()
            await database.change(lambda conn: metrics.append(conn, run, writer, columns))  # noqa: B023
            durations.append(time.perf_counter() - started)
            ready.set()
            await anyio.sleep(_PAUSE_SECONDS)
    finally:
        await database.close()
    return durations
