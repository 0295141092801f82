"""Measure how many points and requests per second the server stores over HTTP.

The server runs in a child process with an empty database; all clients are connections of this
process. Large batches are columns in msgpack, sent one after the other. Their baseline is sqlite3
storing the same rows in a similar table. Small batches are rows in msgpack, sent over many
connections at once. Their baseline is GET /health over the same connections, also for the CPU time
of the server, which depends less on other programs. Meanwhile, another
process requests a chart of a long series, as an open dashboard does.

At last, scripts log numbers beside a large text, or without it, while another process waits for the
write lock again and again.
"""

from __future__ import annotations

import json
import multiprocessing
import select
import socket
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scripts.benchmarks import beside_text
from scripts.benchmarks.harness import Client, Figure, Report, cpu_seconds, serve, spread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

METRICS = 10
CONNECTIONS = 32
LONG = 1_000_000
# The time for the server to roll up the long series, and for the baseline of the chart.
_ROLL_UP_SECONDS = 8.0
_CHART_SECONDS = 5.0
_encode = msgspec.msgpack.encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--batches", type=int, default=100, help="number of batches of 10 000 points [default: 100]"
    )
    parser.add_argument(
        "--requests", type=int, default=9600, help="number of batches of 10 points [default: 9600]"
    )


@dataclass(frozen=True)
class _Measurements:
    """The measured values: durations in seconds.

    Attributes:
        large: the duration of all large batches.
        health, one_run, many_runs: the durations of as many requests: GET /health, small batches
            to one run, small batches to a run for each connection.
        cpu: the CPU time of the server for these three.
        waits: the duration of each small batch to one run.
        chart_alone, chart_beside_small, chart_beside_large: the durations of requests for a chart
            without other requests, and during small or large batches.
    """

    large: float
    health: float
    one_run: float
    many_runs: float
    cpu: list[float]
    waits: list[float]
    chart_alone: list[float]
    chart_beside_small: list[float]
    chart_beside_large: list[float]


