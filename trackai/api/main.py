"""The application: `uvicorn trackai.api.main:app`, or `python trackai/api/main.py`."""

from __future__ import annotations

import gc
import logging
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypedDict

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount

from trackai import __version__
from trackai.api.lingering import Lingering
from trackai.api.meters import Meters
from trackai.api.observing import Observing
from trackai.api.openapi import document
from trackai.api.operations import OPERATIONS, routes
from trackai.api.responses import http_error, internal_error, nobody, trackai_error
from trackai.api.routes import events
from trackai.api.security import Guard
from trackai.api.sessions import Sessions
from trackai.dashboard import Assets
from trackai.errors import StoreError, TrackAIError
from trackai.ingest.intake import Intake
from trackai.ingest.recovery import recover
from trackai.settings import Settings
from trackai.store.engine.database import Database
from trackai.store.points import rollups
from trackai.store.upkeep import garbage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("trackai")

# How soon a running server notices a run whose process has died.
_RECOVER_SECONDS = 2.0
# After how many new objects to look for garbage: a request makes hundreds, and no cycles.
_GARBAGE = 20_000


class State(TypedDict):
    """What requests find in `request.state`."""

    db: Database
    intake: Intake
    ending: events.Ending


def create_app(settings: Settings | None = None) -> Starlette:
    """The application; without settings, the environment is read when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[State]:
        db = Database((settings or Settings.from_env()).db_path)
        await db.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_tidy, db)
            ending = events.Ending()
            ending.watch()
            # What is there by now stays: looking through it again and again for garbage takes a
            # fifth of the time in which a long series is read.
            gc.freeze()
            gc.set_threshold(_GARBAGE)
            yield {"db": db, "intake": Intake(db), "ending": ending}
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await db.close()

    present = settings or Settings.from_env()
    meters = Meters()
    sessions = None if present.api_key is None else Sessions(present.api_key)
    app = Starlette(
        routes=[*routes(), Mount("/assets", Assets())],
        lifespan=lifespan,
        middleware=[
            Middleware(Lingering),
            Middleware(
                Observing, meters=meters, routes={one.endpoint: one.path for one in OPERATIONS}
            ),
            Middleware(Guard, allowed_hosts=present.allowed_hosts, sessions=sessions),
            # Starlette's own lies outside of all: what it answers is neither counted nor guarded.
            Middleware(ServerErrorMiddleware, handler=internal_error),
        ],
        exception_handlers={
            TrackAIError: trackai_error,
            HTTPException: http_error,
            ClientDisconnect: nobody,  # type: ignore[dict-item]
        },
    )
    app.state.meters = meters
    app.state.openapi = partial(document, OPERATIONS, __version__)
    app.state.sessions = sessions
    # Both forms of a path are routes. Starlette would also send clients from one to the other,
    # and from `.../metric` to a metric without a name.
    app.router.redirect_slashes = False
    return app


async def _keep_tidy(db: Database) -> None:
    """Take in what dead processes left, and keep the main file complete, again and again."""
    complained = ""
    while True:
        try:
            await recover(db)
            if not db.collecting.locked():  # else somebody does it, and may take long
                await garbage.collect(db)
            await _roll_up(db)
            await db.checkpoint()
        except (StoreError, OSError) as error:
            if str(error) != complained:
                logger.warning("%s", error)
            complained = str(error)
        await anyio.sleep(_RECOVER_SECONDS)


async def _roll_up(db: Database) -> None:
    """Bring rollups up to date, a short transaction at a time, and not without end."""
    until = time.monotonic() + _RECOVER_SECONDS
    while time.monotonic() < until:
        async with db.read() as conn:
            series_id = await rollups.next_stale(conn)
        if series_id is None:
            return
        await db.change(partial(rollups.refresh, series_id=series_id))


app = create_app()

if __name__ == "__main__":
    from trackai.cli import main

    main(["serve"])
