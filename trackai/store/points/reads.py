"""Points of a series with what it inherits, in order of step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trackai.store.points import images, lineage
from trackai.store.points.storage import points_of
from trackai.structs.points import PointImage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.points.lineage import Segment
    from trackai.store.points.queries import Attempt, Position
    from trackai.structs.points import CurveRow, PointRow
    from trackai.values.types import Step


class Copy(NamedTuple):
    """An image of points, their number, and the reader's position after them."""

    image: PointImage
    points: int
    position: Position | None


async def read(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    after: Position | None = None,
    limit: int,
    offset: int = 0,
) -> list[PointRow]:
    """Read points in order of step.

    Args:
        attempt: an attempt's number reads only points of the run itself, none that it inherits.
        after: resume after this position without scanning up to it; `offset` is ignored.
        limit: the largest number of points; -1 for all.
    """
    if isinstance(attempt, int):
        segments = [segment for segment in segments if segment.until is None]
    if not segments:
        return []
    return await points_of(conn).read(
        conn, segments, step_min=step_min, step_max=step_max, attempt=attempt, after=after,
        limit=limit, offset=offset if after is None else after[2],
    )  # fmt: skip


async def copy(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    attempt: Attempt = "latest",
    after: Position | None = None,
    limit: int,
    offset: int = 0,
) -> Copy | None:
    """Copy points in order of step to an image; `images.suit` tells for which series.

    Args:
        attempt, after, offset: see `read`.
        limit: the largest number of points; an image has `images.MOST` at most.

    Returns:
        None if there is nothing to read, or if points have other values than numbers.
    """
    if isinstance(attempt, int):
        segments = [segment for segment in segments if segment.until is None]
    if not segments:
        return None
    copied = await points_of(conn).copy(
        conn, segments, step_min=step_min, step_max=step_max, attempt=attempt, after=after,
        limit=min(limit, images.MOST), offset=offset if after is None else after[2],
    )  # fmt: skip
    if copied is None:
        return None
    root, data, count, last, same = copied
    if same == count and after is not None and last == after[:2]:
        same += after[2]
    series = lineage.as_one(segments)
    image = PointImage(series.axis, series.kind == "bool", root, data)
    return Copy(image, count, after if last is None else (*last, same))


def next_position(rows: Sequence[PointRow], position: Position | None) -> Position:
    """The reader's position after these rows, given its previous position."""
    step, time, _ = rows[-1]
    count = 0
    for row_step, row_time, _ in reversed(rows):
        if (row_step, row_time) != (step, time):
            break
        count += 1
    if count == len(rows) and position is not None and position[:2] == (step, time):
        count += position[2]
    return step, time, count


async def pages(
    conn: Connection,
    segments: Sequence[Segment],
    *,
    step_min: Step,
    step_max: Step,
    stored: bool = False,
) -> AsyncIterator[list[PointRow]]:
    """Read all points page by page, in order of step; the connection must be in a transaction.

    Args:
        stored: large values may be read as markers, which is faster.
    """
    async for rows in points_of(conn).pages(
        conn, segments, step_min=step_min, step_max=step_max, stored=stored
    ):
        yield rows


async def read_many(conn: Connection, many: Sequence[Sequence[Segment]]) -> list[list[CurveRow]]:
    """Read all points of several series, each with what it inherits, without their times.

    The connection must be in a transaction.
    """
    alone = [segments[0].series for segments in many if _is_alone(segments)]
    rows = await points_of(conn).read_many(conn, alone)
    return [
        rows[segments[0].series.id]
        if _is_alone(segments)
        else [(step, value) for step, _, value in await read(conn, segments, limit=-1)]
        for segments in many
    ]


def _is_alone(segments: Sequence[Segment]) -> bool:
    # The only segment of a fork may be the beginning of its parent's series.
    return len(segments) == 1 and segments[0].until is None


async def count(conn: Connection, segments: Sequence[Segment]) -> int:
    """Count the points of a series with what it inherits."""
    total = sum(series.points for series, until in segments if until is None)
    for series, until in segments:
        if until is not None:
            total += await points_of(conn).count_until(conn, series, until)
    return total


async def count_up_to(
    conn: Connection, segments: Sequence[Segment], limit: int, *, step_min: Step, step_max: Step
) -> int | None:
    """Count stored points between two steps, superseded ones included; None if over `limit`."""
    total = 0
    for series, until in segments:
        high = step_max if until is None else min(step_max, until)
        total += await points_of(conn).count_up_to(
            conn, series.id, step_min, high, limit - total + 1
        )
        if total > limit:
            return None
    return total
