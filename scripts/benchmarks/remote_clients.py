"""Measure what logging to a server costs the process that logs, also if the server hangs."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from scripts.benchmarks.harness import ROOT, ChildError, Figure, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.harness import Client

# Bursts with pauses between them: what moves the points works beside the calls.
_BURST, _PAUSE = 20, 0.01
# The least that TRACKAI_OUTBOX_MB may be. A call of ten floats takes a bit more than 100 bytes.
_OUTBOX_MB = 100
_FILLING_CALLS = 1_300_000
_LOCAL, _ANSWERS, _HANGS, _NONE = "a file", "a server that answers", "one that hangs", "none at all"


def measure(calls: int, repeat: int, *, fill: bool) -> list[Figure]:
    """Take all measurements.

    Args:
        repeat: how often each is taken, in turn; the figures are medians.
        fill: whether to fill an outbox to its bound, which takes some seconds.
    """
    results: dict[str, list[Any]] = {_LOCAL: [], _ANSWERS: [], _HANGS: [], _NONE: []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(repeat):
            with serve(folder / f"server{number}.db") as client:
                for server in results:
                    outbox = folder / f"{number}-{server}"
                    results[server].append(_log(server, outbox, client, calls))
        figures = [*_figures(results)]
        if fill:
            figures.append(_fill(folder / "full"))
    return figures


def _figures(results: dict[str, list[Any]]) -> Iterator[Figure]:
    def median(server: str, field: str) -> float:
        return float(statistics.median(result[field] for result in results[server]))

    for field, goal in (("median", 1.1), ("p99", 1.1), ("memory", None)):
        local = median(_LOCAL, field)
        for server in (_ANSWERS, _HANGS, _NONE):
            yield Figure(
                name=f"peak memory, {server}; baseline: a file"
                if field == "memory"
                else f"log() to {server}: {field}; baseline: to a file",
                value=median(server, field),
                unit="MB" if field == "memory" else "µs",
                at_most=None if goal is None else goal * local,
                baseline=local,
            )


def _log(server: str, outbox: Path, client: Client, calls: int) -> Any:
    """Log to a server; it hangs from when the run has begun."""
    with _start(outbox, _url(server, client), calls, _BURST, _PAUSE) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert client.server_pid is not None
        if server == _HANGS:
            os.kill(client.server_pid, signal.SIGSTOP)
        try:
            output, problem = process.communicate("go\n")
        finally:
            if server == _HANGS:
                os.kill(client.server_pid, signal.SIGCONT)
    if process.returncode or ready != "ready\n":
        raise ChildError((problem.strip().splitlines() or ["no output"])[-1])
    return json.loads(output)


def _url(server: str, client: Client) -> str | None:
    if server == _LOCAL:
        return None
    if server == _NONE:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{free.getsockname()[1]}"
    host, port = client.address
    return f"http://{host}:{port}"


def _start(
    outbox: Path, url: str | None, calls: int, burst: int, pause: float
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "TRACKAI_DB_PATH": str(outbox / "local.db"),
        "TRACKAI_OUTBOX_PATH": str(outbox),
        "TRACKAI_OUTBOX_MB": str(_OUTBOX_MB),
    }
    environment.pop("TRACKAI_SERVER_URL", None)
    if url is not None:
        environment["TRACKAI_SERVER_URL"] = url
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.benchmarks.remote_child", str(calls), str(burst),
         str(pause)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def _fill(outbox: Path) -> Figure:
    """Log more than an outbox may hold, without a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with _start(outbox, url, _FILLING_CALLS, 0, 0.0) as process:
        _, problem = process.communicate("go\n")
    if process.returncode:
        raise ChildError(problem)
    size = sum(path.stat().st_size for path in outbox.rglob("*") if path.is_file())
    return Figure(
        name=f"outbox of at most {_OUTBOX_MB} MB after {_FILLING_CALLS:,} calls without a server",
        value=size / 1e6,
        unit="MB",
        at_most=_OUTBOX_MB * 1.05,
    )
