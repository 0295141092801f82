"""Reads from PostgreSQL that are repeated, as their connection is lost when all has been read."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from anyio.abc import SocketAttribute
from starlette.requests import Request

from tests import postgres
from trackai.api.endpoints import exports
from trackai.api.endpoints.metrics import get_points
from trackai.store.catalogue import projects, runs, writers
from trackai.store.points import metrics
from trackai.store.postgres.database import PostgresDatabase
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import SocketStream

    from trackai.store.engine.connection import Connection

_POINTS = 12_000  # more than one chunk of a streamed page


class _Link:
    """A way to PostgreSQL that can be cut.

    Attributes:
        url: the address of the database by this way.
        cuts: how often to cut it when a transaction is to be committed.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        (folder,), (port,) = (parse_qs(parts.query)[name] for name in ("host", "port"))
        self._socket = f"{folder}/.s.PGSQL.{port}"
        self._name = parts.path
        self.url = ""
        self.cuts = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        self.url = f"postgresql://{postgres.USER}@127.0.0.1:{port}{self._name}"
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._connect)
            yield
            tasks.cancel_scope.cancel()

    async def _connect(self, client: SocketStream) -> None:
        server = await anyio.connect_unix(self._socket)
        async with client, server, anyio.create_task_group() as tasks:
            for source, target in ((client, server), (server, client)):
                tasks.start_soon(self._copy, source, target, tasks.cancel_scope)

    async def _copy(
        self, source: SocketStream, target: SocketStream, scope: anyio.CancelScope
    ) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                data = await source.receive()
                if self.cuts and b"COMMIT\0" in data:
                    self.cuts -= 1
                    break
                await target.send(data)
        scope.cancel()


@pytest.fixture
async def run_id(postgres_url: str) -> int:
    async def create(conn: Connection) -> int:
        project = await projects.get_or_create(conn, "p", now=1)
        run = await runs.create(
            conn, uid="u", project_id=project.id, slug="u", name=None, group_name=None, now=1
        )
        writer_id = await writers.get_or_create(
            conn, uid="w", run_id=run.id, attempt=1, rank=0, host="h", pid=1, now=1
        )
        steps = list(range(_POINTS))
        column = Column("m", "step", [*steps], [*steps], [step / 7 for step in steps])
        await metrics.append(conn, run.id, writer_id, [column])
        return run.id

    store = PostgresDatabase(postgres_url)
    created = await store.change(create)
    await store.close()
    return created


@asynccontextmanager
async def _opened(link: _Link, files: Path) -> AsyncIterator[PostgresDatabase]:
    async with link.open():
        store = PostgresDatabase(link.url, files=str(files))
        await store.open()
        yield store
        await store.close()


async def _export(store: PostgresDatabase, run_id: int) -> bytes:
    return b"".join([data async for data in exports._export_each(store, [run_id])])


async def test_an_export_has_everything_once(
    postgres_url: str, run_id: int, tmp_path: Path
) -> None:
    link = _Link(postgres_url)
    async with _opened(link, tmp_path) as store:
        expected = await _export(store, run_id)
        link.cuts = 1
        assert await _export(store, run_id) == expected
        assert link.cuts == 0


async def test_a_streamed_page_has_all_points(
    postgres_url: str, run_id: int, tmp_path: Path
) -> None:
    link, parts = _Link(postgres_url), list[bytes]()

    async def receive() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        parts.append(message.get("body", b""))

    async with _opened(link, tmp_path) as store:
        scope = {
            "type": "http", "headers": [], "query_string": b"limit=1000000",
            "path_params": {"run_id": str(run_id), "metric_path": "m"}, "state": {"db": store},
        }  # fmt: skip
        page = await get_points(Request(scope, receive))
        link.cuts = 1
        await page(scope, receive, send)
        assert link.cuts == 0
    points = json.loads(b"".join(parts))["data"]
    assert [point["step"] for point in points] == list(range(_POINTS))
