"""The server process: starting, and changes to its database file."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import asyncpg
import pytest
from anyio.from_thread import start_blocking_portal

import trackai
from tests.conftest import serving
from trackai.api import main
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import postgres
    from tests.conftest import Server

MAIN = Path(trackai.__file__).parent / "api" / "main.py"


@pytest.fixture
def server(own_server: Server) -> Server:
    """A new server, as these tests are about the process."""
    return own_server


def log(project: str, points: int = 3) -> None:
    with trackai.init(project=project, name="r") as run:
        for step in range(points):
            run.log({"x": float(step)}, step=step)


def projects(server: Server) -> list[str]:
    return [project["name"] for project in server.get("/api/projects")]


@pytest.mark.sqlite("only one transaction at a time can write to a file")
async def test_rollups_give_way_to_other_writers(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trackai.init(project="p") as run:
        for step in range(5000):
            run.log({"x": float(step)}, step=step)
    database, other = Database(db_path), Database(db_path)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(main, "_MAINTENANCE_SECONDS", 60.0)
    monkeypatch.setattr(main, "anyio", SimpleNamespace(sleep=pause))
    async with anyio.create_task_group() as tasks, other.write():
        tasks.start_soon(main._update_rollups, database)
        await anyio.sleep(1.0)
    assert pauses[0] > 5.0
    await database.close()
    await other.close()


@pytest.mark.sqlite("a file is removed")
def test_the_database_file_is_removed(server: Server, db_path: Path) -> None:
    log("old")
    assert projects(server) == ["old"]
    db_path.unlink()
    assert projects(server) == []
    assert server.request("GET", "/api/runs/1").status == 404
    log("new")
    assert projects(server) == ["new"]
    assert len(server.get("/api/metrics/runs/1/metric/x")["data"]) == 3


def _wait_until_complete(db_path: Path) -> None:
    """Wait until the server has checkpointed everything, and the file is older than now."""
    log = db_path.with_name(db_path.name + "-wal")
    deadline = time.monotonic() + 60
    while log.exists() and log.stat().st_size > 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.05)


@pytest.mark.sqlite("a file is replaced")
@pytest.mark.parametrize("how", ["replace", "overwrite"])
def test_the_database_file_is_replaced_by_a_copy(
    server: Server, db_path: Path, tmp_path: Path, how: str
) -> None:
    log("first")
    _wait_until_complete(db_path)
    copy = tmp_path / "copy.db"
    shutil.copyfile(db_path, copy)
    log("second")
    assert projects(server) == ["second", "first"]
    _wait_until_complete(db_path)
    if how == "replace":
        copy.replace(db_path)
    else:
        shutil.copyfile(copy, db_path)
    assert projects(server) == ["first"]
    server.request("POST", "/api/projects", {"name": "third", "project_id": "third"})
    log("fourth")
    assert projects(server) == ["fourth", "third", "first"]
    connection = sqlite3.connect(db_path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.sqlite("a file is removed")
def test_an_active_run_survives_the_removal_of_the_file(server: Server, db_path: Path) -> None:
    with trackai.init(project="p", name="r", config={"a": 1}) as run:
        run.log({"x": 1.0}, step=0)
        while not server.get("/api/runs/1/summary")["metrics"]:
            time.sleep(0.05)
        db_path.unlink()
        assert projects(server) == []
        run.log({"x": 2.0}, step=1)
    [row] = server.get("/api/runs")["runs"]
    assert row["state"] == "completed"
    summary = server.get(f"/api/runs/{row['id']}/summary")
    assert summary["config"] == {"a": 1}
    points = server.get(f"/api/metrics/runs/{row['id']}/metric/x")["data"]
    assert [point["value"] for point in points] == [1.0, 2.0]


def test_a_run_deleted_while_logging_stays_deleted(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"x": 1.0})
        while not server.get(f"/api/runs/{run.id}/summary")["metrics"]:
            time.sleep(0.05)
        assert server.request("DELETE", f"/api/runs/{run.id}").status == 200
        run.log({"x": 2.0})
    assert server.get("/api/runs")["total"] == 0


@pytest.mark.sqlite("journals lie beside a file")
def test_the_server_recovers_runs_of_killed_processes(
    server: Server, db_path: Path, tmp_path: Path
) -> None:
    script = """
        import os, signal, trackai
        run = trackai.init(project="p")
        for step in range(1000):
            run.log({"x": 1.0}, step=step)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, check=False, timeout=60
    )
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while server.get("/api/runs/1")["state"] != "failed":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    page = server.get("/api/metrics/runs/1/metric/x?limit=2000")
    assert [point["step"] for point in page["data"]] == list(range(1000))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def process_on(port: int, *command: str, db_path: Path | str) -> Iterator[None]:
    name = "TRACKAI_DB_PATH" if isinstance(db_path, Path) else "TRACKAI_DATABASE_URL"
    env = {**os.environ, name: str(db_path), "TRACKAI_PORT": str(port)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, cwd="/") as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    assert process.poll() is None
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()


