"""Responses with stored files, or ranges of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response, StreamingResponse

from trackai.api.responses import JSONResponse
from trackai.errors import StoreError
from trackai.store.blobs.threads import in_thread
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.types import Message, Receive, Scope, Send

    from trackai.store.blobs.blob_store import Readable

_CHUNK_BYTES = 1 << 18
_RANGE_ERRORS = {
    400: "Range: must be a range of bytes, such as bytes=0-1023",
    416: "Range: starts beyond the end of the file",
}


def stored_response(
    stored: Readable,
    *,
    media_type: str,
    headers: Mapping[str, str],
    filename: str | None = None,
) -> Response:
    """A response with a file, or the range of it that is requested.

    Args:
        headers: with its ETag.
        filename: the name under which browsers save it.
    """
    if isinstance(stored, Path):
        return _FileResponse(stored, media_type=media_type, filename=filename, headers=headers)
    return _BucketResponse(stored, media_type=media_type, filename=filename, headers=headers)


class _FileResponse(FileResponse):
    """A file on a disk; unlike Starlette's, its errors are JSON."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: JSONResponse | None = None

        async def send_unless_refused(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start" and message["status"] in _RANGE_ERRORS:
                content_range = Headers(raw=message["headers"]).get("content-range")
                refusal = _refusal(message["status"], content_range)
            elif refusal is None:
                await send(message)

        await super().__call__(scope, receive, send_unless_refused)
        if refusal is not None:
            await refusal(scope, receive, send)


class _BucketResponse(Response):
    """A file in a bucket, which is read while it is sent.

    A request for several ranges gets the whole file, which HTTP allows.
    """

    def __init__(
        self,
        stored: Any,
        *,
        media_type: str,
        filename: str | None,
        headers: Mapping[str, str],
    ) -> None:
        self._stored = stored
        self.media_type = media_type
        self._all_headers = {**headers, "Accept-Ranges": "bytes"}
        if filename is not None:
            quoted = quote(filename)
            name = f'filename="{filename}"' if quoted == filename else f"filename*=utf-8''{quoted}"
            self._all_headers["Content-Disposition"] = f"attachment; {name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope)(scope, receive, send)
        except StoreError as error:  # ends the connection, as the response has begun
            logger.warning("%s", error)

    def _response(self, scope: Scope) -> Response:
        request, size = Headers(scope=scope), self._stored.size
        if scope["method"] == "HEAD":
            headers = {**self._all_headers, "Content-Length": str(size)}
            return Response(None, 200, headers, self.media_type)
        wanted = request.get("range")
        if (
            wanted is None
            or request.get("if-range", self._all_headers["ETag"]) != self._all_headers["ETag"]
        ):
            return self._stream(0, size, 200)
        try:
            start, end = _range(wanted, size)
        except ValueError:
            return _refusal(400, None)
        if start is None:
            return self._stream(0, size, 200)
        if start >= size:
            return _refusal(416, f"bytes */{size}")
        if start >= end:
            return _refusal(400, None)
        response = self._stream(start, end, 206)
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return response

    def _stream(self, start: int, end: int, status: int) -> StreamingResponse:
        headers = {**self._all_headers, "Content-Length": str(end - start)}
        content = _read(self._stored, start, end)
        return StreamingResponse(content, status, headers, self.media_type)


def _refusal(status: int, content_range: str | None) -> JSONResponse:
    headers = None if content_range is None else {"Content-Range": content_range}
    return JSONResponse({"detail": _RANGE_ERRORS[status]}, status, headers)


def _range(text: str, size: int) -> tuple[int | None, int]:
    """The start and end of a range of bytes; None if there are several.

    Raises:
        ValueError: it is none.
    """
    unit, _, ranges = text.partition("=")
    if "," in ranges:
        return None, size
    match = re.fullmatch(r"(\d*)-(\d*)", ranges.strip(), re.ASCII)
    if unit.strip().lower() != "bytes" or match is None or ranges.strip() == "-":
        raise ValueError(text)
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


async def _read(stored: Readable, start: int, end: int) -> AsyncIterator[bytes]:
    with await in_thread(stored.open, "rb") as file:
        await in_thread(file.seek, start)
        while start < end:
            chunk = await in_thread(file.read, min(_CHUNK_BYTES, end - start))
            if not chunk:
                return
            start += len(chunk)
            yield chunk
