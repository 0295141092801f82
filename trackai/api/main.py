"""The application: `uvicorn trackai.api.main:app`, or `python trackai/api/main.py`."""

from __future__ import annotations

import gc
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount

from trackai import __version__
from trackai.api.access_log import AccessLogMiddleware
from trackai.api.early_response import EarlyResponseMiddleware
from trackai.api.endpoints import events
from trackai.api.followers import Followers
from trackai.api.key_attempts import KeyAttempts
from trackai.api.keyring import Keyring
from trackai.api.openapi import document
from trackai.api.prometheus import ServerMetrics
from trackai.api.responses import (
    client_disconnected,
    disk_error,
    http_error,
    internal_error,
    trackai_error,
)
from trackai.api.routes import OPERATIONS, routes
from trackai.api.security import SecurityMiddleware
from trackai.api.sessions import BrowserSession, Sessions
from trackai.api.shutdown import CancelledRequestMiddleware
from trackai.dashboard import Assets
from trackai.errors import StoreError, TrackAIError
from trackai.importers import leftovers
from trackai.importers.import_receiver import ImportReceiver
from trackai.ingest.intake import Intake
from trackai.ingest.receiver import Receiver
from trackai.ingest.recovery import recover
from trackai.settings import Settings
from trackai.store.catalogue import ended_sessions, uploads
from trackai.store.charts.smoothing_cache import SmoothingCache
from trackai.store.engine.database import Database
from trackai.store.factory import create_store
from trackai.store.points import rollups
from trackai.store.upkeep import garbage, reserve
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trackai.store.engine.store import Store

    app: Starlette

# The interval of background maintenance, and so the delay until runs of crashed processes end.
_MAINTENANCE_SECONDS = 2.0
# The interval of removing uploads that nobody has completed.
_SWEEP_SECONDS = 600.0
# How long a shutdown waits for requests that it has cancelled, and how often it looks for them.
_CANCEL_SECONDS = 5.0
_CANCEL_POLL_SECONDS = 0.02
# How many times as long as it has waited for a transaction of others, the next rollup is put off.
_YIELDED = 10
# New objects between runs of Python's garbage collector: a request creates hundreds, no cycles.
_GC_THRESHOLD = 20_000


class State(TypedDict):
    """The attributes of `request.state`."""

    db: Store
    intake: Intake
    receiver: Receiver
    importer: ImportReceiver
    followers: Followers
    smoothing: SmoothingCache
    forests: anyio.CapacityLimiter


