"""Shared by the benchmarks: reports, child processes and a server."""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
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

# The server closes idle connections after five seconds; open a new one before that.
_IDLE_SECONDS = 2.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number.

    Attributes:
        at_most, at_least: the goal, in the same unit.
        baseline: the same measurement for the simplest code that does the same work, taken in the
            same run. The ratio to it depends less on the machine than the value does.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    baseline: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return self.value >= self.at_least if self.at_least is not None else None


@dataclass(frozen=True)
class Table:
    """A table of figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


@dataclass(frozen=True)
class Report:
    """The result of a benchmark; `notes` say how it was measured."""

    title: str
    figures: list[Figure]
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def as_json(report: Report) -> str:
    """Format a report for programs."""
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
    """Format a report for people."""
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
    widths = [max(len(row[column]) for row in table) for column in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


@dataclass(frozen=True)
class Spread:
    """Statistics of many measurements, in their unit."""

    median: float
    mean: float
    p99: float


def spread(durations: Sequence[float]) -> Spread:
    """Return the median, mean and 99th percentile."""
    ordered = sorted(durations)
    return Spread(
        statistics.median(ordered),
        statistics.fmean(ordered),
        ordered[len(ordered) * 99 // 100],
    )


def median_seconds(*actions: Callable[[], object], repeat: int) -> list[float]:
    """Return the median duration of each action, after one call of each to warm up.

    The actions take turns, so that a disturbance of the machine affects all of them.
    """
    durations: list[list[float]] = [[] for _ in actions]
    for action in actions:
        action()
    for _ in range(repeat):
        for action, measured in zip(actions, durations, strict=True):
            started = time.perf_counter()
            action()
            measured.append(time.perf_counter() - started)
    return [statistics.median(measured) for measured in durations]


def resident_memory(pid: int) -> float:
    """Return the resident memory of a process, in MB of 10^6 bytes; 0 except on Linux."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, in seconds; 0 except on Linux."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid() of the C library


def peak_memory() -> float:
    """Return the peak resident memory of this process, in MB of 10^6 bytes."""
    try:
        # Not getrusage, which includes the memory of the parent at the time of the fork.
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def reset_peak_memory() -> None:
    """Reset the peak, if the system allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


class ChildError(Exception):
    """A child process of a benchmark has failed."""


def run_child(
    module: str,
    *arguments: str,
    python: str | None = None,
    env: dict[str, str] | None = None,
) -> Any:
    """Run a module in a child process.

    Args:
        module: the module, of this checkout.
        arguments: its arguments.
        python: the interpreter; default the one of this process.
        env: environment variables in addition to those of this process.

    Returns:
        The decoded JSON of the last line that it printed.

    Raises:
        ChildError: the process failed.
    """
    process = subprocess.run(
        [python or sys.executable, "-m", module, *arguments],
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
    """A connection to a server that is kept open; responses are read, but not decoded."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.server_pid: int | None = None
        self._connection = http.client.HTTPConnection(host, port, timeout=120)
        self._last_response = time.monotonic()

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        self._connection.close()

    def get(self, path: str) -> bytes:
        """Send a GET request; return the body of the response, whose status must be 200."""
        return self._request("GET", path, None)

    def post(self, path: str, body: Any) -> bytes:
        """Send a POST request with a JSON body; return the body of the response."""
        return self._request("POST", path, json.dumps(body))

    def delete(self, path: str) -> bytes:
        """Send a DELETE request; return the body of the response."""
        return self._request("DELETE", path, None)

    def _request(self, method: str, path: str, body: str | None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        if time.monotonic() - self._last_response > _IDLE_SECONDS:
            self.close()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        data = response.read()
        self._last_response = time.monotonic()
        if response.status != 200:
            raise ChildError(f"{method} {path}: {response.status} {data[:200]!r}")
        return data


@contextmanager
def serve(db_path: Path) -> Iterator[Client]:
    """Run `trackai serve` on a database, and connect to it."""
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", str(db_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        port = re.search(r"http://[^\s/]+:(\d+)", line)
        if port is None:
            process.terminate()
            raise ChildError(line + process.stderr.read())
        client = Client("127.0.0.1", int(port[1]))
        client.server_pid = process.pid
        try:
            wait_until_healthy(client)
            yield client
        finally:
            process.terminate()


def wait_until_healthy(client: Client) -> None:
    """Wait until a server answers."""
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
