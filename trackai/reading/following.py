"""Following a run on a server by its server-sent events, across lost connections."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.errors import TrackAIError
from trackai.reading.remote_source import error_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

# A connection is lost if it is silent for longer; the server sends a comment every 15 seconds.
_SILENT_SECONDS = 60
# How long to try to reconnect.
_RECONNECT_SECONDS = 30
_PAUSE_SECONDS = 0.5


class Event(NamedTuple):
    """A server-sent event.

    Attributes:
        name: "points", "state" or "reset".
        data: the content of the event, decoded from JSON.
    """

    name: str
    data: Any


def follow(url: str, headers: Mapping[str, str], run_id: int) -> Iterator[Event]:
    """Yield the events of a run from now on; the first is its state.

    A lost connection is reopened where it was lost, so that no event is missed.

    Raises:
        NotFoundError: the run does not exist.
        TrackAIError: the server does not answer, or not within 30 seconds after a connection was
            lost.
    """
    address = f"{url}/api/runs/{run_id}/events"
    cursor: str | None = None
    lost_at: float | None = None
    while True:
        resume = {} if cursor is None else {"Last-Event-ID": cursor}
        try:
            request = urllib.request.Request(address, headers={**headers, **resume})  # noqa: S310
            with urllib.request.urlopen(request, timeout=_SILENT_SECONDS) as response:  # noqa: S310
                lost_at = None
                for id_, event in _events(response):
                    cursor = id_
                    yield event
        except urllib.error.HTTPError as error:
            with error:
                raise error_of(error.code, error.read()) from None
        except (OSError, http.client.HTTPException) as error:
            if cursor is None:
                raise TrackAIError(
                    f"{url} does not answer ({reason_of(error)}): is it running?"
                ) from None
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > _RECONNECT_SECONDS:
                raise TrackAIError(f"{url} does not answer any more ({reason_of(error)})") from None
        time.sleep(_PAUSE_SECONDS)


def _events(response: BinaryIO) -> Iterator[tuple[str, Event]]:
    fields: dict[bytes, bytes] = {}
    for line in response:
        name, _, value = line.rstrip(b"\r\n").partition(b": ")
        if name:
            fields[name] = value  # a comment has no name
        elif b"data" in fields:
            data = msgspec.json.decode(fields[b"data"])
            yield fields.get(b"id", b"0").decode(), Event(fields[b"event"].decode(), data)
            fields = {}
