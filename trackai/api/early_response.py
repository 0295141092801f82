"""Responses sent before the request body has been read, such as a 413 or a 404.

Many clients look for a response only after sending their whole body. Closing the connection before
that resets it, and they never see the response. So the last bytes of an early response wait while
the rest of the body is read and discarded (nginx calls this a lingering close).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# How long the rest of a body is read and discarded.
_DISCARD_SECONDS = 10.0
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class EarlyResponseMiddleware:
    """Ends a response only after the request body has ended, or after a timeout."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else set()
        # A client that sends Expect: 100-continue waits for the response before the body.
        if names.isdisjoint(_BODY_HEADERS) or b"expect" in names:
            await self._app(scope, receive, send)
            return
        more_body = True

        async def tracked_receive() -> Message:
            nonlocal more_body
            message = await receive()
            more_body = message.get("more_body", False)
            return message

        async def delayed_send(message: Message) -> None:
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last and more_body:
                await send({**message, "more_body": True})
                with anyio.move_on_after(_DISCARD_SECONDS):
                    while more_body:
                        await tracked_receive()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, tracked_receive, delayed_send)
