"""Who may talk to the server: every web page that the user visits can reach localhost.

A page of another origin may send requests here, but cannot name this server in the Host header
after rebinding its own name to 127.0.0.1, nor leave out where it comes from when it wants to
change something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from trackai.api.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "testserver"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class SameMachineOnly:
    """Refuses requests under a foreign host name, and changes asked for by foreign pages."""

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = _LOOPBACK | frozenset(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            problem = self._problem(scope)
            if problem is not None:
                await JSONResponse({"detail": problem}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = _hostname(headers.get("host", ""))
        if host not in self._hosts:
            return f"Host: {host!r} is not allowed here; name it in TRACKAI_ALLOWED_HOSTS"
        if scope["method"] in _READING:
            return None
        origin = headers.get("origin")
        if origin is not None and _origin_host(origin) not in self._hosts:
            return f"Origin: {origin!r} may not change anything here"
        if headers.get("sec-fetch-site", "none") == "cross-site":
            return "Sec-Fetch-Site: a page of another site may not change anything here"
        return None


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""


def _origin_host(origin: str) -> str:
    try:
        return (urlsplit(origin).hostname or "").lower()
    except ValueError:
        return ""
