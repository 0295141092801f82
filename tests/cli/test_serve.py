"""The address that `trackai serve` listens on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from trackai.cli.listening import Listener
from trackai.errors import TrackAIError

KEY = "a-key-of-this-test-0123456789"
# From a range for documents, which no machine has.
_ELSEWHERE = "192.0.2.1"


def _serve(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trackai.cli", "serve", *options, "--db", "new.db"],
        env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("key", ["", KEY])
@pytest.mark.parametrize(
    ("host", "quoted"),
    [
        ("300.1.1.1", "300.1.1.1"),
        ("host.invalid", "host.invalid"),
        ("localhost:8000", "localhost:8000"),
        ("http://localhost", "http://localhost"),
        (_ELSEWHERE, _ELSEWHERE),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[::1", "[::1"),
        ("a..b", "a..b"),
        ("a" * 300, "a" * 80),
        ("a\x1b[31m", "a\x1b[31m"),
    ],
)
def test_an_address_of_another_machine_is_named(
    host: str, quoted: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = _serve("--host", host, "--port", "0", TRACKAI_API_KEY=key)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    problem = "--host: must be an address or a name of this machine, without a port, got "
    assert done.stderr.startswith(f"trackai: {problem}{quoted!r} (")
    assert not [*tmp_path.iterdir()]


def test_the_variable_of_a_wrong_address_is_named(tmp_path: Path) -> None:
    done = _serve("--port", "0", TRACKAI_HOST="300.1.1.1")
    assert done.returncode == 2
    assert "TRACKAI_HOST: must be an address" in done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_used_port_is_named_before_anything_is_created(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        done = _serve("--host", host, "--port", str(port), TRACKAI_API_KEY=KEY)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"cannot listen on {host}:{port} (" in done.stderr
    assert "--port" in done.stderr
    assert not [*tmp_path.iterdir()]


def test_a_key_is_asked_for_where_other_machines_can_connect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = _serve("--host", "0.0.0.0", "--port", "0")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "0.0.0.0 is reachable from other machines, which requires an API key" in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("localhost", "localhost"),
        ("127.0.0.1", "localhost"),
        ("127.1", "localhost"),
        ("127.0.0.2", "127.0.0.2"),
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
    ],
)
def test_the_printed_address_answers(host: str, shown: str, tmp_path: Path) -> None:
    try:
        Listener(host, 0, field="host").close()
    except TrackAIError as error:
        pytest.skip(f"this machine cannot: {error}")
    command = [sys.executable, "-m", "trackai.cli", "serve", "--host", host, "--port", "0"]
    with subprocess.Popen(
        [*command, "--db", str(tmp_path / "x.db")], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            address = process.stderr.readline().split()[2]
            assert address.rpartition(":")[0] == f"http://{shown}"
            # The socket listens by now, and the server accepts the connection when it has started.
            with urllib.request.urlopen(f"{address}/api/projects", timeout=60) as answer:
                assert answer.read() == b"[]"
        finally:
            process.kill()


def test_a_name_of_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (_ELSEWHERE, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    if not socket.has_ipv6:
        del answer[0]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer)
    with closing(Listener("localhost", 0, field="host")) as listener:
        listener.start()
        addresses = {each.getsockname()[0] for each in listener.sockets}
        assert addresses - {"::1"} == {"127.0.0.1"}  # ::1 where IPv6 is on
        assert listener.is_local
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family) as client:
                client.connect((address, listener.port))


def test_responses_are_sent_without_delay() -> None:
    """asyncio sets TCP_NODELAY for sockets that name their protocol."""
    with closing(Listener("127.0.0.1", 0, field="host")) as listener:
        assert [each.proto for each in listener.sockets] == [socket.IPPROTO_TCP]


_BIND_AS_USER = """
import encodings.idna, os, socket, sys
from trackai.cli.listening import Listener
socket.getaddrinfo("127.0.0.1", 80)
os.setuid(2001)
try:
    Listener("127.0.0.1", int(sys.argv[1]), field="host")
except Exception as error:
    print(error)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="needs root, to be another user"
)
def test_a_port_that_needs_rights() -> None:
    first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if first.exists() and int(first.read_text()) <= 81:
        pytest.skip("users may listen on any port")
    printed = subprocess.run(
        [sys.executable, "-c", _BIND_AS_USER, "81"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert printed.startswith("cannot listen on 127.0.0.1:81 (Permission denied): choose a port of")
