"""A journal reaches a server once, whatever happens on the way."""

from __future__ import annotations

import random
import sqlite3
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from trackai.client.connection import Connection
from trackai.client.forwarder import Forwarder
from trackai.client.outbox import Placement
from trackai.errors import ServerRefusedError, ServerUnreachableError
from trackai.ingest import wire
from trackai.ingest.attach import Attach
from trackai.ingest.frames import Configured, Described, Ended, Filed, Opened
from trackai.ingest.journal import JournalWriter
from trackai.ingest.launch import Launch, Process
from trackai.ingest.reader import Batch
from trackai.ingest.run_request import RunRequest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def opened(project: str = "p") -> Opened:
    return Opened(
        run_uid=uuid.uuid4().hex, writer_uid=uuid.uuid4().hex, project=project, run_slug="r",
        name="r", group=None, attempt=1, rank=0, host="node7", pid=1,
        created_at=1_760_000_000_000_000, started_at=1_760_000_000_000_000,
    )  # fmt: skip


def forwarder_of(writer: JournalWriter, connection: Connection) -> Forwarder:
    """What sends the first journal of a writer whose run has begun."""
    opened = writer.opened
    process = Process(
        writer_uid=opened.writer_uid,
        run_uid=opened.run_uid,
        pid=1,
        started_at=opened.started_at,
        launch=Launch({}, opened.host, frozenset()),
    )
    attach = Attach(
        request=RunRequest(project=opened.project, name=opened.name, group=None, resume="never"),
        process=process,
        journal=writer.paths[0].name,
        now=opened.started_at,
        begun_at=opened.started_at,
    )
    placement = Placement(server_url=connection.url, attach=attach, opened=opened)
    return Forwarder(connection, writer.paths[0], placement)


@pytest.fixture
def writer(tmp_path: Path) -> JournalWriter:
    (tmp_path / "spool").mkdir()
    return JournalWriter(tmp_path / "spool", opened())


def log(writer: JournalWriter, steps: range) -> None:
    for step in steps:
        writer.append_points("step", ("a", "b"), step, 1_760_000_000_000_000 + step, [1.5, step])


def rows(server: Server) -> list[Any]:
    with sqlite3.connect(server.db_path) as connection:
        return connection.execute(
            "SELECT path, step, value FROM metrics JOIN series ON series.id = series_id "
            "ORDER BY path, step"
        ).fetchall()


def expected(steps: range) -> list[Any]:
    return [("a", step, 1.5) for step in steps] + [("b", step, step) for step in steps]


async def test_everything_arrives(server: Server, writer: JournalWriter) -> None:
    writer.append(Configured({"lr": "0.1"}))
    writer.append(Described("name", ["tag"], "notes"))
    log(writer, range(100))
    content = random.Random(1).randbytes(9_000_000)  # more than two chunks
    kept = writer.keep(lambda file: file.write(content))
    writer.append(Filed("model", "artifact", "a.pt", None, 1, "/a.pt", *kept))
    empty = writer.keep(lambda file: None)
    writer.append(Filed("empty", "file", "e", None, 1, "/e", *empty))
    writer.append(Ended("completed", 1_760_000_001_000_000))
    forwarder = forwarder_of(writer, Connection(server.url))
    await forwarder.store_all()
    assert await forwarder.is_stored()
    assert (forwarder.ended, forwarder.points) == (True, 200)
    assert rows(server) == expected(range(100))
    (run,) = server.get("/api/runs")["runs"]
    assert (run["name"], run["tags"], run["notes"], run["state"]) == (
        "name", ["tag"], "notes", "completed",
    )  # fmt: skip
    assert server.get(f"/api/runs/{run['id']}/config") == {"lr": 0.1}
    files = {file["path"]: file for file in server.get(f"/api/runs/{run['id']}/files")}
    assert (
        Connection(server.url).request("GET", f"/api/files/{files['model']['id']}").data == content
    )
    assert files["empty"]["size"] == 0
    assert not list(writer.paths[0].parent.glob("*.bytes"))
    writer.close()


