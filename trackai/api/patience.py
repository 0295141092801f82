"""How long the server waits for a client that says nothing, or little, and how much it listens to.

uvicorn ends connections that are idle between two requests, but waits for ever for the rest of a
request that has begun, and for a client to take its answer. Its parser, httptools, keeps to the
letter of HTTP, but keeps a head of any length, and counts the trailers of a body as headers, when
these have long been judged.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trackai.api.responses import JSONResponse

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

# For the head of a request, for the next piece of its body, for the whole body.
HEAD_SECONDS = 10.0
PIECE_SECONDS = 20.0
BODY_SECONDS = 120.0
# For the client to take the next piece of its answer.
TAKE_SECONDS = 60.0
# For the rest of a body, or to take an answer, when the server is about to end.
END_SECONDS = 3.0
# Bytes in which no end is found: of a head, with its address and all headers, or of trailers.
MAX_HEAD = 80 * 1024
# More are told to come again. Each costs a file descriptor, of which there often are 1024.
MAX_CONNECTIONS = 800


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP with an end to its patience."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _reading_since: float | None = None
    _in_head = False
    _head = 0  # its length as far as it has been read
    _swallowed = 0  # what has come in since anything came of it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _too_many
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
        self._swallowed += len(data)
        super().data_received(data)
        if self._swallowed > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        self._watch()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head = self._swallowed = 0

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._head += len(name) + len(value) + 4
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._head > MAX_HEAD:
            raise ValueError("the head is too long")  # for the parser, which then refuses it
        self._in_head = False
        self._swallowed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._swallowed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._swallowed = 0
        super().on_message_complete()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(END_SECONDS, self._end)

    def _end(self) -> None:
        """Leave a client for which the end of the server would have to wait."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        if cycle.more_body or self._stalled is not None:
            self.transport.abort()

    def on_response_complete(self) -> None:
        self._wait(None)
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.abort()  # what is said now would become a part of that answer
            return
        body = bytes(JSONResponse({"detail": msg}).body)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(TAKE_SECONDS, self._give_up)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _watch(self) -> None:
        """Wait for what has to come next, and not for what is up to the server."""
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
            if self._timer is not None:
                self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    answer = JSONResponse(
        {"detail": "too many connections at once: come again"},
        503,
        {"Retry-After": "1", "Connection": "close"},
    )
    await answer(scope, receive, send)
