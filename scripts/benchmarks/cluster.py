"""Kill servers and restart PostgreSQL while clients log, and count what is stored.

Several servers share a database of PostgreSQL. Clients reach them through one port that passes each
connection on to a server that lives. A client acknowledges every call of log() once it returned.
Meanwhile servers are killed and started again, and PostgreSQL is stopped or killed, and started. A
follower of one run connects again whenever its stream ends, with the cursor of its last event.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import Request, urlopen

from scripts.benchmarks.harness import ROOT, ChildError, Client, Figure, Report
from scripts.benchmarks.remote_kill import Server
from tests import postgres

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

SERVERS = 3
_PROJECT = "cluster"
# Between two kills; the servers are busy with what has gathered meanwhile.
_PAUSES = 0.4, 1.6
_FINISH_SECONDS = 300
_PAGE = 100_000

# Logs until its input ends, and tells of each call.
_CLIENT = """
import os, select, sys, time
import trackai

run = trackai.init(project="cluster", name=sys.argv[1])
step = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    run.log({"a": float(step), "b": step}, step=step)
    os.write(1, b".")
    step += 1
    if step % 50 == 0:
        time.sleep(0.1)
run.finish()
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--clients", type=int, default=16, help="processes that log [default: 16]")
    parser.add_argument("--kills", type=int, default=50, help="kills of servers [default: 50]")
    parser.add_argument(
        "--restarts", type=int, default=5, help="restarts of PostgreSQL [default: 5]"
    )
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="of the random times"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Log, kill and count; this takes minutes."""
    rng = random.Random(arguments.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trackai-cluster-")))
        database = stack.enter_context(postgres.running(fsync="on"))
        servers = [_server(folder, number, database) for number in range(SERVERS)]
        for server in servers:
            server.start()
            stack.callback(server.kill)
        port = stack.enter_context(_balancer([server.port for server in servers], rng))
        clients = [_Logging(folder, name, port) for name in range(arguments.clients)]
        follower = _Follower(port, "client-0")
        _disturb(servers, database, arguments.kills, arguments.restarts, rng)
        acknowledged = {client.name: client.end() for client in clients}
        stored = {name: _steps(port, name) for name in acknowledged}
        followed = follower.end(stored["client-0"]["a"])
    lost = sum(
        len(set(range(calls)) - set(steps))
        for name, calls in acknowledged.items()
        for steps in stored[name].values()
    )
    twice = sum(
        len(steps) - len(set(steps)) for metrics in stored.values() for steps in metrics.values()
    )
    total = 2 * sum(acknowledged.values())
    return Report(
        f"{SERVERS} servers on one PostgreSQL, {arguments.clients} clients, seed {arguments.seed}",
        [
            Figure(name="killed servers", value=arguments.kills),
            Figure(name="restarts of PostgreSQL", value=arguments.restarts),
            Figure(name="acknowledged points", value=total, at_least=1),
            Figure(name="of them lost", value=lost, at_most=0),
            Figure(name="stored twice", value=twice, at_most=0),
            Figure(name="streams of the follower", value=follower.streams),
            Figure(name="points that the follower missed", value=followed, at_most=0),
            Figure(name="journals left", value=len(list(folder.rglob("*.journal"))), at_most=0),
        ],
    )


def _server(folder: Path, number: int, database: postgres.Postgres) -> Server:
    return Server(folder, database.url, f"server-{number}")


def _disturb(
    servers: list[Server], database: postgres.Postgres, kills: int, restarts: int,
    rng: random.Random,
) -> None:  # fmt: skip
    actions = ["kill"] * kills + ["restart"] * restarts
    rng.shuffle(actions)
    for number, action in enumerate(actions):
        time.sleep(rng.uniform(*_PAUSES))
        if action == "kill":
            server = rng.choice(servers)
            server.kill()
            time.sleep(rng.random() / 2)
            server.start()
        else:
            (database.stop if number % 2 else database.kill)()
            time.sleep(rng.random())
            database.start()


class _Logging:
    """A client that logs until its end, with an outbox of its own."""

    def __init__(self, folder: Path, number: int, port: int) -> None:
        self.name = f"client-{number}"
        environment = {
            **os.environ,
            "TRACKAI_SERVER_URL": f"http://127.0.0.1:{port}",
            "TRACKAI_OUTBOX_PATH": str(folder / f"outbox-{number}"),
            "TRACKAI_DB_PATH": str(folder / f"outbox-{number}" / "unused.db"),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, self.name], cwd=ROOT, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._calls = 0
        self._reader = threading.Thread(target=self._count)
        self._reader.start()

    def _count(self) -> None:
        assert self._process.stdout is not None
        while data := os.read(self._process.stdout.fileno(), 65536):
            self._calls += len(data)

    def end(self) -> int:
        """Let the run finish; returns the number of calls that were acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_FINISH_SECONDS)
        self._reader.join()
        assert self._process.returncode == 0, self._process.returncode
        return self._calls


