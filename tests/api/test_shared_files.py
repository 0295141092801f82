"""Files of a database on PostgreSQL, in a folder or a bucket that its servers share."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import trackai
from tests.buckets import serving_s3
from tests.conftest import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

LARGE = random.Random(2).randbytes(7_654_321)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A value of TRACKAI_FILES."""
    if request.param == "bucket":
        return str(request.getfixturevalue("bucket_url"))
    return str(tmp_path / "place" / "of-files")


@contextmanager
def serving(database: str, place: str, folder: Path) -> Iterator[Server]:
    """Run a server of a database; its log must not contain a traceback."""
    log = folder / f"log-{time.monotonic_ns()}"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", database],
            env={**os.environ, "TRACKAI_FILES": place},
            stderr=stderr,
            text=True,
        )
    with process:
        try:
            deadline = time.monotonic() + 60
            while "\n" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            port = log.read_text().split()[2].rpartition(":")[2]
            server = Server(f"http://127.0.0.1:{port}", process, folder)
            while server.request("GET", "/health").status != 200:
                time.sleep(0.02)
            server.link = log.read_text().split()[-1]  # of a server with keys
            yield server
        finally:
            process.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def servers(
    postgres_url: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Server]]:
    """Two servers of one database. Scripts log to the first."""
    with (
        serving(postgres_url, place, tmp_path) as one,
        serving(postgres_url, place, tmp_path) as two,
    ):
        monkeypatch.setenv("TRACKAI_SERVER_URL", one.url)
        monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
        yield [one, two]
        trackai.finish()


def log_files(tmp_path: Path, **contents: bytes) -> None:
    run = trackai.init(project="p", name="r")
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
        trackai.save(str(tmp_path / name))
    run.finish()


def fetch(url: str, **headers: str) -> tuple[int, bytes, Message]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_a_file_that_one_server_got_is_read_at_another(
    servers: list[Server], tmp_path: Path
) -> None:
    log_files(tmp_path, large=LARGE, image=PNG, empty=b"", text=b"caf\xc3\xa9", page=b"x")
    listed = {file["name"]: file for file in servers[1].get("/api/runs/1/files")}
    contents = {"large": LARGE, "image": PNG, "empty": b"", "text": b"caf\xc3\xa9"}
    for name, data in contents.items():
        file = listed[name]
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        for server in servers:
            status, got, headers = fetch(f"{server.url}/api/files/{file['id']}")
            assert (status, got) == (200, data)
            assert headers["Content-Type"] == "application/octet-stream"
            assert headers["Content-Length"] == str(len(data))
            assert headers["Content-Disposition"] == f'attachment; filename="{name}"'
            assert headers["ETag"] == f'"{file["sha256"]}"'
            assert headers["X-Content-Type-Options"] == "nosniff"
    status, got, headers = fetch(f"{servers[1].url}/api/files/{listed['image']['id']}/preview")
    assert (status, got, headers["Content-Type"]) == (200, PNG, "image/png")
    status, got, headers = fetch(f"{servers[1].url}/api/files/{listed['text']['id']}/preview")
    assert (got.decode(), headers["Content-Type"]) == ("café", "text/plain; charset=utf-8")


def test_ranges(servers: list[Server], tmp_path: Path) -> None:
    log_files(tmp_path, large=LARGE)
    (file,) = servers[0].get("/api/runs/1/files")
    url, size, etag = f"{servers[1].url}/api/files/{file['id']}", len(LARGE), f'"{file["sha256"]}"'
    for text, start, end in (
        ("bytes=0-0", 0, 1), ("bytes=5000000-5000009", 5_000_000, 5_000_010),
        ("bytes=7000000-", 7_000_000, size), ("bytes=-5", size - 5, size),
        ("bytes=100-999999999", 100, size), ("bytes=-999999999", 0, size),
    ):  # fmt: skip
        status, got, headers = fetch(url, Range=text)
        assert (status, got) == (206, LARGE[start:end]), text
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    assert fetch(url, Range="bytes=0-9", **{"If-Range": etag})[0] == 206
    assert fetch(url, Range="bytes=0-9", **{"If-Range": '"other"'})[:2] == (200, LARGE)
    status, got, headers = fetch(url, Range=f"bytes={size}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")
    assert json.loads(got)["detail"].startswith("Range: starts beyond the end")
    for wrong in ("bytes=a-b", "lines=1-2", "bytes=5-2", "bytes=-"):
        status, got, _ = fetch(url, Range=wrong)
        assert (status, json.loads(got)["detail"][:14]) == (400, "Range: must be"), wrong
    request = urllib.request.Request(url, method="HEAD")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(size))