def test_other_ways_to_start_the_server(db_path: Path | str) -> None:
    port = free_port()
    with process_on(port, sys.executable, str(MAIN), db_path=db_path):
        pass
    uvicorn = (sys.executable, "-m", "uvicorn", "trackai.api.main:app", "--port", str(port))
    with process_on(port, *uvicorn, db_path=db_path):
        pass
    assert isinstance(db_path, str) or db_path.exists()


def serve(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trackai.cli", "serve", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_used_port_is_a_one_line_error(server: Server) -> None:
    answer = serve("--port", server.url.rpartition(":")[2], "--db", str(server.db_path))
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "--port" in answer.stderr


def _frame_ancestors(server: Server, host: str) -> str:
    headers = {"Accept": "text/html", "Host": host}
    request = urllib.request.Request(server.url, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Content-Security-Policy"]).partition("frame-ancestors ")[2]


def test_origins_that_may_frame_the_dashboard_are_named_by_hand(tmp_path: Path) -> None:
    origins = ("https://hub.example.com", "http://lab:8888")
    options = [f"--allow-frame-origin={origin}" for origin in origins]
    with serving(tmp_path / "x.db", *options) as server:
        local = _frame_ancestors(server, "localhost")
        assert local == f"http://localhost:* http://127.0.0.1:* vscode-webview: {' '.join(origins)}"
        request = urllib.request.Request(f"{server.url}/api/projects")
        with urllib.request.urlopen(request) as answer:  # only of the page
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "Content-Security-Policy" not in answer.headers
    answer = serve("--allow-frame-origin", "*", "--db", str(tmp_path / "x.db"))
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "--allow-frame-origin: must be origins like" in answer.stderr


def _open(folder: Path, **env: str) -> list[str]:
    """What `trackai serve --open` prints, and what it passes to the browser, one a line."""
    opened = folder / "opened"
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {opened}\n')
    browser.chmod(0o755)
    command = [sys.executable, "-m", "trackai.cli", "serve", "--open", "--port", "0"]
    environment = {**os.environ, "TRACKAI_DB_PATH": str(folder / "x.db"), **env}
    environment["BROWSER"] = str(browser)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        address = process.stderr.readline().split()[2]
        lines = [address]
        if env.get("DISPLAY"):
            deadline = time.monotonic() + 60
            while not opened.exists() or not opened.read_text():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            lines.append(opened.read_text().strip())
        else:
            lines.append(process.stderr.readline().strip())
        process.terminate()
    return lines


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="there is always a screen")
def test_serve_opens_a_browser(tmp_path: Path) -> None:
    address, opened = _open(tmp_path, DISPLAY=":99")
    assert opened == address


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="there is always a screen")
def test_serve_says_the_address_without_a_browser(tmp_path: Path) -> None:
    address, printed = _open(tmp_path, DISPLAY="", WAYLAND_DISPLAY="")
    assert printed == f"no browser found: open {address}"


def make_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, run_id TEXT)")
    connection.commit()
    connection.close()


def make_newer(path: Path) -> None:
    os.environ["TRACKAI_DB_PATH"] = str(path)
    log("p")
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO schema_migrations VALUES (9999, '9999_future', 'x', 1)")
    connection.commit()
    connection.close()
    shutil.rmtree(f"{path}-spool")


@pytest.mark.sqlite("about foreign files")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_sqlite, "another program"),
        (lambda path: path.write_text("just text\n" * 100), "not a SQLite database"),
        (lambda path: path.mkdir(), "not a file"),
        (make_newer, "newer"),
    ],
)
def test_foreign_files_are_not_changed(
    db_path: Path, make: Callable[[Path], None], says: str
) -> None:
    db_path.parent.mkdir()
    make(db_path)
    before = db_path.read_bytes() if db_path.is_file() else None
    answer = serve("--port", "0", "--db", str(db_path))
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert says in answer.stderr
    with pytest.raises(trackai.StoreError, match=says):
        trackai.init(project="p")
    assert (db_path.read_bytes() if db_path.is_file() else None) == before
    assert [path.name for path in db_path.parent.glob("*.db*") if not path.is_dir()] == (
        [db_path.name] if before is not None else []
    )


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("CREATE TABLE runs (id bigint)", "belongs to another program, which has a table runs"),
        (
            "CREATE TABLE schema_migrations (version text)",
            "belongs to another program, which has a table schema_migrations",
        ),
    ],
)
def test_foreign_databases_are_not_changed(
    databases: postgres.Databases, tmp_path: Path, sql: str, says: str
) -> None:
    url = databases.create()
    with start_blocking_portal() as portal:
        connection = portal.call(asyncpg.connect, url)
        portal.call(connection.execute, sql)
        answer = serve("--port", "0", "--db", url, TRACKAI_FILES=str(tmp_path))
        tables = portal.call(
            connection.fetch, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'"
        )
        portal.call(connection.close)
    databases.drop(url)
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert says in answer.stderr
    assert len(tables) == 1


def test_an_unwritable_path_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = serve("--port", "0", "--db", str(tmp_path / "file" / "trackai.db"))
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "pass --db with a file in a folder that you can write to" in answer.stderr
    assert "TRACKAI_DB_PATH" not in answer.stderr
