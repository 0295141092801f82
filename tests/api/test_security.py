"""Who may talk to the server."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from tests.conftest import Server, _wait_until_healthy
from trackai.api.main import app
from trackai.api.security import Guard
from trackai.errors import InvalidInputError
from trackai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

ROUTES = sorted(
    {
        (method, route.path.replace("{metric_path:path}", "x").replace("{tag:path}", "x"))
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
)


def test_no_route_answers_under_a_foreign_name(server: Server) -> None:
    """A page may let its own name point to 127.0.0.1; the Host header still tells."""
    assert len(ROUTES) > 30
    for method, path in ROUTES:
        for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"):
            answer = server.request(method, path, headers={"Host": host})
            assert answer.status in (400, 403), (method, path, host)


def test_no_route_changes_anything_for_a_foreign_page(server: Server) -> None:
    for method, path in ROUTES:
        if method in ("GET", "HEAD"):
            continue
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},  # another port of this machine is another origin
            {"Origin": "http://127.0.0.1"},
            {"Origin": f"ftp://{server.url.removeprefix('http://')}"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            answer = server.request(method, path, data=b"{}", headers=headers)
            assert answer.status == 403, (method, path, headers)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:80"])
def test_this_machine_may(server: Server, host: str) -> None:
    assert server.request("GET", "/health", headers={"Host": host}).status == 200


def test_no_page_may_read_across_origins(server: Server) -> None:
    answer = server.request("GET", "/api/runs", headers={"Origin": "https://evil.example"})
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_a_page_of_this_server_may_change_things(server: Server) -> None:
    for number, headers in enumerate(
        ({"Origin": server.url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {})
    ):
        body = {"name": f"p{number}", "project_id": f"p{number}"}
        answer = server.request("POST", "/api/projects", body, headers=headers)
        assert answer.status == 200, headers


def test_every_route_keeps_browsers_from_helping_others(server: Server) -> None:
    for method, path in ROUTES:
        headers = server.request(method, path, data=b"{}").headers
        assert headers["x-content-type-options"] == "nosniff", (method, path)
        assert headers["cross-origin-resource-policy"] == "same-origin", (method, path)
        assert headers["cache-control"] == "no-store", (method, path)


def test_no_route_takes_an_endless_address(server: Server) -> None:
    for path in ("/api/metrics/runs/1/metric/" + "x" * 17_000, "/api/runs?search=" + "x" * 50_000):
        assert server.request("GET", path).status == 414


KEY = "a-secret-of-some-length"


@pytest.fixture
def guarded(db_path: Path) -> Iterator[Server]:
    """A server with a key that listens on all addresses."""
    env = {**os.environ, "TRACKAI_API_KEY": KEY}
    command = ["--host", "0.0.0.0", "--port", "0", "--db", str(db_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", *command],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        port = process.stderr.readline().split()[2].rpartition(":")[2]
        server = Server(f"http://127.0.0.1:{port}", process)
        _wait_until_healthy(server)
        yield server
        process.terminate()
        assert "Traceback" not in process.stderr.read()


def test_with_a_key_no_route_but_health_answers_without_it(guarded: Server) -> None:
    for method, path in ROUTES:
        if path.startswith("/health"):
            assert guarded.request(method, path).status == 200
            continue
        for key in (None, "", "Bearer", "Bearer x", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}",
                    f"Basic {KEY}", KEY, f"Bearer {KEY}\xff"):  # fmt: skip
            headers = {} if key is None else {"Authorization": key}
            answer = guarded.request(method, path, data=b"{}", headers=headers)
            assert answer.status == 401, (method, path, key)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_with_the_key_all_is_as_usual(guarded: Server) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Host": "trackai.example:8000"}
    body = {"name": "p", "project_id": "p"}
    assert guarded.request("POST", "/api/projects", body, headers=headers).status == 200
    foreign = {**headers, "Origin": "https://evil.example"}
    assert guarded.request("POST", "/api/projects", body, headers=foreign).status == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_are_not_served_without_a_key(host: str, db_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "serve", "--host", host, "--db", str(db_path)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "TRACKAI_API_KEY" in result.stderr
    assert not db_path.exists()


@pytest.mark.parametrize("key", ["short", "fünfzehn-zeichen-und-mehr"])
def test_a_key_that_is_none_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKAI_API_KEY", key)
    with pytest.raises(InvalidInputError, match="token_urlsafe"):
        Settings.from_env()


@pytest.mark.parametrize(
    ("server_address", "status"),
    [(("192.0.2.1", 80), 403), (("127.0.0.1", 80), 200), (("::ffff:127.0.0.1", 80), 200),
     (("::1", 80), 200), (("/run/trackai.sock", None), 200)],
)  # fmt: skip
async def test_the_address_that_was_reached_counts_whatever_started_the_server(
    server_address: tuple[str, int | None], status: int
) -> None:
    """`uvicorn --host 0.0.0.0 trackai.api.main:app` asks nobody about a key."""
    statuses: list[int] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    async def receive() -> Message:
        raise AssertionError

    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
        "headers": [(b"host", b"localhost")], "server": server_address,
    }  # fmt: skip
    await Guard(answer)(scope, receive, send)
    assert statuses == [status]
