"""Requests that are still in progress when the time of a shutdown is over.

uvicorn cancels their tasks. Without an answer of the application, it would send a 500 and log a
traceback.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trackai.api.responses import JSONResponse
from trackai.values.logger import logger

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_DETAIL = (
    "the server is stopping and has cancelled this request: check what is stored before you send "
    "it again"
)


class CancelledRequestMiddleware:
    """Responds with 503 when the task of a request is cancelled.

    If the response has begun, the connection is closed before its end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def noted_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, noted_send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # the task goes on with the response
            logger.warning(
                "%s %s: cancelled, as the server is stopping", scope["method"], scope["path"]
            )
            if not has_started:
                headers = {"Retry-After": "1", "Connection": "close"}
                await JSONResponse({"detail": _DETAIL}, 503, headers)(scope, receive, send)
