"""Followers of runs: one task reads the changes of each followed run and sends them to all.

A follower that reads more slowly than the run logs gets no longer queue: it is sent what it has
missed once it has read the rest. That costs reads of its own, of which one runs at a time.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import msgspec

from trackai.errors import NotFoundError, StoreError, TrackAIError
from trackai.guard import guarded
from trackai.store.catalogue import runs
from trackai.store.points import arrivals
from trackai.values.non_finite import json_value
from trackai.values.times import utc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.records import Run

MAX_FOLLOWERS = 500
# Bytes of events that wait for a follower, besides those that are being sent to it.
MAX_QUEUE = 256 * 1024
_POLL_SECONDS = 0.25
# The interval of keep-alive comments, by which both ends notice a dead connection.
_KEEP_ALIVE_SECONDS = 15.0
_MAX_POINTS = 10_000
_KEEP_ALIVE = b": keep-alive\n\n"
_DELETED = b'event: state\ndata: {"state":"deleted"}\n\n'
_encode = msgspec.json.Encoder().encode


class TooManyFollowersError(Exception):
    """There are as many followers as the server allows."""


class _Changes(NamedTuple):
    """The changes of a run since a cursor, as events, and the cursor after them."""

    run: Run
    cursor: int
    events: bytes
    is_complete: bool


class Follower:
    """A client that follows a run.

    Args:
        feed: the changes of the run.
        cursor: the cursor of what the client has.
        is_ended: whether the session of the client has ended; its events then end, too.
    """

    def __init__(self, feed: _Feed, cursor: int, is_ended: Callable[[], bool]) -> None:
        self.feed = feed
        self._cursor = cursor
        self._queue: deque[tuple[int, bytes]] = deque()
        self._queued_bytes = 0
        self._is_behind = True
        self._is_closed = False
        self._changed = anyio.Event()
        self.is_ended = is_ended

    def put(self, cursor: int, events: bytes) -> None:
        """Queue events to be sent; the client has the cursor after them."""
        if self._is_behind or not events:
            return
        if self._queue and self._queued_bytes + len(events) > MAX_QUEUE:
            self._queue.clear()
            self._queued_bytes = 0
            self._is_behind = True
            return
        self._queue.append((cursor, events))
        self._queued_bytes += len(events)
        self._changed.set()

    def close(self) -> None:
        """End the events after those that are queued."""
        self._is_closed = True
        self._changed.set()

    async def events(self) -> AsyncIterator[bytes]:
        """The events of the run, and comments in the pauses between them."""
        while True:
            if self._is_behind:
                async for events in self._missed():
                    yield events
            while self._queue:
                self._cursor, events = self._queue.popleft()
                self._queued_bytes -= len(events)
                yield events
            if self._is_closed:
                return
            if not self._is_behind:
                self._changed = anyio.Event()
                with anyio.move_on_after(_KEEP_ALIVE_SECONDS):
                    await self._changed.wait()
                if not self._changed.is_set():
                    yield _KEEP_ALIVE

    async def _missed(self) -> AsyncIterator[bytes]:
        """The events up to now, from when on they are queued; the state of the run comes last."""
        self._is_behind = False
        feed, until, run = self.feed, self.feed.cursor, self.feed.run
        while self._cursor != until and not self._is_closed:
            try:
                changes = await feed.read_missed(self._cursor, until)
            except (NotFoundError, StoreError) as error:
                self._is_closed = True
                yield _last_events(error)
                return
            self._cursor = changes.cursor
            if changes.events:
                yield changes.events
        if not self._is_closed:
            yield _event(until, "state", run)


class _Feed:
    """The changes of a run, and the followers they are sent to.

    Attributes:
        cursor: the cursor of the changes sent so far.
        run: the run; its state is the one that was sent last.
    """

    def __init__(self, db: Store, catching_up: anyio.Semaphore, run: Run, cursor: int) -> None:
        self._db = db
        self._catching_up = catching_up
        self._polling = anyio.Lock()
        self.run, self.cursor = run, cursor
        self.followers: set[Follower] = set()

    async def poll(self) -> None:
        """Read the latest changes and send them; closes the followers if that is not possible.

        Raises:
            NotFoundError: the run does not exist any more.
            StoreError: the database cannot be read.
        """
        async with self._polling:
            try:
                changes = await self._db.look(partial(_read, run_id=self.run.id, since=self.cursor))
            except (NotFoundError, StoreError) as error:
                self.close(_last_events(error))
                raise
            events, self.cursor = changes.events, changes.cursor
            if changes.is_complete:  # a new state is sent after all points
                if changes.run.state != self.run.state:
                    events += _event(changes.cursor, "state", changes.run)
                self.run = changes.run
            for follower in self.followers:
                follower.put(changes.cursor, events)
                if follower.is_ended():
                    follower.close()

    async def read_missed(self, since: int, until: int) -> _Changes:
        """Read changes for a single follower.

        Raises:
            NotFoundError: the run does not exist any more.
            StoreError: the database cannot be read.
        """
        async with self._catching_up:
            return await self._db.look(partial(_read, run_id=self.run.id, since=since, until=until))

    def close(self, events: bytes = b"") -> None:
        """End the events of all followers, after these."""
        for follower in self.followers:
            follower.put(self.cursor, events)
            follower.close()


class Followers:
    """All followers of a server."""

    def __init__(self, db: Store) -> None:
        self._db = db
        self._catching_up = anyio.Semaphore(1)
        self._feeds: dict[int, _Feed] = {}
        self._count = 0
        self._is_over = False

    async def add(
        self, run_id: int, cursor: int | None, is_ended: Callable[[], bool] = lambda: False
    ) -> Follower:
        """Add a follower of a run; `remove` it at the end.

        Args:
            cursor: what the client has; None for everything up to now.

        Raises:
            NotFoundError: the run does not exist.
            StoreError: the database cannot be read.
            TooManyFollowersError: there are `MAX_FOLLOWERS` already.
        """
        if self._count >= MAX_FOLLOWERS:
            raise TooManyFollowersError
        self._count += 1
        try:
            feed = await self._feed(run_id)
        except BaseException:
            self._count -= 1
            raise
        follower = Follower(feed, feed.cursor if cursor is None else cursor, is_ended)
        feed.followers.add(follower)
        if self._is_over:
            follower.close()
        return follower

    async def _feed(self, run_id: int) -> _Feed:
        """The feed of a run, up to date."""
        feed = self._feeds.get(run_id)
        if feed is not None:
            await feed.poll()
        else:
            run, cursor = await self._db.look(partial(_read_state, run_id=run_id))
            feed = _Feed(self._db, self._catching_up, run, cursor)
        return self._feeds.setdefault(run_id, feed)

    def remove(self, follower: Follower) -> None:
        """Remove a follower."""
        self._count -= 1
        follower.feed.followers.discard(follower)

    @staticmethod
    async def _poll(feed: _Feed) -> None:
        """Poll a feed; a failure ends only its own followers."""
        is_read = False
        with suppress(TrackAIError), guarded("following a run", but=TrackAIError):
            await feed.poll()
            is_read = True
        if not is_read:
            feed.close()
            feed.followers.clear()

    async def send_changes(self, is_over: Callable[[], bool]) -> None:
        """Read and send the changes of all followed runs until `is_over`.

        Runs are read one after the other, with a pause at least as long: many followed runs take
        no more than half of the time of one connection.
        """
        while not is_over():
            began = time.monotonic()
            for run_id, feed in list(self._feeds.items()):
                if feed.followers:
                    await self._poll(feed)
                if not feed.followers:
                    self._feeds.pop(run_id, None)
            await anyio.sleep(max(_POLL_SECONDS, time.monotonic() - began))
        self._is_over = True
        for feed in self._feeds.values():
            feed.close()


async def _read_state(conn: Connection, *, run_id: int) -> tuple[Run, int]:
    return await runs.get(conn, run_id), await arrivals.last(conn, run_id)


async def _read(conn: Connection, *, run_id: int, since: int, until: int | None = None) -> _Changes:
    """Read and encode the changes of a run; in the thread of the connection."""
    run = await runs.get(conn, run_id)
    news = await arrivals.since(conn, run_id, since, until=until, limit=_MAX_POINTS)
    events = b""
    if news.points is None or news.rewound:
        events += _event(news.cursor, "reset", {"resumed": news.rewound})
    if news.points:
        events += _event(news.cursor, "points", {"metrics": _points_by_path(news.points)})
    is_complete = sum(len(rows) for _, rows in news.points or ()) < _MAX_POINTS
    return _Changes(run, news.cursor, events, is_complete)


def _last_events(error: TrackAIError) -> bytes:
    # If the database cannot be read, clients reconnect by themselves.
    return _DELETED if isinstance(error, NotFoundError) else b""


def _event(cursor: int, name: str, data: Any) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (cursor, name.encode(), _encode(data))


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
