"""/api/runs/attach, /api/journals, /api/writers and /api/blobs: what clients on other machines log.

See `trackai.ingest.wire` for the format of a batch, and `trackai.client` for the other end.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
from anyio import to_thread
from starlette.exceptions import HTTPException

from trackai import __version__
from trackai.api.requests import (
    check_media_type,
    check_room,
    convert,
    database,
    grant,
    parse_body,
    parse_query,
    read_body,
)
from trackai.api.responses import JSONResponse
from trackai.errors import InvalidInputError
from trackai.ingest import wire
from trackai.ingest.attach import Attach, attach
from trackai.ingest.deliveries import BytesMissingError
from trackai.ingest.frames import MAX_PAYLOAD
from trackai.ingest.journal import is_journal
from trackai.ingest.reader import READ_BYTES
from trackai.store.blobs.blob_store import Blob
from trackai.store.blobs.threads import in_thread
from trackai.values.types import INT64

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.api.prometheus import ServerMetrics
    from trackai.ingest.intake import Intake
    from trackai.ingest.receiver import Receiver

# A batch has at least one call, however long that is.
MAX_BATCH = MAX_PAYLOAD + 2 * READ_BYTES
# Larger batches are decoded in a worker thread, so that other requests are answered meanwhile.
_SMALL_BATCH = 32 * 1024

# Of the body: notes have up to 100 000 characters, of up to 6 bytes each.
_MAX_ATTACH = 1024 * 1024

_BYTES = "application/octet-stream"
_Size = Annotated[int, msgspec.Meta(ge=0)]


class Heard(msgspec.Struct):
    """A writer that lives."""

    writer: str


class Known(msgspec.Struct):
    """Whether the server knows a writer. One that it does not know should send its journal."""

    known: bool


class UploadQuery(msgspec.Struct):
    """The size of all bytes, and where the body begins in them."""

    size: _Size
    offset: _Size = 0


async def attach_run(request: Request) -> JSONResponse:
    """Begin or resume a run for a process on another machine."""
    check_media_type(request, "application/json")
    check_protocol(request)  # before the body, which another version may have changed
    message = await parse_body(request, Attach, limit=_MAX_ATTACH)
    await check_room(request)
    receiver: Receiver = request.state.receiver
    return JSONResponse(
        await attach(database(request), message, grant(request), is_running=receiver.is_running)
    )


async def store_batch(request: Request) -> JSONResponse:
    """Store a batch of a journal, as msgpack, exactly once."""
    check_media_type(request, _BYTES)
    check_protocol(request)
    journal = request.path_params["journal"]
    if not is_journal(journal):
        raise InvalidInputError("journal", "must be the name of a journal")
    intake: Intake = request.state.intake
    receiver: Receiver = request.state.receiver
    with intake.room(alone=True) as reserve:
        data = await read_body(request, reserve, limit=MAX_BATCH)
        await check_room(request, len(data))
        if len(data) > _SMALL_BATCH:
            batch = await to_thread.run_sync(convert, partial(wire.unpack, data))
        else:
            batch = convert(lambda: wire.unpack(data))
        try:
            outcome = await receiver.put(journal, batch, grant(request))
        except BytesMissingError as error:
            return JSONResponse({"detail": str(error), "missing": error.sha256}, 409)
        if batch.end > batch.start:  # a client asks with an empty one how much is stored
            metrics: ServerMetrics = request.app.state.metrics
            metrics.count_batch(outcome, points=batch.points, size=len(data))
        return JSONResponse(outcome)


async def note_alive(request: Request) -> JSONResponse:
    """Note that a writer lives, though it has nothing to send."""
    heard = await parse_body(request, Heard)
    check_protocol(request)
    receiver: Receiver = request.state.receiver
    return JSONResponse(Known(await receiver.hear(heard.writer, grant(request))))


async def get_blob(request: Request) -> JSONResponse:
    """Get how many bytes with this SHA-256 are here."""
    blob = _blob(request, parse_query(request, UploadQuery).size)
    receiver: Receiver = request.state.receiver
    sender = await receiver.sender(grant(request), blob.sha256)
    return JSONResponse(await in_thread(database(request).blobs.uploads.received, blob, sender))


async def put_blob(request: Request) -> JSONResponse:
    """Send bytes with this SHA-256, in one or several chunks."""
    check_media_type(request, _BYTES)
    query = parse_query(request, UploadQuery)
    blob = _blob(request, query.size)
    intake: Intake = request.state.intake
    receiver: Receiver = request.state.receiver
    sender = await receiver.sender(grant(request), blob.sha256)
    with intake.room() as reserve:
        chunk = await read_body(request, reserve)
        append = partial(
            database(request).blobs.uploads.append,
            blob,
            sender,
            query.offset,
            chunk,
            keep_free=request.app.state.keep_free,
        )
        received = await in_thread(append)
        metrics: ServerMetrics = request.app.state.metrics
        metrics.file_bytes += len(chunk)
        return JSONResponse(received)


def _blob(request: Request, size: int) -> Blob:
    if size >= INT64:
        raise InvalidInputError("size", "must be less than 2**63")
    return Blob(size, request.path_params["sha256"])


def check_protocol(request: Request) -> None:
    """Check that the client speaks this version of the protocol.

    Raises:
        HTTPException: it speaks another one (426).
    """
    protocol = request.headers.get("trackai-protocol", "")
    if protocol != str(wire.PROTOCOL):
        raise HTTPException(
            426,
            f"this server (TrackAI {__version__}) speaks version {wire.PROTOCOL} of the protocol "
            f"of journals, and the client version {protocol[:20]!r}: use the same TrackAI on both",
        )
