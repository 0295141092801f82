"""/api/runs/{run_id}/export: everything of a run, for another database."""

from __future__ import annotations

import tempfile
import threading
from typing import IO, TYPE_CHECKING

from starlette.responses import StreamingResponse

from trackai.api.requests import database, path_id
from trackai.errors import TrackAIError
from trackai.exporters.jsonl import JsonLinesWriter
from trackai.store.engine.database import Database
from trackai.store.transfer import dump
from trackai.structs.exchange import ArtifactHead, FileHead, RunHead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from trackai.exporters.jsonl import FindBytes
    from trackai.store.engine.connection import Connection
    from trackai.structs.exchange import Item

# Each has a temporary file, and reads for long on one of the connections of the database.
_MAX_EXPORTS = 2
_READ_SIZE = 1 << 18
_slots = threading.BoundedSemaphore(_MAX_EXPORTS)


async def export_run(request: Request) -> Response:
    """Export a run as JSON lines, with its files and all its points, superseded ones included."""
    run_id = path_id(request, "run_id")
    db = database(request)
    if not _slots.acquire(blocking=False):
        raise TrackAIError(f"{_MAX_EXPORTS} runs are being exported: try again in a moment")
    folder = db.path.parent if isinstance(db, Database) else None
    export = _Export(folder, lambda head: db.blobs.find(head.sha256))
    try:
        await db.look(lambda conn: export.fill(conn, run_id))
    except BaseException:
        export.close()
        raise
    return _ExportResponse(export)


class _Export:
    """A run that is exported: one state of it, in a temporary file.

    A slow client would otherwise hold a transaction, during which the log of the database grows.
    The bytes of files are not copied, as they do not change.

    Args:
        folder: where the temporary file is made, on the disk of a database file.
        find_bytes: returns the bytes of a file.
    """

    def __init__(self, folder: Path | None, find_bytes: FindBytes) -> None:
        self._points: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - see `close`
        self._writer = JsonLinesWriter(self._points, find_bytes)
        self._first: list[Item] = []

    async def fill(self, conn: Connection, run_id: int) -> None:
        """Read the run; in the thread of the connection."""
        async for item in dump.dump(conn, run_id):
            if isinstance(item, RunHead | FileHead | ArtifactHead):  # which come first
                self._first.append(item)
            else:
                self._writer.write(item)
        self._points.seek(0)

    def content(self) -> Iterator[bytes]:
        for item in self._first:
            yield from self._writer.lines(item)
        while data := self._points.read(_READ_SIZE):
            yield data

    def close(self) -> None:
        self._points.close()
        _slots.release()


class _ExportResponse(StreamingResponse):
    """Sends an export, and closes it whatever happens."""

    def __init__(self, export: _Export) -> None:
        super().__init__(export.content(), media_type="application/x-ndjson")
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._export.close()
