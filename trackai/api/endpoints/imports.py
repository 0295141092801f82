"""/api/import: imports from other machines.

See `trackai.importers.wire` for the format of a batch, and `trackai.importers.server_target` for
the other end.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
from anyio import to_thread

from trackai.api.endpoints.journals import MAX_BATCH, check_protocol
from trackai.api.requests import (
    check_media_type,
    check_room,
    convert,
    grant,
    parse_body,
    read_body,
)
from trackai.api.responses import JSONResponse
from trackai.errors import InvalidInputError
from trackai.importers import wire
from trackai.store.blobs.blob_store import Blob  # noqa: TC001 - for msgspec

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.importers.import_receiver import ImportReceiver
    from trackai.ingest.intake import Intake


class Blobs(msgspec.Struct, forbid_unknown_fields=True):
    """Bytes of files, by their sizes and hashes."""

    blobs: Annotated[list[Blob], msgspec.Meta(max_length=10_000)]

    def __post_init__(self) -> None:
        for blob in self.blobs:
            if not re.fullmatch("[0-9a-f]{64}", blob.sha256):
                raise InvalidInputError("sha256", "must be 64 hexadecimal digits")


async def store_import(request: Request) -> JSONResponse:
    """Store a batch of runs, as msgpack; what is stored already does not change."""
    check_media_type(request, "application/octet-stream")
    check_protocol(request)
    intake: Intake = request.state.intake
    importer: ImportReceiver = request.state.importer
    with intake.room(alone=True) as reserve:
        data = await read_body(request, reserve, limit=MAX_BATCH)
        await check_room(request, len(data))
        items = await to_thread.run_sync(convert, partial(wire.unpack, data))
        return JSONResponse(await importer.store(items, grant(request)))


async def list_lacking(request: Request) -> JSONResponse:
    """Get the hashes of those bytes that are not here."""
    body = await parse_body(request, Blobs)
    importer: ImportReceiver = request.state.importer
    return JSONResponse(await importer.lacking(body.blobs, grant(request)))
