"""What many tests need: a database file of their own, a real server, real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import trackai
from trackai import guard
from trackai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


guard.reraise = True

KEY = "a-secret-of-some-length"


@pytest.fixture
def db_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A database file for this test, to which TRACKAI_DB_PATH points."""
    path = tmp_path / "store" / "trackai.db"
    monkeypatch.setenv("TRACKAI_DB_PATH", str(path))
    yield path
    trackai.finish()


@pytest.fixture
async def db(db_path: Path) -> AsyncIterator[Database]:
    """An open database."""
    database = Database(db_path)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def run_python(db_path: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script in a process of its own, from another folder; it logs to `db_path`."""

    def run(script: str, *, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            cwd=tmp_path,
            env={**os.environ, "TRACKAI_DB_PATH": str(db_path), **env},
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        )

    return run


class Answer(NamedTuple):
    """What a server said."""

    status: int
    json: Any
    headers: dict[str, str]


class Server:
    """A `trackai serve` process."""

    def __init__(self, url: str, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.process = process
        self.db_path: Path | None = None
        self.link = ""  # that signs a browser in, where there is a key

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        headers = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _answer(response.status, response.read(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)

    def get(self, path: str) -> Any:
        """The JSON of an answer that is 200."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        return answer.json


def _answer(status: int, data: bytes, headers: Any) -> Answer:
    is_json = "json" in headers.get("content-type", "")
    said = (json.loads(data) if is_json else data.decode()) if data else None
    return Answer(status, said, dict(headers.items()))


@contextmanager
def serving(db_path: Path) -> Iterator[Server]:
    """A real server on a free port, over a database that need not be there yet."""
    with subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", str(db_path)],
        cwd=db_path.parent.parent,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "serves" in line, line + process.stderr.read()
        server = Server(line.split()[2].replace("localhost", "127.0.0.1"), process)
        server.db_path = db_path
        _wait_until_healthy(server)
        yield server
        process.terminate()
        rest = process.stderr.read()
        assert "Traceback" not in rest, rest


@pytest.fixture
def server(db_path: Path) -> Iterator[Server]:
    """A real server on a free port, over `db_path`."""
    with serving(db_path) as server:
        yield server


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
        server.link = process.stderr.readline().split()[-1]
        _wait_until_healthy(server)
        yield server
        process.terminate()
        rest = process.stderr.read()
        assert "Traceback" not in rest
        assert "code=" not in rest


def _wait_until_healthy(server: Server) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            assert server.get("/health") == {"status": "healthy"}
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)
        else:
            return
