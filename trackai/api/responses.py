"""Answers: everything is JSON, encoded by msgspec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

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

    from trackai.store.engine.database import Database

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
    found: Any = None

    async def encoded(conn: Connection) -> bytes:
        nonlocal found
        found = await find(conn)
        return _encode(found)

    response = Response(await db.look(encoded), media_type=JSONResponse.media_type)
    # Until it has been sent: to let tens of thousands of records go takes milliseconds.
    response.found = found  # type: ignore[attr-defined]
    return response


class BodyTooLargeError(HTTPException):
    """The body is over the limit, and the rest of it has not been read."""

    def __init__(self, limit: int) -> None:
        detail = f"the body may have {limit} bytes"
        super().__init__(413, detail, {"Connection": "close"})


async def trackai_error(request: Request, error: Exception) -> Response:
    """Answer one of TrackAI's own exceptions."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer an error that the framework has found: no such route, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    headers = dict(error.headers or {})
    if error.status_code == 405:  # Starlette names those of one route of the path
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return JSONResponse({"detail": error.detail}, error.status_code, headers)


def _methods(request: Request) -> set[str]:
    return {
        method
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


async def nobody(request: Request, error: Exception) -> None:
    """Answer nothing: the client has gone in the middle of its request."""


async def internal_error(request: Request, error: Exception) -> Response:
    """Answer a mistake of ours; the server's log has the traceback."""
    return JSONResponse({"detail": "internal error: the server's log says more"}, 500)
