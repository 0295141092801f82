"""/api/runs/{id}/events: a run followed as server-sent events."""

from __future__ import annotations

import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from starlette.responses import Response, StreamingResponse

from trackai.api.requests import MAX_ID, Cursor, database, path_id, query
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
# A line that says nothing, so that a connection that is dead is noticed, at either end.
_SILENT_SECONDS = 15.0
_POINTS = 10_000
_encode = msgspec.json.Encoder().encode


class EventQuery(msgspec.Struct):
    """From which cursor on; without one, from now on."""

    since: Cursor | None = None


class Ending:
    """Whether the server is about to end: streams end then by themselves, or it would wait."""

    def __init__(self) -> None:
        self.is_near = False

    def watch(self) -> None:
        """Be told of the signals that end a server, before its own handlers are."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)

            def note(*args: Any, before: Any = before) -> None:
                self.is_near = True
                if callable(before):
                    before(*args)

            if callable(before):  # a server listens to it
                signal.signal(number, note)


async def follow(request: Request) -> Response:
    """What happens to a run from now on, or since the event after which the client was cut off."""
    run_id = path_id(request, "run_id")
    db = database(request)
    cursor = query(request, EventQuery).since
    last_id = request.headers.get("last-event-id", "")
    if last_id.isascii() and last_id.isdigit() and len(last_id) < len(str(MAX_ID)):
        cursor = int(last_id)

    async def find(conn: Connection) -> int:
        await runs.get(conn, run_id)
        return await arrivals.last(conn)

    now = await db.look(find)
    if request.method == "HEAD":  # it would never end
        return Response(media_type="text/event-stream")
    return StreamingResponse(
        _events(db, run_id, now if cursor is None else cursor, request.state.ending),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(db: Database, run_id: int, cursor: int, ending: Ending) -> AsyncIterator[bytes]:
    state: str | None = None
    said = time.monotonic()
    while not ending.is_near:
        try:
            run, news = await db.look(partial(_news, run_id=run_id, cursor=cursor))
        except NotFoundError:
            yield b'event: state\ndata: {"state":"deleted"}\n\n'
            return
        except StoreError:  # busy or replaced: the client comes back by itself
            return
        events: list[tuple[str, Any]] = []
        if news.points is None or news.rewound:
            events.append(("reset", {"resumed": news.rewound}))
        if news.points:
            events.append(("points", {"metrics": _by_path(news.points)}))
        # The end is said after all points.
        if run.state != state and sum(len(rows) for _, rows in news.points or ()) < _POINTS:
            state = run.state
            events.append(("state", run))
        for name, data in events:
            yield b"id: %d\nevent: %b\ndata: %b\n\n" % (news.cursor, name.encode(), _encode(data))
        if events or time.monotonic() - said > _SILENT_SECONDS:
            if not events:
                yield b": still here\n\n"
            said = time.monotonic()
        cursor = news.cursor
        await anyio.sleep(_POLL_SECONDS)


async def _news(conn: Connection, run_id: int, cursor: int) -> tuple[Run, arrivals.News]:
    return await runs.get(conn, run_id), await arrivals.since(conn, run_id, cursor, limit=_POINTS)


def _by_path(points: list[tuple[Any, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one, rows in points:
        found.setdefault(one.path, []).extend(
            {
                "step": step if one.axis == "step" else None,
                "timestamp": utc(time),
                "value": json_value(value, one.kind),
            }
            for step, time, value in rows
        )
    return found
