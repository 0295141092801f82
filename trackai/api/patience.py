"""How long the server waits for a client that says nothing, or little.

uvicorn ends connections that are idle between two requests, but waits for ever for the rest of a
request that has begun, and for a client to take its answer.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# For the head of a request, for the next piece of its body, for the whole body.
HEAD_SECONDS = 10.0
PIECE_SECONDS = 20.0
BODY_SECONDS = 120.0
# For the client to take the next piece of its answer.
TAKE_SECONDS = 60.0


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP with an end to its patience."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _reading_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            # The other side may have vanished without a word.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            # The beginning of a head: its time does not start anew with every byte.
            self._reading_since = None
            if self._timer is None and not self.timeout_keep_alive_task:
                self._wait(HEAD_SECONDS)
        elif cycle.more_body:
            now = self.loop.time()
            self._reading_since = self._reading_since or now
            left = self._reading_since + BODY_SECONDS - now
            self._wait(max(0.0, min(PIECE_SECONDS, left)))
        else:
            self._reading_since = None
            self._wait(None)

    def on_response_complete(self) -> None:
        self._wait(None)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(TAKE_SECONDS, self._give_up)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()
