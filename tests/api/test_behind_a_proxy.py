"""A server behind nginx and Caddy with TLS, with the configurations of docs/team.md."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from tests.client.test_forwarder import forwarder_of, log, opened
from tests.conftest import KEY
from trackai.client.connection import Connection
from trackai.errors import ServerUnreachableError
from trackai.ingest.frames import MAX_PAYLOAD, Ended, Filed
from trackai.ingest.journal import JournalWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.proxies import Site
    from trackai.client.forwarder import Forwarder

START = 1_760_000_000_000_000


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    (tmp_path / "spool").mkdir()
    writer = JournalWriter(tmp_path / "spool", opened())
    yield writer
    writer.close()


@pytest.fixture
def forwarder(site: Site, writer: JournalWriter) -> Iterator[Forwarder]:
    """Sends what the writer logs to the site."""
    connection = Connection(site.url, KEY)
    yield forwarder_of(writer, connection)
    connection.close()


def test_the_configuration_is_valid(site: Site) -> None:
    assert site.proxy.check() == ""


def test_requests_need_the_key(site: Site) -> None:
    assert site.request("GET", "/health", key=None)[0] == 200
    assert site.request("GET", "/api/runs", key=None)[0] == 401
    assert site.get("/api/runs")["runs"] == []
    plain = http.client.HTTPConnection(site.proxy.plain_url.partition("//")[2], timeout=60)
    plain.request("GET", "/api/runs", headers={"Authorization": f"Bearer {KEY}"})
    response = plain.getresponse()
    assert response.status in {301, 308}
    assert response.headers["Location"].startswith("https://localhost")
    plain.close()


def test_the_longest_address_arrives(site: Site) -> None:
    status, content, _ = site.request("GET", "/api/runs?search=" + "x" * 47_000)
    assert (status, content["runs"]) == (200, [])


def test_changes_by_pages_of_other_origins_are_refused(site: Site) -> None:
    project = {"name": "p", "project_id": "p"}
    for origin in ("https://evil.example", "https://localhost"):  # the latter is another port
        status, content, _ = site.request(
            "POST", "/api/projects", project, headers={"Origin": origin}
        )
        assert (status, "Origin" in content["detail"]) == (403, True)
    status, *_ = site.request("POST", "/api/projects", project, headers={"Origin": site.url})
    assert status == 200


def test_wrong_keys_slow_down_only_their_address(site: Site) -> None:
    """The proxy says which address a request comes from, and clients cannot say another one."""

    def guess(number: int) -> None:
        spoofed = {"X-Forwarded-For": "127.0.0.1"}
        key = f"wrong-key-number-{number}"
        site.request("GET", "/api/runs", key=key, address="127.0.0.2", headers=spoofed)

    guesses = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
    for thread in guesses:
        thread.start()
    time.sleep(0.5)
    site.get("/api/runs")
    waiting = [thread for thread in guesses if thread.is_alive()]
    assert len(waiting) > 5  # they may try 10 keys at once, and then 5 a second
    for thread in guesses:
        thread.join()


async def test_followers_get_points_at_once(
    site: Site, writer: JournalWriter, forwarder: Forwarder
) -> None:
    log(writer, range(1))
    await forwarder.store_all()
    with closing(site.connect()) as connection:
        headers = {"Authorization": f"Bearer {KEY}", "Accept-Encoding": "gzip"}
        connection.request("GET", "/api/runs/1/events", headers=headers)
        events = connection.getresponse()
        assert events.headers["content-type"].startswith("text/event-stream")
        assert next_event(events)[0] == "state"
        for step in range(1, 4):
            log(writer, range(step, step + 1))
            await forwarder.store_all()
            stored = time.monotonic()
            name, data = next_event(events)
            assert time.monotonic() - stored < 2
            assert (name, data["metrics"]["a"][0]["step"]) == ("points", step)


def next_event(events: http.client.HTTPResponse) -> tuple[str, Any]:
    """The name and data of the next server-sent event."""
    fields: dict[str, str] = {}
    while (line := events.readline().decode().rstrip("\n")) or not fields:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
    return fields["event"], json.loads(fields["data"])


async def test_files_arrive_and_can_be_read_in_parts(
    site: Site, writer: JournalWriter, forwarder: Forwarder
) -> None:
    content = random.Random(1).randbytes(9_000_000)
    kept = writer.keep(lambda file: file.write(content))
    writer.append(Filed("model", "artifact", "a.pt", None, START, "/a.pt", *kept))
    await forwarder.store_all()
    (file,) = site.get("/api/runs/1/files")
    path = f"/api/files/{file['id']}"
    assert site.request("GET", path)[1] == content
    status, part, headers = site.request("GET", path, headers={"Range": "bytes=8000000-8000009"})
    assert (status, part) == (206, content[8_000_000:8_000_010])
    assert headers["Content-Range"] == "bytes 8000000-8000009/9000000"
    assert site.request("GET", path, headers={"Range": "bytes=9000000-"})[0] == 416


async def test_the_largest_batch_arrives(
    site: Site, writer: JournalWriter, forwarder: Forwarder
) -> None:
    text = random.Random(1).randbytes(MAX_PAYLOAD // 2 - 1000).hex()
    writer.append_points("step", ("text",), 1, START, [text])
    await forwarder.store_all()
    assert (forwarder.points, forwarder.damages) == (1, [])
    with sqlite3.connect(site.db_path) as connection:
        assert connection.execute("SELECT value FROM logged_points").fetchall() == [(text,)]


async def test_nothing_is_lost_while_proxy_and_server_are_killed(
    site: Site, writer: JournalWriter, forwarder: Forwarder
) -> None:
    problems: set[str] = set()
    stop = threading.Event()

    def disturb() -> None:
        while not stop.wait(0.3):
            site.proxy.kill()
            time.sleep(0.2)
            site.proxy.start()
            if stop.wait(0.3):
                return
            site.kill()
            time.sleep(0.2)
            site.start()

    thread = threading.Thread(target=disturb)
    thread.start()
    step, deadline = 0, time.monotonic() + 60
    while {"proxy", "server"} - problems and time.monotonic() < deadline:
        log(writer, range(step, step + 50))
        step += 50
        try:
            await forwarder.store_all()
        except ServerUnreachableError as error:
            problems.add("server" if "status 502" in str(error) else "proxy")
    stop.set()
    thread.join()
    writer.append(Ended("completed", START + step))
    await forwarder.store_all(final=True)
    assert problems == {"proxy", "server"}
    assert site.rows() == [("a", each, 1.5) for each in range(step)] + [
        ("b", each, each) for each in range(step)
    ]
    (run,) = site.get("/api/runs")["runs"]
    assert run["state"] == "completed"


@pytest.fixture
def client(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The site; `trackai.init()` in this process logs to it, with a key for nothing else."""
    monkeypatch.setenv("TRACKAI_API_KEY", site.create_key("node7", "write"))
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
    monkeypatch.setenv("TRACKAI_SERVER_URL", site.url)
    yield site
    trackai.finish()


