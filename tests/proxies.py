"""nginx and Caddy in front of a server, as docs/team.md sets them up."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import trustme

from scripts.browsers import exclusive
from tests.conftest import KEY

PAGE = Path(__file__).parents[1] / "docs" / "team.md"
NAMES = ("nginx", "caddy")
AUTHORITY = trustme.CA()


class ProxyNotFoundError(Exception):
    """A proxy was not found and could not be unpacked from a package."""


@cache
def provide(name: str) -> Path:
    """Find nginx or Caddy, or unpack Debian's package of it.

    Installing the package would start it, on port 80 of this machine.

    Raises:
        ProxyNotFoundError: the message says how to install it.
    """
    path = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    if path is not None:
        return Path(path)
    folder = Path(sys.prefix, "trackai-tests", name)
    program = folder / ("usr/sbin" if name == "nginx" else "usr/bin") / name
    with exclusive(name):
        if not program.exists():
            _unpack(name, folder)
    return program


def _unpack(package: str, folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        problem = _run(unfinished, "apt-get", "download", package)
        if problem:
            _run(unfinished, "apt-get", "update")
            problem = _run(unfinished, "apt-get", "download", package)
        for file in Path(unfinished).glob("*.deb"):
            problem = _run(unfinished, "dpkg-deb", "-x", file.name, "unpacked")
        if problem:
            raise ProxyNotFoundError(
                f"{package} not found and could not be downloaded ({problem}): install it, with "
                f"apt-get install {package} or brew install {package}"
            )
        Path(unfinished, "unpacked").rename(folder)


def _run(folder: str, *command: str) -> str | None:
    """Run a command; return why it failed, or None."""
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    return result.stderr.strip() or "failed" if result.returncode else None


def configuration(language: str) -> str:
    """The only block in `language` of the page."""
    (text,) = re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return str(text)


class Proxy:
    """A proxy with TLS, for a server on this machine.

    Attributes:
        url: its address.
        plain_url: its address without TLS.
        authority: the file of the authority that its certificate is from.
        folder: where its files are.
    """

    def __init__(self, name: str, folder: Path, server: int) -> None:
        """Write the configuration for the port of the server; nothing is started yet."""
        self.folder = folder
        self._port, self._plain = free_ports(2)
        self.url = f"https://localhost:{self._port}"
        self.plain_url = f"http://localhost:{self._plain}"
        self._process: subprocess.Popen[bytes] | None = None
        self.authority = folder / "authority.pem"
        AUTHORITY.cert_pem.write_to_path(str(self.authority))
        certificate = AUTHORITY.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(folder / "privkey.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "fullchain.pem"))
        text = configuration(name).replace("127.0.0.1:8000", f"127.0.0.1:{server}")
        text = self._write_nginx(text) if name == "nginx" else self._write_caddy(text)
        (folder / "site").write_text(text.replace("tracker.example.com", "localhost"))

    def _write_nginx(self, text: str) -> str:
        """Write what Debian has in nginx.conf; the text of the page with the ports and paths."""
        temporary = "".join(
            f"    {kind}_temp_path temporary;\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""  # the folder is that of this user
        (self.folder / "main").write_text(
            f"{user}daemon off;\npid pid;\nevents {{}}\n"
            f"http {{\n    access_log off;\n{temporary}    include site;\n}}\n"
        )
        self._command = [str(provide("nginx")), "-p", str(self.folder), "-c", "main", "-e", "log"]
        self._check = [*self._command, "-t"]
        text = text.replace("https://$host", f"https://$host:{self._port}")
        text = re.sub(r"(listen (?:\[::\]:)?)443", rf"\g<1>{self._port}", text)
        text = re.sub(r"(listen (?:\[::\]:)?)80\b", rf"\g<1>{self._plain}", text)
        return text.replace("/etc/letsencrypt/live/tracker.example.com", str(self.folder))

    def _write_caddy(self, text: str) -> str:
        """The text of the page with the ports and the certificate, which Caddy would order."""
        options = ["--adapter", "caddyfile", "--config", "site"]
        program = str(provide("caddy"))
        self._command, self._check = [program, "run", *options], [program, "validate", *options]
        ports = f"http_port {self._plain}\n\thttps_port {self._port}"
        certificate = f"localhost:{self._port} {{\n\ttls fullchain.pem privkey.pem"
        text = text.replace("tracker.example.com {", certificate)
        return f"{{\n\tadmin off\n\t{ports}\n}}\n{text}"

    def check(self) -> str:
        """Let the proxy check its configuration; what it says, if that is wrong."""
        result = subprocess.run(
            self._check,
            cwd=self.folder,
            env=self._env(),
            capture_output=True,
            text=True,
            check=False,
        )
        warnings = [line for line in result.stderr.splitlines() if "[warn]" in line]
        return result.stderr if result.returncode else "\n".join(warnings)

    def _env(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._env(), stdout=log, stderr=log,
                start_new_session=True,  # so that `kill` reaches the workers of nginx
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while not self._listens():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("localhost", self._port)).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill it and its workers, in the middle of requests."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def free_ports(count: int) -> list[int]:
    """Ports that are free, and that no other process gets by asking for any free port."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError):
            socket.create_server(("", port)).close()
            ports.append(port)
    return ports


