"""GET /api/runs/{id}/export."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import trackai
from trackai.client.connection import Connection

if TYPE_CHECKING:
    from tests.conftest import Server


def test_a_run_with_its_files_and_superseded_points(
    server: Server, db_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    with trackai.init(project="p", name="r", config={"lr": 0.1}) as run:
        run.save(tmp_path / "empty.txt")
        for step in range(3):
            run.log({"x": step}, step=step)
    with trackai.init(project="p", name="r", resume_from="r?_step=0") as again:
        again.log({"x": 5}, step=1)
    answer = Connection(server.url).request("GET", f"/api/runs/{run.id}/export")
    assert answer.media_type == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert [line["type"] for line in lines[:3]] == ["run", "bytes", "file"]
    assert lines[0]["config"] == {"lr": 0.1}
    points = [
        (step, value)
        for line in lines
        if line["type"] == "points" and line["metric"] == "x"
        for step, value in zip(line["steps"], line["values"], strict=True)
    ]
    assert sorted(points) == [(0, 0), (1, 1), (1, 5), (2, 2)]


def test_slow_clients_are_limited_and_forgotten(server: Server, db_path: Path | str) -> None:
    with trackai.init(project="p", name="r") as run:
        for step in range(30):
            run.log({"text": f"{step}" * 500_000}, step=step)
    host, port = server.url.removeprefix("http://").split(":")
    request = f"GET /api/runs/{run.id}/export HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    clients = [socket.create_connection((host, int(port))) for _ in range(2)]
    for client in clients:
        client.sendall(request)
        assert client.recv(12) == b"HTTP/1.1 200"
    path = f"/api/runs/{run.id}/export"
    refusal = server.request("GET", path)
    assert refusal.status == 503
    assert refusal.headers["retry-after"] == "1"
    assert "2 runs are being exported" in refusal.json["detail"]
    for client in clients:
        client.close()
    deadline = time.monotonic() + 30
    while (answer := server.request("HEAD", path)).status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status == 200
    for _ in range(3):  # errors release their place
        assert server.request("GET", "/api/runs/99/export").status == 404
    lines = Connection(server.url).request("GET", path).data.splitlines()
    assert sum(len(json.loads(line).get("values", ())) for line in lines) == 30
    if isinstance(db_path, Path):
        strangers = [path for path in db_path.parent.iterdir() if db_path.name not in path.name]
        assert strangers == []
