"""Kill clients and their server at random times, behind a proxy that loses and repeats requests.

Each machine has an outbox of its own, and starts one process after the other. Each process logs to
the server through the proxy, acknowledges every call of log() on a pipe after it returns, and is
killed. Meanwhile the server is killed and started again, its database is replaced by a backup, or
removed. In the end, what is left in the outboxes is sent by `trackai sync`.

As in `kill`, the points that were only in a replaced database are not expected afterwards: the last
one must hold those of its backup, and those of the journals that existed when it was put in place.
"""

from __future__ import annotations

import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.faulty_proxy import faulty_proxy
from scripts.benchmarks.harness import ROOT, ChildError
from scripts.benchmarks.kill import CHILD, Held
from scripts.benchmarks.remote_stores import FileStore, figures_of_file
from trackai.ingest.reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from scripts.benchmarks.faulty_proxy import FaultyProxy
    from scripts.benchmarks.remote_stores import Store

MACHINES = 8
# How often one of the processes that are killed is the server.
_SERVER_SHARE = 0.2
_SYNC_SECONDS = 300
# Each machine also sends what is left after so many processes, while the server is killed.
_SYNC_EVERY = 4
# The most seconds from the first call of a process to its end. Journals are sent every second.
_LONGEST_LIFE = 6.0

# Logs the steps of runs, "NAME FIRST LAST" on each line, to a file.
_LOCAL = """
import itertools, sys, trackai
lines = [line.split() for line in sys.stdin]
for name, ranges in itertools.groupby(lines, lambda line: line[0]):
    run = trackai.init(project="kill", name=name)
    for _, first, last in ranges:
        for step in range(int(first), int(last) + 1):
            run.log({"a": float(step), "b": step}, step=step)
    run.finish()
"""


@dataclass
class Outcome:
    """The points of all clients after the end.

    Attributes:
        held: the acknowledged points that the last database in place must hold.
        wrong_values: points that nobody logged.
        wrong_figures: series whose figures differ from those of a local run of the same calls.
        running: runs that still say they run, if the database was not replaced. In a backup,
            those run until the server has not heard of them for a while.
        left: journals that are still in an outbox.
        replaced: how often the database was replaced by a backup or removed.
        faults: how often the proxy did what.
    """

    client_kills: int = 0
    server_kills: int = 0
    replaced: int = 0
    acknowledged: int = 0
    held: int = 0
    lost: int = 0
    doubled: int = 0
    wrong_values: int = 0
    wrong_figures: int = 0
    running: int = 0
    left: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def kill_many(
    folder: Path, kills: int, *, seed: int, replacements: int = 4, store: Store | None = None
) -> Outcome:
    """Kill clients and servers so many times, and count the points.

    Args:
        folder: an empty folder.
        kills: of clients and servers together.
        replacements: how often the database is replaced by a backup or removed.
        store: the database of the server; None for a file in the folder.
    """
    rng = random.Random(seed)
    servers = round(kills * _SERVER_SHARE)
    plans = [
        Plan(f"r{number}", rng.choice((200, 2000, 100_000)), rng.choice((500_000, 2_000_000)),
             rng.random())
        for number in range(kills - servers)
    ]  # fmt: skip
    team = Team(folder, rng, store or FileStore(folder / "server"))
    try:
        with faulty_proxy(team.server.port, seed) as proxy:
            team.proxy_port = proxy.port
            team.run(plans, servers, replacements)
            outcome = team.outcome(proxy)
    finally:
        team.server.kill()
    return outcome


@dataclass(frozen=True)
class Plan:
    """A process: its run, how much it logs, when its journals rotate, and when it is killed."""

    name: str
    calls: int
    rotate: int
    instant: float


