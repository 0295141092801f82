"""Measure what it costs the server to store points that other machines send."""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scripts.benchmarks import ingest
from scripts.benchmarks.harness import Figure, resident_memory, serve, spread
from trackai.ingest import wire
from trackai.ingest.frames import Keys, Opened
from trackai.ingest.reader import Batch, Calls
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.benchmarks.harness import Client

METRICS = 10
CONNECTIONS = 32
# What a forwarder sends at once of a long journal: 50 000 points.
LARGE_CALLS = 5000
# The calls of a POST with 1 000 points.
POSTED_CALLS = 100
SILENT, BUSY = 200, 50
_NOW = 1_760_000_000_000_000
_PATHS = tuple(f"train/metric_{at}" for at in range(METRICS))
_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """What requests cost the server: their number, their points, and its CPU seconds."""

    requests: int
    points: int
    cpu_seconds: float

    @property
    def points_per_second(self) -> float:
        """Points for each CPU second."""
        return self.points / max(self.cpu_seconds, 1 / _TICKS)

    @property
    def requests_per_second(self) -> float:
        """Requests for each CPU second."""
        return self.requests / max(self.cpu_seconds, 1 / _TICKS)


class Writer:
    """A writer on another machine, whose batches are made here, without a journal."""

    def __init__(self, name: str, project: str = "bench") -> None:
        self.opened = Opened(
            run_uid=new_uid(), writer_uid=new_uid(), project=project, run_slug=name,
            name=name, group=None, attempt=1, rank=0, host="node7", pid=1,
            created_at=_NOW, started_at=_NOW,
        )  # fmt: skip
        self._step = 0
        self._end = 0

    def request(self, calls: int) -> bytes:
        """The request that sends the next calls."""
        steps = list(range(self._step, self._step + calls))
        start, self._end, self._step = self._end, self._end + 100 * calls, self._step + calls
        times = [_NOW + 1000 * step for step in steps]
        batch = Batch(
            opened=self.opened, start=start, end=self._end, frames=calls,
            calls=[Calls(Keys(0, "step", _PATHS), list(steps), times,
                         [[step * 0.5 + at for step in steps] for at in range(METRICS)])],
            config={}, replaced=set(), described=[], files=[], ended=None,
        )  # fmt: skip
        uid = self.opened.writer_uid
        return _request(f"/api/journals/{_NOW:016x}-{uid}-000000.journal", wire.pack(batch))


def _request(path: str, body: bytes, kind: str = "octet-stream") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTrackAI-Protocol: {wire.PROTOCOL}\r\n"
        f"Content-Type: application/{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def posted(run: int, number: int, calls: int, writer: str = "http") -> bytes:
    """The request that posts as many points to `/api/metrics/runs/{id}`, in columns or a row."""
    steps = list(range(number * calls, number * calls + calls))
    body: dict[str, object] = {"batch_id": f"{writer}-{number}", "writer": writer}
    if calls == 1:
        values = {path: steps[0] * 0.5 + at for at, path in enumerate(_PATHS)}
        body["rows"] = [{"step": steps[0], "values": values}]
    else:
        body["columns"] = [
            {"path": path, "steps": steps, "values": [step * 0.5 + at for step in steps]}
            for at, path in enumerate(_PATHS)
        ]
    return _request(f"/api/metrics/runs/{run}", msgspec.msgpack.encode(body), "msgpack")


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def cost(client: Client, connections: Sequence[Sequence[bytes]], points: int) -> Cost:
    """Send requests over several connections at once, and measure the server."""
    assert client.server_pid is not None
    before = cpu_seconds(client.server_pid)
    ingest.send(client, connections)
    return Cost(sum(map(len, connections)), points, cpu_seconds(client.server_pid) - before)


def send_at_intervals(
    client: Client, clients: Sequence[Sequence[bytes]], interval: float
) -> list[float]:
    """Send the requests of each client at an interval, as training processes do.

    Returns:
        The seconds from when each request was due to its answer.
    """
    with ExitStack() as stack, select.epoll() as poll:
        connections = [
            ingest.SendingConnection(
                stack.enter_context(socket.create_connection(client.address)), requests
            )
            for requests in clients
        ]
        waits: list[float] = []
        by_descriptor = {each.socket.fileno(): each for each in connections}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        started = time.perf_counter()
        due = [
            (started + interval * (number + at / len(connections)), at)
            for number in range(len(clients[0]))
            for at in range(len(connections))
        ]
        sent: dict[int, float] = {}
        waiting = deque(due)
        while waiting or sent:
            now = time.perf_counter()
            while waiting and waiting[0][0] <= now and waiting[0][1] not in sent:
                moment, at = waiting.popleft()
                sent[at] = moment
                connections[at].send_next()
            pause = max(0.0, waiting[0][0] - now) if waiting else 1.0
            if waiting and waiting[0][1] in sent:  # the client still waits for its answer
                pause = 1.0
            for descriptor, _ in poll.poll(pause):
                if by_descriptor[descriptor].receive():
                    at = connections.index(by_descriptor[descriptor])
                    waits.append(time.perf_counter() - sent.pop(at))
        return waits


