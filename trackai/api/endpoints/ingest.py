"""POST /api/metrics/runs/{id}: logging points over HTTP."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
from anyio import to_thread
from starlette.exceptions import HTTPException

from trackai.api.compression import decompress
from trackai.api.requests import check_room, convert, grant, path_id, read_body
from trackai.api.responses import JSONResponse
from trackai.errors import InvalidInputError
from trackai.ingest.batches import decode_json, decode_msgpack, metric_at

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.ingest.batches import Batch
    from trackai.ingest.intake import Intake

_DECODERS = {
    "application/json": decode_json,
    "application/msgpack": decode_msgpack,
    "application/x-msgpack": decode_msgpack,
    "application/vnd.msgpack": decode_msgpack,
}
# Larger bodies are decoded in a worker thread, so that other requests are answered meanwhile.
_SMALL_BODY = 32 * 1024


async def log_points(request: Request) -> JSONResponse:
    """Log a batch of points, as JSON or msgpack, optionally compressed with gzip or zstd."""
    run_id = path_id(request, "run_id")
    headers = request.headers
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type not in _DECODERS:
        raise HTTPException(
            415,
            "Content-Type: must be application/json or application/msgpack, "
            f"got {media_type[:80]!r}",
        )
    encoding = headers.get("content-encoding", "")
    intake: Intake = request.state.intake
    with intake.room() as reserve:
        data = await read_body(request, reserve)
        await check_room(request, len(data))
        if encoding or len(data) > _SMALL_BODY:
            batch = await to_thread.run_sync(_decode, data, encoding, media_type)
        else:
            batch = _decode(data, encoding, media_type)
        host = request.client.host if request.client else ""
        return JSONResponse(await intake.put(run_id, batch, host=host, grant=grant(request)))


def _decode(data: bytes, encoding: str, media_type: str) -> Batch:
    plain = decompress(data, encoding)
    try:
        return convert(lambda: _DECODERS[media_type](plain))
    except InvalidInputError as error:
        if not error.field.startswith(("rows[", "columns[")):  # it may not be decodable
            raise
        metric = _metric_at(plain, media_type, error.field)
        if metric is None:
            raise
        problem = str(error).removeprefix(f"{error.field}: ")
        raise InvalidInputError(error.field, f"metric {metric[:100]!r}: {problem}") from None


def _metric_at(plain: bytes, media_type: str, location: str) -> str | None:
    """Name the metric of an invalid value; None where what follows the value cannot be decoded."""
    decode = _decode_any_number if media_type == "application/json" else msgspec.msgpack.decode
    try:
        return metric_at(convert(lambda: decode(plain)), location)
    except (InvalidInputError, LookupError, TypeError, AttributeError):
        return None  # malformed, or another value of the same key, which counts, has another type


def _number(text: str) -> object:
    """A number; beyond the range of floats an object that is not a valid value of a metric."""
    number = float(text)
    return number if math.isfinite(number) else object()


_decode_any_number = msgspec.json.Decoder(float_hook=_number).decode
