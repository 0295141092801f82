"""The dashboard: a single page, built from `web/` into `dist/` and served by the API server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive, Scope, Send

DIST = Path(__file__).parent / "dist"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self'; frame-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors "
)
# Notebooks on this machine, in a browser or in VS Code.
_NOTEBOOKS = "http://localhost:* http://127.0.0.1:* vscode-webview:"
_HEADERS = {
    "Content-Security-Policy": f"{_POLICY}'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_NOT_BUILT = (
    "<!doctype html><title>TrackAI</title><p>The dashboard is not built. The API works without it. "
    "To build the dashboard, run <code>pip install .</code> in a checkout of TrackAI.</p>"
)

_NOT_FOUND = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"><title>Page not found - TrackAI</title>'
    '<h1>Page not found</h1><p>There is no page at this address. <a href="/">Show the projects</a>'
)


def page(*, in_notebooks: bool, frame_origins: Sequence[str] = ()) -> Response:
    """The page, or how to build it.

    Args:
        in_notebooks: whether notebooks on this machine may show it in a frame.
        frame_origins: the origins whose pages may show it in a frame.
    """
    headers = _HEADERS
    ancestors = [_NOTEBOOKS] * in_notebooks + [*frame_origins]
    if ancestors:  # which take precedence over X-Frame-Options
        headers = {**_HEADERS, "Content-Security-Policy": _POLICY + " ".join(ancestors)}
    if (DIST / "index.html").is_file():
        return FileResponse(DIST / "index.html", headers=headers)
    return HTMLResponse(_NOT_BUILT, headers=headers)


def not_found() -> Response:
    """The page for an address that does not exist."""
    return HTMLResponse(_NOT_FOUND, 404, headers=_HEADERS)


# Browsers may cache the scripts and styles: their names change with their content. They contain no
# data, and the frame of a figure, which has no origin, loads them like another site.
_ASSET_HEADERS = (
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"access-control-allow-origin", b"*"),
)
# The page in the frame of a logged figure. Whatever is in a figure, it has no origin, no data but
# its own, and no network. Any page may show it: it is empty until it is sent a figure.
_FRAME_POLICY = (
    b"sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; "
    b"img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors *"
)
_FRAME_HEADERS = ((b"cache-control", b"no-cache"), (b"content-security-policy", _FRAME_POLICY))


class Assets:
    """The scripts and styles of the dashboard, and the page in the frames of figures."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=DIST / "assets", check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _FRAME_HEADERS if scope["path"].endswith(".html") else _ASSET_HEADERS

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await self._files(scope, receive, with_headers)