class _Follower:
    """Follows the metric "a" of a run, and connects again when its stream ends."""

    def __init__(self, port: int, name: str) -> None:
        self.streams = 0
        self._port = port
        self._name = name
        self._steps: set[int] = set()
        self._last_id: str | None = "0"
        self._is_over = False
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._is_over:
            # A server without PostgreSQL answers with an error.
            with suppress(OSError, URLError, ValueError, ChildError):
                run_id = _run_id(self._port, self._name)
                headers = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
                address = f"http://127.0.0.1:{self._port}/api/runs/{run_id}/events"
                with urlopen(Request(address, headers=headers), timeout=20) as stream:
                    self.streams += 1
                    self._read(stream)
            time.sleep(0.1)

    def _read(self, stream: Iterator[bytes]) -> None:
        last_id, event = self._last_id, ""
        for line in stream:
            field, _, text = line.decode().rstrip("\n").partition(": ")
            if field == "id":
                last_id = text
            elif field == "event":
                event = text
            elif field == "data":
                if event == "reset":
                    self._steps = set(_steps(self._port, self._name)["a"])
                elif event == "points":
                    points = json.loads(text)["metrics"].get("a", [])
                    self._steps.update(point["step"] for point in points)
                self._last_id = last_id  # once all of the event has arrived

    def end(self, expected: list[int]) -> int:
        """The number of points that did not arrive."""
        deadline = time.monotonic() + 30
        while not self._steps.issuperset(expected) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._is_over = True
        return len(set(expected) - self._steps)


def _run_id(port: int, name: str) -> int:
    client = Client("127.0.0.1", port)
    try:
        runs = json.loads(client.get(f"/api/runs?search={name}&limit=1000"))["runs"]
        return int(next((run["id"] for run in runs if run["name"] == name), 0))
    finally:
        client.close()


def _steps(port: int, name: str) -> dict[str, list[int]]:
    """The stored steps of both metrics of a run."""
    run_id, steps = _run_id(port, name), dict[str, list[int]]()
    for metric in ("a", "b"):
        steps[metric] = []
        more = True
        while more:
            client = Client("127.0.0.1", port)
            offset = len(steps[metric])
            page = json.loads(
                client.get(
                    f"/api/metrics/runs/{run_id}/metric/{metric}?limit={_PAGE}&offset={offset}"
                )
            )
            client.close()
            steps[metric] += [point["step"] for point in page["data"]]
            more = page["has_more"]
    return steps


@contextmanager
def _balancer(ports: list[int], rng: random.Random) -> Iterator[int]:
    """A port that passes each connection on to one of the servers that live."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, ports, rng), daemon=True).start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket, ports: list[int], rng: random.Random) -> None:
    with suppress(OSError):  # it is closed
        while True:
            client, _ = listening.accept()
            for port in rng.sample(ports, len(ports)):
                with suppress(OSError):
                    server = socket.create_connection(("127.0.0.1", port), timeout=5)
                    server.settimeout(None)
                    for source, target in ((client, server), (server, client)):
                        threading.Thread(target=_pump, args=(source, target), daemon=True).start()
                    break
            else:
                client.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
            each.close()
