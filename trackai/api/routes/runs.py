"""/api/runs"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from trackai.api.requests import Limit, Name, Offset, RowId, body, database, path_id, query
from trackai.api.responses import JSONResponse, answer
from trackai.errors import InvalidInputError
from trackai.filters.parser import parse_field, parse_fields, parse_filter
from trackai.store.catalogue import configs, projects, run_tables, runs, tags
from trackai.store.points import series
from trackai.store.upkeep import deletion
from trackai.structs.records import Deleted, Freed, Run, RunSummary
from trackai.values.nesting import flat
from trackai.values.non_finite import json_value
from trackai.values.types import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.responses import Response

T = TypeVar("T")
RunIds = Annotated[list[RowId], msgspec.Meta(min_length=1, max_length=10_000)]
Tags = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=256)]], msgspec.Meta(max_length=100)
]
Notes = Annotated[str, msgspec.Meta(max_length=100_000)]
MAX_COLUMNS = 200


class RunQuery(msgspec.Struct):
    """Which runs, in which order."""

    project_id: RowId | None = None
    group: str | None = None
    state: State | None = None
    search: str | None = None
    filter: str | None = None
    columns: str | None = None
    limit: Limit = 100
    offset: Offset = 0
    cursor: str | None = None
    sort_by: str = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"


class NewRun(msgspec.Struct):
    """A run to make: its project's row id and its slug; its configuration may be nested."""

    project_id: RowId
    run_id: Name
    name: Name | None = None
    group_name: Name | None = None
    state: State = "running"
    config: dict[str, Any] = {}


class StateQuery(msgspec.Struct):
    """The state that a run gets; without it, the body says it."""

    state: State | None = None


class NewState(msgspec.Struct):
    """The state that a run gets."""

    state: State


class RunChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change about a run; what is left out stays, null empties. `project_id` moves it.

    Keys of `config` are set, and all others stay.
    """

    run_id: Name | msgspec.UnsetType = msgspec.UNSET
    name: Name | msgspec.UnsetType | None = msgspec.UNSET
    group_name: Name | msgspec.UnsetType | None = msgspec.UNSET
    notes: Notes | msgspec.UnsetType | None = msgspec.UNSET
    tags: Tags | msgspec.UnsetType = msgspec.UNSET
    project_id: RowId | msgspec.UnsetType = msgspec.UNSET
    config: dict[str, Any] = {}


class NewTags(msgspec.Struct):
    """Tags to add to a run."""

    tags: Tags


class TagChange(msgspec.Struct):
    """Tags to add to, and to remove from, each of several runs."""

    run_ids: RunIds
    add: Tags = []
    remove: Tags = []


class Deletion(msgspec.Struct):
    """Runs to delete."""

    run_ids: RunIds


async def list_runs(request: Request) -> Response:
    """Runs that match, a page of them."""
    asked = query(request, RunQuery)
    where = run_tables.RunFilter(
        project_id=asked.project_id,
        group=asked.group,
        state=asked.state,
        search=asked.search,
        tree=None if asked.filter is None else parse_filter(asked.filter),
    )
    sort_by = parse_field(asked.sort_by)
    columns = None if asked.columns is None else parse_fields(asked.columns)
    if columns is not None and len(columns) > MAX_COLUMNS:
        raise InvalidInputError("columns", f"at most {MAX_COLUMNS} can be asked for")
    return await answer(
        request,
        lambda conn: run_tables.list_page(
            conn,
            where,
            sort_by=sort_by,
            sort_order=asked.sort_order,
            columns=columns,
            limit=asked.limit,
            offset=asked.offset,
            cursor=asked.cursor,
        ),
    )


async def get_run(request: Request) -> Response:
    """A run."""
    run_id = path_id(request, "run_id")
    return await answer(request, lambda conn: runs.get(conn, run_id))


async def get_summary(request: Request) -> Response:
    """A run with the last value of each metric and its configuration."""
    run_id = path_id(request, "run_id")

    async def find(conn: Connection) -> RunSummary:
        run = await runs.get(conn, run_id)
        values = await series.last_values(conn, run_id)
        return RunSummary(
            **msgspec.structs.asdict(run),
            metrics={path: json_value(value, kind) for path, value, kind in values},
            config=await configs.get(conn, run_id),
        )

    return await answer(request, find)


async def get_figures(request: Request) -> Response:
    """The figures of a run's metrics: last, min, max, mean, and where they were reached."""
    run_id = path_id(request, "run_id")

    async def find(conn: Connection) -> list[series.MetricSummary]:
        await runs.get(conn, run_id)
        return await series.summaries(conn, run_id)

    return await answer(request, find)


