"""Following a run on a server: its server-sent events, over a connection that may be cut off."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trackai.errors import TrackAIError
from trackai.reading.sources import error_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

# The server says something every 15 seconds, if only that it is there.
_SILENT_SECONDS = 60
_PATIENCE_SECONDS = 30
_PAUSE_SECONDS = 0.5


class Event(NamedTuple):
    """What happened: "points", "state" or "reset", and the JSON that tells more."""

    name: str
    data: Any


def follow(url: str, headers: Mapping[str, str], run_id: int) -> Iterator[Event]:
    """What happens to a run from now on; the state that it is in comes first.

    A connection that is cut off is opened again, and nothing is missed.

    Raises:
        NotFoundError: there is no such run.
        TrackAIError: the server does not answer any more.
    """
    address = f"{url}/api/runs/{run_id}/events"
    cursor: str | None = None
    gone_since: float | None = None
    while True:
        given = dict(headers) if cursor is None else {**headers, "Last-Event-ID": cursor}
        try:
            request = urllib.request.Request(address, headers=given)  # noqa: S310
            with urllib.request.urlopen(request, timeout=_SILENT_SECONDS) as response:  # noqa: S310
                gone_since = None
                for id_, event in _events(response):
                    cursor = id_
                    yield event
        except urllib.error.HTTPError as error:
            with error:
                raise error_of(error.code, error.read()) from None
        except OSError as error:
            if cursor is None:
                raise TrackAIError(f"{url} does not answer ({error}): is it running?") from None
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > _PATIENCE_SECONDS:
                raise TrackAIError(f"{url} does not answer any more ({error})") from None
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
