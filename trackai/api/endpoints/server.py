"""/, /health, /metrics and /openapi.json: the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

import trackai
from trackai import dashboard
from trackai.api.requests import database
from trackai.api.responses import JSONResponse, accepts_html

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.api.prometheus import ServerMetrics
    from trackai.ingest.intake import Intake


async def root(request: Request) -> Response:
    """Get the name and version; browsers get the dashboard."""
    if accepts_html(request):
        return dashboard.page()
    return JSONResponse({"name": "trackai", "version": trackai.__version__})


async def health(request: Request) -> JSONResponse:
    """Check that the server is running."""
    return JSONResponse({"status": "healthy"})


async def prometheus(request: Request) -> PlainTextResponse:
    """Get metrics of the server, in the Prometheus text format."""
    metrics: ServerMetrics = request.app.state.metrics
    intake: Intake = request.state.intake
    path = database(request).path
    sizes = {
        "trackai_database_bytes": path,
        "trackai_wal_bytes": path.with_name(path.name + "-wal"),
    }
    gauges: dict[str, float] = {
        name: file.stat().st_size for name, file in sizes.items() if file.exists()
    }
    gauges["trackai_ingest_waiting_batches"] = intake.waiting
    gauges["trackai_ingest_bytes"] = intake.bytes
    return PlainTextResponse(
        metrics.text(gauges), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


async def openapi(request: Request) -> JSONResponse:
    """Get this OpenAPI 3.1 description of the API."""
    return JSONResponse(request.app.state.openapi())
