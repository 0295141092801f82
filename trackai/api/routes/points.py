"""Points of a metric over HTTP: a page, or as many as there are, piece by piece.

A large page is sent while it is read, so that it costs no memory. Each piece is read by itself,
from where the last one ended: a slow client holds no connection to the database, and the points
that a live run logs meanwhile may be among those that come later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.responses import Response

from trackai.api.requests import database
from trackai.errors import NotFoundError, TrackAIError
from trackai.store.catalogue import runs
from trackai.store.points import lineage
from trackai.structs.records import Point, PointPage
from trackai.values.non_finite import json_value
from trackai.values.times import utc_many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from aiosqlite import Connection
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from trackai.store.points.lineage import Segment
    from trackai.store.points.metrics import Attempt
    from trackai.structs.points import PointRow
    from trackai.values.types import Step

# How many points a piece has. Larger pages come in pieces.
PIECE = 10_000

# What is written to a connection at once: of more, the transport would move what is left again
# and again.
_BLOCK = 1 << 16

_encode = msgspec.json.Encoder().encode


class Asked(Protocol):
    """Which points."""

    limit: int
    offset: int
    step_min: Step | None
    step_max: Step | None
    attempt: Attempt


async def read_page(
    conn: Connection, found: Sequence[Sequence[Segment]], asked: Asked
) -> PointPage:
    """One page over the series of that name, one after the other."""
    points: list[Point] = []
    async for segments, rows in _Reading(found, asked).pieces(conn, asked.limit + 1):
        points += _points(segments, rows)
    has_more = len(points) > asked.limit
    del points[asked.limit :]
    return PointPage(points, has_more)


class _Reading:
    """A page that is read in pieces: how far it is."""

    def __init__(self, found: Sequence[Sequence[Segment]], asked: Asked) -> None:
        bounded = asked.step_min is not None or asked.step_max is not None
        # What has no step lies in no range of steps.
        self._left = [one for one in found if one[0].series.axis == "step" or not bounded]
        self._asked = asked
        self._offset = asked.offset
        self._after: lineage.Place | None = None

    async def pieces(
        self, conn: Connection, limit: int
    ) -> AsyncIterator[tuple[Sequence[Segment], list[PointRow]]]:
        """The next points, at most so many, series by series."""
        asked = self._asked
        while self._left and limit:
            segments = self._left[0]
            rows = await lineage.read_after(
                conn, segments, self._after,
                step_min=asked.step_min, step_max=asked.step_max, attempt=asked.attempt,
                limit=limit, offset=self._offset,
            )  # fmt: skip
            if len(rows) < limit:
                if self._offset and len(self._left) > 1:
                    self._offset = max(0, self._offset - await lineage.count(conn, segments))
                self._left, self._after = self._left[1:], None
            else:
                self._after, self._offset = lineage.place_after(rows, self._after), 0
            limit -= len(rows)
            yield segments, rows


class PointStream(Response):
    """A large page, piece by piece; the request has been found to be right."""

    media_type = "application/json"

    def __init__(
        self, request: Request, run_id: int, uid: str, found: _Found, asked: Asked
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._request = request
        self._run = run_id, uid
        self._reading = _Reading(found, asked)
        self._limit = asked.limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        begin, left = b'{"data":[', self._limit
        while left:
            wanted = min(left, PIECE)
            try:
                piece, read = await self._read(wanted)
            except TrackAIError:
                # The run is gone, or the database: without an end, the answer is no whole one.
                return
            if read:
                data = begin + piece[1:-1]
                for at in range(0, len(data), _BLOCK):
                    await send(_body(data[at : at + _BLOCK]))
                begin = b","
            left -= read
            if read < wanted or await self._request.is_disconnected():
                break
        has_more = not left and (await self._read(1))[1] > 0
        if begin != b",":
            await send(_body(begin))
        await send(_body(b'],"has_more":%s}' % (b"true" if has_more else b"false"), more=False))

    async def _read(self, limit: int) -> tuple[bytes, int]:
        """Points as JSON, and how many they are."""
        run_id, uid = self._run

        async def find(conn: Connection) -> tuple[bytes, int]:
            points: list[Point] = []
            if await runs.get_uid(conn, run_id) != uid:
                raise NotFoundError(f"the run {run_id} is another one by now")
            async for segments, rows in self._reading.pieces(conn, limit):
                points += _points(segments, rows)
            return _encode(points), len(points)

        return await database(self._request).look(find)


_Found = Sequence[Sequence["Segment"]]


def _body(data: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _points(segments: Sequence[Segment], rows: Sequence[PointRow]) -> list[Point]:
    """Rows as points; what is done here is done for each of a million."""
    if not rows:
        return []
    one = lineage.as_one(segments)
    steps, times, values = zip(*rows, strict=True)
    shown = utc_many(times)
    if one.axis == "step" and one.kind == "number" and _are_finite(values):
        return list(map(Point, steps, shown, values))
    return [
        Point(step if one.axis == "step" else None, time, json_value(value, one.kind))
        for step, time, value in zip(steps, shown, values, strict=True)
    ]


def _are_finite(values: Iterable[Any]) -> bool:
    """Whether all are finite numbers; what the series said may not be true of later pieces."""
    try:
        return all(map(math.isfinite, values))
    except TypeError:  # None, or text
        return False
