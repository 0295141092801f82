"""Requests to a server, whose answers become records, and whose errors become exceptions."""

from __future__ import annotations

import urllib.parse
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trackai.client.connection import Answer, Connection, checked_url, detail_of
from trackai.errors import ConflictError, InvalidInputError, NotFoundError, ServerRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from trackai.errors import TrackAIError

T = TypeVar("T")
# The statuses whose answers are results, or errors with a meaning of their own.
_EXPECTED_STATUSES = frozenset({200, 404, 409, 422})
MSGPACK = "application/msgpack"
IMAGES = "application/vnd.trackai.images+msgpack"


class ServerClient:
    """A server at an address, with a key.

    Attributes:
        url: the address, without a slash at the end.
        connection: sends the requests.
    """

    def __init__(self, url: str, api_key: str | None = None, *, timeout: float = 60) -> None:
        """Prepare requests; nothing is sent yet.

        Args:
            url: the address of the server.
            api_key: the key of the server, if it has one.
            timeout: how long to wait for an answer, in seconds.

        Raises:
            InvalidInputError: the address is not an HTTP URL.
        """
        if not url.startswith(("http://", "https://")):
            raise InvalidInputError("url", f"must start with http:// or https://, got {url!r}")
        if not _is_valid(url):
            raise InvalidInputError("url", f"must be like http://localhost:8000, got {url!r}")
        checked_url(url, "url")
        self.connection = Connection(url, api_key, read_seconds=timeout)
        self.url = self.connection.url
        self._api_key = api_key
        self._timeout = timeout

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes get connections of their own.
        return partial(type(self), timeout=self._timeout), (self.url, self._api_key)

    def get(self, path: str, type_: type[T], **query: Any) -> T:
        """Read a record; None in the query is left out."""
        answer: T = self.request("GET", with_query(path, query), type_)
        return answer

    def request(self, method: str, path: str, type_: Any, body: Any = None) -> Any:
        """Send a request with a body in JSON, and read a record."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if data else {}
        return self.decode(self.send(method, path, data, headers), type_)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Send a request.

        Raises:
            NotFoundError, ConflictError, InvalidInputError: as the server says.
            ServerRefusedError: the server is not TrackAI, or refuses the key.
            ServerUnreachableError: there was no answer.
        """
        answer = self.connection.request(
            method, path, body, headers=headers, expected=_EXPECTED_STATUSES
        )
        if answer.status != 200:
            raise _error_of(answer)
        return answer

    def decode(self, answer: Answer, type_: Any) -> Any:
        """Decode an answer of either format."""
        packed = answer.media_type in (MSGPACK, IMAGES)
        decode = msgspec.msgpack.decode if packed else msgspec.json.decode
        try:
            return decode(answer.data, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise not_trackai(self.url) from None

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[BaseHTTPResponse]:
        """Read a long answer while it arrives."""
        # On a connection of its own, as others are made meanwhile.
        connection = Connection(self.url, self._api_key)
        with connection.stream(path, headers=headers, expected=_EXPECTED_STATUSES) as response:
            if response.status != 200:
                raise _error_of(Answer(self.url, response.status, response.data))
            yield response


def with_query(path: str, query: Mapping[str, Any]) -> str:
    """A path with a query, without what is None."""
    parameters = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(parameters)}" if parameters else path


def _is_valid(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port, or an IPv6 address
        return False
    return valid and url.isascii() and url.isprintable() and " " not in url


def _error_of(answer: Answer) -> TrackAIError:
    """Return the exception for one of the statuses 404, 409 and 422."""
    detail = detail_of(answer.data)
    if detail is None:
        return not_trackai(answer.url)
    if answer.status == 409:
        return ConflictError(detail)
    if answer.status == 422:
        field, _, problem = detail.partition(": ")
        return InvalidInputError(field, problem)
    if detail == "Not Found":  # of no path that there is
        return ServerRefusedError(
            f"{answer.url} is not the address of a TrackAI server, or of one that is too old", 404
        )
    return NotFoundError(detail)


def not_trackai(url: str) -> ServerRefusedError:
    """The exception for an answer that no TrackAI server gives."""
    return ServerRefusedError(f"{url} is not the address of a TrackAI server")
