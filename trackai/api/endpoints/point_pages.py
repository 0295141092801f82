"""Pages of points of a metric, in one response or streamed in chunks.

A large page is streamed while it is read, so that it takes no memory. Each chunk is read on its
own, after the position of the previous one: a slow client holds no database connection, and the
later chunks of a live run may include points logged meanwhile.
"""

from __future__ import annotations

import math
from copy import copy
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.responses import Response

from trackai.api.requests import RowNumber, database
from trackai.errors import NotFoundError, TrackAIError
from trackai.store.catalogue import runs
from trackai.store.points import images, lineage, reads
from trackai.structs.records import ColumnPage, Point, PointColumns, PointPage
from trackai.values import cursors
from trackai.values.non_finite import json_value, python_values
from trackai.values.packing import pack
from trackai.values.times import utc_many
from trackai.values.types import Axis, BoundedStep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment
    from trackai.store.points.queries import Attempt, Position
    from trackai.structs.points import PointImage, PointRow
    from trackai.values.types import Step

# Points of a chunk. Larger pages are streamed.
CHUNK = 10_000
# Points of a page of columns at most; it takes about 10 MB of memory.
MAX_COLUMN_PAGE = 100_000

# Bytes written to a connection at once: asyncio's transport copies the unsent rest of larger
# writes repeatedly.
_WRITE_SIZE = 1 << 16

_encode = msgspec.json.Encoder().encode


class _LastPoint(msgspec.Struct, array_like=True):
    """The last point of a page: the axis of its series, and the position in it."""

    axis: Axis
    step: BoundedStep
    timestamp: RowNumber
    count: RowNumber


class PageQuery(Protocol):
    """The query parameters that select a page of points."""

    limit: int
    offset: int
    cursor: str | None
    step_min: Step | None
    step_max: Step | None
    attempt: Attempt


async def read_page(
    conn: Connection, series: Sequence[Sequence[Segment]], query: PageQuery
) -> PointPage:
    """Read a page of points.

    Args:
        series: the series with the metric's name, one for each axis, read one after the other.
    """
    points: list[Point] = []
    reader = _PageReader(series, query)
    async for segments, rows in reader.read(conn, query.limit):
        points += _points(segments, rows)
    cursor = reader.cursor()
    if len(points) < query.limit or cursor is None or not await reader.has_more(conn):
        return PointPage(points, has_more=False)
    return PointPage(points, has_more=True, next_cursor=cursor)


async def read_columns(
    conn: Connection, run_uid: str, series: Sequence[Sequence[Segment]], query: PageQuery
) -> ColumnPage:
    """Read a page of points as columns, with fewer points than `query.limit` if that is large."""
    are_numbers = all(part.kind in ("number", "bool") for parts in series for part, _ in parts)
    limit = min(query.limit, MAX_COLUMN_PAGE if are_numbers else CHUNK)
    reader = _PageReader(series, query)
    columns: list[PointColumns] = []
    remaining = limit
    while remaining:
        # A chunk at a time, whose rows are freed before the next one: fewer take less time each.
        size = min(remaining, CHUNK)
        count = 0
        async for segments, rows in reader.read(conn, size):
            count += len(rows)
            if rows:
                columns.append(_columns(segments, rows))
        remaining -= count
        if count < size:
            break
    cursor = reader.cursor()
    has_more = not remaining and cursor is not None and await reader.has_more(conn)
    return ColumnPage(run_uid, columns, cursor if has_more else None)


async def read_images(
    conn: Connection, run_uid: str, series: Sequence[Sequence[Segment]], query: PageQuery
) -> ColumnPage:
    """Like `read_columns`, with images of the points if they are numbers."""
    remaining = min(query.limit, MAX_COLUMN_PAGE)
    reader = _PageReader(series, query)
    parts: list[PointImage] = []
    async for copied in reader.copy(conn, remaining):
        if copied is None:
            return await read_columns(conn, run_uid, series, query)
        remaining -= copied.points
        if copied.points:
            parts.append(copied.image)
    cursor = reader.cursor()
    has_more = not remaining and cursor is not None and await reader.has_more(conn)
    return ColumnPage(run_uid, [], cursor if has_more else None, parts)


