"""/api/runs/{id}/files, /api/runs/{id}/file-paths and /api/files"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response

from trackai.api.requests import Limit, Offset, database, path_id, query
from trackai.api.responses import JSONResponse, answer
from trackai.errors import NotFoundError
from trackai.store.catalogue import files, runs

if TYPE_CHECKING:
    from pathlib import Path

    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

    from trackai.structs.records import FilePath, FileRecord

# Whatever a browser makes of a file, it is of no origin, runs nothing and fetches nothing.
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
# Pictures that hold nothing but pixels, by how they begin. SVG is a document, and not among them.
_PLAIN_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
# Of a text, so much is shown; and so much of any file is looked at to tell what it is.
_TEXT = 200_000
_BYTES = 4096
_NO_RANGE = {
    400: "Range: it is no range of bytes, such as bytes=0-1023",
    416: "Range: the file ends before it begins",
}


class FileQuery(msgspec.Struct):
    """Which files: all, or those of one path, and a page of them."""

    path: str | None = None
    limit: Limit | None = None
    offset: Offset = 0


class FilePathQuery(msgspec.Struct):
    """Which names, and a page of them."""

    search: str | None = None
    limit: Limit = 1000
    offset: Offset = 0


async def list_files(request: Request) -> Response:
    """The files of a run."""
    run_id = path_id(request, "run_id")
    asked = query(request, FileQuery)
    limit = -1 if asked.limit is None else asked.limit

    async def find(conn: Connection) -> list[FileRecord]:
        await runs.get(conn, run_id)
        return await files.list_of_run(
            conn, run_id, path=asked.path, limit=limit, offset=asked.offset
        )

    return await answer(request, find)


async def list_file_paths(request: Request) -> Response:
    """The names under which a run has files, and how many."""
    run_id = path_id(request, "run_id")
    asked = query(request, FilePathQuery)

    async def find(conn: Connection) -> list[FilePath]:
        await runs.get(conn, run_id)
        return await files.list_paths(
            conn, run_id, search=asked.search, limit=asked.limit, offset=asked.offset
        )

    return await answer(request, find)


async def download(request: Request) -> Response:
    """The bytes of a file, to be saved and never to be shown: they may be anybody's HTML."""
    file, path = await _find(request)
    return _Bytes(
        path,
        media_type="application/octet-stream",
        filename=file.name.rpartition("/")[2],
        content_disposition_type="attachment",
        headers={**_SAFE, "ETag": f'"{file.sha256}"'},
    )


async def preview(request: Request) -> Response:
    """A file to be looked at: a plain image, the beginning of a text, or of other bytes in hex."""
    file, path = await _find(request)
    begins = await anyio.to_thread.run_sync(_beginning, path)
    image = _image_type(begins)
    # The same bytes have the same address for ever: files are told apart by their content.
    headers = {**_SAFE, "Cache-Control": "private, max-age=3600", "ETag": f'"{file.sha256}"'}
    if image is not None:
        return _Bytes(path, media_type=image, headers=headers)
    return Response(_text(begins), media_type="text/plain; charset=utf-8", headers=headers)


class _Bytes(FileResponse):
    """A file, or a part of it; ranges that are none are refused in JSON, like all else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: JSONResponse | None = None

        async def say(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in _NO_RANGE:
                status = message["status"]
                extent = Headers(raw=message["headers"]).get("content-range")
                headers = None if extent is None else {"Content-Range": extent}
                refused = JSONResponse({"detail": _NO_RANGE[status]}, status, headers)
            elif refused is None:
                await send(message)

        await super().__call__(scope, receive, say)
        if refused is not None:
            await refused(scope, receive, send)


async def _find(request: Request) -> tuple[FileRecord, Path]:
    db = database(request)
    file_id = path_id(request, "file_id")
    file = await db.look(lambda conn: files.get(conn, file_id))
    path = None if file.sha256 is None else files.blob_path(db.path, file.sha256)
    if path is None or not path.is_file():
        raise NotFoundError(f"the bytes of the file {file.path!r} are not here")
    return file, path


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_TEXT)


def _image_type(begins: bytes) -> str | None:
    for magic, media_type in _PLAIN_IMAGES.items():
        if begins.startswith(magic):
            return media_type
    return "image/webp" if begins[:4] == b"RIFF" and begins[8:12] == b"WEBP" else None


def _text(begins: bytes) -> str:
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        text = decode(begins, len(begins) < _TEXT)  # the last character may be cut in two
    except UnicodeDecodeError:
        text = "\0"
    return text if "\0" not in text else _hex(begins[:_BYTES])


def _hex(data: bytes) -> str:
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        shown = "".join(chr(one) if 32 <= one < 127 else "." for one in part)
        lines.append(f"{at:08x}  {part.hex(' '):47}  {shown}\n")
    return "".join(lines)
