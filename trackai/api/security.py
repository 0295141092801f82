"""Who may talk to the server: every web page that the user visits can reach localhost.

Without a key, the server answers on the loopback address only, and there only under names of this
machine: a page that lets its own name point to 127.0.0.1 still sends that name as Host. A change
must come from no page at all or from a page of this very server; another port of localhost is
another origin, where anything may be served. With a key (`TRACKAI_API_KEY`), every request must
bring it, or the cookie of a session that began with it, from wherever it comes; no browser sends
either to a name that it was not given under, so that the name in Host does not matter. Open to all
are /health and what one signs in with: the dashboard's page and scripts, which hold no data, and
the request for a session.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trackai.api.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trackai.api.sessions import Sessions

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Percent-encoded; a filter of the greatest length fits into the query.
MAX_PATH = 16 * 1024
MAX_QUERY = 48 * 1024
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/health", "/health/"})
_SIGN_IN_PATHS = frozenset({"/api/session", "/api/session/"})
_JUDGED = frozenset({b"host", b"origin", b"sec-fetch-site", b"authorization", b"cookie", b"accept"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    # What is asked for again has changed meanwhile, and belongs in no disk cache.
    (b"cache-control", b"no-store"),
)

_PLAIN = frozenset({b"content-type", b"content-length"})


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
        self, app: ASGIApp, *, allowed_hosts: Iterable[str] = (), sessions: Sessions | None = None
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | frozenset(allowed_hosts)
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_ours(message["headers"])
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, send_with_headers)

    def _refused(self, scope: Scope) -> JSONResponse | None:
        if len(scope.get("raw_path") or b"") > MAX_PATH or len(scope["query_string"]) > MAX_QUERY:
            return JSONResponse({"detail": "the address is too long"}, 414)
        headers = _judged(scope)
        if self._sessions is None:
            problem = self._not_from_here(scope, headers)
            if problem is not None:
                return JSONResponse({"detail": problem}, 403)
        elif not (_is_open(scope, headers) or _may(self._sessions, headers)):
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

    def _not_from_here(self, scope: Scope, headers: Mapping[bytes, str]) -> str | None:
        address, port = scope.get("server") or ("localhost", None)
        # Without a port it is a Unix socket. `trackai serve` would not have begun to listen.
        if port is not None and not is_loopback(address):
            return "set TRACKAI_API_KEY: without a key, only this machine may talk to the server"
        host = _hostname(headers.get(b"host", ""))
        if host not in self._hosts:
            return f"Host: {host[:80]!r} is not allowed here; name it in TRACKAI_ALLOWED_HOSTS"
        return None


def _with_ours(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    if given == _PLAIN:  # as nearly always
        return [*headers, *_HEADERS]
    return [*headers, *(header for header in _HEADERS if header[0] not in given)]


def _judged(scope: Scope) -> dict[bytes, str]:
    """The headers that are looked at here; one that comes twice is joined, and so fits nothing."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _JUDGED:
            text = value.decode("latin-1")
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _is_open(scope: Scope, headers: Mapping[bytes, str]) -> bool:
    """Whether that is for everybody: to see that the server lives, and to sign in."""
    path, method = scope["path"], scope["method"]
    if path in _OPEN_PATHS or (path in _SIGN_IN_PATHS and method == "POST"):
        return True
    is_page = path == "/" and "text/html" in headers.get(b"accept", "")
    return method in {"GET", "HEAD"} and (is_page or path.startswith("/assets/"))


def _may(sessions: Sessions, headers: Mapping[bytes, str]) -> bool:
    scheme, _, key = headers.get(b"authorization", "").partition(" ")
    if sessions.is_key(key.strip().encode("latin-1")) and scheme.lower() == "bearer":
        return True
    # Another port of this host is the same site to a browser, and gets the cookie sent along.
    if headers.get(b"sec-fetch-site", "none") not in {"none", "same-origin"}:
        return False
    for cookie in headers.get(b"cookie", "").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == sessions.cookie and sessions.holds(value):
            return True
    return False


def _from_foreign_page(headers: Mapping[bytes, str]) -> str | None:
    origin = headers.get(b"origin")
    if origin is not None:
        scheme, _, netloc = origin.lower().partition("://")
        if scheme not in {"http", "https"} or netloc != headers.get(b"host", "").lower():
            return f"Origin: {origin[:80]!r} may not change anything here"
    if headers.get(b"sec-fetch-site", "none") not in {"none", "same-origin"}:
        return "Sec-Fetch-Site: a page of another origin may not change anything here"
    return None


@lru_cache(maxsize=64)
def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""
