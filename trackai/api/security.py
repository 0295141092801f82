"""Access control: which requests the server answers, and the headers that protect browsers.

Every web page that a user visits can send requests to localhost, so:

- Without an API key, the server answers only on loopback addresses, and only requests whose Host
  is a name of this machine. A page that lets its own domain resolve to 127.0.0.1 (DNS rebinding)
  still sends that domain as Host.
- A request that changes something must come from no web page, or from a page of this server.
  Another port of localhost is another origin, and anyone may serve pages there.
- A protected server (see `keyring`) answers only requests with a key, or with the cookie of a
  session that was started with one. Browsers send neither to other domains, so Host is not checked.
  What a key allows is checked by `ScopeMiddleware`, for each route.
- Open without a key are /health, and what signing in needs: the dashboard's page and scripts,
  which contain no data, and the request that starts a session.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trackai.api.key_attempts import (
    TOO_MANY_ATTEMPTS,
    KeyAttempts,
    TooManyAttemptsError,
    client_address,
)
from trackai.api.responses import JSONResponse
from trackai.api.sessions import Sessions
from trackai.errors import PermissionDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trackai.api.keyring import Keyring
    from trackai.store.catalogue import keys

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Bytes, percent-encoded. A filter of the maximum length fits into the query.
MAX_PATH = 16 * 1024
MAX_QUERY = 48 * 1024
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/health", "/health/"})
_SIGN_IN_PATHS = frozenset({"/api/session", "/api/session/"})
_CHECKED_HEADERS = frozenset(
    {b"host", b"origin", b"sec-fetch-site", b"authorization", b"cookie", b"accept"}
)
_RESPONSE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    # Responses change between requests, and their data does not belong in disk caches.
    (b"cache-control", b"no-store"),
)

# The keys of the ASGI scope of a protected server with the grant that allows a request, and with
# the cookie of its session, if it has one.
GRANT = "trackai.grant"
SESSION = "trackai.session"

_SUFFICIENT = {
    "read": frozenset({"read", "admin"}),
    "write": frozenset({"write", "admin"}),
    "admin": frozenset({"admin"}),
}

# The response headers of most endpoints.
_USUAL_HEADERS = frozenset({b"content-type", b"content-length"})


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether `host`, an address or a name, can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


class SecurityMiddleware:
    """Refuses requests that are not allowed, and adds protective response headers.

    Args:
        allowed_hosts: names besides those of this machine that Host may have.
        keyring: the keys of the server; None if no key is required.
        sessions: checks session cookies.
        attempts: slows down guesses of the API key.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_hosts: Iterable[str] = (),
        keyring: Keyring | None = None,
        sessions: Sessions | None = None,
        attempts: KeyAttempts | None = None,
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | frozenset(allowed_hosts)
        self._keyring = keyring
        self._sessions = sessions or Sessions()
        self._attempts = attempts or KeyAttempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_security_headers(message["headers"])
            await send(message)

        refusal = await self._refuse(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    async def _refuse(self, scope: Scope) -> JSONResponse | None:
        if len(scope.get("raw_path") or b"") > MAX_PATH or len(scope["query_string"]) > MAX_QUERY:
            detail = (
                f"URL too long: the path must be at most {MAX_PATH} bytes, "
                f"the query at most {MAX_QUERY}"
            )
            return JSONResponse({"detail": detail}, 414)
        headers = _checked_headers(scope)
        if self._keyring is None or not self._keyring.is_protected:
            problem = self._check_local(scope, headers)
            if problem is not None:
                return JSONResponse({"detail": problem}, 403)
        elif not _is_open(scope, headers):
            refusal = await self._check_key(scope, headers, self._keyring)
            if refusal is not None:
                return refusal
        if scope["method"] not in _SAFE_METHODS:
            problem = _check_origin(headers)
            if problem is not None:
                return JSONResponse({"detail": problem}, 403)
        return None

    async def _check_key(
        self, scope: Scope, headers: Mapping[bytes, str], keyring: Keyring
    ) -> JSONResponse | None:
        cookie = _session_cookie(self._sessions, headers)
        if cookie is not None:
            granted = session_grant(self._sessions, keyring, cookie)
            if granted is not None:
                scope[SESSION], scope[GRANT] = cookie, granted
                return None
        detail = "API key required: send the header Authorization: Bearer KEY"
        scheme, _, key = headers.get(b"authorization", "").partition(" ")
        if key.strip() and scheme.lower() == "bearer":
            detail = "wrong API key: it is unknown, has expired or was revoked"
            secret = key.strip().encode("latin-1")
            try:
                granted = await self._find_grant(scope, secret, keyring)
            except TooManyAttemptsError:
                return JSONResponse({"detail": TOO_MANY_ATTEMPTS}, 429, {"Retry-After": "1"})
            if granted is not None:
                scope[GRANT] = granted
                return None
        return JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": "Bearer"})

    async def _find_grant(self, scope: Scope, secret: bytes, keyring: Keyring) -> keys.Grant | None:
        is_right = await self._attempts.check(
            client_address(scope),
            secret,
            lambda secret: keyring.find(secret) is not None,
            refresh=lambda: keyring.refresh_now(scope["state"]["db"]),
        )
        return keyring.find(secret) if is_right else None

    def _check_local(self, scope: Scope, headers: Mapping[bytes, str]) -> str | None:
        address, port = scope.get("server") or ("localhost", None)
        # No port means a Unix socket. `trackai serve` refuses such addresses at the start, but
        # other programs, such as uvicorn, can also run the application.
        if port is not None and not is_loopback(address):
            return "API key required for requests from other machines: set TRACKAI_API_KEY"
        host = _hostname(headers.get(b"host", ""))
        # An address cannot be the name of another site that resolves to this machine.
        if host not in self._hosts and not is_loopback(host):
            return f"Host: {host[:80]!r} is not allowed; add it to TRACKAI_ALLOWED_HOSTS"
        return None


class ScopeMiddleware:
    """Refuses requests whose key does not allow what a route does.

    Args:
        needed: the scope that a key needs.
    """

    def __init__(self, app: ASGIApp, *, needed: keys.Scope) -> None:
        self._app = app
        self._sufficient = _SUFFICIENT[needed]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        granted: keys.Grant | None = scope.get(GRANT)
        if granted is not None and granted.scope not in self._sufficient:
            raise PermissionDeniedError(
                f"this key has the scope {granted.scope}: this request needs "
                f"{' or '.join(sorted(self._sufficient, reverse=True))}"
            )
        await self._app(scope, receive, send)


def session_grant(sessions: Sessions, keyring: Keyring, cookie: str) -> keys.Grant | None:
    """What a session allows; None if it has ended, or its key is not valid any more."""
    session = sessions.find(cookie)
    if session is None:
        return None
    return keyring.find_fingerprint(session.fingerprint)


def is_ended(request: Request) -> bool:
    """Whether the key or the session that allowed a request is not valid any more."""
    keyring: Keyring = request.app.state.keyring
    cookie = request.scope.get(SESSION)
    if cookie is not None:
        return session_grant(request.app.state.sessions, keyring, cookie) is None
    return not keyring.allows(request.scope.get(GRANT))


def _with_security_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in headers}
    if names == _USUAL_HEADERS:
        return [*headers, *_RESPONSE_HEADERS]
    return [*headers, *(header for header in _RESPONSE_HEADERS if header[0] not in names)]


