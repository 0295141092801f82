"""Delete a long run over HTTP while others write, and see how long these have to wait.

Two others write all the time: a client that posts batches of ten points to the server that deletes,
and a process that stores in the same file, as a training script does. Their baselines are what the
same two waited, each for the other, before anything was deleted.
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

from scripts.benchmarks.filling import add_run, new_database, roll_up
from scripts.benchmarks.harness import Client, Figure, Report, serve, spread
from trackai.store.catalogue import writers
from trackai.store.engine.database import Database
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_METRICS = 10
_CALM_SECONDS = 5.0
_PAUSE_SECONDS = 0.002
_MOST_MILLISECONDS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument(
        "--points", type=int, default=10_000_000, help="of the run [default: 10000000]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Make a long run, and delete it; this takes two minutes."""
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        path = Path(folder, "trackai.db")
        doomed, posted, stored = anyio.run(_fill, path, arguments.points)
        with serve(path) as client:
            with _writing(client, path, posted, stored) as calm:
                time.sleep(_CALM_SECONDS)
            with _writing(client, path, posted, stored) as busy:
                started = time.perf_counter()
                answer = json.loads(client.delete(f"/api/runs/{doomed}"))
                took = time.perf_counter() - started
        size = path.stat().st_size
    figures = [
        Figure(name="until the answer", value=took, unit="s"),
        Figure(name="given back to the file system", value=answer["bytes"] / 1e6, unit="MB"),
        Figure(name="left of the file", value=size / 1e6, unit="MB"),
    ]
    for at, who in enumerate(("a client that posts", "a process that stores")):
        waits, before = spread(busy[at]), spread(calm[at])
        figures += [
            Figure(
                name=f"{who} waits: median", value=waits.median * 1000, unit="ms",
                baseline=before.median * 1000,
            ),
            Figure(name="p99", value=waits.p99 * 1000, unit="ms", baseline=before.p99 * 1000),
            Figure(
                name=f"longest of {len(busy[at]):,}", value=max(busy[at]) * 1000, unit="ms",
                at_most=_MOST_MILLISECONDS, baseline=max(calm[at]) * 1000,
            ),
        ]  # fmt: skip
    return Report(
        f"deleting a run of {arguments.points:,} points while two others write",
        figures,
        [],
        ["Baselines: what the same two wait while nothing is deleted."],
    )


async def _fill(path: Path, points: int) -> tuple[int, int, int]:
    async with new_database(path) as database:
        doomed = await add_run(database, "doomed", {"loss": points})
        await roll_up(database)
        return doomed, await add_run(database, "posted", {}), await add_run(database, "stored", {})


@contextmanager
def _writing(client: Client, path: Path, posted: int, stored: int) -> Iterator[list[list[float]]]:
    """Two who write meanwhile; afterwards, how long each of their writes took."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    waits: list[list[float]] = []
    with ExitStack() as stack:
        queues = []
        for target, *given in ((_post, client.address, posted), (_store, path, stored)):
            begun, queue = context.Event(), context.Queue()
            process = context.Process(target=target, args=(*given, begun, stop, queue))
            process.start()
            stack.callback(process.join)
            queues.append(queue)
            begun.wait(60)
        try:
            yield waits
        finally:
            stop.set()
            waits += [queue.get(timeout=60) for queue in queues]


def _post(address: tuple[str, int], run: int, begun: Any, stop: Any, waits: Any) -> None:
    client = Client(*address)
    found: list[float] = []
    while not (found and stop.is_set()):
        values = {f"metric/{at}": 0.5 for at in range(_METRICS)}
        row = {"step": time.time_ns() // 1000, "values": values}
        started = time.perf_counter()
        client.post(f"/api/metrics/runs/{run}", {"rows": [row]})
        found.append(time.perf_counter() - started)
        begun.set()
        time.sleep(_PAUSE_SECONDS)
    waits.put(found)


def _store(path: Path, run: int, begun: Any, stop: Any, waits: Any) -> None:
    waits.put(anyio.run(_store_points, path, run, begun, stop))


async def _store_points(path: Path, run: int, begun: Any, stop: Any) -> list[float]:
    found: list[float] = []
    database = Database(path)
    await database.open()
    try:
        async with database.write() as conn:
            writer = await writers.get_or_create(
                conn, uid=os.urandom(8).hex(), run_id=run, attempt=1, rank=0, host="bench",
                pid=os.getpid(), now=time.time_ns() // 1000,
            )  # fmt: skip
        while not (found and stop.is_set()):
            now = time.time_ns() // 1000
            some = [Column(f"metric/{at}", "step", [now], [now], [0.5]) for at in range(_METRICS)]
            started = time.perf_counter()
            await database.change(lambda conn: metrics.append(conn, run, writer, some))  # noqa: B023
            found.append(time.perf_counter() - started)
            begun.set()
            await anyio.sleep(_PAUSE_SECONDS)
    finally:
        await database.close()
    return found
