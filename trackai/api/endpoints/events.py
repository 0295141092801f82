"""/api/runs/{id}/events: the changes of a run as server-sent events."""

from __future__ import annotations

import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from starlette.responses import Response, StreamingResponse

from trackai.api.requests import MAX_ID, Cursor, database, parse_query, path_id
from trackai.errors import NotFoundError, StoreError
from trackai.store.catalogue import runs
from trackai.store.points import arrivals
from trackai.values.non_finite import json_value
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiosqlite import Connection
    from starlette.requests import Request

    from trackai.store.engine.database import Database
    from trackai.structs.records import Run

_POLL_SECONDS = 0.25
# The interval of keep-alive comments, by which both ends notice a dead connection.
_KEEP_ALIVE_SECONDS = 15.0
_MAX_POINTS = 10_000
_encode = msgspec.json.Encoder().encode


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
    db = database(request)
    cursor = parse_query(request, EventQuery).since
    last_id = request.headers.get("last-event-id", "")
    if last_id.isascii() and last_id.isdigit() and len(last_id) < len(str(MAX_ID)):
        cursor = int(last_id)

    async def read_cursor(conn: Connection) -> int:
        await runs.get(conn, run_id)
        return await arrivals.last(conn)

    now = await db.look(read_cursor)
    if request.method == "HEAD":  # a streamed body would never end
        return Response(media_type="text/event-stream")
    return StreamingResponse(
        _events(db, run_id, now if cursor is None else cursor, request.state.shutdown),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    db: Database, run_id: int, cursor: int, shutdown: Shutdown
) -> AsyncIterator[bytes]:
    state: str | None = None
    last_sent = time.monotonic()
    while not shutdown.started:
        try:
            run, news = await db.look(partial(_read_news, run_id=run_id, cursor=cursor))
        except NotFoundError:
            yield b'event: state\ndata: {"state":"deleted"}\n\n'
            return
        except StoreError:  # busy or replaced: browsers reconnect by themselves
            return
        events: list[tuple[str, Any]] = []
        if news.points is None or news.rewound:
            events.append(("reset", {"resumed": news.rewound}))
        if news.points:
            events.append(("points", {"metrics": _points_by_path(news.points)}))
        # A new state is sent after all points.
        is_complete = sum(len(rows) for _, rows in news.points or ()) < _MAX_POINTS
        if run.state != state and is_complete:
            state = run.state
            events.append(("state", run))
        for name, data in events:
            yield b"id: %d\nevent: %b\ndata: %b\n\n" % (news.cursor, name.encode(), _encode(data))
        if events or time.monotonic() - last_sent > _KEEP_ALIVE_SECONDS:
            if not events:
                yield b": keep-alive\n\n"
            last_sent = time.monotonic()
        cursor = news.cursor
        await anyio.sleep(_POLL_SECONDS)


async def _read_news(conn: Connection, run_id: int, cursor: int) -> tuple[Run, arrivals.News]:
    run = await runs.get(conn, run_id)
    return run, await arrivals.since(conn, run_id, cursor, limit=_MAX_POINTS)


def _points_by_path(points: list[tuple[Any, Any]]) -> dict[str, list[dict[str, Any]]]:
    by_path: dict[str, list[dict[str, Any]]] = {}
    for series, rows in points:
        by_path.setdefault(series.path, []).extend(
            {
                "step": step if series.axis == "step" else None,
                "timestamp": utc(time),
                "value": json_value(value, series.kind),
            }
            for step, time, value in rows
        )
    return by_path
