"""/ and /health: what this is, and that it is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trackai
from trackai.api.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request


async def root(request: Request) -> JSONResponse:
    """Name and version."""
    return JSONResponse({"name": "trackai", "version": trackai.__version__})


async def health(request: Request) -> JSONResponse:
    """The server answers."""
    return JSONResponse({"status": "healthy"})