def values(site: Site, path: str) -> list[Any]:
    page = site.get(f"/api/metrics/runs/1/metric/{path}?limit=1000000")
    return [(point["step"], point["value"]) for point in page["data"]]


def test_a_script_logs_through_the_proxy(client: Site, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(5_000_000)
    (tmp_path / "model.pt").write_bytes(content)
    with trackai.init(project="p", name="r", config={"lr": 0.1}, tags=["a"]) as run:
        run.log({"loss": 1.0})
        run.save(str(tmp_path / "model.pt"))
        deadline = time.monotonic() + 60
        while not client.get("/api/runs/1/summary")["metrics"]:  # while it still logs
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with closing(client.connect()) as connection:
            headers = {"Authorization": f"Bearer {KEY}"}
            connection.request("GET", "/api/runs/1/events", headers=headers)
            events = connection.getresponse()
            assert next_event(events)[1]["state"] == "running"
            run.log({"loss": 0.5})
            name, data = next_event(events)
            assert (name, data["metrics"]["loss"][0]["value"]) == ("points", 0.5)
            run.finish()
            assert next_event(events)[1]["state"] == "completed"
    assert values(client, "loss") == [(0, 1.0), (1, 0.5)]
    summary = client.get("/api/runs/1/summary")
    assert (summary["config"], summary["tags"]) == ({"lr": 0.1}, ["a"])
    (file,) = client.get("/api/runs/1/files")
    assert client.request("GET", f"/api/files/{file['id']}")[1] == content


def test_a_script_goes_on_while_proxy_and_server_are_killed(client: Site, tmp_path: Path) -> None:
    with trackai.init(project="p", name="r") as run:
        for step in range(3000):
            run.log({"x": step})
            time.sleep(0.001)
            if step == 500:
                client.proxy.kill()
            elif step == 1000:
                client.kill()
            elif step == 1500:  # nothing answers behind it: 502
                client.proxy.start()
            elif step == 2500:
                client.start()
    assert values(client, "x") == [(step, step) for step in range(3000)]
    assert client.get("/api/runs/1")["state"] == "completed"
    assert [path for path in (tmp_path / "outbox").rglob("*") if path.is_file()] == []


def test_a_script_begins_while_the_server_is_down(
    client: Site, caplog: pytest.LogCaptureFixture
) -> None:
    client.kill()
    with trackai.init(project="p", name="r") as run:
        assert "a proxy, whose server does not answer, answered with the status 502" in caplog.text
        run.log({"x": 1})
        client.start()
        run.log({"x": 2})
    assert values(client, "x") == [(0, 1), (1, 2)]
