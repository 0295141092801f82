"""Who may talk to the server: every web page that the user visits can reach localhost.

Without a key, the server answers on the loopback address only, and there only under names of this
machine: a page that lets its own name point to 127.0.0.1 still sends that name as Host. A change
must come from no page at all or from a page of this very server; another port of localhost is
another origin, where anything may be served. With a key (`TRACKAI_API_KEY`), every request but
/health must bring it, from wherever it comes; no browser sends it by itself, so that the name
in Host does not matter.
"""

from __future__ import annotations

import hmac
import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from trackai.api.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Percent-encoded; a filter of the greatest length fits into the query.
MAX_PATH = 16 * 1024
MAX_QUERY = 48 * 1024
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/health", "/health/"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    # What is asked for again has changed meanwhile, and belongs in no disk cache.
    (b"cache-control", b"no-store"),
)


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at that address or name."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


class Guard:
    """Refuses what may not come in, and sets the headers that keep browsers from helping others."""

    def __init__(
        self, app: ASGIApp, *, allowed_hosts: Iterable[str] = (), api_key: str | None = None
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | frozenset(allowed_hosts)
        self._key = None if api_key is None else api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in _HEADERS if header[0] not in given),
                ]
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if len(scope.get("raw_path") or b"") > MAX_PATH or len(scope["query_string"]) > MAX_QUERY:
            return JSONResponse({"detail": "the address is too long"}, 414)
        if self._key is None:
            problem = self._not_from_here(scope, headers)
            if problem is not None:
                return JSONResponse({"detail": problem}, 403)
        elif scope["path"] not in _OPEN_PATHS and not self._has_key(headers):
            return JSONResponse(
                {"detail": "a key is needed: Authorization: Bearer KEY"},
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        if scope["method"] not in _READING:
            problem = _from_foreign_page(headers)
            if problem is not None:
                return JSONResponse({"detail": problem}, 403)
        return None

    def _not_from_here(self, scope: Scope, headers: Headers) -> str | None:
        address, port = scope.get("server") or ("localhost", None)
        # Without a port it is a Unix socket. `trackai serve` would not have begun to listen.
        if port is not None and not is_loopback(address):
            return "set TRACKAI_API_KEY: without a key, only this machine may talk to the server"
        host = _hostname(headers.get("host", ""))
        if len(headers.getlist("host")) != 1 or host not in self._hosts:
            return f"Host: {host[:80]!r} is not allowed here; name it in TRACKAI_ALLOWED_HOSTS"
        return None

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        given = key.strip().encode("latin-1", "replace")
        return hmac.compare_digest(given, self._key or b"") and scheme.lower() == "bearer"


def _from_foreign_page(headers: Headers) -> str | None:
    origin = headers.get("origin")
    if origin is not None:
        scheme, _, netloc = origin.lower().partition("://")
        if scheme not in {"http", "https"} or netloc != headers.get("host", "").lower():
            return f"Origin: {origin[:80]!r} may not change anything here"
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return "Sec-Fetch-Site: a page of another origin may not change anything here"
    return None


@lru_cache(maxsize=64)
def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""
