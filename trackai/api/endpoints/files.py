"""/api/runs/{id}/files, /api/runs/{id}/file-paths and /api/files: files of one or several runs."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from starlette.responses import Response

from trackai.api.requests import (
    ComparedIds,
    Limit,
    Offset,
    RowNumber,
    Selection,
    check_chosen,
    chosen_ids,
    database,
    parse_body,
    parse_query,
    path_id,
)
from trackai.api.responses import next_cursor, respond
from trackai.api.stored_files import stored_response
from trackai.errors import NotFoundError
from trackai.store.blobs.threads import in_thread
from trackai.store.catalogue import files, files_of_runs, runs
from trackai.structs.records import SharedFilePaths
from trackai.values import cursors
from trackai.values.times import microseconds
from trackai.values.types import BoundedStep

if TYPE_CHECKING:
    from starlette.requests import Request

    from trackai.store.blobs.blob_store import Readable
    from trackai.store.engine.connection import Connection
    from trackai.structs.records import FilePath, FileRecord, FilesOfRun, FileSteps

# However a browser interprets a file, it has no origin, runs no scripts and loads nothing.
_SANDBOX_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
# A page may also have styles and pictures within itself.
_PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "media-src data:; frame-ancestors 'self'"
    ),
}
# Formats of media without scripts, by where they have which bytes; an SVG is a document.
_MEDIA_TYPES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (0, b"fLaC\0", "audio/flac"),
    (0, b"OggS\0", "audio/ogg"),
    *((0, b"ID3" + bytes([version, 0]), "audio/mpeg") for version in (2, 3, 4)),
    *((0, bytes([0xFF, layer]), "audio/mpeg") for layer in (0xF2, 0xF3, 0xFA, 0xFB)),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
)
# Bytes of a preview: of text, which are also read to detect the type, and shown as hex.
_TEXT_SIZE = 200_000
_HEX_SIZE = 4096
# Of several runs: the steps in one answer, and the files of a run.
_MAX_STEPS = 10_000
_MAX_FILES = 100


class _LastFile(msgspec.Struct, array_like=True):
    """The last file of a page; its time is in microseconds since the epoch."""

    path: str
    step: BoundedStep | None
    timestamp: RowNumber | None
    name: str
    id: RowNumber


class _LastPath(msgspec.Struct, array_like=True):
    """The last path of a page."""

    path: str


class FileQuery(msgspec.Struct):
    """A page of a run's files, all or those of one path."""

    path: str | None = None
    limit: Limit | None = None
    offset: Offset = 0
    cursor: str | None = None


class FilePathQuery(msgspec.Struct):
    """A page of file paths, all or those that contain `search`."""

    search: str | None = None
    limit: Limit = 1000
    offset: Offset = 0
    cursor: str | None = None


class SharedPathQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Runs whose file paths to list, all or those that contain `search`."""

    run_ids: ComparedIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None
    search: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)


class StepQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Runs, and the path of files whose steps to list."""

    path: str
    run_ids: ComparedIds | msgspec.UnsetType = msgspec.UNSET
    select: Selection | None = None

    def __post_init__(self) -> None:
        check_chosen(self.run_ids, self.select)


class FileComparison(msgspec.Struct, forbid_unknown_fields=True):
    """Runs, and the path and step of the files to list; by default the last step of each run."""

    path: str
    run_ids: Annotated[list[int], msgspec.Meta(max_length=100)]
    step: BoundedStep | None = None


async def list_files(request: Request) -> Response:
    """List the files of a run."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, FileQuery)
    limit = -1 if query.limit is None else query.limit
    after: Any = None
    if query.cursor is not None:
        after = msgspec.structs.astuple(cursors.decode(query.cursor, _LastFile))

    async def read(conn: Connection) -> list[FileRecord]:
        await runs.get(conn, run_id)
        return await files.list_of_run(
            conn, run_id, path=query.path, limit=limit, offset=query.offset, after=after
        )

    def headers(page: list[FileRecord]) -> dict[str, str]:
        if len(page) != query.limit:
            return {}
        file = page[-1]
        time = None if file.timestamp is None else microseconds(file.timestamp)
        return next_cursor(_LastFile(file.path, file.step, time, file.name, file.id))

    return await respond(request, read, headers=headers)


async def list_file_paths(request: Request) -> Response:
    """List the paths of a run's files, with the number of files of each."""
    run_id = path_id(request, "run_id")
    query = parse_query(request, FilePathQuery)
    after = None
    if query.cursor is not None:
        after = cursors.decode(query.cursor, _LastPath).path

    async def read(conn: Connection) -> list[FilePath]:
        await runs.get(conn, run_id)
        return await files.list_paths(
            conn,
            run_id,
            search=query.search,
            limit=query.limit,
            offset=query.offset,
            after=after,
        )

    def headers(page: list[FilePath]) -> dict[str, str]:
        if len(page) < query.limit:
            return {}
        return next_cursor(_LastPath(page[-1].path))

    return await respond(request, read, headers=headers)


