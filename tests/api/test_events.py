"""Following a run over HTTP: news of metrics, and event streams."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.store.points import arrivals, compaction

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server
    from trackai.store.engine.store import Store


def _metric(run: trackai.Run) -> str:
    assert run.id is not None
    return f"/api/metrics/runs/{run.id}/metric/loss"


def _post(server: Server, path: str, steps: list[float], writer: str = "a") -> None:
    rows = [{"step": step, "values": {"loss": step * 2}} for step in steps]
    answer = server.request("POST", path.partition("/metric/")[0], {"rows": rows, "writer": writer})
    assert answer.status < 300, answer


def test_news_are_the_new_points_at_any_step(server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0, "other": 2}, step=1000)
    metric = _metric(run)
    cursor = server.get(metric + "?points=100")["cursor"]
    assert server.get(f"{metric}?since={cursor}") == {"data": [], "cursor": cursor, "reset": False}
    steps = [float(step) for step in range(60)]
    random.Random(5).shuffle(steps)
    seen: list[float] = []
    for at in range(0, 60, 10):
        _post(server, metric, steps[at : at + 10], writer="ab"[at // 10 % 2])
        news = server.get(f"{metric}?since={cursor}")
        seen += [point["step"] for point in news["data"]]
        assert (len(seen), news["reset"]) == (at + 10, False)
        assert news["cursor"] > cursor
        cursor = news["cursor"]
    assert sorted(seen) == list(range(60))


def test_a_late_reader_gets_all_batches(server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0}, step=-1)
    metric = _metric(run)
    cursor = server.get(metric + "?points=100")["cursor"]
    for number in range(4):
        _post(server, metric, [number * 10.0 + place for place in range(10)])
    sizes: list[int] = []
    while not sizes or sizes[-1]:
        news = server.get(f"{metric}?since={cursor}&limit=15")
        sizes.append(len(news["data"]))
        cursor = news["cursor"]
    assert sizes == [20, 20, 0]


async def test_unknown_cursors_reset_the_reader(
    db: Store, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "_KEPT", 3)
    monkeypatch.setattr(compaction, "_KEPT", 0)
    with trackai.init(project="p") as run:
        for step in range(5):
            run.log({f"m{step}": 1.0, "loss": 2.0}, step=step)
    metric = _metric(run)
    _post(server, metric, [3.0])
    await db.change(partial(compaction.compact, after=0))  # so does a server on PostgreSQL
    for wrong in (0, 10**6):
        news = server.get(f"{metric}?since={wrong}")
        assert (news["reset"], news["data"]) == (True, [])
        assert not server.get(f"{metric}?since={news['cursor']}")["reset"]
    assert server.request("GET", f"{metric}?since=-1").status == 422


def test_a_resume_resets_the_reader(server: Server) -> None:
    with trackai.init(project="p", name="r") as run:
        for step in range(10):
            run.log({"loss": 1.0, "other": 1.0}, step=step)
    metric = _metric(run)
    cursor = server.get(metric + "?points=100")["cursor"]
    stream = _Stream(f"{server.url}/api/runs/{run.id}/events?since={cursor}")
    with trackai.init(project="p", name="r", resume="must") as run:
        run.log({"loss": 2.0}, step=5)
        run.log({"loss": 2.0, "more": 1.0}, step=6)
        run.log({"other": 2.0}, step=10)  # supersedes no point of this metric
    news = server.get(f"{metric}?since={cursor}")
    assert (news["reset"], [point["step"] for point in news["data"]]) == (True, [5, 6])
    assert not server.get(f"{metric}?since={news['cursor']}")["reset"]
    other_metric = metric.replace("loss", "other")
    assert not server.get(f"{other_metric}?since={cursor}")["reset"]
    names: list[str] = []
    while names[-1:] != ["points"]:
        names.append(stream.next()["event"])
    assert names.count("reset") == 1
    stream.close()


@pytest.mark.sqlite("a file is replaced by its backup")
async def test_a_backup_in_place_of_the_database_resets_the_reader(
    db_path: Path, tmp_path: Path, server: Server
) -> None:
    with trackai.init(project="p", id="r") as run:
        run.log({"loss": 1.0}, step=0)
    metric = _metric(run)
    copy = tmp_path / "copy.db"
    subprocess.run(
        [sys.executable, "-m", "trackai.cli", "backup", str(copy), "--db", str(db_path)], check=True
    )
    before = server.get(metric + "?points=100")["cursor"]
    _post(server, metric, [1.0, 2.0, 3.0])
    after = server.get(metric + "?points=100")["cursor"]
    copy.replace(db_path)
    # What the backup has is common to both databases; what came later is not.
    assert server.get(f"{metric}?since={before}") == {"data": [], "cursor": before, "reset": False}
    assert server.get(f"{metric}?since={after}")["reset"]
    for step in range(1, 8):
        _post(server, metric, [float(step)])  # more batches than the old database had
        news = server.get(f"{metric}?since={after}")
        assert (news["reset"], news["data"]) == (True, [])
    news = server.get(f"{metric}?since={before}")
    assert [point["step"] for point in news["data"]] == [1, 2, 3, 4, 5, 6, 7]
    stream = _Stream(f"{server.url}/api/runs/{run.id}/events?since={after}")
    assert stream.next()["event"] == "reset"
    stream.close()


@pytest.mark.sqlite("a file is removed; on PostgreSQL, all cursors of an empty run are 0")
def test_cursors_of_empty_databases_differ(server: Server, db_path: Path) -> None:
    cursors = set()
    for _ in range(3):
        db_path.unlink()
        server.request("POST", "/api/projects", {"name": "p", "project_id": "p"})
        server.request("POST", "/api/runs", {"project_id": 1, "run_id": "r"})
        news = server.get("/api/metrics/runs/1/metric/loss?since=0")
        assert news["reset"]
        cursors.add(news["cursor"])
        assert max(cursors) < 2**53  # exact in JavaScript
    assert len(cursors) == 3


class _Stream:
    def __init__(self, url: str, last_id: str | None = None) -> None:
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        self._file = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=20
        )

    def next(self) -> dict[str, Any]:
        event: dict[str, Any] = {}
        for line in self._file:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name and event:
                return event
            event[name] = json.loads(value) if name == "data" else value
        return {}

    def close(self) -> None:
        self._file.close()


def test_event_streams_resume_after_the_last_event_id(server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0}, step=0)
    url = f"{server.url}/api/runs/{run.id}/events"
    stream = _Stream(url)
    first = stream.next()
    assert (first["event"], first["data"]["state"]) == ("state", "completed")
    _post(server, _metric(run), [7.0, 3.0])
    points = stream.next()
    assert points["event"] == "points"
    assert [point["step"] for point in points["data"]["metrics"]["loss"]] == [3.0, 7.0]
    stream.close()
    _post(server, _metric(run), [5.0])
    stream = _Stream(url, points["id"])
    missed = stream.next()
    assert [point["value"] for point in missed["data"]["metrics"]["loss"]] == [10.0]
    assert stream.next()["event"] == "state"
    server.request("PATCH", f"/api/runs/{run.id}/state?state=failed")
    assert stream.next()["data"]["state"] == "failed"
    head = server.request("HEAD", f"/api/runs/{run.id}/events")  # a stream would never end
    assert (head.status, head.json) == (200, None)
    server.request("DELETE", f"/api/runs/{run.id}")
    assert stream.next()["data"]["state"] == "deleted"
    assert stream.next() == {}
    stream.close()
    assert server.request("GET", "/api/runs/999/events").status == 404


@pytest.mark.sqlite("logs before there is a server")
def test_event_streams_do_not_delay_the_shutdown(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1.0}, step=0)
    command = [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", str(db_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2].replace("localhost", "127.0.0.1")
        deadline = time.monotonic() + 60
        while True:
            try:
                stream = _Stream(f"{url}/api/runs/{run.id}/events")
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert stream.next()["event"] == "state"
        process.send_signal(signal.SIGTERM)
        assert stream.next() == {}
        stream.close()
        process.wait(timeout=30)
        assert "Traceback" not in process.stderr.read()
