"""Every request, counted and, if so wished, logged: one line for people or one JSON object."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trackai.api.meters import Meters

logger = logging.getLogger("trackai.access")


class Access(msgspec.Struct):
    """One answered request; `status` is 0 if the client had gone."""

    time: datetime
    client: str | None
    method: str
    path: str
    route: str
    status: int
    bytes: int
    seconds: float


class Observing:
    """Counts requests, and logs them to the logger `trackai.access` at the level INFO."""

    def __init__(self, app: ASGIApp, *, meters: Meters, routes: dict[object, str]) -> None:
        self._app = app
        self._meters = meters
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, size, start = 0, 0, time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        self._meters.under_way += 1
        try:
            await self._app(scope, receive, note)
        finally:
            self._meters.under_way -= 1
            seconds = time.perf_counter() - start
            # Addresses that nobody serves are one route: others must not fill the memory.
            route = self._routes.get(scope.get("endpoint"), "other")
            self._meters.count(scope["method"], route, status, seconds)
            if logger.isEnabledFor(logging.INFO):
                client = scope.get("client")
                record = Access(
                    time=datetime.now(UTC),
                    client=client[0] if client else None,
                    method=scope["method"],
                    path=scope["path"],
                    route=route,
                    status=status,
                    bytes=size,
                    seconds=round(seconds, 6),
                )
                logger.info("%s", record.path, extra={"access": record})


class TextLines(logging.Formatter):
    """`2026-01-31T12:00:00Z 127.0.0.1 GET /api/runs 200 1234 0.0021`"""

    def format(self, record: logging.LogRecord) -> str:
        access: Access = record.access  # type: ignore[attr-defined]
        # A path may hold anything, line breaks and what terminals take for commands too.
        path = access.path.encode("unicode_escape").decode()
        when = access.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return (
            f"{when} {access.client or '-'} {access.method} {path} "
            f"{access.status} {access.bytes} {access.seconds:.4f}"
        )


class JSONLines(logging.Formatter):
    """The fields of `Access`, an object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return msgspec.json.encode(record.access).decode()  # type: ignore[attr-defined]


def log_to_stderr(formatter: logging.Formatter) -> None:
    """Write the access log to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