async def test_batches_that_are_sent_twice_are_stored_once(
    server: Server, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(writer, range(2000))
    connection = Connection(server.url)
    real, sent = connection.request, 0

    def twice(method: str, path: str, *arguments: object, **options: object) -> object:
        nonlocal sent
        sent += 1
        real(method, path, *arguments, **options)  # type: ignore[arg-type]
        return real(method, path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(connection, "request", twice)
    await forwarder_of(writer, connection).store_all()
    assert sent > 0
    assert rows(server) == expected(range(2000))
    # Another one, after a crash, begins at the start, and is told how far the server is.
    log(writer, range(2000, 2100))
    await forwarder_of(writer, Connection(server.url)).store_all()
    assert rows(server) == expected(range(2100))
    writer.close()


async def test_files_arrive_over_a_network_that_loses_answers(
    server: Server, writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has arrived of a batch with many files is not asked for again with the rest."""
    for number in range(50):
        content = f"file {number}".encode()
        kept = writer.keep(lambda file, content=content: file.write(content))  # type: ignore[misc]
        writer.append(Filed(f"f{number}", "file", "f", None, 1, "/f", *kept))
    connection = Connection(server.url)
    real, sent = connection.request, 0

    def losing(*arguments: Any, **options: Any) -> object:
        nonlocal sent
        sent += 1
        answer = real(*arguments, **options)
        if sent % 10 == 0:
            raise ServerUnreachableError("lost")
        return answer

    monkeypatch.setattr(connection, "request", losing)
    forwarder = forwarder_of(writer, connection)
    lost = 0
    while lost < 20:
        try:
            await forwarder.store_all()
            break
        except ServerUnreachableError:
            lost += 1
    assert 5 < lost < 20
    (run,) = server.get("/api/runs")["runs"]
    assert len(server.get(f"/api/runs/{run['id']}/files")) == 50
    writer.close()


async def test_a_replaced_server_gets_all_points_again(
    own_server: Server, writer: JournalWriter
) -> None:
    log(writer, range(100))
    forwarder = forwarder_of(writer, Connection(own_server.url))
    await forwarder.store_all()
    for path in own_server.db_path.parent.glob(own_server.db_path.name + "*"):
        if path.is_file():
            path.unlink()
    assert not await forwarder.is_stored()
    log(writer, range(100, 110))
    await forwarder.store_all()
    assert rows(own_server) == expected(range(110))
    writer.close()


def test_another_version_is_refused_in_words(server: Server) -> None:
    connection = Connection(server.url)
    connection._headers["TrackAI-Protocol"] = "999"
    batch = Batch(
        opened=opened(), start=0, end=0, frames=0, calls=[], config={}, replaced=set(),
        described=[], files=[], ended=None,
    )  # fmt: skip
    name = f"{1:016x}-{batch.opened.writer_uid}-000000.journal"
    with pytest.raises(ServerRefusedError, match="the client version '999'") as caught:
        connection.request("POST", f"/api/journals/{name}", wire.pack(batch))
    assert caught.value.status == 426


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/journals/x.journal", 422),
        ("/api/journals/..%2Fx.journal", None),
        (f"/api/journals/{1:016x}-{'0' * 32}-000000.journal", 422),
    ],
)
def test_other_names_are_refused(server: Server, path: str, status: int | None) -> None:
    batch = Batch(
        opened=opened(), start=0, end=0, frames=0, calls=[], config={}, replaced=set(),
        described=[], files=[], ended=None,
    )  # fmt: skip
    with pytest.raises(ServerRefusedError) as caught:
        Connection(server.url).request("POST", path, wire.pack(batch))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("sha256", "query", "status"),
    [("x", "size=1", 404), ("0" * 64, "size=-1", 422), ("0" * 64, "size=1", 422)],
)
def test_bytes_that_are_not_what_they_say_are_refused(
    server: Server, sha256: str, query: str, status: int
) -> None:
    with pytest.raises(ServerRefusedError) as caught:
        Connection(server.url).request("PUT", f"/api/blobs/{sha256}?{query}", b"x")
    assert caught.value.status == status
    assert not list(server.db_path.parent.glob("*-files/new-*"))
