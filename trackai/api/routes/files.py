"""/api/runs/{id}/files and /api/files"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse

from trackai.api.requests import database, path_id
from trackai.api.responses import JSONResponse
from trackai.errors import NotFoundError
from trackai.store import files, runs

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def list_files(request: Request) -> JSONResponse:
    """The files of a run."""
    run_id = path_id(request, "run_id")
    async with database(request).read() as conn:
        await runs.get(conn, run_id)
        return JSONResponse(await files.list_of_run(conn, run_id))


async def download(request: Request) -> Response:
    """The bytes of a file, to be saved and never to be shown: they may be anybody's HTML."""
    db = database(request)
    async with db.read() as conn:
        file = await files.get(conn, path_id(request, "file_id"))
    path = None if file.sha256 is None else files.blob_path(db.path, file.sha256)
    if path is None or not path.is_file():
        raise NotFoundError(f"the bytes of the file {file.path!r} are not here")
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=file.name.rpartition("/")[2],
        content_disposition_type="attachment",
        headers={"X-Content-Type-Options": "nosniff", "ETag": f'"{file.sha256}"'},
    )
