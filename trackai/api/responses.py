"""Answers: everything is JSON, encoded by msgspec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from trackai.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    StoreBusyError,
    TrackAIError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from trackai.store.database import Database

# How long a client may go on sending a body that is not wanted.
_LINGER_SECONDS = 10.0

_encode = msgspec.json.Encoder().encode

# The first class that fits decides.
_STATUS: tuple[tuple[type[TrackAIError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (InvalidInputError, 422),
    (StoreBusyError, 503),
    (TrackAIError, 503),
)


class JSONResponse(Response):
    """A struct, or anything else that msgspec encodes, as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return _encode(content)


async def answer(
    request: Request, find: Callable[[Connection], Coroutine[Any, Any, Any]]
) -> Response:
    """What `find` finds in one state of the database.

    It is found and encoded in the thread of a connection: other requests are answered meanwhile.
    """
    db: Database = request.state.db

    async def encoded(conn: Connection) -> bytes:
        return _encode(await find(conn))

    return Response(await db.look(encoded), media_type=JSONResponse.media_type)


class BodyTooLargeError(HTTPException):
    """The body is over the limit, and the rest of it has not been read."""

    def __init__(self, limit: int) -> None:
        detail = f"the body may have {limit} bytes"
        super().__init__(413, detail, {"Connection": "close"})


class _Refusal(JSONResponse):
    """An answer in the middle of a body.

    Many clients look for it only when they have sent everything. Closing the connection before
    that would reset it, and they would never see why.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with anyio.move_on_after(_LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.body", "body": b""})


async def trackai_error(request: Request, error: Exception) -> Response:
    """Answer one of TrackAI's own exceptions."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer an error that the framework has found: no such route, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    kind = _Refusal if isinstance(error, BodyTooLargeError) else JSONResponse
    return kind({"detail": error.detail}, error.status_code, dict(error.headers or {}))


async def internal_error(request: Request, error: Exception) -> Response:
    """Answer a mistake of ours; the server's log has the traceback."""
    return JSONResponse({"detail": "internal error: the server's log says more"}, 500)
