"""/api/runs: listing, grouping, reading, creating, changing and deleting runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec

from trackai.api.requests import (
    ComparedIds,
    Identifier,
    Limit,
    Name,
    Offset,
    RowId,
    RowIds,
    Selection,
    Tags,
    check_chosen,
    check_names,
    check_room,
    check_run,
    chosen_ids,
    database,
    grant,
    parse_body,
    parse_group_by,
    parse_query,
    path_id,
)
from trackai.api.responses import JSONResponse, respond
from trackai.errors import InvalidInputError, NotFoundError, PermissionDeniedError
from trackai.filters.parser import parse_field, parse_fields, parse_filter
from trackai.store.catalogue import (
    configs,
    environments,
    groups,
    projects,
    run_tables,
    run_values,
    runs,
    slugs,
    tags,
)
from trackai.store.engine.sql import lock
from trackai.store.points import series
from trackai.store.upkeep import deletion
from trackai.structs.records import (
    Deleted,
    Freed,
    GroupedRuns,
    Run,
    RunPage,
    RunSummary,
    RunWithEnvironment,
)
from trackai.values.names import MAX_NOTES, notes_problem, path_problem, refuse
from trackai.values.nesting import MAX_LEVELS, flat, is_deeper
from trackai.values.non_finite import json_value
from trackai.values.types import State
from trackai.values.uids import new_uid

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection

T = TypeVar("T")
Notes = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_NOTES})]
MAX_COLUMNS = 200
_UNCHANGED = (msgspec.UNSET, msgspec.UNSET)


class RunQuery(msgspec.Struct):
    """A page of the runs that match all of the filters, sorted."""

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
    archived: bool = False
    trashed: bool = False


class Grouping(msgspec.Struct, forbid_unknown_fields=True):
    """Runs to group by "all" or by fields.

    Fields are `group`, `state`, `name`, `tag`, `config.KEY` and `env.KEY`.
    """

    group_by: str
    run_ids: ComparedIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)


class ValuesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Runs to read the values of."""

    run_ids: ComparedIds


class NewRun(msgspec.Struct, forbid_unknown_fields=True):
    """A run to create; `run_id` is its slug, and `config` may be nested."""

    project_id: RowId
    run_id: Identifier
    name: Name | None = None
    group_name: Identifier | None = None
    state: State = "running"
    config: dict[str, Any] = {}

    def __post_init__(self) -> None:
        check_names(self, of=("name",), identifiers=("run_id", "group_name"))


class StateQuery(msgspec.Struct):
    """The new state of a run; by default it is in the body."""

    state: State | None = None


class NewState(msgspec.Struct, forbid_unknown_fields=True):
    """The new state of a run."""

    state: State