async def get_config(request: Request) -> Response:
    """A run's configuration, flat."""
    run_id = path_id(request, "run_id")

    async def find(conn: Connection) -> dict[str, Any]:
        await runs.get(conn, run_id)
        return await configs.get(conn, run_id)

    return await answer(request, find)


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
        await configs.put(conn, run.id, flat(new.config, _json))
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


async def change_run(request: Request) -> JSONResponse:
    """Rename a run, move it to another project, set its group, notes or tags."""
    run_id = path_id(request, "run_id")
    wanted = await body(request, RunChange)
    now = time.time_ns() // 1000
    async with database(request).write() as conn:
        run = await runs.get(conn, run_id)
        project_id = _or(wanted.project_id, run.project_id)
        await projects.get(conn, project_id)
        if not isinstance(wanted.tags, msgspec.UnsetType):
            await tags.replace(conn, run_id, wanted.tags)
        await configs.put(conn, run_id, flat(wanted.config, _json))
        run = await runs.change(
            conn,
            run_id,
            slug=_or(wanted.run_id, await runs.slug_in(conn, run, project_id)),
            name=_or(wanted.name, run.name),
            group_name=_or(wanted.group_name, run.group_name),
            notes=_or(wanted.notes, run.notes),
            project_id=project_id,
            now=now,
        )
        await projects.touch(conn, project_id, now=now)
    return JSONResponse(run)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _or(value: T | msgspec.UnsetType, present: T) -> T:
    return present if isinstance(value, msgspec.UnsetType) else value


async def add_tags(request: Request) -> JSONResponse:
    """Tag a run; a tag that it has stays."""
    new = await body(request, NewTags)
    return await _change_tags(request, add=new.tags)


async def remove_tag(request: Request) -> JSONResponse:
    """Take a tag from a run; one that it does not have is no error."""
    return await _change_tags(request, remove=request.path_params["tag"])


async def _change_tags(
    request: Request, *, add: Sequence[str] = (), remove: str = ""
) -> JSONResponse:
    run_id = path_id(request, "run_id")
    async with database(request).write() as conn:
        if remove not in (await runs.get(conn, run_id)).tags:
            remove = remove.removesuffix("/")  # a tag may end in a slash, and so may an address
        await tags.remove(conn, run_id, [remove])
        await tags.add(conn, run_id, add)
        await runs.touch(conn, run_id, now=time.time_ns() // 1000)
        run = await runs.get(conn, run_id)
    return JSONResponse(run)


async def change_many_tags(request: Request) -> JSONResponse:
    """Tag several runs: all of them, or none if one does not exist."""
    wanted = await body(request, TagChange)
    changed: list[Run] = []
    async with database(request).write() as conn:
        for run_id in dict.fromkeys(wanted.run_ids):
            await runs.get(conn, run_id)
            await tags.remove(conn, run_id, wanted.remove)
            await tags.add(conn, run_id, wanted.add)
            await runs.touch(conn, run_id, now=time.time_ns() // 1000)
            changed.append(await runs.get(conn, run_id))
    return JSONResponse(changed)


async def delete_run(request: Request) -> JSONResponse:
    """Delete a run with its points."""
    (run,), freed = await deletion.delete_run(database(request), path_id(request, "run_id"))
    return JSONResponse(Freed(f"deleted the run {run.run_id!r}", freed))


async def delete_runs(request: Request) -> JSONResponse:
    """Delete several runs with their points; those that do not exist are left out."""
    wanted = await body(request, Deletion)
    gone, freed = await deletion.delete_runs(database(request), wanted.run_ids)
    return JSONResponse(Deleted(f"deleted {len(gone)} runs", freed, [run.id for run in gone]))
