"""/, /health, /metrics and /openapi.json: the server itself."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

import trackai
from trackai import dashboard
from trackai.api.requests import database
from trackai.api.responses import JSONResponse, accepts_html
from trackai.api.security import is_loopback
from trackai.errors import StoreError
from trackai.store.catalogue import writers
from trackai.store.engine.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.api.prometheus import ServerMetrics
    from trackai.ingest.intake import Intake
    from trackai.ingest.receiver import Receiver
    from trackai.store.engine.connection import Connection


async def root(request: Request) -> Response:
    """Get the name and version; browsers get the dashboard."""
    if accepts_html(request):
        return dashboard.page(
            in_notebooks=is_loopback(request.url.hostname or ""),
            frame_origins=request.app.state.frame_origins,
        )
    return JSONResponse({"name": "trackai", "version": trackai.__version__})


async def health(request: Request) -> JSONResponse:
    """Check that the server is running."""
    return JSONResponse({"status": "healthy"})


async def prometheus(request: Request) -> PlainTextResponse:
    """Get metrics of the server, in the Prometheus text format."""
    metrics: ServerMetrics = request.app.state.metrics
    intake: Intake = request.state.intake
    receiver: Receiver = request.state.receiver
    db = database(request)
    gauges: dict[str, float] = {}
    if isinstance(db, Database):
        gauges.update(_sizes(db.path))
    else:
        with suppress(StoreError):  # not every engine of PostgreSQL's protocol tells it
            gauges["trackai_database_bytes"] = await db.look(_database_bytes)
    gauges["trackai_ingest_waiting_batches"] = intake.waiting
    gauges["trackai_ingest_bytes"] = intake.bytes
    gauges["trackai_journal_waiting_batches"] = receiver.waiting
    gauges["trackai_disk_keep_free_bytes"] = request.app.state.keep_free
    with suppress(StoreError):
        count, heard_at = await db.look(writers.count_heard)
        silent = 0.0 if heard_at is None else time.time() - heard_at / 1e6
        gauges["trackai_remote_writers"] = count
        gauges["trackai_remote_writer_longest_silence_seconds"] = max(0.0, silent)
    return PlainTextResponse(
        metrics.text(gauges, (db.transactions, db.transaction_seconds)),
        media_type="text/plain; version=0.0.4; charset=utf-8",
    )


async def _database_bytes(conn: Connection) -> int:
    """The size of a database on PostgreSQL."""
    rows = await conn.execute_fetchall("SELECT pg_database_size(current_database())")
    return next(int(size) for (size,) in rows)


def _sizes(path: Path) -> Iterator[tuple[str, int]]:
    """The sizes of a database file and of its disk."""
    files = {
        "trackai_database_bytes": path,
        "trackai_wal_bytes": path.with_name(path.name + "-wal"),
    }
    yield from ((name, file.stat().st_size) for name, file in files.items() if file.exists())
    with suppress(OSError):
        yield "trackai_disk_free_bytes", shutil.disk_usage(path.parent).free


async def openapi(request: Request) -> JSONResponse:
    """Get this OpenAPI 3.1 description of the API."""
    return JSONResponse(request.app.state.openapi())
