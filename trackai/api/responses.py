"""Answers: everything is JSON, encoded by msgspec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from starlette.requests import Request

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


async def trackai_error(request: Request, error: Exception) -> Response:
    """Answer one of TrackAI's own exceptions."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer an error that the framework has found: no such route, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return JSONResponse({"detail": error.detail}, error.status_code, dict(error.headers or {}))


async def internal_error(request: Request, error: Exception) -> Response:
    """Answer a mistake of ours; the server's log has the traceback."""
    return JSONResponse({"detail": "internal error: the server's log says more"}, 500)
