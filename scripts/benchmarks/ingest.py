"""How many points and requests a second the server stores that clients send over HTTP.

The server is a process of its own over an empty database; the clients are one process with open
connections. Large batches are columns in msgpack, sent one after the other; their baseline is
plain sqlite3 that stores the same rows in a table of the same shape. Small ones are rows in msgpack
from many connections at once; their baseline is GET /health over the same connections. A third
process asks for a chart of a long series meanwhile, as a dashboard that is open does.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scripts.benchmarks.harness import Client, Figure, Report, serve, spread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

METRICS = 10
CONNECTIONS = 32
LONG = 1_000_000
# For the server to roll up a long series, and for a look at it.
_SETTLE_SECONDS = 8.0
_LOOK_SECONDS = 5.0
_encode = msgspec.msgpack.encode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--batches", type=int, default=100, help="of 10 000 points [default: 100]")
    parser.add_argument("--requests", type=int, default=9600, help="of 10 points [default: 9600]")


def run(arguments: argparse.Namespace) -> Report:
    """Send, and measure; this takes half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        with serve(Path(folder, "trackai.db")) as client:
            runs = _make_runs(client, 3 + CONNECTIONS)
            large = [_large(number) for number in range(arguments.batches)]
            large_seconds, _ = _send(client, [[_post(runs[0], body) for body in large]])
            _log_long(client, runs[-1])
            each = max(1, arguments.requests // CONNECTIONS)
            health, _ = _send(client, [[_get("/health")] * each] * CONNECTIONS)
            one_run, waits = _send(
                client, [_small(f"a{at}", runs[1], each) for at in range(CONNECTIONS)]
            )
            many_runs, _ = _send(
                client, [_small(f"b{at}", runs[2 + at], each) for at in range(CONNECTIONS)]
            )
            with _looking(client, runs[-1]) as alone:
                time.sleep(_LOOK_SECONDS)
            with _looking(client, runs[-1]) as beside_small:
                _send(client, [_small(f"c{at}", runs[1], each) for at in range(CONNECTIONS)])
            more = [_large(arguments.batches + number) for number in range(arguments.batches)]
            with _looking(client, runs[-1]) as beside_large:
                _send(client, [[_post(runs[0], body) for body in more]])
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
            *(
                Figure(
                    name=f"a chart of {LONG} points beside {what}: p99",
                    value=spread(found).p99 * 1000,
                    unit="ms",
                    at_most=30,
                    baseline=spread(alone).p99 * 1000,
                )
                for what, found in (
                    ("batches of 10 points", beside_small),
                    ("batches of 10 000", beside_large),
                )
            ),
        ],
        [],
        [
            (
                "Baselines: sqlite3 storing the same rows; GET /health over the same connections; "
                "the same chart while nobody writes."
            )
        ],
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
    """The seconds that all requests take, and each of them.

    Bare sockets and ready bytes: who asks shares the cores with who answers.
    """
    waits: list[float] = []
    with ExitStack() as stack, select.epoll() as poll:
        asked: dict[int, _Connection] = {}
        for requests in connections:
            one = _Connection(stack.enter_context(socket.create_connection(client.address)))
            one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.rest = iter(requests)
            asked[one.socket.fileno()] = one
            poll.register(one.socket.fileno(), select.EPOLLIN)
        started = time.perf_counter()
        left = sum(1 for one in asked.values() if one.ask())
        while left:
            for number, _ in poll.poll():
                one = asked[number]
                if one.is_answered():
                    waits.append(time.perf_counter() - one.since)
                    left -= not one.ask()
        return time.perf_counter() - started, waits


class _Connection:
    """A connection, what it has yet to ask, and what of an answer has come."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.rest: Iterator[bytes] = iter(())
        self.since = 0.0
        self._said = b""

    def ask(self) -> bool:
        """Send the next request; False if there is none."""
        request = next(self.rest, None)
        if request is None:
            return False
        self.since = time.perf_counter()
        self.socket.sendall(request)
        return True

    def is_answered(self) -> bool:
        """Read what has come; whether that is all of the answer."""
        piece = self.socket.recv(65536)
        self._said += piece
        head, found, body = self._said.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
        if not piece or (found and b" 200 " not in head[:16]):
            raise RuntimeError(self._said.decode())
        if not found or len(body) < length:
            return False
        self._said = b""
        return True


def _look(address: tuple[str, int], run: int, begun: Any, stop: Any, waits: Any) -> None:
    """In a process of its own: ask for a chart again and again, and say how long each took."""
    client = Client(*address)
    found: list[float] = []
    begun.set()
    while not (found and stop.is_set()):
        started = time.perf_counter()
        client.get(f"/api/metrics/runs/{run}/metric/long?points=1000")
        found.append(time.perf_counter() - started)
        time.sleep(0.01)
    waits.put(found)


@contextmanager
def _looking(client: Client, run: int) -> Iterator[list[float]]:
    """Somebody who looks at a chart of a long series meanwhile."""
    context = multiprocessing.get_context("spawn")
    begun, stop, waits = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=_look, args=(client.address, run, begun, stop, waits))
    process.start()
    begun.wait(60)
    found: list[float] = []
    try:
        yield found
    finally:
        stop.set()
        found += waits.get(timeout=60)
        process.join()


def _log_long(client: Client, run: int) -> None:
    """A million points of one metric, and time for the server to roll them up."""
    size = 100_000
    for start in range(0, LONG, size):
        steps = list(range(start, start + size))
        column = {"path": "long", "steps": steps, "values": [step * 0.5 for step in steps]}
        _send(client, [[_post(run, _encode({"columns": [column]}))]])
    time.sleep(_SETTLE_SECONDS)


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
