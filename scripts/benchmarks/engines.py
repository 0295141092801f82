"""Measure a server on SQLite beside a server on PostgreSQL, in the same run.

Both get the same requests over HTTP: writers on other machines send their journals in batches of
50 000 points, and a reader asks for pages, charts and tables. `--postgres` is the address of a
server on which this creates a database, and drops it at the end.

mlflow is measured beside them, with its store on the same server of PostgreSQL and without its
server, if an interpreter is given that can import it:

    python -m venv /tmp/peer && /tmp/peer/bin/pip install mlflow psycopg2-binary
    python scripts/bench.py engines --postgres URL --mlflow /tmp/peer/bin/python
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

import anyio
import asyncpg

from scripts.benchmarks import ingest, mlflow_child
from scripts.benchmarks.fill_database import add_table
from scripts.benchmarks.harness import (
    ROOT,
    ChildError,
    Client,
    Figure,
    Report,
    Table,
    median_seconds,
    wait_until_healthy,
)
from trackai.ingest import wire
from trackai.ingest.frames import Ended, Keys, Opened
from trackai.ingest.reader import Batch, Calls
from trackai.reading.api import Api
from trackai.store.engine.database import Database
from trackai.store.postgres.database import PostgresDatabase
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

_CLIENTS = 4
_METRICS = 10
_POINTS_PER_REQUEST = 50_000
_NOW = 1_760_000_000_000_000
_TABLE_RUNS, _TABLE_METRICS, _TABLE_KEYS = 10_000, 20, 10
_COMPARED_RUNS, _COMPARED_POINTS = 50, 1000
# What a script gets from `Run.history`.
_READ_POINTS = 100_000
_READ = "100 000 points by the library"
_MLFLOW_CALLS, _MLFLOW_POINTS = 200, 100_000
# The time for a server to roll up and to compact what it has stored.
_IDLE_SECONDS = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--postgres", required=True, metavar="URL", help="a server of PostgreSQL to create on"
    )
    parser.add_argument(
        "--points", type=int, default=10_000_000, help="of the longest series [default: 10000000]"
    )
    parser.add_argument("--repeat", type=int, default=20, help="of each request [default: 20]")
    parser.add_argument(
        "--mlflow", metavar="PYTHON", help="an interpreter that can import mlflow, to compare"
    )


class _Engine(NamedTuple):
    """A place for a database: a path or a URL."""

    name: str
    place: str

    def store(self) -> Any:
        if self.name == "SQLite":
            return Database(Path(self.place))
        return PostgresDatabase(self.place)

    async def size(self) -> int:
        """Bytes on disk, without logs that will be recycled."""
        if self.name == "SQLite":
            database = Database(Path(self.place))
            await database.open()
            await database.checkpoint()
            await database.close()
            return Path(self.place).stat().st_size
        conn = await asyncpg.connect(self.place)
        try:
            await conn.execute("VACUUM (ANALYZE)")
            return int(await conn.fetchval("SELECT pg_database_size(current_database())"))
        finally:
            await conn.close()


def run(arguments: argparse.Namespace) -> Report:
    """Measure one engine after the other; this takes some minutes."""
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        sqlite = _measure(
            _Engine("SQLite", str(Path(folder, "trackai.db"))), arguments.points, arguments.repeat
        )
        with _new_database(arguments.postgres) as url:
            postgres = _measure(_Engine("PostgreSQL", url), arguments.points, arguments.repeat)
        peer = None
        if arguments.mlflow:
            with _new_database(arguments.postgres) as url:
                peer = _measure_mlflow(arguments.mlflow, url)
    ratio = {name: postgres[name][0] / value for name, (value, _) in sqlite.items()}
    rows: list[list[str | float | None]] = [
        [name, unit, value, postgres[name][0], ratio[name]]
        for name, (value, unit) in sqlite.items()
    ]
    figures = [
        Figure(
            name="points stored, 1 client, to SQLite", value=ratio[_stored(1)], unit="x", at_least=2
        ),
        Figure(
            name=f"points stored, {_CLIENTS} clients, to SQLite", value=ratio[_stored(_CLIENTS)],
            unit="x", at_least=2,
        ),
        Figure(name="bytes a point on PostgreSQL", value=postgres["size"][0], at_most=15),
        Figure(
            name="chart of the longest series, to SQLite", value=ratio["chart of all points"],
            unit="x", at_most=1.5,
        ),
        Figure(name="page of the table, to SQLite", value=ratio["page of the table"], unit="x",
               at_most=2),
    ]  # fmt: skip
    columns = ["measure", "unit", "SQLite", "PostgreSQL", "ratio"]
    tables = [Table("both engines", columns, rows)]
    if peer is not None:
        peer_figures, table = _beside_mlflow(postgres, peer)
        figures += peer_figures
        tables.append(table)
    return Report(
        f"SQLite and PostgreSQL, the longest series has {arguments.points:,} points",
        figures,
        tables,
        ["Sizes are taken after the servers were idle, with rollups, indexes and tables."],
    )


class _Mlflow(NamedTuple):
    """What mlflow does in a second on PostgreSQL: points that are logged, and that are read.

    Attributes:
        calls: points of `mlflow.log_metrics`, ten in a call.
        batches: points of `log_batch`, a thousand in a call.
        history: points of a metric from `get_metric_history`.
    """

    version: str
    calls: float
    batches: float
    history: float


def _measure_mlflow(python: str, url: str) -> _Mlflow:
    # Its URL names a driver; TrackAI's own is that of libpq.
    address = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    child = Path(mlflow_child.__file__)
    done = subprocess.run(
        [python, child, address, str(_MLFLOW_CALLS), str(_MLFLOW_POINTS)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    if done.returncode:
        raise ChildError(f"mlflow: {done.stderr[-2000:]}")
    measured = json.loads(done.stdout)
    return _Mlflow(
        measured["version"],
        _MLFLOW_CALLS * mlflow_child.METRICS / measured["log_metrics"],
        _MLFLOW_POINTS / measured["log_batch"],
        _MLFLOW_POINTS / measured["get_metric_history"],
    )


def _beside_mlflow(
    postgres: dict[str, tuple[float, str]], peer: _Mlflow
) -> tuple[list[Figure], Table]:
    logged = postgres[_stored(1)][0]
    read = 1000 * _READ_POINTS / postgres[_READ][0]
    baseline = f"to mlflow {peer.version} on PostgreSQL"
    figures = [
        Figure(
            name=f"points logged, {baseline}", value=logged / peer.batches, unit="x", at_least=50
        ),
        Figure(name=f"points read, {baseline}", value=read / peer.history, unit="x", at_least=20),
    ]
    rows: list[list[str | float | None]] = [
        ["logged in batches", logged, peer.batches, logged / peer.batches],
        ["logged in calls of 10", logged, peer.calls, logged / peer.calls],
        ["read of one metric", read, peer.history, read / peer.history],
    ]
    columns = ["points a second", "TrackAI", "mlflow", "ratio"]
    return figures, Table("both on PostgreSQL", columns, rows)


def _stored(clients: int) -> str:
    return f"points stored a second, clients: {clients}"


def _measure(engine: _Engine, points: int, repeat: int) -> dict[str, tuple[float, str]]:
    measured: dict[str, tuple[float, str]] = {}
    with _serve(engine.place) as client:
        empty = anyio.run(engine.size)
        _log("warm", client, 1, 100_000)
        before = anyio.run(engine.size)
        each = min(points // 5, 2_000_000)
        seconds = _log("one", client, 1, each)
        measured[_stored(1)] = each / seconds, "points/s"
        seconds = _log("four", client, _CLIENTS, each // _CLIENTS)
        measured[_stored(_CLIENTS)] = _CLIENTS * (each // _CLIENTS) / seconds, "points/s"
        _log("long", client, 1, points, metrics=1)
        _log("read", client, 1, _READ_POINTS, metrics=1)
        for number in range(_COMPARED_RUNS):
            _log(f"compared-{number}", client, 1, _COMPARED_POINTS, metrics=1)
        _wait_until_idle(engine)
        stored = points + 2 * each + _READ_POINTS + _COMPARED_RUNS * _COMPARED_POINTS
        size = anyio.run(engine.size)
        measured["size"] = (size - before) / stored, "bytes a point"
        assert before >= empty
        measured |= _read(client, points, anyio.run(_add_table, engine), repeat)
        runs = json.loads(client.get("/api/runs?search=long-0"))["runs"]
        started = time.perf_counter()
        client.delete(f"/api/runs/{runs[0]['id']}")
        measured["delete the longest run"] = time.perf_counter() - started, "s"
    return measured


def _read(client: Client, points: int, table: int, repeat: int) -> dict[str, tuple[float, str]]:
    def run_id(slug: str) -> int:
        runs = json.loads(client.get(f"/api/runs?search={slug}"))["runs"]
        return int(next(run["id"] for run in runs if run["run_id"] == slug))

    long, one = run_id("long-0"), run_id("one-0")
    compared = [run_id(f"compared-{number}-0") for number in range(_COMPARED_RUNS)]
    series = f"/api/metrics/runs/{long}/metric/metric/0"
    host, port = client.address
    read = Api(f"http://{host}:{port}").run("bench/read-0")
    middle = f"step_min={points // 2}"
    body = {"run_ids": compared, "metric_paths": ["metric/0"], "points": 1000}
    columns = "config.key/1,config.key/2,metric.metric/1,metric.metric/2.max,name"
    page = (
        f"/api/runs?project_id={table}&limit=100&sort_by=metric.metric/2.min"
        f"&filter={quote('metric.metric/1.max>0.7')}&columns={quote(columns)}"
    )
    requests = {
        "1 000 points of it": (
            lambda: client.get(f"{series}?limit=1000&{middle}"),
            repeat,
        ),
        "1 000 000 points": (lambda: client.get(f"{series}?limit=1000000"), 3),
        _READ: (lambda: read.history("metric/0"), 5),
        "chart of all points": (lambda: client.get(f"{series}?points=1000"), repeat),
        "chart of 50 runs x 1 000": (lambda: client.post("/api/metrics/compare", body), repeat),
        "page of the table": (lambda: client.get(page), repeat),
        "summary of a run": (lambda: client.get(f"/api/runs/{one}/summary"), repeat),
    }
    return {
        name: (1000 * median_seconds(request, repeat=times)[0], "ms")
        for name, (request, times) in requests.items()
    }


def _log(name: str, client: Client, clients: int, points: int, metrics: int = _METRICS) -> float:
    """Send runs as clients do that log elsewhere; the seconds until all is stored."""
    connections: list[Iterable[bytes]] = [
        _requests(f"{name}-{number}", points, metrics) for number in range(clients)
    ]
    if metrics > 1:  # those that are timed are made before
        connections = list(map(list, connections))
    seconds, _ = ingest.send(client, connections)
    return seconds


def _requests(name: str, points: int, metrics: int) -> Iterator[bytes]:
    """The requests of one run, made when they are needed: they are large."""
    opened = Opened(
        run_uid=new_uid(), writer_uid=new_uid(), project="bench", run_slug=name,
        name=name, group=None, attempt=1, rank=0, host="node", pid=1,
        created_at=_NOW, started_at=_NOW,
    )  # fmt: skip
    paths = tuple(f"metric/{number}" for number in range(metrics))
    calls, position = points // metrics, 0
    per_request = _POINTS_PER_REQUEST // metrics
    path = f"/api/journals/{_NOW:016x}-{opened.writer_uid}-000000.journal"
    for first in range(0, calls, per_request):
        steps = list(range(first, min(first + per_request, calls)))
        # Times with jitter, and values that do not repeat, as in training.
        times = [_NOW + 1000 * step + step * step % 7919 % 311 for step in steps]
        values = [[(step * 0.6180339887 + at) % 1.0 for step in steps] for at in range(metrics)]
        is_last = first + per_request >= calls
        batch = Batch(
            opened=opened, start=position, end=position + 100 * len(steps), frames=len(steps),
            calls=[Calls(Keys(0, "step", paths), list(steps), times, list(values))],
            config={}, replaced=set(), described=[], files=[],
            ended=Ended("completed", times[-1]) if is_last else None,
        )  # fmt: skip
        position = batch.end
        body = wire.pack(batch)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTrackAI-Protocol: {wire.PROTOCOL}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


async def _add_table(engine: _Engine) -> int:
    store = engine.store()
    await store.open()
    try:
        return await add_table(store, _TABLE_RUNS, _TABLE_METRICS, _TABLE_KEYS)
    finally:
        await store.close()
        await engine.size()  # its vacuum does what that of the server does within a minute


def _wait_until_idle(engine: _Engine) -> None:
    """Wait until the server has rolled up all series."""
    deadline = time.monotonic() + _IDLE_SECONDS
    while anyio.run(_stale, engine):
        if time.monotonic() > deadline:
            raise TimeoutError("the server has not rolled up its series")
        time.sleep(1)


async def _stale(engine: _Engine) -> int:
    store = engine.store()
    await store.open()
    try:
        async with store.read() as conn:
            rows = await conn.execute_fetchall("SELECT COUNT(*) FROM stale_rollups")
        return int(next(number for (number,) in rows))
    finally:
        await store.close()


@contextmanager
def _serve(place: str) -> Iterator[Client]:
    """Run `trackai serve` on a database."""
    with tempfile.TemporaryDirectory(prefix="trackai-files-") as files, subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", place],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TRACKAI_SILENT": "1", "TRACKAI_FILES": files},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        port = re.search(r"http://[^\s/]+:(\d+)", process.stderr.readline())
        assert port is not None, process.stderr.read()
        client = Client("127.0.0.1", int(port[1]))
        try:
            wait_until_healthy(client)
            yield client
        finally:
            process.terminate()


@contextmanager
def _new_database(server: str) -> Iterator[str]:
    name = f"trackai_bench_{uuid.uuid4().hex[:8]}"
    anyio.run(_execute, server, f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        anyio.run(_execute, server, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: str, sql: str) -> None:
    conn = await asyncpg.connect(server)
    try:
        await conn.execute(sql)
    finally:
        await conn.close()
