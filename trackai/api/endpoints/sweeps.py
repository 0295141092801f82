"""/api/projects/{id}/values and /importance: what all matching runs say about a metric."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
from anyio import to_thread

from trackai.api.requests import Limit, database, parse_query, path_id
from trackai.api.responses import JSONResponse, respond
from trackai.errors import InvalidInputError
from trackai.filters.parser import parse_field, parse_fields, parse_filter
from trackai.store.catalogue import projects, run_tables, run_values, samples
from trackai.structs.records import RunColumns
from trackai.sweeps import importance

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.filters.tree import Field
    from trackai.store.engine.connection import Connection
    from trackai.sweeps.importance import Sample

MAX_RUNS = 10_000
MAX_COLUMNS = 200
# Of more values, fewer runs are read.
MAX_VALUES = 500_000


class ColumnsQuery(msgspec.Struct):
    """Values of the newest runs that match a filter."""

    columns: str
    filter: str | None = None
    limit: Limit = MAX_RUNS


class ImportanceQuery(msgspec.Struct):
    """A target, the runs that match a filter, and their parameters; by default all of `config`."""

    target: str
    filter: str | None = None
    parameters: str | None = None


async def list_values(request: Request) -> Response:
    """Get the values of fields of all matching runs, a list for each field."""
    project_id = path_id(request, "project_id")
    query = parse_query(request, ColumnsQuery)
    if query.limit > MAX_RUNS:
        raise InvalidInputError("limit", f"must be at most {MAX_RUNS}, got {query.limit}")
    where = _where(project_id, query.filter)
    fields = _fields(query.columns, name="columns")

    async def read(conn: Connection) -> RunColumns:
        await projects.get(conn, project_id)
        matching = await run_tables.list_ids(conn, where)
        ids = matching[::-1][: min(query.limit, MAX_VALUES // max(1, len(fields)))]
        heads = await run_values.read_columns(
            conn, ids, parse_fields("run_id,name,state", name="columns")
        )
        names = [name or slug for name, slug in zip(heads["name"], heads["run_id"], strict=True)]
        values = await run_values.read_columns(conn, ids, fields)
        return RunColumns(len(matching), ids, names, heads["state"], values)

    return await respond(request, read)


async def get_importance(request: Request) -> JSONResponse:
    """Get how much each parameter of the matching runs says about a metric."""
    project_id = path_id(request, "project_id")
    query = parse_query(request, ImportanceQuery)
    where = _where(project_id, query.filter)
    target = parse_field(query.target, name="target")
    chosen = None if query.parameters is None else _fields(query.parameters, name="parameters")

    async def read(conn: Connection) -> Sample:
        await projects.get(conn, project_id)
        return await samples.read(conn, where, target, chosen)

    sample = await database(request).look(read)
    work = partial(importance.of_sample, query.target, sample)
    # One forest at a time: they must not take all threads from the runs that log meanwhile.
    return JSONResponse(await to_thread.run_sync(work, limiter=request.state.forests))


def _where(project_id: int, text: str | None) -> run_tables.RunFilter:
    tree = None if text is None else parse_filter(text)
    return run_tables.RunFilter(project_id=project_id, tree=tree)


def _fields(text: str, *, name: str) -> dict[str, Field]:
    fields = parse_fields(text, name=name)
    if len(fields) > MAX_COLUMNS:
        raise InvalidInputError(name, f"must be at most {MAX_COLUMNS} fields, got {len(fields)}")
    return fields
