"""Requests that are still in progress when the time of a shutdown is over."""

from __future__ import annotations

import http.client
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import asyncpg
import pytest
from anyio.from_thread import start_blocking_portal

from tests.api.in_thread import serving_in_thread
from tests.conftest import Server, execute_sql, wait_until_healthy
from trackai.api.shutdown import CancelledRequestMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive, Scope, Send

# `trackai serve`, with a shorter time for requests in progress.
_SERVE = """
import sys
from trackai.cli import main, serve
serve._SHUTDOWN_SECONDS = 0.5
main(["serve", "--port", "0", "--db", sys.argv[1]])
"""
# What uvicorn logs when that time is over.
_OVER = "timeout graceful shutdown exceeded"


def _wait_for(text: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)


@contextmanager
def _serving(db_path: Path | str, log: Path) -> Iterator[Server]:
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(db_path)], stderr=stderr, text=True
        )
    with process:
        try:
            _wait_for("\n", log)
            port = log.read_text().split()[2].rpartition(":")[2]
            server = Server(f"http://127.0.0.1:{port}", process, db_path)
            wait_until_healthy(server)
            yield server
        finally:
            process.kill()


@contextmanager
def _locked(address: Path | str) -> Iterator[Callable[[], None]]:
    """Keep a server from changing its database until the function that this yields is called."""
    if isinstance(address, Path):
        with closing(sqlite3.connect(address, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield lambda: other.close()
        return
    with start_blocking_portal() as portal:
        driver = portal.call(asyncpg.connect, address)
        portal.call(driver.execute, "BEGIN; LOCK TABLE projects IN SHARE MODE")
        try:
            yield lambda: portal.call(driver.close)
        finally:
            portal.call(driver.close)


def test_changes_that_a_lock_delays_beyond_a_shutdown(db_path: Path | str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    names = [f"p{index}" for index in range(4)]

    with (
        _serving(db_path, log) as server,
        ThreadPoolExecutor(len(names)) as clients,
        _locked(db_path) as unlock,
    ):
        answers = [
            clients.submit(
                server.request, "POST", "/api/projects", {"name": name, "project_id": name}
            )
            for name in names
        ]
        busy = f"trackai_http_requests_under_way {len(names) + 1}\n"
        while busy not in server.request("GET", "/metrics").json:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        _wait_for(_OVER, log)
        unlock()
        results = {name: answer.result() for name, answer in zip(names, answers, strict=True)}
        server.process.wait(timeout=60)
    stored = {name for (name,) in execute_sql(db_path, "SELECT name FROM projects")}

    assert {answer.status for answer in results.values()} <= {200, 503}
    assert {name for name, answer in results.items() if answer.status == 200} == stored
    refused = [answer for answer in results.values() if answer.status == 503]
    assert refused
    for answer in refused:
        assert "is stopping" in answer.json["detail"]
        assert answer.headers["retry-after"] == "1"
    lines = log.read_text().splitlines()
    assert len([line for line in lines if "POST /api/projects: cancelled" in line]) == len(refused)
    assert len(lines) == 2 + len(refused), lines  # the address, and the line of uvicorn


def test_a_response_that_a_shutdown_cuts_off_is_not_complete(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first part", "more_body": True})
        await anyio.sleep_forever()

    application = CancelledRequestMiddleware(app)
    options = {"lifespan": "off", "timeout_graceful_shutdown": 0}
    with serving_in_thread(application, **options) as (server, port):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        client.request("GET", "/points")
        response = client.getresponse()
        assert response.status == 200
        assert response.read(10) == b"first part"
        server.should_exit = True
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        client.close()
    assert "GET /points: cancelled" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
