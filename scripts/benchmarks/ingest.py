"""How many points and requests a second the server stores that clients send over HTTP.

The server is a process of its own over an empty database; the clients are one asyncio process with
open connections. Large batches are columns in msgpack, sent one after the other; their baseline is
plain sqlite3 that stores the same rows in a table of the same shape. Small ones are rows in msgpack
from many connections at once; their baseline is GET /health over the same connections.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.harness import Client, Figure, Report, serve, spread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

METRICS = 10
CONNECTIONS = 32
_encode = msgspec.msgpack.encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--batches", type=int, default=100, help="of 10 000 points [default: 100]")
    parser.add_argument("--requests", type=int, default=9600, help="of 10 points [default: 9600]")


def run(arguments: argparse.Namespace) -> Report:
    """Send, and measure; this takes half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        with serve(Path(folder, "trackai.db")) as client:
            runs = _make_runs(client, 2 + CONNECTIONS)
            large = [_large(number) for number in range(arguments.batches)]
            large_seconds, _ = _send(client, [[_post(runs[0], body) for body in large]])
            each = max(1, arguments.requests // CONNECTIONS)
            health, _ = _send(client, [[_get("/health")] * each] * CONNECTIONS)
            one_run, waits = _send(
                client, [_small(f"a{at}", runs[1], each) for at in range(CONNECTIONS)]
            )
            many_runs, _ = _send(
                client, [_small(f"b{at}", runs[2 + at], each) for at in range(CONNECTIONS)]
            )
        plain = _plain_sqlite(Path(folder, "plain.db"), arguments.batches)
    points, requests = arguments.batches * 10_000, each * CONNECTIONS
    return Report(
        f"points over HTTP, {CONNECTIONS} connections for small requests",
        [
            Figure(
                name="batches of 10 000 points",
                value=points / large_seconds,
                unit="points/s",
                at_least=300_000,
                baseline=points / plain,
            ),
            Figure(
                name="batches of 10 points, to one run",
                value=requests / one_run,
                unit="requests/s",
                at_least=3000,
                baseline=requests / health,
            ),
            Figure(
                name="batches of 10 points, each connection to its own run",
                value=requests / many_runs,
                unit="requests/s",
                baseline=requests / health,
            ),
            Figure(
                name="wait for the answer to 10 points: p99",
                value=spread(waits).p99 * 1000,
                unit="ms",
            ),
        ],
        [],
        ["Baselines: sqlite3 storing the same rows; GET /health over the same connections."],
    )


def _make_runs(client: Client, count: int) -> list[int]:
    project = json.loads(client.post("/api/projects", {"name": "bench", "project_id": "bench"}))
    return [
        json.loads(client.post("/api/runs", {"project_id": project["id"], "run_id": f"r{number}"}))[
            "id"
        ]
        for number in range(count)
    ]


def _large(number: int) -> bytes:
    steps = list(range(number * 1000, number * 1000 + 1000))
    columns = [
        {"path": f"metric/{at}", "steps": steps, "values": [step * 0.5 for step in steps]}
        for at in range(METRICS)
    ]
    return _encode({"batch_id": str(number), "columns": columns})


def _small(writer: str, run: int, count: int) -> list[bytes]:
    values = {f"metric/{at}": 0.5 for at in range(METRICS)}
    return [
        _post(
            run,
            _encode(
                {
                    "batch_id": f"{writer}-{step}",
                    "writer": writer,
                    "rows": [{"step": step, "values": values}],
                }
            ),
        )
        for step in range(count)
    ]


def _post(run: int, body: bytes) -> bytes:
    head = (
        f"POST /api/metrics/runs/{run} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/msgpack\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _send(client: Client, connections: Sequence[Sequence[bytes]]) -> tuple[float, list[float]]:
    """The seconds that all requests take, and each of them."""
    return asyncio.run(_send_all(*client.address, connections))


async def _send_all(
    host: str, port: int, connections: Sequence[Sequence[bytes]]
) -> tuple[float, list[float]]:
    waits: list[float] = []

    async def one(requests: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for request in requests:
            asked = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            said = await reader.readexactly(length)
            if b" 200 " not in head[:16]:
                raise RuntimeError(said.decode())
            waits.append(time.perf_counter() - asked)
        writer.close()
        await writer.wait_closed()

    started = time.perf_counter()
    await asyncio.gather(*(one(requests) for requests in connections))
    return time.perf_counter() - started, waits


def _plain_sqlite(path: Path, batches: int) -> float:
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE metrics (
                series_id INTEGER, step ANY, timestamp INTEGER, value ANY, writer_id INTEGER,
                PRIMARY KEY (series_id, step, timestamp, writer_id)
            ) STRICT, WITHOUT ROWID;
            """
        )
        started = time.perf_counter()
        for number in range(batches):
            rows = [
                (at, step, 1, step * 0.5, 1)
                for at in range(METRICS)
                for step in range(number * 1000, number * 1000 + 1000)
            ]
            conn.execute("BEGIN")
            conn.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?)", rows)
            conn.execute("COMMIT")
        return time.perf_counter() - started
