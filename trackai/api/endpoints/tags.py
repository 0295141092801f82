"""/api/runs/{id}/tags and /api/runs/tags: tagging one run, or many at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec

from trackai.api.requests import (
    RowIds,
    Tags,
    check_names,
    check_room,
    check_run,
    database,
    parse_body,
    path_id,
)
from trackai.api.responses import JSONResponse
from trackai.store.catalogue import runs, tags
from trackai.store.engine.sql import lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import Run


class NewTags(msgspec.Struct, forbid_unknown_fields=True):
    """Tags to add to a run."""

    tags: Tags

    def __post_init__(self) -> None:
        check_names(self, identifiers=("tags",))


class TagChange(msgspec.Struct, forbid_unknown_fields=True):
    """Tags to add to and to remove from each of several runs."""

    run_ids: RowIds
    add: Tags = []
    remove: Annotated[list[str], msgspec.Meta(max_length=100)] = []

    def __post_init__(self) -> None:
        check_names(self, identifiers=("add",))


async def add_tags(request: Request) -> JSONResponse:
    """Add tags to a run."""
    new = await parse_body(request, NewTags)
    run_id = path_id(request, "run_id")
    await check_room(request)

    async def add(conn: Connection) -> Run:
        await check_run(request, conn, run_id)
        await runs.get(conn, run_id)
        return await _change(conn, run_id, add=new.tags, remove=())

    return JSONResponse(await database(request).change(add))


async def remove_tag(request: Request) -> JSONResponse:
    """Remove a tag from a run; does nothing if the run does not have it."""
    run_id = path_id(request, "run_id")
    tag = request.path_params["tag"]

    async def remove(conn: Connection) -> Run:
        is_tag = tag in (await runs.get(conn, run_id)).tags
        # Both tags and URLs may end in a slash.
        removed = tag if is_tag else tag.removesuffix("/")
        return await _change(conn, run_id, add=(), remove=[removed])

    return JSONResponse(await database(request).change(remove))


async def change_many_tags(request: Request) -> JSONResponse:
    """Add and remove tags of several runs; changes nothing if one of them does not exist."""
    change = await parse_body(request, TagChange)

    async def change_all(conn: Connection) -> list[Run]:
        await lock(conn, "runs", change.run_ids)
        changed: list[Run] = []
        for run_id in dict.fromkeys(change.run_ids):
            await runs.get(conn, run_id)
            changed.append(await _change(conn, run_id, add=change.add, remove=change.remove))
        return changed

    return JSONResponse(await database(request).change(change_all))


async def _change(
    conn: Connection, run_id: int, *, add: Sequence[str], remove: Sequence[str]
) -> Run:
    await tags.remove(conn, run_id, remove)
    await tags.add(conn, run_id, add)
    await runs.touch(conn, run_id, now=time.time_ns() // 1000)
    return await runs.get(conn, run_id)