def _checked_headers(scope: Scope) -> dict[bytes, str]:
    """The headers that are checked here; repeated headers are joined, and so match nothing."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _CHECKED_HEADERS:
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _is_open(scope: Scope, headers: Mapping[bytes, str]) -> bool:
    """Whether the request needs no key: the health check, and what signing in needs."""
    path, method = scope["path"], scope["method"]
    if path in _OPEN_PATHS or (path in _SIGN_IN_PATHS and method == "POST"):
        return True
    is_page = path == "/" and "text/html" in headers.get(b"accept", "")
    return method in {"GET", "HEAD"} and (is_page or path.startswith("/assets/"))


def _session_cookie(sessions: Sessions, headers: Mapping[bytes, str]) -> str | None:
    """The cookie of a valid session, if the request has one and may use it."""
    # To a browser, another port of this host is the same site: its pages send the cookie too.
    if headers.get(b"sec-fetch-site", "none") not in {"none", "same-origin"}:
        return None
    for cookie in headers.get(b"cookie", "").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == sessions.cookie and sessions.find(value) is not None:
            return value
    return None


def _check_origin(headers: Mapping[bytes, str]) -> str | None:
    origin = headers.get(b"origin")
    if origin is not None:
        scheme, _, netloc = origin.lower().partition("://")
        if scheme not in {"http", "https"} or netloc != headers.get(b"host", "").lower():
            return f"Origin: {origin[:80]!r} is not allowed to make changes"
    if headers.get(b"sec-fetch-site", "none") not in {"none", "same-origin"}:
        return "Sec-Fetch-Site: pages of other origins are not allowed to make changes"
    return None


@lru_cache(maxsize=64)
def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower()
    except ValueError:
        return ""