def test_artifacts_and_exports(servers: list[Server], tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(LARGE)
    run = trackai.init(project="p", name="r")
    artifact = trackai.Artifact("model", type="model")
    artifact.add_file(str(tmp_path / "weights"))
    run.log_artifact(artifact)
    run.finish()
    url = servers[1].url
    assert fetch(f"{url}/api/artifacts/1/files/weights")[:2] == (200, LARGE)
    lines = [json.loads(line) for line in fetch(f"{url}/api/runs/1/export")[1].splitlines()]
    assert sum(line["type"] == "bytes" for line in lines) == 8


def test_deleting_a_run_removes_its_bytes_but_no_shared_ones(
    servers: list[Server], tmp_path: Path
) -> None:
    log_files(tmp_path, shared=b"shared", own=b"own")
    log_files(tmp_path, shared=b"shared")
    assert servers[1].request("DELETE", "/api/runs/1").status == 200
    (file,) = servers[0].get("/api/runs/2/files")
    assert fetch(f"{servers[0].url}/api/files/{file['id']}")[1] == b"shared"
    sha256 = hashlib.sha256(b"own").hexdigest()
    assert servers[0].get(f"/api/blobs/{sha256}?size=3") == {"received": 0, "complete": False}


def put(server: Server, data: bytes, start: int, end: int) -> dict[str, object]:
    sha256 = hashlib.sha256(data).hexdigest()
    answer = server.request(
        "PUT", f"/api/blobs/{sha256}?size={len(data)}&offset={start}", data=data[start:end],
        headers={"Content-Type": "application/octet-stream"},
    )  # fmt: skip
    assert answer.status == 200, answer
    result: dict[str, object] = answer.json
    return result


def test_another_server_continues_after_a_kill(
    postgres_url: str, place: str, tmp_path: Path
) -> None:
    sha256 = hashlib.sha256(LARGE).hexdigest()
    address = f"/api/blobs/{sha256}?size={len(LARGE)}"
    with serving(postgres_url, place, tmp_path) as server:
        for start in (0, 1_000_000, 2_000_000):
            put(server, LARGE, start, start + 1_000_000)
        # Killed while it gets and stores the next.
        threading.Timer(0.01, lambda: os.kill(server.process.pid, signal.SIGKILL)).start()
        try:
            put(server, LARGE, 3_000_000, 4_000_000)
            server.process.wait(60)
        except OSError:
            pass
    with serving(postgres_url, place, tmp_path) as server:
        received = server.get(address)["received"]
        assert received in (3_000_000, 4_000_000)
        while received < len(LARGE):
            answer = put(server, LARGE, received, received + 1_000_000)
            received = answer["received"]
        assert answer == {"received": len(LARGE), "complete": True}


def test_a_bucket_that_stops_answering(
    postgres_url: str, tmp_path: Path, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journals wait with their files; what does not concern files goes on."""
    monkeypatch.setenv("TRACKAI_OUTBOX_PATH", str(tmp_path / "outbox"))
    with serving_s3() as s3, serving(postgres_url, s3.new_bucket(), tmp_path) as server:
        monkeypatch.setenv("TRACKAI_SERVER_URL", server.url)
        log_files(tmp_path, first=b"first")
        os.kill(s3.process.pid, signal.SIGSTOP)
        try:
            timer = threading.Timer(3, lambda: os.kill(s3.process.pid, signal.SIGCONT))
            timer.start()
            assert server.get("/api/projects")[0]["name"] == "p"
            log_files(tmp_path, second=b"second")
        finally:
            timer.join()
        trackai.finish()
        subprocess.run([sys.executable, "-m", "trackai.cli", "sync"], check=True, timeout=60)
        names = [server.get(f"/api/runs/{id_}/files")[0]["name"] for id_ in (1, 2)]
        assert names == ["first", "second"]


@pytest.mark.parametrize("how", ["removed", "loop"])
def test_a_folder_that_cannot_be_used_for_a_while(
    postgres_url: str, tmp_path: Path, how: str
) -> None:
    """The server says so, does not create another one, and goes on when it is back."""
    place, aside = tmp_path / "place", tmp_path / "aside"
    sha256 = hashlib.sha256(b"bytes").hexdigest()
    with serving(postgres_url, str(place), tmp_path) as server:
        project = {"name": "p", "project_id": "p"}
        assert server.request("POST", "/api/projects", project).status == 200
        run = {"project_id": 1, "run_id": "r"}
        place.rename(aside)
        if how == "loop":
            place.symlink_to(place)
        upload = f"/api/blobs/{sha256}?size=5&offset=0"
        binary = {"Content-Type": "application/octet-stream"}
        for answer in (
            server.request("POST", "/api/runs", run),
            server.request("PUT", upload, data=b"bytes", headers=binary),
        ):
            assert answer.status == 503, answer
            assert f"TRACKAI_FILES: cannot write to the folder {place}" in answer.json["detail"]
            assert answer.headers["retry-after"] == "1"
        answer = server.request("GET", f"/api/blobs/{sha256}?size=5")
        if how == "loop":
            assert answer.status == 503
            assert answer.json["detail"] == (
                "the server cannot use its files (Too many levels of symbolic links): "
                "try again later"
            )
            place.unlink()
        else:
            assert answer.json == {"received": 0, "complete": False}
            assert not place.exists()
        assert server.get("/api/projects")[0]["name"] == "p"
        aside.rename(place)
        assert server.request("POST", "/api/runs", run).status == 200
        assert put(server, b"bytes", 0, 5) == {"received": 5, "complete": True}


def test_a_server_does_not_start_without_its_files(postgres_url: str, bucket_url: str) -> None:
    endpoint = bucket_url.partition("?")[2]
    for place, code, sentence in (
        ("", 2, "TRACKAI_FILES: must be set for a database on a server"),
        (f"s3://missing-bucket/p?{endpoint}", 1, "bucket does not exist (NoSuchBucket)"),
        ("s3://bucket/p?endpoint=http://127.0.0.1:1", 1, "Connection refused"),
        ("/dev/null/folder", 1, "TRACKAI_FILES: cannot write to the folder /dev/null/folder"),
    ):
        result = subprocess.run(
            [sys.executable, "-m", "trackai.cli", "serve", "--port", "0", "--db", postgres_url],
            env={**os.environ, "TRACKAI_FILES": place},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == code, result
        assert sentence in result.stderr
        assert result.stderr.count("\n") == 1
