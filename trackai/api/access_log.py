"""The access log: one line for each request, as text or JSON; requests are counted as well."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from trackai.values.text import escaped, escaped_json

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trackai.api.prometheus import ServerMetrics

logger = logging.getLogger("trackai.access")


class AccessRecord(msgspec.Struct):
    """One answered request; `status` is 0 if the client disconnected before the response."""

    time: datetime
    client: str | None
    method: str
    path: str
    route: str
    status: int
    bytes: int
    seconds: float


class AccessLogMiddleware:
    """Counts requests, and logs them to the logger `trackai.access` at level INFO.

    Args:
        metrics: counts the requests.
        routes: maps endpoints to the path patterns that requests are counted under.
    """

    def __init__(self, app: ASGIApp, *, metrics: ServerMetrics, routes: dict[object, str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, size, start = 0, 0, time.perf_counter()

        async def measured_send(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        self._metrics.in_progress += 1
        try:
            await self._app(scope, receive, measured_send)
        finally:
            self._metrics.in_progress -= 1
            seconds = time.perf_counter() - start
            # Unknown paths share one route, or clients could fill the memory with counters.
            route = self._routes.get(scope.get("endpoint"), "other")
            self._metrics.count(scope["method"], route, status, seconds)
            if logger.isEnabledFor(logging.INFO):
                client = scope.get("client")
                record = AccessRecord(
                    time=datetime.now(UTC),
                    client=client[0] if client else None,
                    method=scope["method"],
                    path=scope["path"],
                    route=route,
                    status=status,
                    bytes=size,
                    seconds=round(seconds, 6),
                )
                logger.info("%s", escaped(record.path), extra={"access": record})


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z 127.0.0.1 GET /api/runs 200 1234 0.0021`"""

    def format(self, record: logging.LogRecord) -> str:
        access: AccessRecord = record.access  # type: ignore[attr-defined]
        # A path may contain line breaks and terminal escape sequences.
        path = access.path.encode("unicode_escape").decode()
        timestamp = access.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return (
            f"{timestamp} {access.client or '-'} {access.method} {path} "
            f"{access.status} {access.bytes} {access.seconds:.4f}"
        )


class JSONFormatter(logging.Formatter):
    """The fields of `AccessRecord`, one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        data = msgspec.json.encode(record.access)  # type: ignore[attr-defined]
        return escaped_json(data).decode()


def log_to_stderr(formatter: logging.Formatter) -> None:
    """Write the access log to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
