"""Measure a project of very many runs: pages, search, filters, its deletion, and creating runs.

The server runs in a child process. The baseline of a page is sqlite3 fetching the same rows. That
of the deletion is sqlite3 deleting the same rows of a copy of the file in one transaction, for
which others would wait. That of creation is GET /health over the same connections. While the
project is deleted, a thread posts batches of a point to a run of another project.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio

from scripts.benchmarks.chart_questions import Question, measure_one
from scripts.benchmarks.fill_database import add_run, add_table, new_database
from scripts.benchmarks.harness import Client, Figure, Report, serve, spread
from scripts.benchmarks.ingest import send

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

METRICS, KEYS = 2, 3
CONNECTIONS = 8
_PAUSE_SECONDS = 0.002
_ALONE_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--runs", type=int, default=100_000, help="runs of the project [default: 100000]"
    )
    parser.add_argument(
        "--created", type=int, default=8000, help="runs to create over HTTP [default: 8000]"
    )
    parser.add_argument(
        "--repeat", type=int, default=20, help="requests to take the median of [default: 20]"
    )


def run(arguments: argparse.Namespace) -> Report:
    """Create the project and measure; this takes a minute."""
    with tempfile.TemporaryDirectory(prefix="trackai-bench-") as folder:
        path, copy = Path(folder, "trackai.db"), Path(folder, "copy.db")
        project, other = anyio.run(_fill, path, arguments.runs)
        shutil.copyfile(path, copy)
        questions = _questions(project, arguments.runs)
        with serve(path) as client:
            with closing(sqlite3.connect(path)) as plain:
                figures = [
                    measure_one(question, client, plain, arguments.repeat) for question in questions
                ]
                figures.append(_processor_time(questions[-1], client, plain, arguments.repeat))
            figures += _deletion(client, path, copy, project, other)
            figures += _creation(client, max(1, arguments.created // CONNECTIONS))
    return Report(
        f"a project of {arguments.runs:,} runs",
        figures,
        [],
        [
            f"Pages have 100 runs; each run has {KEYS} configuration keys and {METRICS} metrics.",
            (
                "Baselines: sqlite3 with a plain statement; by how much the file has shrunk; "
                "waiting before the deletion; GET /health."
            ),
            "Processor times are those of the server's process, and of the baseline's.",
        ],
    )


async def _fill(path: Path, runs: int) -> tuple[int, int]:
    """Create the project, and a run of another one; return their row ids."""
    async with new_database(path) as database:
        other = await add_run(database, "other", {})
        return await add_table(database, runs, METRICS, KEYS), other


def _questions(project: int, runs: int) -> list[Question]:
    page = f"/api/runs?project_id={project}&limit=100"
    rows = f"SELECT * FROM runs WHERE project_id = {project}"
    condition = quote("config.key/1 < 0.5")
    return [
        Question("the first page", page, f"{rows} ORDER BY created_at DESC LIMIT 100", 15),
        Question(
            "a page in the middle",
            f"{page}&offset={runs // 2}",
            f"{rows} ORDER BY created_at DESC LIMIT 100 OFFSET {runs // 2}",
            15,
        ),
        Question(
            "search",
            f"{page}&search={quote(f'run {runs // 3}')}",
            f"{rows} AND name LIKE '%run {runs // 3}%' ORDER BY created_at DESC LIMIT 100",
            40,
        ),
        Question(
            "filter and sort by the configuration",
            f"{page}&filter={condition}&sort_by={quote('config.key/2')}",
            f"""
            SELECT runs.* FROM configs AS filtered
            JOIN configs AS sorted ON sorted.run_id = filtered.run_id AND sorted.key = 'key/2'
            JOIN runs ON runs.id = filtered.run_id
            WHERE filtered.key = 'key/1' AND filtered.comparable < 0.5
              AND runs.project_id = {project}
            ORDER BY sorted.comparable DESC LIMIT 100
            """,
            40,
        ),
    ]


def _cpu_seconds(client: Client) -> float:
    """The processor time of the server so far; the ticks in /proc are too long for few requests."""
    assert client.server_pid is not None
    # What clock_getcpuclockid(3) returns on Linux.
    return time.clock_gettime((~client.server_pid << 3) | 2)


def _processor_time(
    question: Question, client: Client, plain: sqlite3.Connection, repeat: int
) -> Figure:
    before = _cpu_seconds(client)
    for _ in range(repeat):
        question.ask(client)
    seconds = _cpu_seconds(client) - before
    assert question.sql is not None
    before = time.process_time()
    for _ in range(repeat):
        plain.execute(question.sql).fetchall()
    return Figure(
        name="processor time of the filter",
        value=seconds / repeat * 1000,
        unit="ms",
        baseline=(time.process_time() - before) / repeat * 1000,
    )


def _deletion(client: Client, path: Path, copy: Path, project: int, other: int) -> list[Figure]:
    plain, plain_processor = _delete_plainly(copy, project)
    size = path.stat().st_size
    with _posting(client, other) as alone:
        time.sleep(_ALONE_SECONDS)
    with _posting(client, other) as beside:
        started, before = time.perf_counter(), _cpu_seconds(client)
        freed = json.loads(client.delete(f"/api/projects/{project}"))["bytes"]
        seconds = time.perf_counter() - started
        processor = _cpu_seconds(client) - before
    return [
        Figure(name="delete the project", value=seconds, unit="s", at_most=2, baseline=plain),
        Figure(
            name="processor time of the deletion",
            value=processor,
            unit="s",
            baseline=plain_processor,
        ),
        Figure(
            name="bytes of the answer",
            value=freed / 1e6,
            unit="MB",
            baseline=(size - path.stat().st_size) / 1e6,
        ),
        Figure(
            name="a client that posts waits meanwhile: median",
            value=spread(beside).median * 1000,
            unit="ms",
            baseline=spread(alone).median * 1000,
        ),
        Figure(
            name=f"longest of {len(beside):,}",
            value=max(beside) * 1000,
            unit="ms",
            at_most=100,
            baseline=max(alone) * 1000,
        ),
    ]


def _delete_plainly(path: Path, project: int) -> tuple[float, float]:
    """Delete a project in one transaction; return the seconds, and those of the processor."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA foreign_keys = ON")
        started, before = time.perf_counter(), time.process_time()
        conn.execute("BEGIN IMMEDIATE")
        for table in ("series", "configs"):
            conn.execute(
                f"DELETE FROM {table} WHERE run_id IN (SELECT id FROM runs WHERE project_id = ?)",
                (project,),
            )
        conn.execute("DELETE FROM runs WHERE project_id = ?", (project,))
        conn.execute("DELETE FROM projects WHERE id = ?", (project,))
        conn.execute("COMMIT")
        return time.perf_counter() - started, time.process_time() - before


