"""What the benchmarks share: figures and how they are shown, other processes, a server."""

from __future__ import annotations

import http.client
import json
import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# The server closes a connection that has been idle for five seconds.
_IDLE_SECONDS = 2.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        at_most, at_least: the goal, in the same unit.
        baseline: what the same run needed for the plainest thing that does the same work. The
            ratio to it says more than the figure where the machine is slow or busy.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    baseline: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return self.value >= self.at_least if self.at_least is not None else None


@dataclass(frozen=True)
class Table:
    """Rows of figures side by side."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


@dataclass(frozen=True)
class Report:
    """What a benchmark has found; `notes` say how it was measured."""

    title: str
    figures: list[Figure]
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def as_json(report: Report) -> str:
    """The report for programs."""
    figures = [
        {key: value for key, value in asdict(figure).items() if value is not None}
        | ({} if figure.met is None else {"met": figure.met})
        for figure in report.figures
    ]
    tables = [
        {
            "title": table.title,
            "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
        }
        for table in report.tables
    ]
    return json.dumps(
        {
            "title": report.title,
            "machine": _machine(),
            "figures": figures,
            "tables": tables,
            "notes": report.notes,
        },
        indent=2,
    )


def as_text(report: Report) -> str:
    """The report for people."""
    machine = _machine()
    lines = [report.title, ", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    rows = [
        (
            figure.name,
            f"{_number(figure.value)} {figure.unit}".strip(),
            _goal(figure),
            _number(figure.baseline),
            "" if not figure.baseline else _number(figure.value / figure.baseline),
        )
        for figure in report.figures
    ]
    lines += _grid(("", "measured", "goal", "baseline", "ratio"), rows)
    for table in report.tables:
        cells = [[_number(cell) for cell in row] for row in table.rows]
        lines += ["", table.title, "", *_grid(table.columns, cells)]
    return "\n".join([*lines, "", *report.notes])


def _machine() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "cores": str(os.cpu_count()),
        "system": platform.system(),
    }


def _goal(figure: Figure) -> str:
    if figure.met is None:
        return ""
    sign, goal = ("≤", figure.at_most) if figure.at_most is not None else ("≥", figure.at_least)
    return f"{sign} {_number(goal)} {'ok' if figure.met else 'MISSED'}"


def _number(value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    table = [columns, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


@dataclass(frozen=True)
class Spread:
    """How a duration is spread over many measurements, in the unit of the measurements."""

    median: float
    mean: float
    p99: float


def spread(durations: Sequence[float]) -> Spread:
    """The median, mean and 99th percentile."""
    ordered = sorted(durations)
    return Spread(
        statistics.median(ordered),
        statistics.fmean(ordered),
        ordered[len(ordered) * 99 // 100],
    )


def median_seconds(*actions: Callable[[], object], repeat: int) -> list[float]:
    """The median duration of each action, after it was done once to warm up.

    They take turns: what disturbs the machine meanwhile disturbs all of them.
    """
    durations: list[list[float]] = [[] for _ in actions]
    for action in actions:
        action()
    for _ in range(repeat):
        for action, own in zip(actions, durations, strict=True):
            started = time.perf_counter()
            action()
            own.append(time.perf_counter() - started)
    return [statistics.median(own) for own in durations]


def resident_memory(pid: int) -> float:
    """The memory that another process holds just now, in MB; 0 where only Linux could say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


def peak_memory() -> float:
    """The most memory that this process has held, in MB of 10^6 bytes."""
    try:
        # Of this program only; getrusage also counts what its parent held when it forked.
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def forget_peak_memory() -> None:
    """Measure the peak from here on, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


class ChildError(Exception):
    """A process that was to measure something has failed."""


def run_child(module: str, *arguments: str, env: dict[str, str] | None = None) -> Any:
    """Run a module in a process of its own.

    Returns:
        The JSON on the last line that it printed.

    Raises:
        ChildError: it failed.
    """
    process = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = process.stdout.splitlines()
    if process.returncode != 0 or not lines:
        raise ChildError((process.stderr.strip().splitlines() or ["no output"])[-1])
    return json.loads(lines[-1])


class Client:
    """One connection to a server, kept open; it reads bytes and does not decode them."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.server_pid: int | None = None
        self._connection = http.client.HTTPConnection(host, port, timeout=120)
        self._last_answer = time.monotonic()

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._connection.close()

    def get(self, path: str) -> bytes:
        """The body of an answer that is 200."""
        return self._request("GET", path, None)

    def post(self, path: str, body: Any) -> bytes:
        """The body of an answer that is 200."""
        return self._request("POST", path, json.dumps(body))

    def delete(self, path: str) -> bytes:
        """The body of an answer that is 200."""
        return self._request("DELETE", path, None)

    def _request(self, method: str, path: str, body: str | None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if time.monotonic() - self._last_answer > _IDLE_SECONDS:
            self.close()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        data = response.read()
        self._last_answer = time.monotonic()
        if response.status != 200:
            raise ChildError(f"{method} {path}: {response.status} {data[:200]!r}")
        return data


@contextmanager
def serve(db_path: Path) -> Iterator[Client]:
    """A `trackai serve` process over a database, and a connection to it."""
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", str(db_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        if "serves" not in line:
            raise ChildError(line + process.stderr.read())
        client = Client("127.0.0.1", int(line.split()[2].rpartition(":")[2]))
        client.server_pid = process.pid
        try:
            _wait_until_healthy(client)
            yield client
        finally:
            process.terminate()


def _wait_until_healthy(client: Client) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.get("/health")
        except ConnectionRefusedError:
            client.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