async def list_paths_of_runs(request: Request) -> Response:
    """List the paths under which several runs have files."""
    query = await parse_body(request, SharedPathQuery)

    async def read(conn: Connection) -> SharedFilePaths:
        run_ids = await chosen_ids(conn, query.run_ids, query.select)
        paths = await files_of_runs.list_paths(
            conn, run_ids, search=query.search, limit=query.limit + 1
        )
        return SharedFilePaths(paths[: query.limit], len(paths) > query.limit)

    return await respond(request, read)


async def list_steps_of_runs(request: Request) -> Response:
    """List the steps at which several runs have files with one path."""
    query = await parse_body(request, StepQuery)

    async def read(conn: Connection) -> FileSteps:
        run_ids = await chosen_ids(conn, query.run_ids, query.select)
        return await files_of_runs.list_steps(conn, run_ids, query.path, limit=_MAX_STEPS)

    return await respond(request, read)


async def compare_files(request: Request) -> Response:
    """List the files of several runs at a step, or the last ones before it."""
    query = await parse_body(request, FileComparison)

    async def read(conn: Connection) -> list[FilesOfRun]:
        run_ids = await chosen_ids(conn, query.run_ids, None)
        return await files_of_runs.list_at(conn, run_ids, query.path, query.step, limit=_MAX_FILES)

    return await respond(request, read)


async def download(request: Request) -> Response:
    """Download a file, as an attachment: browsers must not render untrusted HTML."""
    file, stored = await _find_file(request)
    return attachment(stored, file.name, file.sha256)


def attachment(stored: Readable, name: str, sha256: str | None) -> Response:
    """A response with a file, or a range of it, that browsers save and do not render."""
    return stored_response(
        stored,
        media_type="application/octet-stream",
        filename=name.rpartition("/")[2],
        headers={**_SANDBOX_HEADERS, "ETag": f'"{sha256}"'},
    )


async def preview(request: Request) -> Response:
    """Preview a file: an image, a sound, a video, the beginning of a text, or a hex dump."""
    file, stored = await _find_file(request)
    beginning = await in_thread(_read_beginning, stored)
    media_type = _media_type(beginning)
    # May be cached: a file id always refers to the same contents.
    headers = {
        **_SANDBOX_HEADERS, "Cache-Control": "private, max-age=3600", "ETag": f'"{file.sha256}"',
    }  # fmt: skip
    if media_type is not None:
        return stored_response(stored, media_type=media_type, headers=headers)
    text = _as_text(beginning)
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


async def page(request: Request) -> Response:
    """Show an HTML file as a page that runs no scripts and loads nothing."""
    file, stored = await _find_file(request)
    if not file.name.lower().endswith((".html", ".htm")):
        raise NotFoundError(f"file {file.path!r} is not HTML")
    headers = {**_PAGE_HEADERS, "ETag": f'"{file.sha256}"'}
    return stored_response(stored, media_type="text/html; charset=utf-8", headers=headers)


async def _find_file(request: Request) -> tuple[FileRecord, Readable]:
    db = database(request)
    file_id = path_id(request, "file_id")
    file = await db.look(lambda conn: files.get(conn, file_id))
    stored = await in_thread(db.blobs.find, file.sha256)
    if stored is None:
        raise NotFoundError(f"contents of file {file.path!r} not found on the server")
    return file, stored


def _read_beginning(stored: Readable) -> bytes:
    with stored.open("rb") as file:
        return file.read(_TEXT_SIZE)


def _media_type(beginning: bytes) -> str | None:
    for at, magic, media_type in _MEDIA_TYPES:
        if beginning.startswith(magic, at) and (at != 8 or beginning.startswith(b"RIFF")):
            return media_type
    return None


def _as_text(beginning: bytes) -> str:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        # The last character of a truncated file may be incomplete.
        text = decode(beginning, len(beginning) < _TEXT_SIZE)
    except UnicodeDecodeError:
        text = "\0"
    return text if "\0" not in text else _hex_dump(beginning[:_HEX_SIZE])


def _hex_dump(data: bytes) -> str:
    lines = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:08x}  {row.hex(' '):47}  {text}\n")
    return "".join(lines)