class RunChange(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a run to change; null clears a field, `project_id` moves the run.

    The keys of `config` are set, and its other keys stay as they are.
    """

    run_id: Identifier | msgspec.UnsetType = msgspec.UNSET
    name: Name | msgspec.UnsetType | None = msgspec.UNSET
    group_name: Identifier | msgspec.UnsetType | None = msgspec.UNSET
    notes: Notes | msgspec.UnsetType | None = msgspec.UNSET
    tags: Tags | msgspec.UnsetType = msgspec.UNSET
    project_id: RowId | msgspec.UnsetType = msgspec.UNSET
    config: dict[str, Any] = {}

    def __post_init__(self) -> None:
        check_names(self, of=("name",), identifiers=("run_id", "group_name", "tags"))
        if isinstance(self.notes, str):
            refuse("notes", notes_problem(self.notes))


class Deletion(msgspec.Struct, forbid_unknown_fields=True):
    """Runs to delete."""

    run_ids: RowIds


async def list_runs(request: Request) -> Response:
    """List the runs that match a filter, page by page."""
    query = parse_query(request, RunQuery)
    where = run_tables.RunFilter(
        project_id=query.project_id,
        group=query.group,
        state=query.state,
        search=query.search,
        tree=None if query.filter is None else parse_filter(query.filter),
        archived=query.archived,
        trashed=query.trashed,
    )
    sort_by = parse_field(query.sort_by)
    columns = None if query.columns is None else parse_fields(query.columns)
    if columns is not None and len(columns) > MAX_COLUMNS:
        raise InvalidInputError(
            "columns", f"must be at most {MAX_COLUMNS} fields, got {len(columns)}"
        )

    async def read(conn: Connection) -> RunPage:
        return await run_tables.list_page(
            conn,
            where,
            sort_by=sort_by,
            sort_order=query.sort_order,
            columns=columns,
            limit=query.limit,
            offset=query.offset,
            cursor=query.cursor,
        )

    return await respond(request, read)


async def group_runs(request: Request) -> Response:
    """Group several runs by fields, in order of their values; unknown ids are left out."""
    grouping = await parse_body(request, Grouping)
    by = parse_group_by(grouping.group_by)

    async def read(conn: Connection) -> GroupedRuns:
        run_ids = await chosen_ids(conn, grouping.run_ids, grouping.select)
        return GroupedRuns(await groups.of_runs(conn, run_ids, by))

    return await respond(request, read)


async def get_values(request: Request) -> Response:
    """Get the configurations and last values of several runs; unknown ids are left out."""
    query = await parse_body(request, ValuesQuery)
    return await respond(request, lambda conn: run_values.values(conn, query.run_ids))


async def get_run(request: Request) -> Response:
    """Get a run, with facts about where it runs: git, command line, Python, machine."""
    run_id = path_id(request, "run_id")

    async def read(conn: Connection) -> RunWithEnvironment:
        run = await runs.get(conn, run_id)
        facts = await environments.get(conn, run_id)
        return RunWithEnvironment(**msgspec.structs.asdict(run), environment=facts or msgspec.UNSET)

    return await respond(request, read)


async def get_summary(request: Request) -> Response:
    """Get a run with its configuration and the last value of each metric."""
    run_id = path_id(request, "run_id")

    async def read(conn: Connection) -> RunSummary:
        run = await runs.get(conn, run_id)
        values = await series.last_values(conn, run_id)
        return RunSummary(
            **msgspec.structs.asdict(run),
            metrics={path: json_value(value, kind) for path, value, kind in values},
            config=await configs.get(conn, run_id),
        )

    return await respond(request, read)


async def get_figures(request: Request) -> Response:
    """Get the last, min, max and mean of a run's metrics, and the steps of these values."""
    run_id = path_id(request, "run_id")

    async def read(conn: Connection) -> list[series.MetricSummary]:
        await runs.get(conn, run_id)
        return await series.summaries(conn, run_id)

    return await respond(request, read)


async def get_config(request: Request) -> Response:
    """Get a run's configuration, with nested keys joined by slashes."""
    run_id = path_id(request, "run_id")

    async def read(conn: Connection) -> dict[str, Any]:
        await runs.get(conn, run_id)
        return await configs.get(conn, run_id)

    return await respond(request, read)


async def create_run(request: Request) -> JSONResponse:
    """Create a run."""
    new = await parse_body(request, NewRun)
    await check_room(request)

    async def create(conn: Connection) -> Run:
        now = time.time_ns() // 1000
        if grant(request).project_id not in {None, new.project_id}:
            raise NotFoundError(f"project {new.project_id} not found")
        await projects.touch(conn, new.project_id, now=now)
        run = await runs.create(
            conn,
            uid=new_uid(),
            project_id=new.project_id,
            slug=new.run_id,
            name=new.name,
            group_name=new.group_name,
            state=new.state,
            now=now,
        )
        await configs.put(conn, run.id, _flat_config(new.config))
        return run

    return JSONResponse(await database(request).change(create))


async def set_state(request: Request) -> JSONResponse:
    """Set a run's state, from the query or the body."""
    run_id = path_id(request, "run_id")
    if "state" in request.query_params:
        state = parse_query(request, NewState).state
    else:
        state = (await parse_body(request, NewState)).state

    async def change(conn: Connection) -> Run:
        await check_run(request, conn, run_id)
        return await runs.set_state(conn, run_id, state, now=time.time_ns() // 1000)

    return JSONResponse(await database(request).change(change))


async def change_run(request: Request) -> JSONResponse:
    """Rename a run, move it to another project, or set its group, notes, tags or config."""
    run_id = path_id(request, "run_id")
    change = await parse_body(request, RunChange)
    if grant(request).scope == "write" and (change.run_id, change.project_id) != _UNCHANGED:
        raise PermissionDeniedError(
            "moving a run or changing its run_id needs a key of scope admin"
        )
    await check_room(request)
    now = time.time_ns() // 1000

    async def set_fields(conn: Connection) -> Run:
        await lock(conn, "runs", [run_id])
        await check_run(request, conn, run_id)
        run = await runs.get(conn, run_id)
        project_id = _or(change.project_id, run.project_id)
        await projects.get(conn, project_id)
        if not isinstance(change.tags, msgspec.UnsetType):
            await tags.replace(conn, run_id, change.tags)
        await configs.put(conn, run_id, _flat_config(change.config))
        run = await runs.change(
            conn,
            run_id,
            slug=_or(
                change.run_id,
                await slugs.keep_if_free(conn, project_id, run.run_id, run_id=run.id),
            ),
            name=_or(change.name, run.name),
            group_name=_or(change.group_name, run.group_name),
            notes=_or(change.notes, run.notes),
            project_id=project_id,
            now=now,
        )
        await projects.touch(conn, project_id, now=now)
        return run

    return JSONResponse(await database(request).change(set_fields))


def _flat_config(config: dict[str, Any]) -> dict[str, str]:
    if is_deeper(config, MAX_LEVELS):
        raise InvalidInputError("config", f"must have at most {MAX_LEVELS} levels")
    values = flat(config, _json)
    for key in values:
        refuse(f"config: key {key[:80]!r}", path_problem(key))
    return values


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _or(value: T | msgspec.UnsetType, current: T) -> T:
    return current if isinstance(value, msgspec.UnsetType) else value


async def delete_run(request: Request) -> JSONResponse:
    """Delete a run and all its data."""
    run, freed = await deletion.delete_run(database(request), path_id(request, "run_id"))
    return JSONResponse(Freed(f"deleted run {run.run_id!r}", freed))


async def delete_runs(request: Request) -> JSONResponse:
    """Delete several runs and all their data; unknown ids are ignored."""
    body = await parse_body(request, Deletion)
    deleted, freed = await deletion.delete_runs(database(request), body.run_ids)
    message = f"deleted {len(deleted)} {'run' if len(deleted) == 1 else 'runs'}"
    return JSONResponse(Deleted(message, freed, deleted))
