"""/api/runs/{run_id}/export and /api/runs/export: everything of runs, for another database."""

from __future__ import annotations

import tempfile
import threading
import urllib.parse
from collections.abc import Iterator
from functools import partial
from typing import IO, TYPE_CHECKING

import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import StreamingResponse

from trackai.api.requests import (
    RowId,
    RowIds,
    Selection,
    check_chosen,
    chosen_ids,
    convert,
    database,
    parse_query,
    path_id,
)
from trackai.errors import NotFoundError, TrackAIError
from trackai.exporters.jsonl import JsonLinesWriter
from trackai.store.catalogue import projects
from trackai.store.engine.database import Database
from trackai.store.transfer import dump
from trackai.structs.exchange import ArtifactHead, FileHead, RunHead

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from trackai.exporters.jsonl import FindBytes
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Item

# Each has a temporary file, and reads for long on one of the connections of the database.
_MAX_EXPORTS = 2
_READ_SIZE = 1 << 18
_slots = threading.BoundedSemaphore(_MAX_EXPORTS)


class ExportQuery(msgspec.Struct):
    """The runs to export, by id or as in a selection; lists have commas between ids."""

    run_ids: str | None = None
    project_id: RowId | None = None
    filter: str | None = None
    include: str | None = None
    exclude: str | None = None


class _Chosen(msgspec.Struct):
    """The same as in a body."""

    run_ids: RowIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)


async def export_run(request: Request) -> Response:
    """Export a run as JSON lines, with its files and all its points, superseded ones included."""
    run_id = path_id(request, "run_id")
    db = database(request)
    _take_slot()
    export = _new_export(db)
    try:
        await db.look(lambda conn: export.fill(conn, run_id))
    except BaseException:
        export.close()
        _slots.release()
        raise
    return _ExportResponse(export.content(), export.close)


async def export_matching(request: Request) -> Response:
    """Export the runs that match a filter, one after the other; deleted ones are left out."""
    query = parse_query(request, ExportQuery)
    lists = {
        name: text.split(",")
        for name in ("run_ids", "include", "exclude")
        if (text := getattr(query, name)) is not None
    }
    chosen = {"run_ids": lists.pop("run_ids")} if "run_ids" in lists else {}
    select = {"project_id": query.project_id, "filter": query.filter, **lists}
    if not chosen or lists or query.project_id or query.filter:
        chosen["select"] = select
    body = convert(lambda: msgspec.convert(chosen, _Chosen, strict=False))
    async with database(request).read() as conn:
        run_ids = await chosen_ids(conn, body.run_ids, body.select)
        if query.project_id is None:
            name = "runs"
        else:
            name = (await projects.get(conn, query.project_id)).project_id
    _take_slot()
    response = _ExportResponse(_export_each(database(request), run_ids))
    file_name = urllib.parse.quote(f"{name}.jsonl")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{file_name}"
    return response


async def _export_each(db: Store, run_ids: list[int]) -> AsyncGenerator[bytes, None]:
    # The bytes of a file that several runs have are sent once.
    written: set[str] = set()
    for run_id in run_ids:
        export = _new_export(db, written)
        try:
            await db.look(partial(export.fill, run_id=run_id))
            async for data in iterate_in_threadpool(export.content()):
                yield data
        except NotFoundError:  # deleted meanwhile
            continue
        finally:
            export.close()


def _take_slot() -> None:
    if not _slots.acquire(blocking=False):
        raise TrackAIError(f"{_MAX_EXPORTS} runs are being exported: try again in a moment")


def _new_export(db: Store, written: set[str] | None = None) -> _Export:
    folder = db.path.parent if isinstance(db, Database) else None
    return _Export(folder, lambda head: db.blobs.find(head.sha256), written)


class _Export:
    """A run that is exported: one state of it, in a temporary file.

    A slow client would otherwise hold a transaction, during which the log of the database grows.
    The bytes of files are not copied, as they do not change.

    Args:
        folder: where the temporary file is made, on the disk of a database file.
        find_bytes: returns the bytes of a file.
        written: the hashes of bytes that are left out; those of this run are added.
    """

    def __init__(
        self, folder: Path | None, find_bytes: FindBytes, written: set[str] | None = None
    ) -> None:
        self._points: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - see `close`
        self._writer = JsonLinesWriter(self._points, find_bytes, written)
        self._first: list[Item] = []

    async def fill(self, conn: Connection, run_id: int) -> None:
        """Read the run; in the thread of the connection. It may be called again after an error."""
        self._first.clear()
        self._points.seek(0)
        self._points.truncate()
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


class _ExportResponse(StreamingResponse):
    """Sends an export, and closes it and gives its slot back whatever happens."""

    def __init__(
        self,
        content: Iterator[bytes] | AsyncGenerator[bytes, None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(content, media_type="application/x-ndjson")
        self._content = content
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not isinstance(self._content, Iterator):
                await self._content.aclose()
            self._close()
            _slots.release()
