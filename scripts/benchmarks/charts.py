"""Measure smoothed charts beside plain ones, and compressed responses beside plain ones.

Eight runs of a long metric are compared over HTTP. The server keeps what it has read to smooth, so
the first smoothed request is measured apart; every later one, also with another amount and after
new points, goes on from there. Requests that are compared take turns.

On Linux, the times are the CPU time of the server, which other programs affect little; elsewhere,
by the clock.
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from scripts.benchmarks.fill_database import add_run, new_database, roll_up
from scripts.benchmarks.harness import Figure, Report, serve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from scripts.benchmarks.harness import Client

_RUNS = 8
_METRIC = "loss"
_BUCKETS = (200, 1000)
_PATH = "/api/metrics/compare"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--points", type=int, default=50_000, help="points of each run [default: 50000]"
    )
    parser.add_argument(
        "--repeat", type=int, default=20, help="requests to take the median of [default: 20]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Create the runs and measure; this takes half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trackai.db")
        ids = anyio.run(_make, path, arguments.points)
        with serve(path) as client:
            figures = [_first(client, ids)]
            steps = count(arguments.points)
            for buckets in _BUCKETS:
                figures += _smoothed(client, ids, buckets, arguments.repeat, steps)
                figures += _compressed(client, ids, buckets, arguments.repeat)
    return Report(
        f"charts of {_RUNS} runs of {arguments.points:,} points, medians of {arguments.repeat}",
        figures,
        notes=["Baseline: the same request without smoothing, or without compression."],
    )


def _costs(client: Client, *actions: Callable[[], object], repeat: int) -> list[float]:
    """The median cost of each action, in turns, after one call of each to warm up."""
    for action in actions:
        action()
    turns = [[_cost(client, action) for action in actions] for _ in range(repeat)]
    return [statistics.median(costs) for costs in zip(*turns, strict=True)]


def _cost(client: Client, action: Callable[[], object]) -> float:
    """The seconds that the server works for an action."""
    before = _clock(client)
    action()
    return _clock(client) - before


def _clock(client: Client) -> float:
    tasks = Path(f"/proc/{client.server_pid}/task")
    if not tasks.is_dir():
        return time.perf_counter()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


async def _make(path: Path, points: int) -> list[int]:
    async with new_database(path) as database:
        ids = [await add_run(database, f"run-{n}", {_METRIC: points}) for n in range(_RUNS)]
        await roll_up(database)
    return ids


def _body(ids: list[int], buckets: int, **more: Any) -> dict[str, Any]:
    return {"run_ids": ids, "metric_paths": [_METRIC], "points": buckets, **more}


def _first(client: Client, ids: list[int]) -> Figure:
    plain, smoothed = _body(ids, 1000), _body(ids, 1000, smoothing=0.9)
    client.post(_PATH, plain)
    times = [1000 * _cost(client, partial(client.post, _PATH, body)) for body in (plain, smoothed)]
    return Figure(
        name="1000 buckets smoothed, the first time", unit="ms", value=times[1], baseline=times[0]
    )


def _smoothed(
    client: Client, ids: list[int], buckets: int, repeat: int, steps: Iterator[int]
) -> list[Figure]:
    plain = partial(client.post, _PATH, _body(ids, buckets))
    smoothed = partial(client.post, _PATH, _body(ids, buckets, smoothing=0.9))
    relative = partial(client.post, _PATH, _body(ids, buckets, x="relative"))
    over_time = partial(client.post, _PATH, _body(ids, buckets, x="relative", smoothing=0.9))
    base, again, base_time, again_time = _costs(
        client, plain, smoothed, relative, over_time, repeat=repeat
    )
    polls: list[tuple[float, float]] = []
    for _ in range(repeat):
        step = next(steps)
        for run_id in ids:
            rows = [{"step": step, "values": {_METRIC: 0.5}}]
            client.post(f"/api/metrics/runs/{run_id}", {"rows": rows})
        polls.append((_cost(client, plain), _cost(client, smoothed)))
    before, after = (sorted(column)[repeat // 2] for column in zip(*polls, strict=True))
    return [
        Figure(
            name=f"{buckets} buckets smoothed {what}", unit="ms", value=1000 * value,
            baseline=1000 * baseline, at_most=2000 * baseline,
        )
        for what, value, baseline in (
            ("again", again, base),
            ("over time", again_time, base_time),
            ("at the next poll", after, before),
        )
    ]  # fmt: skip


def _compressed(client: Client, ids: list[int], buckets: int, repeat: int) -> list[Figure]:
    connection = http.client.HTTPConnection(*client.address)
    content = json.dumps(_body(ids, buckets))
    sizes: dict[str, int] = {}

    def ask(encoding: str) -> None:
        headers = {"Content-Type": "application/json", "Accept-Encoding": encoding}
        connection.request("POST", _PATH, content, headers)
        answer = connection.getresponse()
        sizes[encoding] = len(answer.read())
        assert answer.headers["Content-Encoding"] in {None, encoding}

    encodings = ("identity", "gzip", "zstd")
    plain, *times = _costs(client, *(partial(ask, name) for name in encodings), repeat=repeat)
    connection.close()
    figures = []
    for encoding, seconds in zip(encodings[1:], times, strict=True):
        name = f"{buckets} buckets with {encoding}"
        whole = sizes["identity"]
        figures += [
            Figure(
                name=f"{name}: bytes", value=sizes[encoding], baseline=whole, at_most=whole / 3
            ),
            Figure(
                name=f"{name}: time", unit="ms", value=1000 * seconds, baseline=1000 * plain,
                at_most=1200 * plain,
            ),
        ]  # fmt: skip
    return figures
