"""Log to the servers of TrackAI and trackio, side by side: points per second, and losses.

trackio is measured if an interpreter is given that can import it:

    python -m venv /tmp/peer && /tmp/peer/bin/pip install trackio==0.43.0
    python scripts/bench.py remote --trackio /tmp/peer/bin/python
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from scripts.benchmarks.harness import ROOT, ChildError, Figure, Table
from scripts.benchmarks.remote_speed import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENTS = 8
_TOKEN = "0123456789abcdef"
_KILLS = 3
_CALLS_PER_SECOND = 200

# It acknowledges each call on its standard output if it pauses between them.
_CLIENT = """
import importlib, os, random, sys, time
module, url, name, metrics, calls, pause = *sys.argv[1:4], *map(eval, sys.argv[4:])
tracker = importlib.import_module(module)
tracker.init(project="bench", name=name, server_url=url)
names = [f"train/metric_{number}" for number in range(metrics)]
values = [{name: random.random() for name in names} for _ in range(64)]
os.write(2, b"\\nready\\n")
sys.stdin.readline()
began = time.process_time()
for step in range(calls):
    tracker.log(values[step % 64], step=step)
    if pause:
        os.write(1, b"\\x01")
        time.sleep(pause)
tracker.finish()
os.write(2, f"\\n{time.process_time() - began}".encode())
"""


class _Peer(ABC):
    """A tracker with a server, whose files are in a folder.

    Attributes:
        name: as it is imported.
        python: the interpreter.
    """

    name: str
    python: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server."""

    @abstractmethod
    def environment(self, machine: str) -> dict[str, str]:
        """The variables of a process on a machine, which has files of its own."""

    @abstractmethod
    def stored_calls(self, metrics: int) -> int:
        """The number of calls on the server, of so many metrics each."""

    @abstractmethod
    def send_rest(self, machine: str) -> None:
        """Do what sends points that processes left on a machine."""

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=ROOT, env=self._variables("server"), stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise ChildError(f"the server of {self.name} did not start")

    def kill(self) -> None:
        """Kill the server."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def client(
        self, machine: str, metrics: int, calls: int, pause: float
    ) -> subprocess.Popen[bytes]:
        """Start a process that logs once it gets a line."""
        return subprocess.Popen(
            [self.python, "-c", _CLIENT, self.name, self.url, machine,
             *map(str, (metrics, calls, pause))],
            cwd=ROOT,
            env=self._variables(machine),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    def _variables(self, machine: str) -> dict[str, str]:
        return {**os.environ, **self.environment(machine)}


class _TrackAI(_Peer):
    name, python = "trackai", sys.executable

    def command(self) -> list[str]:
        serve = [self.python, "-m", "trackai.cli", "serve", "--port", str(self.port)]
        return [*serve, "--db", str(self.folder / "trackai.db")]

    def environment(self, machine: str) -> dict[str, str]:
        return {"TRACKAI_OUTBOX_PATH": str(self.folder / machine)}

    def stored_calls(self, metrics: int) -> int:
        with closing(sqlite3.connect(self.folder / "trackai.db")) as connection:
            [(points,)] = connection.execute("SELECT coalesce(sum(points), 0) FROM series")
            return int(points) // metrics

    def send_rest(self, machine: str) -> None:
        subprocess.run(
            [self.python, "-m", "trackai.cli", "sync"],
            cwd=ROOT,
            env=self._variables(machine),
            capture_output=True,
            check=False,
        )


class _Trackio(_Peer):
    name = "trackio"

    def __init__(self, folder: Path, python: str) -> None:
        super().__init__(folder)
        self.python = python

    def command(self) -> list[str]:
        show = "import trackio; trackio.show(open_browser=False, block_thread=True, share=False,"
        return [self.python, "-c", f"{show} host='127.0.0.1', server_port={self.port})"]

    def environment(self, machine: str) -> dict[str, str]:
        return {
            "HF_HUB_OFFLINE": "1",
            "TRACKIO_DIR": str(self.folder / machine),
            "TRACKIO_WRITE_TOKEN": _TOKEN,
        }

    def stored_calls(self, metrics: int) -> int:
        with closing(sqlite3.connect(self.folder / "server" / "bench.db")) as connection:
            [(calls,)] = connection.execute("SELECT count(*) FROM metrics WHERE run_name <> 'rest'")
            return int(calls)

    def send_rest(self, machine: str) -> None:
        """The next run of the project on the machine sends what others left."""
        rest = (
            f"import trackio, time; trackio.init(project='bench', name='rest', "
            f"server_url={self.url!r}); trackio.log({{'x': 1}}); time.sleep(3); trackio.finish()"
        )
        subprocess.run(
            [self.python, "-c", rest],
            env=self._variables(machine),
            capture_output=True,
            check=False,
            timeout=120,
        )


class Speed(NamedTuple):
    """How fast clients log to a server and finish.

    Attributes:
        per_second: points for each second from the first call to the end of the last process.
        per_server_second: points for each CPU second of the server.
        per_cpu_second: points for each CPU second of the server and the clients together.
        missing: the calls that the server did not have at that end.
    """

    per_second: float
    per_server_second: float
    per_cpu_second: float
    missing: int


class Losses(NamedTuple):
    """The calls that have returned, and how many of them the server has."""

    acknowledged: int
    stored: int


def measure(calls: int, seconds: float, trackio: str | None) -> tuple[list[Figure], list[Table]]:
    """Take all measurements, of trackio too if there is an interpreter for it.

    Args:
        calls: of each client, back to back.
        seconds: how long clients log whose server is killed.
    """
    names = ["trackai", *(["trackio"] if trackio else [])]
    figures: list[Figure] = []
    rows: list[list[str | float | None]] = []
    with TemporaryDirectory() as folder:
        for metrics in (10, 1):
            speeds = [
                _speed(_peer(name, Path(folder, f"{name}{metrics}"), trackio), metrics, calls)
                for name in names
            ]
            figures += _compared(metrics, *speeds)
            rows += [
                [name, f"full speed, {metrics} metrics", CLIENTS * calls, speed.missing]
                for name, speed in zip(names, speeds, strict=True)
            ]
        for what, kill_clients in (("server killed", False), ("server and clients killed", True)):
            for name in names:
                peer = _peer(name, Path(folder, f"{name} {what}"), trackio)
                losses = _losses(peer, seconds, kill_clients=kill_clients)
                rows.append([name, what, losses.acknowledged, losses.acknowledged - losses.stored])
    title = f"{CLIENTS} clients; killed at {_CALLS_PER_SECOND} calls/s each, servers {_KILLS} times"
    return figures, [Table(title, ["tracker", "what", "calls that returned", "missing"], rows)]


def _compared(metrics: int, ours: Speed, peer: Speed | None = None) -> list[Figure]:
    suffix = f", calls of {metrics}" + ("; baseline: trackio" if peer else "")
    return [
        Figure(
            name=f"{CLIENTS} clients at full speed{suffix}",
            value=ours.per_second,
            unit="points/s",
            at_least=10 * peer.per_second if peer else None,
            baseline=peer.per_second if peer else None,
        ),
        Figure(
            name=f"their server{suffix}",
            value=ours.per_server_second,
            unit="points/CPU s",
            baseline=peer.per_server_second if peer else None,
        ),
        Figure(
            name=f"clients and server together{suffix}",
            value=ours.per_cpu_second,
            unit="points/CPU s",
            baseline=peer.per_cpu_second if peer else None,
        ),
    ]


def _peer(name: str, folder: Path, trackio: str | None) -> _Peer:
    return _TrackAI(folder) if trackio is None or name == "trackai" else _Trackio(folder, trackio)


def _speed(peer: _Peer, metrics: int, calls: int) -> Speed:
    """Let clients log as fast as they can, and finish their runs."""
    peer.start()
    try:
        with ExitStack() as stack:
            clients = [
                stack.enter_context(peer.client(f"machine{number}", metrics, calls, 0.0))
                for number in range(CLIENTS)
            ]
            _wait_until_ready(clients)
            assert peer.process is not None
            cpu, began = cpu_seconds(peer.process.pid), time.perf_counter()
            for client in clients:
                _go(client)
            of_clients = sum(float(client.communicate()[1].split()[-1]) for client in clients)
            seconds = time.perf_counter() - began
            cpu = cpu_seconds(peer.process.pid) - cpu
        stored = peer.stored_calls(metrics)
    finally:
        peer.kill()
    points = metrics * stored
    return Speed(
        points / seconds, points / max(cpu, 0.01), points / (cpu + of_clients),
        CLIENTS * calls - stored,
    )  # fmt: skip


def _losses(peer: _Peer, seconds: float, *, kill_clients: bool) -> Losses:
    """Kill the server while clients log at a rate, and maybe the clients as well."""
    rng = random.Random(1)
    calls, pause = round(seconds * _CALLS_PER_SECOND), 1 / _CALLS_PER_SECOND
    peer.start()
    try:
        with ExitStack() as stack:
            clients = [
                stack.enter_context(peer.client(f"machine{number}", 10, calls, pause))
                for number in range(CLIENTS)
            ]
            _wait_until_ready(clients)
            for client in clients:
                _go(client)
            for _ in range(_KILLS):
                time.sleep(seconds / (_KILLS + 1) * (0.5 + rng.random()))
                peer.kill()
                time.sleep(0.3)
                peer.start()
            if kill_clients:
                for client in clients:
                    client.send_signal(signal.SIGKILL)
            acknowledged = sum(client.communicate()[0].count(b"\1") for client in clients)
        for number in range(CLIENTS):
            peer.send_rest(f"machine{number}")
        return Losses(acknowledged, peer.stored_calls(10))
    finally:
        peer.kill()


def _wait_until_ready(clients: Sequence[subprocess.Popen[bytes]]) -> None:
    for client in clients:
        assert client.stderr is not None
        lines = []
        while (line := client.stderr.readline()) != b"ready\n":
            lines.append(line)
            if not line:
                raise ChildError(b"".join(lines)[-500:].decode())


def _go(client: subprocess.Popen[bytes]) -> None:
    assert client.stdin is not None
    client.stdin.write(b"\n")
    client.stdin.flush()