class Site:
    """A server with a key on this machine, and a proxy in front of it.

    Attributes:
        url: the address of the proxy.
        link: the sign-in link that the server has printed, at the proxy.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.db_path = folder / "trackai.db"
        self.log = folder / "stderr"
        (self._port,) = free_ports(1)
        (folder / "proxy").mkdir()
        self.proxy = Proxy(name, folder / "proxy", self._port)
        self.url = self.proxy.url
        self.link = ""
        self.server: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with self.log.open("w") as stderr:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "trackai.cli", "serve", "--port", str(self._port),
                 "--db", str(self.db_path)],
                cwd=self.log.parent,
                env={**os.environ, "TRACKAI_API_KEY": KEY},
                stderr=stderr,
                text=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.log.read_text().count("\n") < 2 or not self._answers():
            assert self.server.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.link = self.url + "/#" + self.log.read_text().split("/#")[1].strip()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill the server."""
        assert self.server is not None
        self.server.kill()
        self.server.wait()

    def stop(self) -> None:
        """Stop the server and the proxy; the log of the server must not contain a traceback."""
        self.proxy.kill()
        if self.server is not None:
            self.server.terminate()
            self.server.wait(60)
        assert "Traceback" not in self.log.read_text(), self.log.read_text()

    def request(
        self, method: str, path: str, body: Any = None, *, key: str | None = KEY,
        address: str = "127.0.0.1", headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, http.client.HTTPMessage]:  # fmt: skip
        """Send a request from an address of this machine; the status, the body and the headers."""
        connection = self.connect(address)
        headers = dict(headers or {})
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, json.dumps(body).encode() if body else None, headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        is_json = "json" in response.headers.get("content-type", "")
        return response.status, json.loads(data) if is_json else data, response.headers

    def create_key(self, name: str, scope: str) -> str:
        """Create a key while the server runs."""
        command = [sys.executable, "-m", "trackai.cli", "keys", "create", "--name", name]
        return subprocess.run(
            [*command, "--scope", scope, "--db", str(self.db_path)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()

    def connect(self, address: str = "127.0.0.1") -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.proxy.authority))
        port = int(self.url.rpartition(":")[2])
        return http.client.HTTPSConnection(
            "localhost", port, context=context, timeout=60, source_address=(address, 0)
        )

    def get(self, path: str) -> Any:
        """The JSON of a response, which must be 200."""
        status, content, _ = self.request("GET", path)
        assert status == 200, content
        return content

    def rows(self) -> list[Any]:
        with sqlite3.connect(self.db_path) as connection:
            return connection.execute(
                "SELECT path, step, value FROM metrics JOIN series ON series.id = series_id "
                "ORDER BY path, step"
            ).fetchall()