def run(arguments: argparse.Namespace) -> Report:
    """Send batches and measure; this takes a minute."""
    batches, each = arguments.batches, max(1, arguments.requests // CONNECTIONS)
    with tempfile.TemporaryDirectory() as folder:
        with serve(Path(folder, "trackai.db")) as client:
            measured = _measure(client, batches, each)
        plain = _plain_sqlite(Path(folder, "plain.db"), batches)
    return Report(
        f"points over HTTP, {CONNECTIONS} connections for small requests",
        [
            *_figures(measured, batches * 10_000, each * CONNECTIONS, plain),
            *beside_text.measure(min(25_000, batches * 250)),
        ],
        [],
        [
            (
                "Baselines: sqlite3 storing the same rows; GET /health over the same connections; "
                "the same chart without other requests."
            )
        ],
    )


def _measure(client: Client, batches: int, each: int) -> _Measurements:
    """Send large batches, and `each` small requests over each connection."""
    runs = make_runs(client, 3 + CONNECTIONS)
    large_batches = [_large(number) for number in range(batches)]
    large, _ = send(client, [[_post(runs[0], body) for body in large_batches]])
    log_long(client, runs[-1])
    assert client.server_pid is not None
    cpu = [cpu_seconds(client.server_pid)]
    health, _ = send(client, [[_get("/health")] * each] * CONNECTIONS)
    cpu.append(cpu_seconds(client.server_pid))
    one_run, waits = send(
        client, [_small(f"a{number}", runs[1], each) for number in range(CONNECTIONS)]
    )
    cpu.append(cpu_seconds(client.server_pid))
    many_runs, _ = send(
        client, [_small(f"b{number}", runs[2 + number], each) for number in range(CONNECTIONS)]
    )
    cpu.append(cpu_seconds(client.server_pid))
    with requesting_chart(client, runs[-1]) as alone:
        time.sleep(_CHART_SECONDS)
    with requesting_chart(client, runs[-1]) as beside_small:
        send(client, [_small(f"c{number}", runs[1], each) for number in range(CONNECTIONS)])
    large_batches = [_large(batches + number) for number in range(batches)]
    with requesting_chart(client, runs[-1]) as beside_large:
        send(client, [[_post(runs[0], body) for body in large_batches]])
    used = [after - before for before, after in pairwise(cpu)]
    return _Measurements(
        large, health, one_run, many_runs, used, waits, alone, beside_small, beside_large
    )


def _figures(measured: _Measurements, points: int, requests: int, plain: float) -> list[Figure]:
    """Build the figures of the report.

    Args:
        points: the points in large batches.
        requests: the number of small batches.
        plain: the seconds that sqlite3 takes for the large batches.
    """
    return [
        Figure(
            name="batches of 10 000 points",
            value=points / measured.large,
            unit="points/s",
            at_least=300_000,
            baseline=points / plain,
        ),
        Figure(
            name="batches of 10 points, to one run",
            value=requests / measured.one_run,
            unit="requests/s",
            at_least=3000,
            baseline=requests / measured.health,
        ),
        Figure(
            name="batches of 10 points, each connection to its own run",
            value=requests / measured.many_runs,
            unit="requests/s",
            baseline=requests / measured.health,
        ),
        *(
            Figure(
                name=f"CPU time of the server for 10 points, to {where}",
                value=1e6 * seconds / requests,
                unit="µs",
                baseline=1e6 * measured.cpu[0] / requests,
            )
            for where, seconds in zip(("one run", "a run each"), measured.cpu[1:], strict=True)
        ),
        Figure(
            name="wait for the answer to 10 points: p99",
            value=spread(measured.waits).p99 * 1000,
            unit="ms",
        ),
        *(
            Figure(
                name=f"a chart of {LONG} points beside {batches}: p99",
                value=spread(waits).p99 * 1000,
                unit="ms",
                at_most=30,
                baseline=spread(measured.chart_alone).p99 * 1000,
            )
            for batches, waits in (
                ("batches of 10 points", measured.chart_beside_small),
                ("batches of 10 000", measured.chart_beside_large),
            )
        ),
    ]


def make_runs(client: Client, count: int) -> list[int]:
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


def send(client: Client, connections: Sequence[Iterable[bytes]]) -> tuple[float, list[float]]:
    """Send requests over several connections at once.

    Sockets and prepared bytes cost little: the client shares the cores with the server.

    Returns:
        The seconds until all are answered, and the duration of each request.
    """
    waits: list[float] = []
    with ExitStack() as stack, select.epoll() as poll:
        by_descriptor: dict[int, SendingConnection] = {}
        for requests in connections:
            connection = SendingConnection(
                stack.enter_context(socket.create_connection(client.address)), requests
            )
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            by_descriptor[connection.socket.fileno()] = connection
            poll.register(connection.socket.fileno(), select.EPOLLIN)
        started = time.perf_counter()
        active = sum(1 for connection in by_descriptor.values() if connection.send_next())
        while active:
            for descriptor, _ in poll.poll():
                connection = by_descriptor[descriptor]
                if connection.receive():
                    waits.append(time.perf_counter() - connection.sent_at)
                    active -= not connection.send_next()
        return time.perf_counter() - started, waits


class SendingConnection:
    """A connection that sends its requests one after the other."""

    def __init__(self, connected: socket.socket, requests: Iterable[bytes]) -> None:
        self.socket = connected
        self.sent_at = 0.0
        self._requests = iter(requests)
        self._response = b""

    def send_next(self) -> bool:
        """Send the next request; return False after the last one."""
        request = next(self._requests, None)
        if request is None:
            return False
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)
        return True

    def receive(self) -> bool:
        """Read what has arrived; return whether the response is complete."""
        data = self.socket.recv(65536)
        self._response += data
        head, separator, body = self._response.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
        if not data or (separator and b" 200 " not in head[:16]):
            raise RuntimeError(self._response.decode())
        if not separator or len(body) < length:
            return False
        self._response = b""
        return True


def _request_chart(address: tuple[str, int], run: int, ready: Any, stop: Any, waits: Any) -> None:
    """Request a chart until told to stop, and send the durations; runs in a child process."""
    client = Client(*address)
    durations: list[float] = []
    ready.set()
    while not (durations and stop.is_set()):
        started = time.perf_counter()
        client.get(f"/api/metrics/runs/{run}/metric/long?points=1000")
        durations.append(time.perf_counter() - started)
        time.sleep(0.01)
    waits.put(durations)


@contextmanager
def requesting_chart(client: Client, run: int) -> Iterator[list[float]]:
    """Request a chart of a long series meanwhile; on exit, add the durations to the list."""
    context = multiprocessing.get_context("spawn")
    ready, stop, waits = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=_request_chart, args=(client.address, run, ready, stop, waits))
    process.start()
    ready.wait(60)
    durations: list[float] = []
    try:
        yield durations
    finally:
        stop.set()
        durations += waits.get(timeout=60)
        process.join()


def log_long(client: Client, run: int) -> None:
    """Send a million points of one metric, and wait until the server has rolled them up."""
    size = 100_000
    for start in range(0, LONG, size):
        steps = list(range(start, start + size))
        column = {"path": "long", "steps": steps, "values": [step * 0.5 for step in steps]}
        send(client, [[_post(run, _encode({"columns": [column]}))]])
    time.sleep(_ROLL_UP_SECONDS)


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
