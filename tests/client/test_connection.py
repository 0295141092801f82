"""What a client says when a server does not do what it should."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import trustme

from trackai.client.connection import Connection, checked_url
from trackai.errors import InvalidInputError, ServerRefusedError, ServerUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AUTHORITY = trustme.CA()
JSON = "application/json"


@contextmanager
def server(
    status: int = 200,
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    certificate: trustme.LeafCert | None = None,
) -> Iterator[str]:
    """Answer every request in the same way; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - named by http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        http.socket = context.wrap_socket(http.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://localhost:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()


@contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """Answer one request with these bytes, and end the connection; yields the address."""

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def refusal(url: str) -> str:
    with pytest.raises(ServerRefusedError) as caught:
        Connection(url).request("GET", "/health")
    return str(caught.value)


def outage(url: str) -> ServerUnreachableError:
    with pytest.raises(ServerUnreachableError) as caught:
        Connection(url).request("GET", "/health")
    return caught.value


def test_answers_are_returned_over_one_connection() -> None:
    with server(body=b'{"status":"healthy"}') as url:
        connection = Connection(url + "/")
        for _ in range(3):
            assert connection.request("GET", "/health").decode(dict[str, str]) == {
                "status": "healthy"
            }
        connection.close()
        assert connection.request("GET", "/health").status == 200


@pytest.mark.parametrize(
    "url", ["", "tracker:8000", "ftp://a", "http://", "http://a:b", "http://a?b"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^server_url: "):
        checked_url(url)


def test_a_key_in_the_address_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="TRACKAI_API_KEY") as caught:
        checked_url("http://user:secret@tracker")
    assert "secret" not in str(caught.value)


def test_an_answer_that_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    answer = b'HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: 14\r\nx-y: z\r\n\r\n{"consumed":1}'
    for length in range(len(answer)):
        with listening(answer[:length]) as url:
            said = str(outage(url))
            assert re.search("ended the connection|was cut|ended early", said), answer[:length]
    assert not caplog.records


def test_an_answer_that_ends_with_the_connection() -> None:
    with listening(b'HTTP/1.0 200 OK\r\n\r\n{"status":"healthy"}') as url:
        assert Connection(url).request("GET", "/health").data == b'{"status":"healthy"}'
    with listening(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as url:
        assert Connection(url).request("GET", "/health").data == b""


def test_a_slow_network_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout is for each part of a body: the whole takes longer here."""
    monkeypatch.setattr("trackai.client.connection.CONNECT_SECONDS", 0.2)
    body = bytes(10_000_000)

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            received = 0
            while received < len(body):
                received += len(accepted.recv(65_536))
                time.sleep(0.005)
            accepted.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert Connection(url).request("PUT", "/", body).data == b"{}"
        thread.join()


def test_nothing_listens(unused_tcp_port: int) -> None:
    assert "Connection refused" in str(outage(f"http://localhost:{unused_tcp_port}"))


def test_an_unknown_host() -> None:
    assert "no host of this name" in str(outage("http://nowhere.invalid:8000"))


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_whose_server_is_down(status: int) -> None:
    with server(status, b"<html>Bad Gateway</html>") as url:
        assert f"a proxy, whose server does not answer, answered with the status {status}" in str(
            outage(url)
        )


def test_a_busy_server_says_when_to_come_back() -> None:
    with server(503, b'{"detail": "busy"}', {"Retry-After": "7"}) as url:
        error = outage(url)
        assert error.retry_after == 7
        assert "(busy)" in str(error)


def test_a_redirection_is_named() -> None:
    with server(301, headers={"Location": "https://tracker"}) as url:
        assert refusal(url) == f"{url} redirects to https://tracker: use that address"


def test_a_limit_of_a_proxy_is_named() -> None:
    with server(413, b"<html>") as url:
        assert "a body is too large" in refusal(url)


@pytest.mark.parametrize(
    "body",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center>",  # nginx
        b"Client sent an HTTP request to an HTTPS server.\n",  # Caddy
    ],
)
def test_a_port_that_expects_tls_is_named(body: bytes) -> None:
    with server(400, body) as url:
        assert refusal(url) == f"{url}: it expects TLS: did you mean https://?"


@pytest.mark.parametrize("status", [200, 302, 404])
def test_another_program(status: int) -> None:
    with server(status, b"<html>") as url:
        if status == 200:
            connection = Connection(url)
            with pytest.raises(ServerRefusedError, match="not a TrackAI server"):
                connection.request("GET", "/health").decode(dict[str, str])
        else:
            assert "not a TrackAI server" in refusal(url)


def test_an_older_server_has_no_such_path() -> None:
    with server(404, b'{"detail": "Not Found"}') as url:
        assert "too old" in refusal(url)


def test_a_wrong_key() -> None:
    with server(401, b'{"detail": "API key required"}') as url:
        assert "set TRACKAI_API_KEY" in refusal(url)


def test_a_server_that_refuses_in_words() -> None:
    with server(403, b'{"detail": "this key may not log to project q"}') as url:
        assert refusal(url) == f"{url}: this key may not log to project q"


def test_a_trusted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with server(certificate=AUTHORITY.issue_cert("localhost")) as url:
        assert "not trusted here: set SSL_CERT_FILE" in refusal(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert Connection(url).request("GET", "/health").status == 200


def test_an_expired_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    old = AUTHORITY.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    with server(certificate=old) as url:
        assert "its certificate has expired" in refusal(url)
    with server(certificate=AUTHORITY.issue_cert("tracker.example")) as url:
        assert "for another name" in refusal(url)


def test_tls_where_there_is_none() -> None:
    with server() as url:
        assert "did you mean http://?" in refusal(url.replace("http:", "https:"))


def test_a_server_that_ends_within_the_handshake() -> None:
    with listening(b"") as url:
        assert "ended the connection" in str(outage(url.replace("http:", "https:")))


def test_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(body=b'{"via": "proxy"}') as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        answer = Connection("http://tracker.invalid:8000").request("GET", "/health")
        assert answer.decode(dict[str, str]) == {"via": "proxy"}
        monkeypatch.setenv("no_proxy", "tracker.invalid")
        assert "no host of this name" in str(outage("http://tracker.invalid:8000"))
