"""Large pages of points, which are streamed in chunks."""

from __future__ import annotations

import asyncio
import http.client
import json
import math
import socket
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

import trackai
from trackai.api.endpoints.point_pages import CHUNK
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import metrics, rollups
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server
    from trackai.store.engine.database import Database
    from trackai.values.types import Step

_MILLION = 1_000_000


def _memory(server: Server) -> int:
    """The peak memory of the server, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")
    )


@contextmanager
def _get(server: Server, path: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    with closing(connection):
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.request("GET", path)
        with connection.getresponse() as response:
            yield response


async def _start(db: Database) -> tuple[int, int]:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="u", name=None, group_name=None, now=1
        )
        return run.id, await writers.get_or_create(
            conn, uid="w", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
        )


async def _append(db: Database, run_id: int, writer_id: int, first: int, last: int) -> None:
    steps: list[Step] = list(range(first, last))
    column = Column("m", "step", steps, list(range(first, last)), [step / 7 for step in steps])
    async with db.write() as conn:
        await metrics.append(conn, run_id, writer_id, [column])


async def _fill(db: Database, steps: int) -> int:
    run_id, writer_id = await _start(db)
    for first in range(0, steps, 100_000):
        await _append(db, run_id, writer_id, first, min(steps, first + 100_000))
    return run_id


async def test_a_large_page_takes_little_memory(db: Database, server: Server) -> None:
    run_id = await _fill(db, _MILLION)
    while await db.change(rollups.refresh_next):  # the server would meanwhile, when it is idle
        pass
    path = f"/api/metrics/runs/{run_id}/metric/m?limit="
    assert len(server.get(f"{path}{CHUNK}")["data"]) == CHUNK
    before = _memory(server)
    with _get(server, f"{path}{_MILLION}") as response:
        assert response.getheader("transfer-encoding") == "chunked"
        size = points = 0
        last = b""
        while block := response.read(1 << 20):
            size += len(block)
            points += block.count(b'"step"')
            last = (last + block)[-100:]
    assert size > 60 * _MILLION
    assert last.endswith(b'"value":142857.0}],"has_more":false}')
    # The text may be split between two blocks.
    assert _MILLION - size // (1 << 20) - 1 <= points <= _MILLION
    # The points alone, as objects, would be more than 100 MB; their JSON is 70.
    assert _memory(server) - before < 30_000_000


def test_chunks_add_up_to_the_page(server: Server, db_path: Path) -> None:
    count = 2 * CHUNK + 7
    with trackai.init(project="p") as run:
        for step in range(count):
            value = {5: math.nan, CHUNK + 3: math.inf, 2 * CHUNK + 1: "text"}.get(step, step / 3)
            run.log({"m": value}, step=step)
        for number in range(CHUNK):
            run.log_system({"m": number})
    path = f"/api/metrics/runs/{run.id}/metric/m"
    expected: list[Any] = []
    while True:
        page = server.get(f"{path}?limit=5000&offset={len(expected)}")
        expected += page["data"]
        if not page["has_more"]:
            break
    assert len(expected) == count + CHUNK
    assert expected[5]["value"] == "NaN"
    assert expected[CHUNK + 3]["value"] == "Infinity"
    assert expected[2 * CHUNK + 1]["value"] == "text"
    for limit, offset in (
        (1_000_000, 0), (count + CHUNK, 0), (count + CHUNK - 1, 0), (CHUNK + 1, 0),
        (2 * CHUNK, 3), (count, count - 1), (2 * CHUNK, count + CHUNK), (3 * CHUNK, count + 9),
    ):  # fmt: skip
        page = server.get(f"{path}?limit={limit}&offset={offset}")
        assert page["data"] == expected[offset : offset + limit]
        assert page["has_more"] == (offset + limit < len(expected))
    bounded = server.get(f"{path}?limit=100000&step_min=100&step_max={count - 10}")
    assert bounded["data"] == expected[100 : count - 9]
    assert bounded["has_more"] is False
    attempt = server.get(f"{path}?limit=100000&attempt=1")
    assert attempt["data"] == expected
    assert server.request("GET", f"{path}x?limit=100000").status == 404


async def test_a_deletion_while_streaming_leaves_the_response_incomplete(
    db: Database, server: Server
) -> None:
    run_id = await _fill(db, 110_000)  # more than the buffers of a connection can hold
    with _get(server, f"/api/metrics/runs/{run_id}/metric/m?limit={_MILLION}") as response:
        response.read(1000)
        assert server.request("DELETE", f"/api/runs/{run_id}").status == 200
        with pytest.raises(http.client.IncompleteRead):
            response.read()


async def test_a_run_can_be_logged_while_it_is_streamed(db: Database, server: Server) -> None:
    run_id, writer_id = await _start(db)
    await _append(db, run_id, writer_id, 0, 5 * CHUNK)

    def read() -> Any:
        with _get(server, f"/api/metrics/runs/{run_id}/metric/m?limit={_MILLION}") as response:
            return json.load(response)

    reading = asyncio.create_task(asyncio.to_thread(read))
    for first in range(5 * CHUNK, 6 * CHUNK, 500):
        await _append(db, run_id, writer_id, first, first + 500)
    page = await reading
    steps = [point["step"] for point in page["data"]]
    assert steps == list(range(len(steps)))
    assert 5 * CHUNK <= len(steps) <= 6 * CHUNK