def create_app(settings: Settings | None = None) -> Starlette:
    """Create the ASGI application.

    Args:
        settings: read from the environment by default; the database path again at startup.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[State]:
        db = create_store((settings or Settings.from_env()).database)
        await db.open()
        # Before any request:
        await keyring.refresh(db)
        keyring.check_shared()
        await sessions.set_up(db)
        await _end_sessions(db, sessions)
        async with anyio.create_task_group() as tasks:
            receiver = Receiver(db)
            tasks.start_soon(_maintain, db, receiver)
            tasks.start_soon(keyring.keep_fresh, db)
            tasks.start_soon(_keep_ended, db, sessions)
            shutdown = events.Shutdown()
            shutdown.watch_signals()
            # Modules and other long-lived objects are excluded from garbage collection, which
            # would otherwise take a fifth of the time of reading a long series.
            gc.freeze()
            gc.set_threshold(_GC_THRESHOLD)
            followers = Followers(db)
            tasks.start_soon(followers.send_changes, lambda: shutdown.started)
            yield {
                "db": db,
                "intake": Intake(db),
                "receiver": receiver,
                "importer": ImportReceiver(db, receiver),
                "followers": followers,
                "smoothing": SmoothingCache(),
                "forests": anyio.CapacityLimiter(1),
            }
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await _wait_for_requests(metrics)
            await db.close()

    current = settings or Settings.from_env()
    metrics = ServerMetrics()
    keyring = Keyring(current.api_key)
    sessions = Sessions(current.api_key)
    attempts = KeyAttempts()
    app = Starlette(
        routes=[*routes(), Mount("/assets", Assets())],
        lifespan=lifespan,
        middleware=[
            Middleware(EarlyResponseMiddleware),
            Middleware(
                AccessLogMiddleware,
                metrics=metrics,
                routes={operation.endpoint: operation.path for operation in OPERATIONS},
            ),
            Middleware(CancelledRequestMiddleware),  # its responses are counted
            Middleware(
                SecurityMiddleware,
                allowed_hosts=current.allowed_hosts,
                keyring=keyring,
                sessions=sessions,
                attempts=attempts,
            ),
            # Starlette's own instance is outside these middlewares: its responses would neither
            # be counted nor have the security headers.
            Middleware(ServerErrorMiddleware, handler=internal_error),
        ],
        exception_handlers={
            TrackAIError: trackai_error,
            OSError: disk_error,
            HTTPException: http_error,
            ClientDisconnect: client_disconnected,  # type: ignore[dict-item]
        },
    )
    app.state.metrics = metrics
    app.state.openapi = partial(document, OPERATIONS, __version__)
    app.state.keyring = keyring
    app.state.sessions = sessions
    app.state.attempts = attempts
    app.state.keep_free = current.keep_free
    app.state.frame_origins = current.frame_origins
    # Both forms of a path are routes. Starlette would also redirect `.../metric` to the metric
    # with an empty name.
    app.router.redirect_slashes = False
    return app


async def _wait_for_requests(metrics: ServerMetrics) -> None:
    """Let requests that the shutdown has cancelled roll back and respond: the process ends next."""
    with anyio.move_on_after(_CANCEL_SECONDS):
        while metrics.in_progress:  # noqa: ASYNC110 - a number, of another middleware
            await anyio.sleep(_CANCEL_POLL_SECONDS)


async def _maintain(db: Store, receiver: Receiver) -> None:
    """Every few seconds: recover journals, reclaim space, update rollups, and checkpoint.

    A server that may only read the database leaves this to others. Servers of one database may do
    it at the same time.
    """
    last_warning, is_first, next_sweep = "", True, 0.0
    compacted = 0  # up to which series small pieces are packed together
    while True:
        if db.is_read_only:
            await anyio.sleep(_MAINTENANCE_SECONDS)
            continue
        try:
            if isinstance(db, Database):
                await anyio.to_thread.run_sync(reserve.keep, db.spool)
            await recover(db)
            await receiver.end_silent()
            await receiver.forget_deleted()
            if not db.collecting.locked():  # a deletion may be collecting, and take long
                freed = await garbage.collect(db)
                if freed or is_first:  # a deletion may have been interrupted
                    await leftovers.remove(db)
            if time.monotonic() >= next_sweep:
                await uploads.sweep(db)
                next_sweep = time.monotonic() + _SWEEP_SECONDS
            await _update_rollups(db)
            if isinstance(db, Database):
                await db.checkpoint()
            else:
                # Imported here: SQLite does not need it.
                from trackai.store.points import compaction

                compacted = await db.change(partial(compaction.compact, after=compacted))
        except (StoreError, OSError) as error:
            if str(error) != last_warning:
                logger.warning("%s", error)
            last_warning = str(error)
        is_first = False
        await anyio.sleep(_MAINTENANCE_SECONDS)


async def _keep_ended(db: Store, sessions: Sessions) -> None:
    """Every few seconds, end sessions, also while maintenance takes long or is left to others."""
    while True:
        await anyio.sleep(_MAINTENANCE_SECONDS)
        with suppress(StoreError):  # `Keyring.keep_fresh` warns, too
            await _end_sessions(db, sessions)


async def _end_sessions(db: Store, sessions: Sessions) -> None:
    """End the sessions that were signed out, also at other servers of the database."""
    ended = await db.look(ended_sessions.list_all)
    sessions.end(*(BrowserSession(*item) for item in ended.items()))


async def _update_rollups(db: Store) -> None:
    """Update stale rollups in short transactions, for a limited time.

    It leaves the database to those who store points: after a wait for their transactions, it pauses
    for several times as long. Charts are exact meanwhile, too.
    """
    deadline = time.monotonic() + _MAINTENANCE_SECONDS
    while time.monotonic() < deadline:
        async with db.read() as conn:  # without a write transaction if there is nothing to do
            if await rollups.next_stale(conn) is None:
                return
        began = time.monotonic()
        await db.change(rollups.refresh_next)
        waited = time.monotonic() - began - db.held_seconds
        if waited > db.held_seconds:
            left = deadline - time.monotonic()  # other maintenance is not put off
            await anyio.sleep(max(0.0, min(_YIELDED * waited, left)))


if not TYPE_CHECKING:  # with it, a type checker accepts every name

    def __getattr__(name: str) -> Any:
        # On first use: `trackai serve` creates its own.
        if name != "app":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault("app", create_app())


if __name__ == "__main__":
    from trackai.cli import main

    main(["serve"])
