"""/api/artifacts: versions of artifacts, and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from trackai.api.endpoints.files import attachment
from trackai.api.requests import (
    Limit,
    RowId,
    RowNumber,
    database,
    parse_body,
    parse_query,
    path_id,
)
from trackai.api.responses import JSONResponse, respond
from trackai.errors import InvalidInputError, NotFoundError
from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import artifact_versions, artifacts
from trackai.structs.records import ArtifactFilePage, ArtifactPage
from trackai.values import cursors
from trackai.values.artifact_names import alias_problem
from trackai.values.names import notes_problem, refuse
from trackai.values.nesting import MAX_LEVELS, is_deeper

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from trackai.store.engine.connection import Connection
    from trackai.structs.records import ArtifactVersion

_Aliases = Annotated[list[str], msgspec.Meta(max_length=100)]


class _LastVersion(msgspec.Struct, array_like=True):
    """The last version of a page."""

    id: RowNumber


class _LastFile(msgspec.Struct, array_like=True):
    """The last file of a page."""

    name: str


class ArtifactQuery(msgspec.Struct):
    """A page of versions; `run_id` is of a run that has logged or used them."""

    project_id: RowId | None = None
    type: str | None = None
    name: str | None = None
    run_id: RowId | None = None
    digest: str | None = None
    limit: Limit = 100
    cursor: str | None = None


class ResolveQuery(msgspec.Struct):
    """A text such as "project/name:alias"; `project` is that of a text without one."""

    artifact: str
    project: str | None = None
    type: str | None = None


class ArtifactFileQuery(msgspec.Struct):
    """A page of the files of a version."""

    limit: Limit = 1000
    cursor: str | None = None


class ArtifactChange(msgspec.Struct, forbid_unknown_fields=True):
    """Aliases to give to a version and to take from it; null keeps description and metadata."""

    add_aliases: _Aliases = []
    remove_aliases: _Aliases = []
    description: str | None = None
    metadata: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for alias in self.add_aliases:
            refuse("add_aliases", alias_problem(alias))
        refuse("description", notes_problem(self.description or ""))
        if is_deeper(self.metadata, MAX_LEVELS):
            raise InvalidInputError("metadata", f"must have at most {MAX_LEVELS} levels")


async def list_artifacts(request: Request) -> Response:
    """List the versions of artifacts, the newest first."""
    query = parse_query(request, ArtifactQuery)
    before = None if query.cursor is None else cursors.decode(query.cursor, _LastVersion).id

    async def read(conn: Connection) -> ArtifactPage:
        page = await artifacts.list_page(
            conn,
            project_id=query.project_id,
            type_=query.type,
            name=query.name,
            run_id=query.run_id,
            digest=query.digest,
            limit=query.limit,
            before=before,
        )
        if len(page) < query.limit:
            return ArtifactPage(page)
        return ArtifactPage(page, cursors.encode(_LastVersion(page[-1].id)))

    return await respond(request, read)


async def resolve(request: Request) -> Response:
    """Return the version that a text such as "project/name:alias" means."""
    query = parse_query(request, ResolveQuery)

    async def read(conn: Connection) -> ArtifactVersion:
        return await artifacts.resolve(
            conn, query.artifact, project=query.project, type_=query.type
        )

    return await respond(request, read)


async def get_artifact(request: Request) -> Response:
    """Return a version of an artifact."""
    version_id = path_id(request, "version_id")
    return await respond(request, lambda conn: artifacts.get(conn, version_id))


async def change_artifact(request: Request) -> Response:
    """Give aliases to a version or take them from it; change its description and metadata."""
    change = await parse_body(request, ArtifactChange)
    version_id = path_id(request, "version_id")
    metadata = None
    if change.metadata is not None:
        metadata = msgspec.json.encode(change.metadata).decode()

    async def set_fields(conn: Connection) -> ArtifactVersion:
        await artifacts.get(conn, version_id)
        await artifact_versions.set_aliases(
            conn, version_id, add=change.add_aliases, remove=change.remove_aliases
        )
        await artifact_versions.describe(
            conn, version_id, description=change.description, metadata=metadata
        )
        return await artifacts.get(conn, version_id)

    return JSONResponse(await database(request).change(set_fields))


async def list_artifact_files(request: Request) -> Response:
    """List the files of a version, sorted by name."""
    version_id = path_id(request, "version_id")
    query = parse_query(request, ArtifactFileQuery)
    after = None if query.cursor is None else cursors.decode(query.cursor, _LastFile).name

    async def read(conn: Connection) -> ArtifactFilePage:
        await artifacts.get(conn, version_id)
        page = await artifacts.list_files(conn, version_id, limit=query.limit, after=after)
        if len(page) < query.limit:
            return ArtifactFilePage(page)
        return ArtifactFilePage(page, cursors.encode(_LastFile(page[-1].name)))

    return await respond(request, read)


async def download_artifact_file(request: Request) -> Response:
    """Download a file of a version, as an attachment."""
    version_id = path_id(request, "version_id")
    name = request.path_params["file_name"]
    db = database(request)
    file = await db.look(lambda conn: artifacts.get_file(conn, version_id, name))
    if file.reference is not None:
        raise NotFoundError(f"file {name!r} is a reference, and not stored: {file.reference}")
    stored = await in_thread(db.blobs.find, file.sha256)
    if stored is None:
        raise NotFoundError(f"contents of file {name!r} not found on the server")
    return attachment(stored, name, file.sha256)
