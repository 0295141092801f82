"""/api/runs"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from trackai.api.requests import MAX_ID, Limit, Name, Offset, body, database, path_id, query
from trackai.api.responses import JSONResponse
from trackai.store import configs, files, projects, runs, series
from trackai.structs.records import Message, RunSummary
from trackai.structs.values import State, json_value

if TYPE_CHECKING:
    from starlette.requests import Request

RowId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ID)]


class RunQuery(msgspec.Struct):
    """Which runs, in which order."""

    project_id: RowId | None = None
    group: str | None = None
    state: State | None = None
    search: str | None = None
    limit: Limit = 100
    offset: Offset = 0
    sort_by: runs.SortKey = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class NewRun(msgspec.Struct):
    """A run to make: its project's row id and its slug."""

    project_id: RowId
    run_id: Name
    name: Name | None = None
    group_name: Name | None = None
    state: State = "running"


class NewState(msgspec.Struct):
    """The state that a run gets."""

    state: State


async def list_runs(request: Request) -> JSONResponse:
    """Runs that match, a page of them."""
    asked = query(request, RunQuery)
    where = runs.RunFilter(
        project_id=asked.project_id, group=asked.group, state=asked.state, search=asked.search
    )
    async with database(request).read() as conn:
        page = await runs.list_page(
            conn,
            where,
            sort_by=asked.sort_by,
            sort_order=asked.sort_order,
            limit=asked.limit,
            offset=asked.offset,
        )
    return JSONResponse(page)


async def get_run(request: Request) -> JSONResponse:
    """A run."""
    run_id = path_id(request, "run_id")
    async with database(request).read() as conn:
        return JSONResponse(await runs.get(conn, run_id))


async def get_summary(request: Request) -> JSONResponse:
    """A run with the last value of each metric and its configuration."""
    run_id = path_id(request, "run_id")
    async with database(request).read() as conn:
        run = await runs.get(conn, run_id)
        values = await series.last_values(conn, run_id)
        config = await configs.get(conn, run_id)
    return JSONResponse(
        RunSummary(
            **msgspec.structs.asdict(run),
            metrics={path: json_value(value, kind) for path, value, kind in values},
            config=config,
        )
    )


async def get_config(request: Request) -> JSONResponse:
    """A run's configuration, flat."""
    run_id = path_id(request, "run_id")
    async with database(request).read() as conn:
        await runs.get(conn, run_id)
        return JSONResponse(await configs.get(conn, run_id))


async def create_run(request: Request) -> JSONResponse:
    """Make a run."""
    new = await body(request, NewRun)
    async with database(request).write() as conn:
        now = time.time_ns() // 1000
        await projects.get(conn, new.project_id)
        run = await runs.create(
            conn,
            uid=uuid.uuid4().hex,
            project_id=new.project_id,
            slug=new.run_id,
            name=new.name,
            group_name=new.group_name,
            state=new.state,
            now=now,
        )
        await projects.touch(conn, new.project_id, now=now)
    return JSONResponse(run)


async def set_state(request: Request) -> JSONResponse:
    """Change a run's state, given as a query parameter or in the body."""
    run_id = path_id(request, "run_id")
    if "state" in request.query_params:
        state = query(request, NewState).state
    else:
        state = (await body(request, NewState)).state
    async with database(request).write() as conn:
        run = await runs.set_state(conn, run_id, state, now=time.time_ns() // 1000)
    return JSONResponse(run)


async def delete_run(request: Request) -> JSONResponse:
    """Delete a run with its points."""
    run_id = path_id(request, "run_id")
    db = database(request)
    async with db.write() as conn:
        hashes = await files.hashes(conn, [run_id])
        run = await runs.delete(conn, run_id)
    await files.forget(db, hashes)
    return JSONResponse(Message(f"deleted the run {run.run_id!r}"))
