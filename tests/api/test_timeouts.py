"""Slow, silent and ambiguous clients of a server with short timeouts."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

import trackai
from tests.api.in_thread import serving_in_thread
from trackai.api import timeouts
from trackai.api.main import create_app
from trackai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Server

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture
def port(db_path: Path | str, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server with timeouts of fractions of a second."""
    for name in ("HEAD_SECONDS", "BODY_PART_SECONDS"):
        monkeypatch.setattr(timeouts, name, 0.4)
    monkeypatch.setattr(timeouts, "BODY_SECONDS", 1.0)
    monkeypatch.setattr(timeouts, "WRITE_SECONDS", 0.4)
    app = create_app(Settings.from_env(database=str(db_path)))
    with serving_in_thread(app, timeout_keep_alive=5, lifespan="on") as (_, number):
        yield number


@contextmanager
def connected(port: int, *first: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for data in first:
            connection.sendall(data)
        yield connection


def ended(connection: socket.socket) -> bool:
    """Wait until the server closes the connection, or the socket times out."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("data", [b"", b"GET /hea", GET[:-2], GET + b"GET /", LONG])
def test_silent_clients_are_disconnected(port: int, data: bytes) -> None:
    with connected(port, data) as connection:
        assert ended(connection)


def send_until_it_fails(connection: socket.socket, data: bytes, pause: float) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection.sendall(data)
        time.sleep(pause)


def answer(connection: socket.socket) -> bytes:
    response = b""
    while not response.endswith(b"}"):
        piece = connection.recv(65536)
        assert piece, response
        response += piece
    return response


@pytest.mark.parametrize("data", [GET[:-2], LONG])
def test_slow_clients_are_disconnected(port: int, data: bytes) -> None:
    # Each byte is within the timeout for a part, all of them together are over the limit.
    with connected(port, data) as connection, pytest.raises(ConnectionError):
        send_until_it_fails(connection, b"x", 0.1)


def test_clients_that_do_not_read_the_response_are_disconnected(port: int) -> None:
    many = GET.replace(b"/health", b"/openapi.json") * 50
    with connected(port) as connection, pytest.raises(ConnectionError):
        send_until_it_fails(connection, many, 0.01)


def test_idle_connections_between_requests_stay_open(port: int) -> None:
    with connected(port, GET) as connection:
        assert b"200 OK" in answer(connection)
        time.sleep(1.0)  # longer than the timeouts within a request
        connection.sendall(GET)
        assert b"200 OK" in answer(connection)


def test_slow_clients_do_not_block_others(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"GET /health HTTP/1.1\r\nX-")
    with connected(port, GET) as connection:
        assert b"200 OK" in connection.recv(65536)
    assert all(ended(connection) for connection in slow)
    for connection in slow:
        connection.close()


HEAD = b"Host: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
POST = b"POST /api/projects HTTP/1.1\r\n" + HEAD


def everything(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    response = b""
    try:
        while piece := connection.recv(65536):
            response += piece
    except ConnectionResetError:
        pass
    return response


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Content-Length: 2\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
        POST + CHUNKED + b"Content-Length: 2\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: +2\r\n\r\n{}",
        POST + b"Content-Length : 2\r\n\r\n{}",
        POST + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        POST + b"X: a\x00b\r\n\r\n",
        POST + CHUNKED + b"\r\nfffffffffffffffff\r\n",
        POST + CHUNKED + b"\r\n-1\r\n",
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET / HTTP/1.1" * 20_000,
        b"GET /" + b"x" * 400_000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 400_000,
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 100_000,
        b"\x16\x03\x01\x02\x00\x01",  # TLS
    ],
)
def test_ambiguous_requests_are_refused(port: int, request_: bytes) -> None:
    """Proxies and the server must agree on where a request ends (request smuggling)."""
    with connected(port) as connection:
        with suppress(ConnectionError):  # the server closes before the end of a refused request
            connection.sendall(request_ + GET)
        response = everything(connection)
    assert b"200 OK" not in response
    if response:
        assert response.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 414 ")), response[:200]
        assert b'{"detail":' in response


def test_trailers_are_not_headers(port: int) -> None:
    """Trailers cannot replace headers, which have already been checked."""
    made = b'{"name":"p","project_id":"p"}'
    body = b"%x\r\n%b\r\n0\r\nHost: evil.example\r\nOrigin: null\r\n\r\n" % (len(made), made)
    with connected(port, POST + CHUNKED + b"\r\n" + body) as connection:
        assert b" 200 " in answer(connection)


def test_endless_trailers_are_refused(port: int) -> None:
    head = POST + CHUNKED + b"\r\n0\r\nX: "
    with connected(port, head) as connection, pytest.raises(ConnectionError):
        send_until_it_fails(connection, b"x" * 65536, 0.0)


def test_a_second_request_has_the_same_timeouts(port: int) -> None:
    with connected(port, GET + LONG) as connection:
        assert ended(connection)


def test_protocol_upgrades_are_ignored(port: int) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    with connected(port, GET[:-2] + upgrade + b"\r\n") as connection:
        assert b"200 OK" in answer(connection)


def test_too_many_connections_get_a_503(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeouts, "MAX_CONNECTIONS", 3)
    with ExitStack() as stack:
        for _ in range(3):
            assert b"200 OK" in answer(stack.enter_context(connected(port, GET)))
        with connected(port, GET) as connection:
            response = everything(connection).lower()
        assert response.startswith(b"http/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in response
        assert b'{"detail":' in response
    with connected(port, GET) as connection:
        assert b"200 OK" in answer(connection)


def test_slow_clients_do_not_delay_the_shutdown(
    own_server: Server,
) -> None:
    with trackai.init(project="p") as run:
        for step in range(50_000):
            run.log({"x": step / 7})
    port = int(own_server.url.rpartition(":")[2])
    page = f"/api/metrics/runs/{run.id}/metric/x?limit=50000"
    with ExitStack() as stack:
        for request in [LONG, GET.replace(b"/health", page.encode())]:
            stack.enter_context(connected(port, request))
        busy = "trackai_http_requests_under_way 3\n"
        while busy not in own_server.request("GET", "/metrics").json:
            time.sleep(0.01)
        own_server.process.terminate()
        # Far less than the graceful shutdown timeout.
        own_server.process.wait(timeouts.SHUTDOWN_SECONDS + 5)
