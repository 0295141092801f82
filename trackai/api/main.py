"""The application: `uvicorn trackai.api.main:app`, or `python trackai/api/main.py`."""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypedDict

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from trackai.api.responses import http_error, internal_error, trackai_error
from trackai.api.routes import files, ingest, metrics, projects, runs, server
from trackai.api.security import SameMachineOnly
from trackai.errors import StoreError, TrackAIError
from trackai.ingest.drain import recover
from trackai.ingest.intake import Intake
from trackai.settings import Settings
from trackai.store import garbage, rollups
from trackai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger("trackai")

# How soon a running server notices a run whose process has died.
_RECOVER_SECONDS = 2.0


class State(TypedDict):
    """What requests find in `request.state`."""

    db: Database
    intake: Intake


def create_app(settings: Settings | None = None) -> Starlette:
    """The application; without settings, the environment is read when it starts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[State]:
        db = Database((settings or Settings.from_env()).db_path)
        await db.open()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_tidy, db)
            yield {"db": db, "intake": Intake(db)}
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await db.close()

    return Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        middleware=[
            Middleware(
                SameMachineOnly, allowed_hosts=(settings or Settings.from_env()).allowed_hosts
            )
        ],
        exception_handlers={
            TrackAIError: trackai_error,
            HTTPException: http_error,
            Exception: internal_error,
        },
    )


async def _keep_tidy(db: Database) -> None:
    """Take in what dead processes left, and keep the main file complete, again and again."""
    complained = ""
    while True:
        try:
            await recover(db)
            await garbage.collect(db)
            await _roll_up(db)
            await db.checkpoint()
        except StoreError as error:
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
        async with db.write() as conn:
            await rollups.refresh(conn, series_id)


def _routes(path: str, **endpoints: Callable[[Request], Awaitable[Response]]) -> list[Route]:
    """A path's methods, with and without a slash at its end."""
    return [
        Route(ending, endpoint, methods=[method])
        for ending in (path, path + "/")
        for method, endpoint in endpoints.items()
    ]


ROUTES = [
    Route("/", server.root),
    *_routes("/health", GET=server.health),
    *_routes("/api/projects", GET=projects.list_projects, POST=projects.create_project),
    *_routes(
        "/api/projects/{project_id}", GET=projects.get_project, DELETE=projects.delete_project
    ),
    *_routes("/api/projects/{project_id}/columns", GET=projects.list_columns),
    *_routes("/api/runs", GET=runs.list_runs, POST=runs.create_run),
    *_routes("/api/runs/delete", POST=runs.delete_runs),
    *_routes("/api/runs/tags", POST=runs.change_many_tags),
    *_routes("/api/runs/{run_id}", GET=runs.get_run, PATCH=runs.change_run, DELETE=runs.delete_run),
    *_routes("/api/runs/{run_id}/tags", POST=runs.add_tags),
    Route("/api/runs/{run_id}/tags/{tag:path}", runs.remove_tag, methods=["DELETE"]),
    *_routes("/api/runs/{run_id}/summary", GET=runs.get_summary),
    *_routes("/api/runs/{run_id}/config", GET=runs.get_config),
    *_routes("/api/runs/{run_id}/figures", GET=runs.get_figures),
    *_routes("/api/runs/{run_id}/state", PATCH=runs.set_state),
    *_routes("/api/runs/{run_id}/files", GET=files.list_files),
    *_routes("/api/files/{file_id}", GET=files.download),
    *_routes("/api/metrics/runs/{run_id}", GET=metrics.list_metrics, POST=ingest.log_points),
    Route("/api/metrics/runs/{run_id}/metric/{metric_path:path}", metrics.get_points),
    *_routes("/api/metrics/compare", POST=metrics.compare),
]

app = create_app()

if __name__ == "__main__":
    from trackai.cli import main

    main(["serve"])
