"""JSON responses, encoded by msgspec, and the responses to errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from trackai import dashboard
from trackai.api import compression
from trackai.errors import (
    ConflictError,
    DiskFullError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreBusyError,
    TrackAIError,
)
from trackai.store.blobs.blob_store import FULL
from trackai.values import cursors
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from starlette.requests import Request

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store

_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode
JSON = "application/json"
MSGPACK = "application/msgpack"
# Msgpack with images of points.
IMAGES = "application/vnd.trackai.images+msgpack"

# The first matching class decides.
_STATUS: tuple[tuple[type[TrackAIError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (InvalidInputError, 422),
    (PermissionDeniedError, 403),
    (DiskFullError, 507),
    (StoreBusyError, 503),
    (TrackAIError, 503),
)


class JSONResponse(Response):
    """A JSON response; the content may be a struct, or anything else that msgspec encodes."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        return _encode(content)


def next_cursor(key: msgspec.Struct) -> dict[str, str]:
    """The header of a list, which has no field for it, with the cursor of its next page.

    Args:
        key: the sort key of the last item of this page.
    """
    return {"Next-Cursor": cursors.encode(key)}


async def respond(
    request: Request,
    read: Callable[[Connection], Coroutine[Any, Any, Any]],
    *,
    media_type: str = JSON,
    headers: Callable[[Any], Mapping[str, str]] | None = None,
) -> Response:
    """Respond with the JSON of what `read` returns, compressed if the client accepts that.

    Args:
        media_type: JSON, MSGPACK or IMAGES.
        headers: makes headers of the result.
        read: reads from one snapshot of the database. It and the encoding run in the thread of
            the connection, so that the event loop can answer other requests meanwhile.
    """
    db: Store = request.state.db
    result: Any = None
    encoding: str | None = None

    async def read_and_encode(conn: Connection) -> bytes:
        nonlocal result, encoding
        result = await read(conn)
        if media_type != JSON:
            return _pack(result)
        content = _encode(result)
        encoding = _encoding(request, content)
        return content if encoding is None else compression.compress(content, encoding)

    response = Response(await db.look(read_and_encode), media_type=media_type)
    if encoding is not None:
        response.headers.update({"Content-Encoding": encoding, "Vary": "Accept-Encoding"})
    if headers is not None:
        response.headers.update(headers(result))
    # Freeing tens of thousands of records takes milliseconds: not before the response is sent.
    response.result = result  # type: ignore[attr-defined]
    return response


def _encoding(request: Request, content: bytes) -> str | None:
    """The encoding to compress a response with; None if it is short, or the client accepts none."""
    if len(content) < compression.MIN_COMPRESSED:
        return None
    return compression.accepted(request.headers.get("accept-encoding", ""))


class BodyTooLargeError(HTTPException):
    """The body is larger than the limit; the rest of it has not been read."""

    def __init__(self, limit: int) -> None:
        detail = f"body: must be at most {limit} bytes"
        super().__init__(413, detail, {"Connection": "close"})


async def trackai_error(request: Request, error: Exception) -> Response:
    """Respond to an exception of TrackAI."""
    status = next(status for class_, status in _STATUS if isinstance(error, class_))
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def disk_error(request: Request, error: Exception) -> Response:
    """Respond to an error of the operating system about a file or a folder.

    Raises:
        OSError: it is about something else, such as a time-out.
    """
    assert isinstance(error, OSError)  # noqa: S101 - registered for no other class
    if error.errno is None or isinstance(error, ConnectionError):
        raise error
    logger.warning("%s", error)
    if error.errno in FULL:
        return JSONResponse({"detail": "the disk of the server is full"}, 507)
    detail = f"the server cannot use its files ({error.strerror}): try again later"
    return JSONResponse({"detail": detail}, 503, {"Retry-After": "1"})


async def http_error(request: Request, error: Exception) -> Response:
    """Respond to an HTTP exception, such as an unknown path or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other class
    headers = dict(error.headers or {})
    if error.status_code == 405:  # Starlette lists the methods of only one route of the path
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    is_api = request.url.path.startswith("/api/")
    if error.status_code == 404 and not is_api and accepts_html(request):
        return dashboard.not_found()
    return JSONResponse({"detail": error.detail}, error.status_code, headers)


def accepts_html(request: Request) -> bool:
    """Whether a browser requests a page, not a program the API."""
    return "text/html" in request.headers.get("accept", "")


def accepts_msgpack(request: Request) -> bool:
    """Whether the client names msgpack among the types that it accepts."""
    return MSGPACK in request.headers.get("accept", "")


def accepts_images(request: Request) -> bool:
    """Whether the client names images of points among the types that it accepts."""
    return IMAGES in request.headers.get("accept", "")


def _methods(request: Request) -> set[str]:
    return {
        method
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


async def client_disconnected(request: Request, error: Exception) -> None:
    """Send no response: the client disconnected during its request."""


async def internal_error(request: Request, error: Exception) -> Response:
    """Respond to an unexpected exception; the server log has the traceback."""
    return JSONResponse({"detail": "internal server error; see the server log"}, 500)
