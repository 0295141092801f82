"""Everything arrives once over a network that cuts, delays, repeats and loses."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from scripts.benchmarks.faulty_proxy import Faults, faulty_proxy
from tests.client.test_forwarder import forwarder_of, opened
from trackai.client.connection import Connection
from trackai.errors import ServerUnreachableError
from trackai.ingest.frames import Ended, Filed
from trackai.ingest.journal import JournalWriter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

NOW = 1_760_000_000_000_000
NONE = Faults(**dict.fromkeys(Faults._fields, 0.0))


@pytest.fixture
def writer(tmp_path: Path) -> JournalWriter:
    (tmp_path / "spool").mkdir()
    return JournalWriter(tmp_path / "spool", opened())


async def send(server: Server, port: int, writer: JournalWriter, *, repeat: bool = True) -> None:
    """Send a journal, and try again after every failure, with a new forwarder now and then."""
    connection = Connection(f"http://127.0.0.1:{port}", read_seconds=2)
    deadline = time.monotonic() + 60
    while True:
        forwarder = forwarder_of(server, writer, connection)
        for _ in range(10):
            try:
                await forwarder.store_all()
                assert await forwarder.is_stored()
            except ServerUnreachableError:
                assert repeat
                assert time.monotonic() < deadline
            else:
                return


@pytest.mark.parametrize("fault", Faults._fields)
async def test_points_and_files_arrive_once(
    server: Server, writer: JournalWriter, fault: str
) -> None:
    content = random.Random(fault).randbytes(300_000)
    port = urlsplit(server.url).port
    assert port is not None
    faults = NONE._replace(**{fault: 0.1 if fault == "hang" else 0.5})
    with faulty_proxy(port, 7, faults) as proxy:
        for batch in range(12):
            for step in range(batch * 50, batch * 50 + 50):
                writer.append_points("step", ("a", "b"), step, NOW + step, [step / 3, step])
            if batch == 6:
                kept = writer.keep(lambda file: file.write(content))
                writer.append(Filed("model", "artifact", "a.pt", None, NOW, "/a.pt", *kept))
            if batch == 11:
                writer.append(Ended("completed", NOW + 1000))
            await send(server, proxy.port, writer, repeat=fault not in {"twice", "delay"})
    assert proxy.counts[fault] > 0
    with closing(sqlite3.connect(server.db_path)) as connection:
        rows = connection.execute(
            "SELECT path, step, value FROM metrics JOIN series ON series.id = series_id "
            "ORDER BY path, step"
        ).fetchall()
    assert rows == [("a", step, step / 3) for step in range(600)] + [
        ("b", step, step) for step in range(600)
    ]
    [run] = server.get("/api/runs")["runs"]
    assert run["state"] == "completed"
    [file] = server.get(f"/api/runs/{run['id']}/files")
    assert Connection(server.url).request("GET", f"/api/files/{file['id']}").data == content
    writer.close()


async def test_a_server_that_is_down_costs_nothing_but_time(
    server: Server, writer: JournalWriter, unused_tcp_port: int
) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    writer.append_points("step", ("a",), 1, NOW, [1.5])
    with faulty_proxy(unused_tcp_port, 7, NONE) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        forwarder = forwarder_of(server, writer, Connection(url))
        with pytest.raises(ServerUnreachableError, match="a proxy, whose server does not answer"):
            await forwarder.store_all()
        proxy.server_port = port
        await forwarder.store_all()
    assert [run["name"] for run in server.get("/api/runs")["runs"]] == ["r"]
    writer.close()
