"""A connection to a TrackAI server, kept open between requests.

What goes wrong is told in one sentence. `ServerUnreachableError` passes by itself: the server is
down, or the network. `ServerRefusedError` stays until something is changed.
"""

from __future__ import annotations

import http.client
import logging
import math
import os
import re
import ssl
import threading
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from trackai import __version__
from trackai.errors import InvalidInputError, ServerRefusedError, ServerUnreachableError
from trackai.ingest.wire import PROTOCOL
from trackai.settings import ca_bundle
from trackai.values.text import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

T = TypeVar("T")

JSON = {"Content-Type": "application/json"}
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
# Answers of proxies whose server is down or busy, and of servers that are.
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_LONGEST_PAUSE = 300.0
# Connections that stay open, one for each thread that has used the server at the same time as
# others; urllib3 warns about more.
_MAX_KEPT = 64
# What the slowest network takes within `CONNECT_SECONDS`.
_PIECE_BYTES = 65_536


class Answer(msgspec.Struct, frozen=True):
    """The answer of the server at `url`: the HTTP status, the body and its media type."""

    url: str
    status: int
    data: bytes
    media_type: str = ""

    def decode(self, type_: type[T]) -> T:
        """Decode the body from JSON.

        Raises:
            ServerRefusedError: it is not what a TrackAI server answers.
        """
        try:
            return msgspec.json.decode(self.data, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _not_trackai(self.url, self.status) from None


# The addresses of all connections.
_urls: set[str] = set()


def _is_news(record: logging.LogRecord) -> bool:
    """False for the warning, with a traceback, about the head of an answer that was cut.

    `Connection.request` raises an error then.
    """
    return not (
        str(record.msg).startswith("Failed to parse headers")
        and str(record.args).startswith(tuple(f"('{url}" for url in _urls))
    )


logging.getLogger("urllib3.connection").addFilter(_is_news)


class Connection:
    """A server at `url`. Methods may be called from several threads, and in forked processes.

    Attributes:
        url: the address, without a slash at the end.
        moved: how often the server has stored something of a journal or a file, or has said that
            it has a file.
        answered_at: when it last answered a request well, by the monotonic clock.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """Make a connection; nothing is sent yet.

        Args:
            url: the address of the server.
            api_key: the key to send, if any.
            read_seconds: how long to wait for the next part of an answer.

        Raises:
            InvalidInputError: the address is not an HTTP URL.
        """
        self.url = checked_url(url)
        _urls.add(self.url)
        self._headers = {"User-Agent": f"trackai/{__version__}", "TrackAI-Protocol": str(PROTOCOL)}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._read_seconds = read_seconds
        self.moved = 0
        self.answered_at = -math.inf
        self._lock = threading.Lock()
        self._pool: tuple[int, urllib3.PoolManager] | None = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset({200}),
    ) -> Answer:
        """Send a request, and return the answer.

        Args:
            path: with the query.
            expected: the statuses to return; others are errors.

        Raises:
            ServerUnreachableError: the server does not answer now.
            ServerRefusedError: the server refuses the request, or is not a TrackAI server.
        """
        try:
            response = self._send(method, path, body, headers, preload_content=True)
        except HTTPError as error:
            raise self._unreachable(error) from None
        except OSError as error:  # a body that cannot be read is not the server's fault
            raise ServerUnreachableError(f"{self.url}: {error}") from None
        if not response.data and not _has_length(response.headers):
            # urllib3 takes an answer that was cut within its head for a complete one.
            raise ServerUnreachableError(f"{self.url} ended the connection within its answer")
        answer = self._answer(response)
        if answer.status in expected:
            self.answered_at = time.monotonic()
            return answer
        raise self._error(answer, response.headers)

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Wait no longer than this for the next part of an answer."""
        usual, self._read_seconds = self._read_seconds, seconds
        try:
            yield
        finally:
            self._read_seconds = usual

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset({200}),
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Send a GET request, and read the answer while it arrives.

        Errors are those of `request`, also while the answer is read.

        Args:
            path: with the query.
            expected: the statuses to return; others are errors.
        """
        response = None
        try:
            response = self._send("GET", path, None, headers, preload_content=False)
            if response.status not in expected:
                raise self._error(self._answer(response), response.headers)
            if not _has_length(response.headers):  # its end would look like that of a whole one
                raise ServerUnreachableError(f"{self.url} ended the connection within its answer")
            yield response
        except HTTPError as error:
            raise self._unreachable(error) from None
        finally:
            if response is not None:
                response.close()

    def _send(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None,
        headers: Mapping[str, str] | None,
        *,
        preload_content: bool,
    ) -> urllib3.BaseHTTPResponse:
        headers = {**self._headers, **(headers or {})}
        if isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
        return self._manager().request(
            method,
            self.url + path,
            body=_pieces(body) if isinstance(body, bytes) else body,
            headers=headers,
            timeout=urllib3.Timeout(connect=self._connect_seconds, read=self._read_seconds),
            retries=False,
            redirect=False,
            preload_content=preload_content,
        )

    def _answer(self, response: urllib3.BaseHTTPResponse) -> Answer:
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        return Answer(self.url, response.status, response.data, media_type)

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and pool[0] == os.getpid():
            pool[1].clear()

    @property
    def _connect_seconds(self) -> float:
        return min(CONNECT_SECONDS, self._read_seconds)

    def _manager(self) -> urllib3.PoolManager:
        # A forked process must not use the socket of its parent.
        with self._lock:
            if self._pool is None or self._pool[0] != os.getpid():
                self._pool = os.getpid(), _new_manager(self.url)
            return self._pool[1]

    def _unreachable(self, error: HTTPError) -> ServerUnreachableError | ServerRefusedError:
        reason: Any = error
        if isinstance(reason, ProxyError):
            return ServerUnreachableError(
                f"{self.url}: the proxy does not answer ({_cause(error)})"
            )
        # A server or proxy that ends within the handshake is one that does not answer now.
        if isinstance(reason, SSLError) and "EOF occurred" not in str(reason):
            return ServerRefusedError(f"{self.url}: {_tls_problem(str(reason))}")
        if isinstance(reason, NameResolutionError):
            return ServerUnreachableError(f"{self.url}: no host of this name is known now")
        if isinstance(reason, ConnectTimeoutError) and not isinstance(reason, NewConnectionError):
            return ServerUnreachableError(
                f"{self.url} did not answer within {self._connect_seconds:.2g} s"
            )
        if isinstance(reason, NewConnectionError):
            return ServerUnreachableError(
                f"{self.url} does not answer ({_cause(error)}): is it running?"
            )
        if isinstance(reason, ReadTimeoutError):
            return ServerUnreachableError(f"{self.url} took too long to answer")
        if isinstance(reason, LocationParseError):
            return ServerRefusedError(f"{self.url} is not a valid address")
        cause = _innermost(error)
        if isinstance(cause, http.client.IncompleteRead | urllib3.exceptions.IncompleteRead):
            return ServerUnreachableError(f"the answer of {self.url} ended early: request it again")
        if isinstance(cause, http.client.HTTPException) and not isinstance(cause, OSError):
            return ServerUnreachableError(
                f"{self.url} is not the address of a TrackAI server, or its answer was cut"
            )
        return ServerUnreachableError(f"{self.url} ended the connection ({_cause(error)})")

    def _error(
        self, answer: Answer, headers: Mapping[str, str]
    ) -> ServerUnreachableError | ServerRefusedError:
        detail = detail_of(answer.data)
        status = answer.status
        if status in _TEMPORARY:
            who = "the server" if detail else "a proxy, whose server does not answer,"
            return ServerUnreachableError(
                f"{self.url}: {who} answered with the status {status}"
                + (f" ({detail})" if detail else ""),
                retry_after=_retry_after(headers.get("Retry-After")),
            )
        target = urlsplit(headers.get("Location", ""))
        if 300 <= status < 400 and target.netloc:
            return ServerRefusedError(
                f"{self.url} redirects to {escaped(f'{target.scheme}://{target.netloc}')}: use "
                "that address",
                status,
            )
        if status == 413:
            return ServerRefusedError(
                f"{self.url}: a body is too large for it or for a proxy before it, whose limit "
                "should be 80 MB (client_max_body_size of nginx)",
                status,
            )
        if status == 400 and self.url.startswith("http:") and b"HTTPS" in answer.data:
            return ServerRefusedError(f"{self.url}: it expects TLS: did you mean https://?")
        if detail is None or detail in {"Not Found", "Method Not Allowed"}:
            return _not_trackai(self.url, status)
        if status == 401:
            return ServerRefusedError(
                f"{self.url}: the key is missing, wrong, expired or revoked: set TRACKAI_API_KEY",
                status,
            )
        return ServerRefusedError(f"{self.url}: {detail}", status)


def _pieces(body: bytes) -> Iterator[bytes]:
    """The parts of a body that are sent one by one.

    A timeout of a socket limits the whole of what it is given, however well the bytes move.
    """
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _has_length(headers: Mapping[str, str]) -> bool:
    """Whether the head of an answer says where its body ends."""
    return (
        headers.get("Content-Length", "").isdecimal()
        or headers.get("Transfer-Encoding", "").lower() == "chunked"
    )


def _not_trackai(url: str, status: int) -> ServerRefusedError:
    # Without the status, which says nothing about runs.
    return ServerRefusedError(
        f"{url} answered with the status {status}, and is not a TrackAI server, or one that is "
        "too old"
    )


def checked_url(url: str, field: str = "server_url") -> str:
    """The address of a server, without a slash at the end.

    Args:
        field: the name of the argument, for errors.

    Raises:
        InvalidInputError: it is not an HTTP URL.
    """
    problem = f"must be an address such as http://tracker:8000, got {url!r}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInputError(field, problem) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise InvalidInputError(field, problem)
    if parts.query or parts.fragment or parts.username is not None:
        raise InvalidInputError(
            field, "must have no query, fragment or user; keys go in TRACKAI_API_KEY"
        )
    return url.rstrip("/")


def _new_manager(url: str) -> urllib3.PoolManager:
    """Connections through the proxy that the environment names for this address, if any."""
    context = _tls_context(url)
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None or urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager(num_pools=1, maxsize=_MAX_KEPT, ssl_context=context)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    headers = None
    if parts.username:
        headers = urllib3.make_headers(proxy_basic_auth=f"{parts.username}:{parts.password or ''}")
    return urllib3.ProxyManager(
        f"{parts.scheme}://{parts.hostname}:{parts.port or 80}",
        proxy_headers=headers,
        num_pools=1,
        maxsize=_MAX_KEPT,
        ssl_context=context,
    )


def _tls_context(url: str) -> ssl.SSLContext | None:
    """Trust also the certificates of REQUESTS_CA_BUNDLE; None if it is not set.

    Raises:
        ServerRefusedError: they cannot be read.
    """
    bundle = ca_bundle()
    if bundle is None or not url.startswith("https:"):
        return None
    context = ssl.create_default_context()  # reads SSL_CERT_FILE and SSL_CERT_DIR
    folder = os.path.isdir(bundle)  # noqa: PTH112 - a text, as OpenSSL takes it
    try:
        context.load_verify_locations(None if folder else bundle, bundle if folder else None)
    except OSError as error:
        raise ServerRefusedError(
            f"{url}: cannot read the certificates of REQUESTS_CA_BUNDLE, {bundle} "
            f"({error.strerror or error})"
        ) from None
    return context


def detail_of(data: bytes) -> str | None:
    """The error of a TrackAI server; None if the body is not of one."""
    try:
        detail = msgspec.json.decode(data)["detail"]
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return None
    return detail if isinstance(detail, str) else None


def _cause(error: BaseException) -> str:
    """The innermost reason of an error of urllib3, without objects and addresses in memory."""
    error = _innermost(error)
    return (
        getattr(error, "strerror", None) or re.sub(r"<[^>]*>:?\s*", "", str(error)) or "no reason"
    )


def _innermost(error: BaseException) -> BaseException:
    """The first error of a chain; urllib3 keeps some as an argument only."""
    while True:
        causes = [getattr(error, "original_error", None), error.__cause__, *error.args[1:2]]
        cause = next((each for each in causes if isinstance(each, BaseException)), None)
        if cause is None:
            return error
        error = cause


def _tls_problem(text: str) -> str:
    if "certificate has expired" in text:
        return "its certificate has expired"
    if "Hostname mismatch" in text or "doesn't match" in text or "IP address mismatch" in text:
        return "its certificate is for another name"
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return "its certificate is not trusted here: set SSL_CERT_FILE to that of its authority"
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text:
        return "it does not speak TLS: did you mean http://?"
    return f"TLS failed ({text})"


def _retry_after(text: str | None) -> float | None:
    return min(float(text), _LONGEST_PAUSE) if text and text.strip().isdecimal() else None
