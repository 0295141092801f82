"""Answers that are there before the end of what was asked: a refusal, or a body nobody reads.

Many clients look for an answer only when they have sent everything. A connection that is closed
before that is reset, and they never see why; so the rest is let in, for a while, and thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# How long a client may go on sending a body that is not wanted.
_LINGER_SECONDS = 10.0
_OF_BODIES = frozenset({b"content-length", b"transfer-encoding"})


class Lingering:
    """Ends an answer when the request has ended, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else set()
        # Who asks whether to send a body at all learns it from the answer.
        if names.isdisjoint(_OF_BODIES) or b"expect" in names:
            await self._app(scope, receive, send)
            return
        is_coming = True

        async def hear() -> Message:
            nonlocal is_coming
            message = await receive()
            is_coming = message.get("more_body", False)
            return message

        async def say(message: Message) -> None:
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last and is_coming:
                await send({**message, "more_body": True})
                with anyio.move_on_after(_LINGER_SECONDS):
                    while is_coming:
                        await hear()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, hear, say)