class _PageReader:
    """Reads a page in chunks, and remembers the position between them."""

    def __init__(self, series: Sequence[Sequence[Segment]], query: PageQuery) -> None:
        is_bounded = query.step_min is not None or query.step_max is not None
        # System metrics have no steps, so they have no points in a range of steps.
        self._unread = [
            segments for segments in series if segments[0].series.axis == "step" or not is_bounded
        ]
        self._query = query
        self._offset = query.offset
        self._position: Position | None = None
        if query.cursor is not None:
            last = cursors.decode(query.cursor, _LastPoint)
            while self._unread and self._unread[0][0].series.axis != last.axis:
                del self._unread[0]
            self._position = last.step, last.timestamp, max(0, last.count)

    def cursor(self) -> str | None:
        """The cursor after the points read so far; None at the end of a series."""
        if not self._unread or self._position is None:
            return None
        return cursors.encode(_LastPoint(self._unread[0][0].series.axis, *self._position))

    async def has_more(self, conn: Connection) -> bool:
        """Whether there are further points; nothing can be read after this."""
        return any([rows async for _, rows in self.read(conn, 1)])

    async def read(
        self, conn: Connection, limit: int
    ) -> AsyncIterator[tuple[Sequence[Segment], list[PointRow]]]:
        """Read the next points, at most `limit`, series by series."""
        query = self._query
        while self._unread and limit:
            segments = self._unread[0]
            rows = await reads.read(
                conn, segments,
                step_min=query.step_min, step_max=query.step_max, attempt=query.attempt,
                after=self._position, limit=limit, offset=self._offset,
            )  # fmt: skip
            if len(rows) < limit:
                await self._next_series(conn)
            else:
                self._position, self._offset = reads.next_position(rows, self._position), 0
            limit -= len(rows)
            yield segments, rows

    async def copy(self, conn: Connection, limit: int) -> AsyncIterator[reads.Copy | None]:
        """Like `read`, with images; None if the next points have none."""
        query = self._query
        while self._unread and limit:
            size = min(limit, images.MOST)
            copied = await reads.copy(
                conn, self._unread[0],
                step_min=query.step_min, step_max=query.step_max, attempt=query.attempt,
                after=self._position, limit=size, offset=self._offset,
            )  # fmt: skip
            yield copied
            if copied is None:
                return
            _, count, position = copied
            if count < size:
                await self._next_series(conn)
            else:
                self._position, self._offset = position, 0
            limit -= count

    async def _next_series(self, conn: Connection) -> None:
        if self._offset and len(self._unread) > 1:
            self._offset = max(0, self._offset - await reads.count(conn, self._unread[0]))
        self._unread, self._position = self._unread[1:], None


class PointStream(Response):
    """Streams a large page of points; its run and series have been found to exist.

    Args:
        uid: the identity of the run, which a later run with the same row id does not have.
    """

    media_type = "application/json"

    def __init__(
        self,
        request: Request,
        run_id: int,
        uid: str,
        series: Sequence[Sequence[Segment]],
        query: PageQuery,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._request = request
        self._run_id, self._uid = run_id, uid
        self._reader = _PageReader(series, query)
        self._limit = query.limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        prefix, remaining = b'{"data":[', self._limit
        while remaining:
            limit = min(remaining, CHUNK)
            try:
                chunk, count = await self._read(limit)
            except TrackAIError:
                # The run or the database is gone. The client sees that the response is
                # incomplete, because it has no last chunk.
                return
            if count:
                data = prefix + chunk[1:-1]
                for start in range(0, len(data), _WRITE_SIZE):
                    await send(_body(data[start : start + _WRITE_SIZE]))
                prefix = b","
            remaining -= count
            if count < limit or await self._request.is_disconnected():
                break
        cursor = self._reader.cursor()
        has_more = not remaining and cursor is not None and (await self._read(1))[1] > 0
        if prefix != b",":
            await send(_body(prefix))
        end = b'],"has_more":false}'
        if has_more:
            end = b'],"has_more":true,"next_cursor":%s}' % _encode(cursor)
        await send(_body(end, more_body=False))

    async def _read(self, limit: int) -> tuple[bytes, int]:
        """Read the next points; returns them as JSON, and their number."""

        async def read(conn: Connection) -> tuple[_PageReader, bytes, int]:
            reader, points = copy(self._reader), list[Point]()  # `look` may repeat this
            if await runs.get_uid(conn, self._run_id) != self._uid:
                raise NotFoundError(
                    f"run {self._run_id} was replaced while it was being read; request it again"
                )
            async for segments, rows in reader.read(conn, limit):
                points += _points(segments, rows)
            return reader, _encode(points), len(points)

        self._reader, data, count = await database(self._request).look(read)
        return data, count


def _body(data: bytes, *, more_body: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more_body}


def _points(segments: Sequence[Segment], rows: Sequence[PointRow]) -> list[Point]:
    """Convert rows to points; fast, as a page may have a million."""
    if not rows:
        return []
    series = lineage.as_one(segments)
    steps, times, values = zip(*rows, strict=True)
    timestamps = utc_many(times)
    if series.axis == "step" and series.kind == "number" and _are_finite(values):
        return list(map(Point, steps, timestamps, values))
    return [
        Point(step if series.axis == "step" else None, time, json_value(value, series.kind))
        for step, time, value in zip(steps, timestamps, values, strict=True)
    ]


def _columns(segments: Sequence[Segment], rows: Sequence[PointRow]) -> PointColumns:
    series = lineage.as_one(segments)
    # Faster than zip(*rows), and for all rows that fit into the processor's cache.
    steps, timestamps, values = (list(map(itemgetter(index), rows)) for index in range(3))
    return PointColumns(
        pack(steps) if series.axis == "step" else None,
        pack(timestamps),
        pack(python_values(values, series.kind)),
    )


def _are_finite(values: Iterable[Any]) -> bool:
    """Whether all values are finite numbers; the figures of the series may be outdated by now."""
    try:
        return all(map(math.isfinite, values))
    except TypeError:  # None or text
        return False
