"""Timeouts and limits of connections: for slow or silent clients, long heads, many connections.

uvicorn closes connections that are idle between requests, but waits without a limit for the rest
of a request, and for a client to read its response. Its parser, httptools, follows HTTP strictly,
but accepts heads of any length, and passes trailers of a body on as headers, after the headers
have been checked.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trackai.api.responses import JSONResponse

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

# To receive the head of a request, the next part of its body, and its whole body.
HEAD_SECONDS = 10.0
BODY_PART_SECONDS = 20.0
BODY_SECONDS = 120.0
# For the client to read the next part of a response.
WRITE_SECONDS = 60.0
# For both, once the server is shutting down.
SHUTDOWN_SECONDS = 3.0
# Bytes of a head (request line and headers), and of the trailers of a body.
MAX_HEAD = 80 * 1024
# Beyond that the answer is 503. Each connection takes a file descriptor; 1024 is a common limit.
MAX_CONNECTIONS = 800


class TimeoutProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with timeouts for reading and writing, and a limit on heads."""

    _read_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _body_started: float | None = None
    _in_head = False
    _head_size = 0  # of the parsed part of the head
    _unparsed = 0  # bytes received since the parser last reported anything

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _too_many_connections
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            # Detects peers that disappeared without closing the connection.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._set_read_timer(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_read_timer(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"request head: must be at most {MAX_HEAD} bytes")
        self._update_read_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_size = self._unparsed = 0

    def on_url(self, url: bytes) -> None:
        self._head_size += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._head_size += len(name) + len(value) + 4
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._head_size > MAX_HEAD:
            raise ValueError("request head too long")  # makes the parser refuse the request
        self._in_head = False
        self._unparsed = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()

    def shutdown(self) -> None:
        super().shutdown()
        self.loop.call_later(SHUTDOWN_SECONDS, self._abort_if_slow)

    def _abort_if_slow(self) -> None:
        """Close a connection whose client would delay the shutdown."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        if cycle.more_body or self._write_timer is not None:
            self.transport.abort()

    def on_response_complete(self) -> None:
        self._set_read_timer(None)
        super().on_response_complete()
        self._update_read_timer()

    def send_400_response(self, msg: str) -> None:
        cycle = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.abort()  # a 400 here would become part of the response being sent
            return
        body = bytes(JSONResponse({"detail": msg}).body)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(WRITE_SECONDS, self._abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def _update_read_timer(self) -> None:
        """Limit the wait for the client's next bytes; the time the server takes is not limited."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            # Further bytes of a head do not restart its timer.
            self._body_started = None
            if self._read_timer is None and not self.timeout_keep_alive_task:
                self._set_read_timer(HEAD_SECONDS)
        elif cycle.more_body:
            now = self.loop.time()
            self._body_started = self._body_started or now
            remaining = self._body_started + BODY_SECONDS - now
            self._set_read_timer(max(0.0, min(BODY_PART_SECONDS, remaining)))
        else:
            self._body_started = None
            if self._read_timer is not None:
                self._set_read_timer(None)

    def _set_read_timer(self, seconds: float | None) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
        self._read_timer = None if seconds is None else self.loop.call_later(seconds, self._abort)

    def _abort(self) -> None:
        self._read_timer = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


async def _too_many_connections(scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse(
        {"detail": "too many connections; try again later"},
        503,
        {"Retry-After": "1", "Connection": "close"},
    )
    await response(scope, receive, send)
