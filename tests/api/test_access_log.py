"""/metrics, the access log, and the shutdown of the server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest

from tests.conftest import Server, count_points, execute_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? [0-9.e+-]+')


@pytest.fixture
def server(own_server: Server) -> Server:
    """A new server, which has counted no requests of other tests."""
    return own_server


def test_prometheus_metrics(server: Server) -> None:
    for _ in range(3):
        server.request("GET", "/api/runs/7")
    server.request("GET", "/no/such/page")
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.json.splitlines()
    assert all(line.startswith("# TYPE ") or SAMPLE.fullmatch(line) for line in lines)
    assert (
        'trackai_http_requests_total{method="GET",route="/api/runs/{run_id}",status="404"} 3'
        in lines
    )
    assert 'trackai_http_request_seconds_count{method="GET",route="/api/runs/{run_id}"} 3' in lines
    bounds = [
        int(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(
            'trackai_http_request_seconds_bucket{method="GET",route="/api/runs/{run_id}"'
        )
    ]
    assert bounds == sorted(bounds)
    assert bounds[-2:] == [3, 3]
    assert 'trackai_http_requests_total{method="GET",route="other",status="404"} 1' in lines
    assert any(line.startswith("trackai_database_bytes ") for line in lines)


@contextmanager
def _serving(db_path: Path, **env: str) -> Iterator[tuple[Server, IO[str]]]:
    """A server and its stderr."""
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", str(db_path)],
        env={**os.environ, **env}, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        address = process.stderr.readline().split()[2].replace("localhost", "127.0.0.1")
        try:
            yield Server(address, process, db_path), process.stderr
        finally:
            process.terminate()


def test_internal_errors_are_counted_and_have_security_headers(db_path: Path) -> None:
    with _serving(db_path) as (server, complaints):
        server.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
        # A value that the API never stores.
        execute_sql(db_path, "UPDATE projects SET created_at = 9000000000000000000")
        answer = server.request("GET", "/api/projects/1")
        lines = server.request("GET", "/metrics").json.splitlines()
        server.process.terminate()
        assert complaints.read().count("Traceback") == 1
    assert (answer.status, set(answer.json)) == (500, {"detail"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    route = 'method="GET",route="/api/projects/{project_id}"'
    assert f'trackai_http_requests_total{{{route},status="500"}} 1' in lines


def test_a_client_that_disconnects_during_its_request_is_counted(db_path: Path) -> None:
    with _serving(db_path) as (server, complaints):
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
            time.sleep(0.3)
        expected = 'trackai_http_requests_total{method="POST",route="/api/projects",status="0"} 1'
        for _ in range(100):
            if expected in server.request("GET", "/metrics").json.splitlines():
                break
            time.sleep(0.05)
        else:
            pytest.fail("the request has not been counted")
        server.process.terminate()
        assert complaints.read() == ""


@pytest.mark.parametrize("style", ["off", "text", "json"])
def test_access_logs(db_path: Path, style: str) -> None:
    with _serving(db_path, TRACKAI_ACCESS_LOG=style) as (server, complaints):
        assert server.request("GET", "/api/runs/7%0Afaked%1b[31m?x=1").status == 422
        server.get("/health")
        server.process.terminate()
        lines = complaints.read().splitlines()
    if style == "off":
        assert lines == []
        return
    assert len(lines) == 2
    if style == "text":
        assert re.fullmatch(r"\S+Z 127\.0\.0\.1 GET /api/runs/7\\nfaked\\x1b\[31m 422 \d+ [\d.]+",
                            lines[0])  # fmt: skip
        return
    first, second = map(json.loads, lines)
    assert (first["path"], first["status"]) == ("/api/runs/7\nfaked\x1b[31m", 422)
    assert (second["route"], second["status"], second["method"]) == ("/health", 200, "GET")
    assert second["seconds"] >= 0


def test_shutdown_stores_all_accepted_batches(server: Server, db_path: Path) -> None:
    project = server.request("POST", "/api/projects", {"name": "p", "project_id": "p"}).json["id"]
    run = server.request("POST", "/api/runs", {"project_id": project, "run_id": "r"}).json["id"]

    def send_until_it_ends(client: int) -> int:
        accepted = 0
        while True:
            rows = [{"step": accepted, "values": {f"x{client}": 1.0}}]
            try:
                answer = server.request("POST", f"/api/metrics/runs/{run}", {"rows": rows})
            except OSError:
                return accepted
            if answer.status != 200:
                assert answer.status == 503
                return accepted
            accepted += 1
            if client == 0 and accepted == 10:
                server.process.send_signal(signal.SIGTERM)

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(send_until_it_ends, range(8)))
    server.process.wait(timeout=30)
    # Every accepted batch is stored, and every stored batch was acknowledged.
    assert count_points(db_path) == accepted >= 10
