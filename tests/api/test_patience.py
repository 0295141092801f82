"""Slow and silent clients against a real server, whose patience is made short."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import uvicorn

from trackai.api import patience
from trackai.api.main import create_app
from trackai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture
def port(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that waits for fractions of a second."""
    for name in ("HEAD_SECONDS", "PIECE_SECONDS"):
        monkeypatch.setattr(patience, name, 0.4)
    monkeypatch.setattr(patience, "BODY_SECONDS", 1.0)
    monkeypatch.setattr(patience, "TAKE_SECONDS", 0.4)
    config = uvicorn.Config(
        create_app(Settings(db_path=db_path)), port=0, http=patience.PatientProtocol,
        log_level="warning", timeout_keep_alive=5, lifespan="on",
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join()


@contextmanager
def connected(port: int, *first: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for data in first:
            connection.sendall(data)
        yield connection


def ended(connection: socket.socket) -> bool:
    """Wait until the server ends the connection; the timeout of the socket is the bound."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("said", [b"", b"GET /hea", GET[:-2], GET + b"GET /", LONG])
def test_who_falls_silent_in_the_middle_is_left(port: int, said: bytes) -> None:
    with connected(port, said) as connection:
        assert ended(connection)


def send_until_it_fails(connection: socket.socket, data: bytes, pause: float) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection.sendall(data)
        time.sleep(pause)


def answer(connection: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"}"):
        piece = connection.recv(65536)
        assert piece, said
        said += piece
    return said


@pytest.mark.parametrize("said", [GET[:-2], LONG])
def test_who_says_a_byte_now_and_then_is_left(port: int, said: bytes) -> None:
    # Each byte comes within the time for a piece, all of them take longer than the whole may.
    with connected(port, said) as connection, pytest.raises(ConnectionError):
        send_until_it_fails(connection, b"x", 0.1)


def test_who_does_not_take_the_answer_is_left(port: int) -> None:
    many = GET.replace(b"/health", b"/openapi.json") * 50
    with connected(port) as connection, pytest.raises(ConnectionError):
        send_until_it_fails(connection, many, 0.01)


def test_a_pause_between_requests_is_no_fault(port: int) -> None:
    with connected(port, GET) as connection:
        assert b"200 OK" in answer(connection)
        time.sleep(1.0)  # longer than all that is waited for within a request
        connection.sendall(GET)
        assert b"200 OK" in answer(connection)


def test_hundreds_of_slow_clients_do_not_keep_others_out(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"GET /health HTTP/1.1\r\nX-")
    with connected(port, GET) as connection:
        assert b"200 OK" in connection.recv(65536)
    assert all(ended(connection) for connection in slow)
    for connection in slow:
        connection.close()
