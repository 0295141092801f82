"""Following a run on a server by its server-sent events, across lost connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.errors import ServerUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import BaseHTTPResponse

    from trackai.reading.remote_source import RemoteSource

# How long to try to reconnect.
_RECONNECT_SECONDS = 30
_PAUSE_SECONDS = 0.5
_READ_SIZE = 1 << 16


class Event(NamedTuple):
    """A server-sent event.

    Attributes:
        name: "points", "state" or "reset".
        data: the content of the event, decoded from JSON.
    """

    name: str
    data: Any


def follow(source: RemoteSource, run_id: int) -> Iterator[Event]:
    """Yield the events of a run from now on; the first is its state.

    A lost connection is reopened where it was lost, so that no event is missed.

    Raises:
        NotFoundError: the run does not exist.
        ServerRefusedError: the server refuses the request.
        ServerUnreachableError: the server does not answer, or not within 30 seconds after a
            connection was lost.
    """
    path = f"/api/runs/{run_id}/events"
    cursor: str | None = None
    lost_at: float | None = None
    while True:
        resume = {} if cursor is None else {"Last-Event-ID": cursor}
        try:
            with source.stream(path, resume) as response:
                lost_at = None
                for id_, event in _events(response):
                    cursor = id_
                    yield event
        except ServerUnreachableError as error:
            if cursor is None:
                raise
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > _RECONNECT_SECONDS:
                raise ServerUnreachableError(f"lost the connection: {error}") from None
        time.sleep(_PAUSE_SECONDS)


def _events(response: BaseHTTPResponse) -> Iterator[tuple[str, Event]]:
    fields: dict[bytes, bytes] = {}
    rest = b""
    while data := response.read1(_READ_SIZE):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            name, _, value = line.rstrip(b"\r").partition(b": ")
            if name:
                fields[name] = value  # a comment has no name
            elif b"data" in fields:
                content = msgspec.json.decode(fields[b"data"])
                yield fields.get(b"id", b"0").decode(), Event(fields[b"event"].decode(), content)
                fields = {}
