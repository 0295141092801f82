"""Responses sent before the end of the request body."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /health", b"200"),
        ("POST /health", b"405"),
        ("POST /nowhere", b"404"),
        ("POST /api/projects HTTP/1.1\r\nOrigin: http://elsewhere", b"403"),
    ],
)
def test_clients_that_are_still_sending_get_the_response(
    shared_server: Server, head: str, status: bytes
) -> None:
    first, _, header = head.partition(" HTTP/1.1\r\n")
    port = int(shared_server.url.rpartition(":")[2])
    with socket.create_connection(("localhost", port), timeout=60) as connection:
        lines = [
            f"{first} HTTP/1.1",
            "Host: localhost",
            "Connection: close",
            "Content-Length: 200000",
        ]
        connection.sendall("\r\n".join([*lines, *filter(None, [header]), "", ""]).encode())
        time.sleep(0.3)  # the response arrives, and is not read
        for _ in range(200):
            connection.sendall(b"x" * 1000)
        response = b""
        while piece := connection.recv(65536):
            response += piece
    assert response.split()[1] == status


def test_clients_that_wait_before_the_body_need_not_send_it(shared_server: Server) -> None:
    port = int(shared_server.url.rpartition(":")[2])
    with socket.create_connection(("localhost", port), timeout=60) as connection:
        connection.sendall(
            b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        response = b""
        while piece := connection.recv(65536):
            response += piece
    assert response.split()[1] == b"404"