class Server:
    """A server at the same port whenever it runs."""

    def __init__(self, folder: Path, place: str, name: str = "server") -> None:
        """Choose a port.

        Args:
            folder: an existing folder for its log, and for the files of a database on PostgreSQL.
            place: the path or URL of the database.
            name: of the log.
        """
        self.place = place
        self._log = folder / f"{name}.log"
        self._files = folder / "files"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        serve = [sys.executable, "-m", "trackai.cli", "serve", "--port", str(self.port)]
        with self._log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [*serve, "--db", self.place],
                cwd=ROOT,
                env={**os.environ, "TRACKAI_FILES": str(self._files)},
                stderr=stderr,
            )
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ChildError(f"the server did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Team:
    """Machines whose processes log to one server."""

    def __init__(self, folder: Path, rng: random.Random, store: Store) -> None:
        self.folder = folder
        self.server = Server(folder, store.place)
        self._store = store
        self.proxy_port = 0
        self._rng = rng
        self._held: dict[str, Held] = {}
        self._acknowledged: dict[str, int] = {}
        self._backups: list[str] = []
        self._server_kills = 0
        self._replaced = 0
        self._is_quiet = Event()  # set once the server is not killed any more

    def run(self, plans: list[Plan], server_kills: int, replacements: int) -> None:
        """Start and kill processes on all machines, and the server meanwhile."""
        self.server.start()
        queue = iter(plans)
        with ThreadPoolExecutor(MACHINES) as pool:
            working = [pool.submit(self._work, machine, queue) for machine in range(MACHINES)]
            actions = [self._restart] * (server_kills - replacements)
            actions += [self._replace] * min(replacements, server_kills)
            self._rng.shuffle(actions)
            try:
                self._act(actions, len(plans), working)
            finally:
                self._is_quiet.set()
            for future in working:
                future.result()
            for _ in pool.map(self.sync, range(MACHINES)):
                pass

    def _act(
        self, actions: list[Callable[[], None]], plans: int, working: list[Future[None]]
    ) -> None:
        """Spread actions over the time until so many processes have been killed."""
        for number, action in enumerate(actions):
            killed = plans * (number + self._rng.random()) / (len(actions) + 1)
            while len(self._acknowledged) < killed:
                _raise_failures(working)
                time.sleep(0.05)
            action()

    def environment(self, machine: int) -> dict[str, str]:
        """The environment of the processes of a machine."""
        outbox = self.folder / f"machine-{machine}"
        return {
            **os.environ,
            "TRACKAI_SERVER_URL": f"http://127.0.0.1:{self.proxy_port}",
            "TRACKAI_OUTBOX_PATH": str(outbox),
            "TRACKAI_DB_PATH": str(outbox / "unused.db"),
        }

    def _work(self, machine: int, queue: Iterator[Plan]) -> None:
        # Threads may share an iterator of a list, other than a generator.
        for number, plan in enumerate(queue):
            self._acknowledged[plan.name] = self._kill_one(machine, plan)
            if number % _SYNC_EVERY == _SYNC_EVERY - 1:
                self._sync_once(machine)
        while not self._is_quiet.is_set():
            self._sync_once(machine)

    def _kill_one(self, machine: int, plan: Plan) -> int:
        """Return the number of calls that a process acknowledged before it was killed."""
        self._held[plan.name] = Held()
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, plan.name, str(plan.calls), str(plan.rotate)],
            cwd=ROOT,
            env=self.environment(machine),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # warnings about the server
        ) as process:
            assert process.stdout is not None
            first = process.stdout.read(1)
            # Logging, sending and finishing all fall within this time.
            time.sleep(plan.instant * _LONGEST_LIFE)
            process.send_signal(signal.SIGKILL)
            acknowledged = len(first + process.stdout.read())
        if process.returncode not in {0, -signal.SIGKILL}:
            raise ChildError(f"{plan.name} ended with exit code {process.returncode}")
        return acknowledged

    def sync(self, machine: int) -> None:
        """Send what is left in the outbox of a machine, through the proxy."""
        deadline = time.monotonic() + _SYNC_SECONDS
        while self.journals(machine) and time.monotonic() < deadline:
            self._sync_once(machine)

    def _sync_once(self, machine: int) -> None:
        subprocess.run(
            [sys.executable, "-m", "trackai.cli", "sync"],
            cwd=ROOT,
            env=self.environment(machine),
            capture_output=True,
            check=False,
        )

    def journals(self, machine: int) -> list[Path]:
        """The journals in the outbox of a machine."""
        return sorted((self.folder / f"machine-{machine}").rglob("*.journal"))

    def _restart(self) -> None:
        """Kill the server, and start it again after a while; sometimes make a backup."""
        if self._rng.random() < 0.3:
            self._backups.append(self._store.back_up())
        self.server.kill()
        self._server_kills += 1
        time.sleep(self._rng.random() / 2)
        self.server.start()

    def _replace(self) -> None:
        """Kill the server, and start it on a backup or without a database.

        Nothing is acknowledged while there is no server. So the journals that exist then are those
        whose points the clients still have.
        """
        backup = None
        if self._replaced % 2 == 0:
            if not self._backups:
                self._backups.append(self._store.back_up())
            backup = self._rng.choice(self._backups[-2:])
        self.server.kill()
        self._server_kills += 1
        self._replaced += 1
        time.sleep(0.5)  # answers on their way arrive
        known = set(self._held)
        self._store.replace(backup)
        self.server.place = self._store.place
        after: dict[str, Held] = {}
        if backup is not None:
            stored = self._store.steps(backup)
            after = {name: Held(steps, math.inf) for name, steps in stored.items()}
        for name in known:
            after.setdefault(name, Held(first=math.inf))
        for run, steps in self._unsent():
            if run in after:  # otherwise it began meanwhile, and all of it is expected
                after[run].steps.update(steps)
                after[run].first = min(steps)
        self._held.update(after)
        self.server.start()

    def _unsent(self) -> Iterator[tuple[str | None, set[int]]]:
        """The run of each journal in an outbox and its steps; the newest of a run comes last."""
        read: dict[Path, tuple[str | None, set[int]]] = {}
        for machine in range(MACHINES):
            for journal in self.journals(machine):
                with suppress(FileNotFoundError):
                    read[journal] = _steps_of(journal, journal.stat().st_size)
        for journal, (run, steps) in read.items():
            # A process that was not scheduled since its answer came may have removed it now.
            if steps and journal.exists():
                yield run, steps

    def outcome(self, proxy: FaultyProxy) -> Outcome:
        """Compare the database with what it must hold."""
        self.server.kill()
        outcome = Outcome(
            client_kills=len(self._acknowledged),
            server_kills=self._server_kills,
            replaced=self._replaced,
            acknowledged=2 * sum(self._acknowledged.values()),
            left=sum(len(self.journals(machine)) for machine in range(MACHINES)),
            faults=proxy.counts,
        )
        contents = self._store.contents()
        if not self._replaced:
            outcome.running = contents.running
        steps: dict[tuple[str, str], list[int]] = {}
        for name, path, step, value in contents.points:
            steps.setdefault((name, path), []).append(step)
            outcome.wrong_values += value != step or type(value) is not _TYPES[path]
        for name, calls in self._acknowledged.items():
            held = self._held[name].of(calls)
            outcome.held += 2 * len(held)
            for path in ("a", "b"):
                stored = steps.get((name, path), [])
                outcome.lost += len(held.difference(stored))
                outcome.doubled += len(stored) - len(set(stored))
        expected = self._local_figures({name: steps[name, path] for name, path in steps})
        outcome.wrong_figures = len(set(contents.figures) ^ set(expected))
        return outcome

    def _local_figures(self, steps: Mapping[str, list[int]]) -> list[Any]:
        """The figures of the same calls when they are logged to a file."""
        db_path = self.folder / "local" / "trackai.db"
        lines = [
            f"{name} {first} {last}\n"
            for name in sorted(steps)
            for first, last in _ranges(sorted(set(steps[name])))
        ]
        environment = {**os.environ, "TRACKAI_DB_PATH": str(db_path)}
        environment.pop("TRACKAI_SERVER_URL", None)
        subprocess.run(
            [sys.executable, "-c", _LOCAL],
            cwd=ROOT,
            env=environment,
            input="".join(lines),
            text=True,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        return figures_of_file(db_path)


_TYPES = {"a": float, "b": int}


def _ranges(steps: list[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each range of consecutive steps."""
    first = None
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        first = step if first is None else first
        if following != step + 1:
            yield first, step
            first = None


@cache
def _steps_of(journal: Path, size: int) -> tuple[str | None, set[int]]:
    """The run of a journal of this size, and the steps in it.

    Journals need not be removed in their order.
    """
    reader, steps = JournalReader(journal), set[int]()
    while (batch := reader.read()) is not None:
        for calls in batch.calls:
            steps.update(map(int, calls.steps))
    return (reader.opened.name if reader.opened else None), steps


def _raise_failures(working: list[Future[None]]) -> None:
    for future in working:
        if future.done():
            future.result()
