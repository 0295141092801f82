"""/api/runs/{id}/events: the changes of a run as server-sent events."""

from __future__ import annotations

import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from trackai.api.followers import MAX_FOLLOWERS, TooManyFollowersError
from trackai.api.requests import MAX_ID, Cursor, database, parse_query, path_id
from trackai.api.security import is_ended
from trackai.store.catalogue import runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from trackai.api.followers import Follower, Followers

# Bytes written to a connection at once.
_WRITE_SIZE = 1 << 16


class EventQuery(msgspec.Struct):
    """The cursor to start after; by default only new events are sent."""

    since: Cursor | None = None


class Shutdown:
    """Whether the server is shutting down: event streams then end instead of delaying it.

    Attributes:
        started: True once the server has received a signal to stop.
    """

    def __init__(self) -> None:
        self.started = False

    def watch_signals(self) -> None:
        """Set `started` on the signals that stop a server, then call its own handlers."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            previous = signal.getsignal(number)

            def handle(*args: Any, previous: Any = previous) -> None:
                self.started = True
                if callable(previous):
                    previous(*args)

            if callable(previous):  # the server's own handler
                signal.signal(number, handle)


async def follow(request: Request) -> Response:
    """Stream the changes of a run, from now on or after a cursor."""
    run_id = path_id(request, "run_id")
    cursor = parse_query(request, EventQuery).since
    last_id = request.headers.get("last-event-id", "")
    if last_id.isascii() and last_id.isdigit() and len(last_id) < len(str(MAX_ID)):
        cursor = int(last_id)
    if request.method == "HEAD":  # a streamed body would never end
        await database(request).look(partial(runs.get, run_id=run_id))
        return Response(media_type="text/event-stream")
    followers: Followers = request.state.followers
    try:
        follower = await followers.add(run_id, cursor, partial(is_ended, request))
    except TooManyFollowersError:
        raise HTTPException(
            503,
            f"too many followers: at most {MAX_FOLLOWERS} requests for events at a time",
            {"Retry-After": "5"},
        ) from None
    return _EventStream(followers, follower)


class _EventStream(StreamingResponse):
    """The events of a follower, who is removed at the end."""

    def __init__(self, followers: Followers, follower: Follower) -> None:
        super().__init__(
            _in_pieces(follower.events()),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._followers, self._follower = followers, follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._followers.remove(self._follower)


async def _in_pieces(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut events into pieces: the transport copies what a client has not read of each write."""
    async for data in events:
        for start in range(0, len(data), _WRITE_SIZE):
            yield data[start : start + _WRITE_SIZE]
