"""Logging to a server: what a user of `server_url` and `trackai sync` sees."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

import trackai
from tests.api.test_keys import create_key
from tests.client.test_connection import server as answering
from tests.conftest import serving
from trackai.errors import InvalidInputError, NotFoundError, ServerUnreachableError
from trackai.ingest.journal import BYTES
from trackai.sdk.server_destination import ServerDestination

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
    return tmp_path / "outbox"


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing answers until a server binds it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def serve(db_path: Path, port: int, **env: str) -> subprocess.Popen[bytes]:
    """Start a server on a port, and wait until it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trackai.cli", "serve", "--port", str(port), "--db", str(db_path)],
        env={**os.environ, **env},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


def query(db_path: Path, sql: str) -> list[Any]:
    with sqlite3.connect(db_path) as connection:
        return connection.execute(sql).fetchall()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sync(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trackai.cli", "sync", *options],
        env={**os.environ, **env}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def log_everything(**arguments: Any) -> None:
    """Log all kinds of things, with the same times whenever it is called."""
    with trackai.init(
        project="p", name="run", config={"lr": 0.1, "opt": {"name": "adam"}}, tags=["a", "b"],
        notes="notes", **arguments,
    ) as run:  # fmt: skip
        for step in range(50):
            run.log({"loss": 1 / (step + 1), "count": step, "label": f"text {step}"})
        run.log({"odd": float("nan"), "large": 2**60, "flag": True}, step=7)
        run.log({"hist": trackai.Histogram([1.0, 2.0, 2.0])})
        run.log({"table": trackai.Table(columns=["a"], data=[[1], [2]])})
        run.log_system({"gpu": 0.5})
        run.alert("title", "text")
        run.config["late"] = [1, 2]
        run.config["opt"] = {"momentum": 0.9}
        run.summary["best"] = 0.25
        run.name = "renamed"
        run.tags += ("c",)


def record(db_path: Path) -> list[Any]:
    """What the command `export` says of all runs, without what differs from run to run."""
    exported = subprocess.run(
        [sys.executable, "-m", "trackai.cli", "export", "--all", "--db", str(db_path)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [_timeless(json.loads(line)) for line in exported.splitlines()]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("axis") == "time":
            value = {**value, "steps": len(value["steps"])}
        return {
            key: _timeless(item)
            for key, item in value.items()
            if not key.endswith(("_at", "uid", "pid")) and key not in {"timestamp", "timestamps"}
        }
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def test_a_run_is_the_same_as_in_a_file(server: Server, tmp_path: Path) -> None:
    log_everything(server_url=server.url)
    log_everything(db_path=tmp_path / "local.db")
    remote, local = record(server.db_path), record(tmp_path / "local.db")
    assert len(remote) > 10
    assert remote == local


def test_runs_are_live_and_leave_nothing_behind(server: Server, outbox: Path) -> None:
    run = trackai.init(project="p", server_url=server.url + "/")
    run.log({"loss": 0.5})
    wait_until(lambda: server.get("/api/runs")["runs"] != [])
    (listed,) = server.get("/api/runs")["runs"]
    assert (listed["id"], listed["run_id"], listed["state"]) == (run.id, run.run_id, "running")
    path = f"/api/metrics/runs/{run.id}/metric/loss"
    wait_until(lambda: server.request("GET", path).status == 200)
    assert run.url == f"{server.url}/?run={run.id}"
    run.finish()
    (listed,) = server.get("/api/runs")["runs"]
    assert listed["state"] == "completed"
    (folder,) = outbox.iterdir()
    assert list(folder.iterdir()) == []


def test_a_run_is_resumed_and_superseded(server: Server) -> None:
    for attempt in (1, 2):
        with trackai.init(
            project="p", id="x", server_url=server.url, config={"attempt": attempt}
        ) as run:
            assert run.resumed is (attempt == 2)
            assert run.step == (attempt - 1) * 10
            for step in range(10):
                run.log({"loss": attempt}, step=step if attempt == 2 else None)
    with pytest.raises(NotFoundError, match="'y' not found"):
        trackai.init(project="p", id="y", resume="must", server_url=server.url)
    assert query(server.db_path, "SELECT DISTINCT value FROM points") == [(2,)]
    assert query(server.db_path, "SELECT count(*), max(attempt) FROM writers") == [(2, 2)]


def test_without_the_server_a_run_begins_and_arrives_while_it_is_logged(
    db_path: Path, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    run = trackai.init(project="p", name="offline", server_url=at(closed_port))
    assert run.id == 0
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is it running? The run begins all the same: " in caplog.messages[0]
    for step in range(100):
        run.log({"loss": step})
    server = serve(db_path, closed_port)
    try:
        wait_until(lambda: db_path.exists() and _points(db_path) == 100)
        run.log({"loss": 100})
        run.finish()
    finally:
        server.terminate()
        server.wait()
    assert query(db_path, "SELECT name, state FROM runs") == [("offline", "completed")]
    assert _points(db_path) == 101


def _points(db_path: Path) -> int:
    try:
        return int(query(db_path, "SELECT count(*) FROM points")[0][0])
    except sqlite3.OperationalError:
        return -1


def test_what_is_left_is_sent_by_sync(db_path: Path, closed_port: int, tmp_path: Path) -> None:
    begun = time.monotonic()
    with trackai.init(project="p", name="offline", server_url=at(closed_port)) as run:
        run.log({"loss": 0.5})
        (tmp_path / "file.txt").write_text("content")
        run.save(tmp_path / "file.txt", base_path=tmp_path)
    assert time.monotonic() - begun < 30  # finish() does not wait for long
    assert run.is_finished
    refused = sync()
    assert refused.returncode == 4
    assert "could not send offline" in refused.stderr
    assert "Traceback" not in refused.stderr
    dry = sync("--dry-run", "--json")
    (listed,) = json.loads(dry.stdout)["runs"]
    assert (listed["project"], listed["run"], listed["points"]) == ("p", "offline", None)
    server = serve(db_path, closed_port)
    try:
        sent = sync("--json")
        assert sent.returncode == 0, sent.stderr
        (listed,) = json.loads(sent.stdout)["runs"]
        assert (listed["points"], listed["problem"]) == (1, None)
        assert "Nothing waits" in sync().stderr
    finally:
        server.terminate()
        server.wait()
    assert query(db_path, "SELECT name, state FROM runs") == [("offline", "completed")]
    assert query(db_path, "SELECT path FROM files") == [("file.txt",)]


def test_a_key_is_sent_to_its_server_only(closed_port: int) -> None:
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_error(502)

    for port in (closed_port, closed_port + 1):
        with trackai.init(project="p", server_url=at(port)) as run:
            run.log({"loss": 0.5})
    with HTTPServer(("127.0.0.1", closed_port), Listener) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        for url in ("", "https://elsewhere:8000"):
            refused = sync(TRACKAI_API_KEY="a-secret-of-some-length", TRACKAI_SERVER_URL=url)
            assert refused.returncode == 4
            assert refused.stderr.count("set TRACKAI_SERVER_URL to that address") == 2
        assert asked == []
        sync(TRACKAI_API_KEY="a-secret-of-some-length", TRACKAI_SERVER_URL=at(closed_port))
        assert set(asked) == {"Bearer a-secret-of-some-length"}
        http.shutdown()


KILLED = """
    import trackai
    run = trackai.init(project="p", name="killed", server_url={url!r})
    for step in range(20_000):
        run.log({{"loss": step}})
    print("logged", flush=True)
    input()
"""


def start(script: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("is_set", [True, False])
def test_a_rescued_journal_is_sent_after_the_others(
    db_path: Path, closed_port: int, outbox: Path, tmp_path: Path, is_set: bool
) -> None:
    """What makes its run known on the server has been removed with the other journals."""
    url = at(closed_port)
    with trackai.init(project="p", name="run", server_url=url) as run:
        run.log({"loss": 1.0})
    (journal,) = outbox.rglob("*.journal")
    rescued = tmp_path / journal.name.replace("-000000", "-000001")
    shutil.copy(journal, rescued)
    server = serve(db_path, closed_port)
    try:
        assert sync().returncode == 0
        rescued.rename(journal.with_name(rescued.name))
        if is_set:
            assert sync(TRACKAI_SERVER_URL=url).returncode == 0
        else:
            assert "use --to" in sync().stderr
            assert sync("--to", url).returncode == 0
    finally:
        server.terminate()
        server.wait()
    assert query(db_path, "SELECT count(*), state FROM runs") == [(1, "completed")]
    assert query(db_path, "SELECT count(*) FROM writers") == [(1,)]
    assert query(db_path, "SELECT count(*) FROM journals") == [(2,)]
    assert not [path for path in outbox.rglob("*") if path.is_file()]


def test_a_run_whose_end_was_not_acknowledged_stays_completed(
    db_path: Path, closed_port: int, outbox: Path, tmp_path: Path
) -> None:
    with trackai.init(project="p", name="run", server_url=at(closed_port)) as run:
        run.log({"loss": 1.0})
    shutil.copytree(outbox, tmp_path / "before")
    server = serve(db_path, closed_port)
    try:
        assert sync().returncode == 0
        shutil.copytree(tmp_path / "before", outbox, dirs_exist_ok=True)
        assert sync().returncode == 0
    finally:
        server.terminate()
        server.wait()
    assert query(db_path, "SELECT state FROM runs") == [("completed",)]
    assert not [path for path in outbox.rglob("*") if path.is_file()]


def test_what_a_killed_process_left_is_sent_by_the_next_run(own_server: Server) -> None:
    script = KILLED.format(url=own_server.url)
    with start(script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        process.kill()
    with trackai.init(project="p", name="next", server_url=own_server.url):
        wait_until(lambda: _points(own_server.db_path) == 20_000)
        wait_until(
            lambda: (
                query(own_server.db_path, "SELECT state FROM runs WHERE name = 'killed'")
                == [("failed",)]
            )
        )


def test_a_state_that_a_user_has_set_is_kept(own_server: Server) -> None:
    with start(KILLED.format(url=own_server.url)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        wait_until(lambda: _points(own_server.db_path) == 20_000)
        process.kill()
    address = f"{own_server.url}/api/runs/1/state?state=completed"
    with urlopen(Request(address, method="PATCH")) as answer:
        assert answer.status == 200
    assert sync().returncode == 0
    assert query(own_server.db_path, "SELECT state FROM runs") == [("completed",)]
    assert query(own_server.db_path, "SELECT state FROM writers") == [("failed",)]


def test_a_run_of_a_killed_process_is_resumed_behind_all_of_it(own_server: Server) -> None:
    script = KILLED.format(url=own_server.url).replace('name="killed"', 'id="job"')
    with start(script, TRACKAI_RUN_ID="job") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        os.kill(own_server.process.pid, signal.SIGSTOP)
        process.kill()
    os.kill(own_server.process.pid, signal.SIGCONT)
    with trackai.init(project="p", id="job", server_url=own_server.url) as run:
        assert (run.resumed, run.step) == (True, 20_000)
    assert query(own_server.db_path, "SELECT attempt, state FROM writers ORDER BY attempt") == [
        (1, "failed"), (2, "completed"),
    ]  # fmt: skip


def test_an_id_that_was_taken_meanwhile_is_not_resumed(
    db_path: Path, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with trackai.init(project="p", id="x", resume="never", server_url=at(closed_port)) as run:
        run.log({"loss": 1})
    with trackai.init(project="p", id="x", db_path=db_path) as run:
        run.log({"loss": 2})
    server = serve(db_path, closed_port)
    try:
        sent = sync()
        assert sent.returncode == 0, sent.stderr
        assert "already exists" in sent.stderr
    finally:
        server.terminate()
        server.wait()
    assert query(db_path, "SELECT slug FROM runs ORDER BY id") == [("x",), ("x-2",)]


def test_a_placement_that_was_left_behind_is_removed(server: Server, outbox: Path) -> None:
    run = trackai.init(project="p", id="r", server_url=server.url)
    (folder,) = outbox.iterdir()
    (placement,) = folder.glob("*.placement")
    copy = placement.read_bytes()
    run.finish()
    placement.write_bytes(copy)
    os.utime(placement, (0, 0))
    with trackai.init(project="p", id="r", server_url=server.url):
        wait_until(lambda: not placement.exists())


def test_a_server_that_is_killed_restored_and_replaced(
    db_path: Path, closed_port: int, tmp_path: Path
) -> None:
    server = serve(db_path, closed_port)
    run = trackai.init(project="p", id="r", server_url=at(closed_port))
    try:
        for step in range(100):
            run.log({"loss": step})
        wait_until(lambda: _points(db_path) == 100)
        server.kill()  # and started again
        server.wait()
        for step in range(100, 200):
            run.log({"loss": step})
        server = serve(db_path, closed_port)
        wait_until(lambda: _points(db_path) == 200)
        backup = tmp_path / "backup.db"
        subprocess.run(
            [sys.executable, "-m", "trackai.cli", "backup", str(backup), "--db", str(db_path)],
            check=True, capture_output=True,
        )  # fmt: skip
        for step in range(200, 300):
            run.log({"loss": step})
        wait_until(lambda: _points(db_path) == 300)
        server.terminate()
        server.wait()
        backup.replace(db_path)  # restored
        server = serve(db_path, closed_port)
        run.log({"loss": 300})
        wait_until(lambda: _points(db_path) == 301)
        server.terminate()
        server.wait()
        server = serve(tmp_path / "other.db", closed_port)  # replaced
        run.log({"loss": 301})
        run.finish()
    finally:
        server.terminate()
        server.wait()
    for path, points in ((db_path, 301), (tmp_path / "other.db", 302)):
        steps = query(path, "SELECT step FROM points ORDER BY step")
        assert steps == [(step,) for step in range(points)]
    assert query(tmp_path / "other.db", "SELECT slug, state FROM runs") == [("r", "completed")]


def test_a_server_that_hangs_holds_up_nothing(own_server: Server, outbox: Path) -> None:
    run = trackai.init(project="p", id="r", server_url=own_server.url)
    wait_until(lambda: query(own_server.db_path, "SELECT count(*) FROM runs") == [(1,)])
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for step in range(1000):
            run.log({"loss": step})
        assert time.monotonic() - begun < 5
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    run.finish()
    assert _points(own_server.db_path) == 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"server_url": "tracker:8000"}, "server_url: must be an address such as"),
        ({"server_url": "http://h/?key=1"}, "server_url: must have no query"),
        ({"server_url": "http://h", "db_path": "x.db"}, "server_url: must not be combined"),
    ],
)
def test_addresses_that_cannot_be_meant_are_refused(
    db_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        trackai.init(project="p", **arguments)


@pytest.mark.parametrize("arguments", [{"resume": "must", "id": "x"}, {"resume_from": "x?_step=3"}])
def test_a_run_that_must_be_resumed_needs_the_server(
    db_path: Path, closed_port: int, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ServerUnreachableError, match=r"needs the server: .* does not answer"):
        trackai.init(project="p", server_url=at(closed_port), **arguments)


def test_a_wrong_key_is_said_once_and_loses_nothing(
    guarded: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKAI_API_KEY", "not-the-key-of-this-server")
    with trackai.init(project="p", name="r", server_url=guarded.url) as run:
        run.log({"loss": 0.5})
    said = [message for message in caplog.messages if "the key is missing, wrong" in message]
    assert len(said) == 2  # at the start, and at the end, with what to do
    refused = sync()
    assert refused.returncode == 4
    monkeypatch.setenv("TRACKAI_API_KEY", "a-secret-of-some-length")
    assert sync().returncode == 0
    assert _points(guarded.db_path) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<html>"),
        (404, b'{"detail": "Not Found"}'),
        (405, b'{"detail": "Method Not Allowed"}'),
        (409, b"{}"),
        (422, b'{"detail": [{"loc": ["body"]}]}'),
    ],
)
def test_another_program_at_the_address_does_not_stop_a_script(
    db_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: bytes,
) -> None:
    monkeypatch.setattr(ServerDestination, "patience", 0.1)
    with answering(status, body) as url, trackai.init(project="p", server_url=url) as run:
        run.log({"loss": 0.5})
    assert f"{url} answered with the status {status}, and is not a TrackAI server" in caplog.text
    assert "is kept in" in caplog.text


RANK = """
    import trackai
    run = trackai.init(project="p", id="job", server_url={url!r})
    for step in range(10):
        run.log({{f"rank{{run.summary is None}}/loss": step}})
    print("logged", flush=True)
    input()
    run.finish()
"""


def test_ranks_are_one_attempt_and_a_requeued_job_is_another(server: Server) -> None:
    script = RANK.format(url=server.url)
    for restart in ("0", "1"):
        ranks = [
            start(script, SLURM_JOB_ID="9", SLURM_RESTART_COUNT=restart, SLURM_PROCID=str(rank))
            for rank in range(2)
        ]
        for process in ranks:
            assert process.stdout is not None
            assert process.stdout.readline() == "logged\n"
        for process in ranks:
            process.communicate("\n", timeout=60)
    assert query(
        server.db_path, "SELECT attempt, rank, state FROM writers ORDER BY attempt, rank"
    ) == [(1, 0, "completed"), (1, 1, "completed"), (2, 0, "completed"), (2, 1, "completed")]
    assert query(server.db_path, "SELECT state FROM runs") == [("completed",)]


def test_forked_processes_log_too(server: Server) -> None:
    run = trackai.init(project="p", id="r", server_url=server.url)
    pid = os.fork()
    if pid == 0:
        for step in range(10):
            run.log({"child": step})
        os._exit(0)
    os.waitpid(pid, 0)
    run.log({"parent": 1})
    run.finish()
    assert query(server.db_path, "SELECT metric, count(*) FROM points GROUP BY metric") == [
        ("child", 10), ("parent", 1),
    ]  # fmt: skip
    assert query(server.db_path, "SELECT state FROM runs") == [("completed",)]


def test_a_deleted_run_does_not_come_back(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    run = trackai.init(project="p", id="r", server_url=server.url)
    run.log({"loss": 1})
    wait_until(lambda: _points(server.db_path) == 1)
    server.request("DELETE", f"/api/runs/{run.id}")
    run.log({"loss": 2})
    run.finish()
    assert query(server.db_path, "SELECT count(*) FROM runs") == [(0,)]
    assert any("was deleted while it was being logged" in message for message in caplog.messages)


def test_the_summary_has_what_is_on_its_way(server: Server, closed_port: int) -> None:
    with trackai.init(project="p", id="r", server_url=server.url) as run:
        run.log({"loss": 0.5})
        assert run.summary["loss"] == 0.5
    assert run.summary["loss"] == 0.5
    with trackai.init(project="p", id="r", server_url=server.url) as run:
        run.log({"other": 1})
        assert dict(run.summary) == {"loss": 0.5, "other": 1}
    with trackai.init(project="p", server_url=at(closed_port)) as run:
        run.log({"loss": 0.25})
        assert run.summary["loss"] == 0.25


def test_a_clock_that_is_hours_off_changes_no_order(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = time.time_ns
    hours = 5 * 3600 * 10**9
    for module in ("time", "trackai.sdk.call_log", "trackai.sdk.run"):
        monkeypatch.setattr(f"{module}.time_ns", lambda: real() - hours)
    with trackai.init(project="p", id="r", server_url=server.url) as run:
        run.log({"loss": 1})
        run.log_system({"gpu": 0.5})
    monkeypatch.undo()
    assert any("clock of this machine" in message for message in caplog.messages)
    now = time.time_ns() // 1000
    for table, column in (
        ("metrics", "timestamp"),
        ("writers", "ended_at"),
        ("runs", "created_at"),
    ):
        for (moment,) in query(server.db_path, f"SELECT {column} FROM {table}"):
            assert abs(moment - now) < 120e6, (table, column)


async def test_who_logged_a_run_is_kept(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(db_path, TRACKAI_API_KEY="a-secret-of-some-length") as server:
        created = subprocess.run(
            [sys.executable, "-m", "trackai.cli", "keys", "create", "--name", "node7",
             "--scope", "write", "--json", "--db", str(db_path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        monkeypatch.setenv("TRACKAI_API_KEY", json.loads(created.stdout)["key"])
        with trackai.init(project="p", id="r", server_url=server.url) as run:
            run.log({"loss": 1})
    assert query(db_path, "SELECT key_name FROM writers") == [("node7",)]


def test_contents_are_missing_only_for_a_server_that_stores_the_file(
    db_path: Path, closed_port: int, outbox: Path, tmp_path: Path
) -> None:
    """They are removed once they are sent, and the key of another project cannot see them."""
    (tmp_path / "weights.bin").write_bytes(b"weights")
    with trackai.init(project="p", server_url=at(closed_port), auto_log=False) as run:
        run.save(tmp_path / "weights.bin")
    (contents,) = (path for path in outbox.rglob("*") if path.name.endswith(BYTES))
    contents.unlink()
    keys = {
        project: create_key(db_path, f"of {project}", "write", "--project", project)
        for project in ("other", "p")
    }
    server = serve(db_path, closed_port)
    try:
        refused = sync(TRACKAI_API_KEY=keys["other"])
        assert refused.returncode == 4
        assert "may only log to project 'other'" in refused.stderr + refused.stdout
        assert "are missing" not in refused.stderr
        stored = sync(TRACKAI_API_KEY=keys["p"])
        assert stored.returncode == 0, stored.stderr
        assert stored.stderr.count("the contents of file 'weights.bin'") == 1
    finally:
        server.terminate()
        server.wait()


def test_the_outbox_has_a_bound(
    db_path: Path,
    closed_port: int,
    outbox: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TRACKAI_OUTBOX_MB", "100")
    run = trackai.init(project="p", name="r", server_url=at(closed_port))
    text = "x" * 1_000_000
    for step in range(140):
        run.log({"text": text + str(step)})
    waiting = sum(path.stat().st_size for path in outbox.rglob("*.journal"))
    assert 90e6 < waiting < 105e6
    wait_until(lambda: any("held in memory" in message for message in caplog.messages))
    server = serve(db_path, closed_port)
    try:
        run.finish()
        wait_until(lambda: _points(db_path) == 140)  # nothing was lost
    finally:
        server.terminate()
        server.wait()


def test_a_superseded_process_is_told(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    run = trackai.init(project="p", id="r", server_url=server.url)
    run.log({"loss": 1})
    wait_until(lambda: _points(server.db_path) == 1)
    script = f"""
        import trackai
        with trackai.init(project="p", id="r", server_url={server.url!r}) as run:
            run.log({{"loss": 2}})
    """
    # Through a shell: a child of this process would log together with it.
    subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, textwrap.dedent(script)],
        check=True, timeout=120,
    )  # fmt: skip
    run.log({"loss": 3})
    run.finish()
    assert sum("was resumed by another process" in message for message in caplog.messages) == 1
    assert query(server.db_path, "SELECT slug, state FROM runs") == [("r", "completed")]