@contextmanager
def _posting(client: Client, run_id: int) -> Iterator[list[float]]:
    """Post a point again and again; on exit, the list has the seconds of each request."""
    waits: list[float] = []
    stop = threading.Event()

    def post() -> None:
        own = Client(*client.address)
        while not (waits and stop.is_set()):
            row = {"step": time.time_ns() // 1000, "values": {"loss": 0.5}}
            started = time.perf_counter()
            own.post(f"/api/metrics/runs/{run_id}", {"rows": [row]})
            waits.append(time.perf_counter() - started)
            time.sleep(_PAUSE_SECONDS)
        own.close()

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield waits
    finally:
        stop.set()
        thread.join()


def _creation(client: Client, each: int) -> list[Figure]:
    project = json.loads(client.post("/api/projects", {"name": "new", "project_id": "new"}))["id"]
    health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    before = _cpu_seconds(client)
    baseline, _ = send(client, [[health] * each] * CONNECTIONS)
    between = _cpu_seconds(client)
    seconds, _ = send(
        client,
        [
            [_create(project, f"r{connection}-{number}") for number in range(each)]
            for connection in range(CONNECTIONS)
        ],
    )
    after, count = _cpu_seconds(client), each * CONNECTIONS
    return [
        Figure(
            name=f"create runs over {CONNECTIONS} connections",
            value=count / seconds,
            unit="runs/s",
            at_least=2500,
            baseline=count / baseline,
        ),
        Figure(
            name="processor time of a run",
            value=(after - between) / count * 1e6,
            unit="µs",
            baseline=(between - before) / count * 1e6,
        ),
    ]


def _create(project: int, name: str) -> bytes:
    body = json.dumps({"project_id": project, "run_id": name, "config": {"lr": 0.1}}).encode()
    head = (
        "POST /api/runs HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