def measure(points: int, seconds: float) -> list[Figure]:
    """Take all measurements.

    Args:
        points: how many to send in large batches.
        seconds: how long clients log at intervals beside each other.
    """
    with TemporaryDirectory() as folder, serve(Path(folder, "trackai.db")) as client:
        runs = ingest.make_runs(client, 3 + CONNECTIONS)
        figures = [
            _large(client, runs[0], points),
            *_small(client, runs, max(1, points // 10_000)),
            _once_a_second(client, runs, max(1, round(seconds))),
            *_beside_clients(client, runs[-1], max(1, round(seconds))),
        ]
    with TemporaryDirectory() as folder, serve(Path(folder, "trackai.db")) as client:
        return [*figures, *_memory(client, max(1, round(seconds)))]


def _large(client: Client, run: int, points: int) -> Figure:
    """Points for each CPU second, of a client that has much to send."""
    writer, size = Writer("large"), LARGE_CALLS * METRICS
    count = max(1, points // size)
    sent = cost(client, [[writer.request(LARGE_CALLS) for _ in range(count)]], count * size)
    requests = [posted(run, number, POSTED_CALLS) for number in range(max(1, points // 4000))]
    baseline = cost(client, [requests], len(requests) * POSTED_CALLS * METRICS)
    return Figure(
        name=f"batches of {size:,} points; baseline: POST of 1,000",
        value=sent.points_per_second,
        unit="points/CPU s",
        at_least=2 * baseline.points_per_second,
        baseline=baseline.points_per_second,
    )


def _small(client: Client, runs: Sequence[int], each: int) -> Iterator[Figure]:
    """Requests for each CPU second, of one call each."""
    for name, writers, targets in (
        ("to a run of its own", _writers("own"), runs[2:]),
        ("to one run", _writers("rank", run_uid=new_uid()), [runs[1]] * CONNECTIONS),
    ):
        points = CONNECTIONS * each * METRICS
        sent = cost(
            client, [[writer.request(1) for _ in range(each)] for writer in writers], points
        )
        baseline = cost(
            client,
            [
                [posted(run, number, 1, f"w{at}") for number in range(each)]
                for at, run in enumerate(targets[:CONNECTIONS])
            ],
            points,
        )
        yield Figure(
            name=f"a batch of one call, each of {CONNECTIONS} clients {name}; baseline: POST",
            value=sent.requests_per_second,
            unit="requests/CPU s",
            baseline=baseline.requests_per_second,
        )


def _once_a_second(client: Client, runs: Sequence[int], seconds: int) -> Figure:
    """Calls for each CPU second, of training processes that log ten times a second."""
    calls = 10
    writers = _writers("steady")
    points = CONNECTIONS * seconds * calls * METRICS
    sent = cost(
        client, [[writer.request(calls) for _ in range(seconds)] for writer in writers], points
    )
    baseline = cost(
        client,
        [
            [posted(run, number, 1, f"steady{at}") for number in range(seconds * calls)]
            for at, run in enumerate(runs[2 : 2 + CONNECTIONS])
        ],
        points,
    )
    return Figure(
        name=f"calls, {calls} a batch; baseline: a POST for each",
        value=sent.points_per_second / METRICS,
        unit="calls/CPU s",
        at_least=2 * baseline.points_per_second / METRICS,
        baseline=baseline.points_per_second / METRICS,
    )


def _beside_clients(client: Client, run: int, seconds: int) -> Iterator[Figure]:
    """The time of a chart beside clients that log."""
    ingest.log_long(client, run)
    with ingest.requesting_chart(client, run) as alone:
        time.sleep(seconds)
    for calls, interval in ((1, 0.1), (100, 1.0), (1000, 1.0)):
        count = round(seconds / interval)
        requests = [
            [writer.request(calls) for _ in range(count)] for writer in _writers(f"chart{calls}")
        ]
        with ingest.requesting_chart(client, run) as beside:
            send_at_intervals(client, requests, interval)
        yield Figure(
            name=f"a chart beside {CONNECTIONS} clients, each {calls * METRICS / interval:,.0f} "
            f"points/s in {1 / interval:.0f} batches: p99",
            value=spread(beside).p99 * 1000,
            unit="ms",
            at_most=30,
            baseline=spread(alone).p99 * 1000,
        )


def _memory(client: Client, seconds: int) -> Iterator[Figure]:
    """The memory of the server with silent and with busy clients."""
    assert client.server_pid is not None
    before = resident_memory(client.server_pid)
    with ExitStack() as stack:
        for number in range(SILENT):
            silent = ingest.SendingConnection(
                stack.enter_context(socket.create_connection(client.address)),
                [Writer(f"silent{number}").request(1)],
            )
            silent.send_next()
            while not silent.receive():
                pass
        requests = [
            [writer.request(100) for _ in range(seconds)] for writer in _writers("busy", BUSY)
        ]
        send_at_intervals(client, requests, 1.0)
        yield Figure(
            name=f"memory of the server with {SILENT} silent and {BUSY} busy clients; "
            "baseline: without any",
            value=resident_memory(client.server_pid),
            unit="MB",
            at_most=100,
            baseline=before,
        )


def _writers(name: str, count: int = CONNECTIONS, run_uid: str | None = None) -> list[Writer]:
    """Writers of a run each, or the ranks of one run."""
    writers = [Writer(f"{name}{at}") for at in range(count)]
    if run_uid is not None:
        for rank, writer in enumerate(writers):
            writer.opened = msgspec.structs.replace(writer.opened, run_uid=run_uid, rank=rank)
    return writers
