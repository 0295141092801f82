"""The history of a run row by row, as wandb's `scan_history` returns it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from trackai.reading.history import Curve
    from trackai.reading.source import Source
    from trackai.values.types import Step

    Row = dict[str, Any]

# Points of a metric that are read at once.
_PAGE = 50_000
STEP, TIME, RUNTIME = "_step", "_timestamp", "_runtime"


class _Buffer:
    """The points of a metric that have been read, and where the next ones begin."""

    def __init__(self, start: Step | None, page: int) -> None:
        self.start = start
        self.curve: Curve | None = None
        self.has_more = True
        self.limit = self._page = page

    @property
    def is_empty(self) -> bool:
        return self.curve is None or not self.curve.steps

    def fill(self, curve: Curve | None, has_more: bool) -> None:
        """Take a page; the points of its last step may be incomplete, and are read again."""
        self.curve, self.has_more = curve, has_more
        if curve is None or not has_more:
            self.has_more = False
            return
        last = curve.steps[-1]
        end = bisect_left(curve.steps, last)  # type: ignore[type-var]
        self.limit = self._page if end else 2 * self.limit  # all points are of one step
        self.curve, self.start = _cut(curve, 0, end), last

    def take(self, until: Step | None) -> Curve | None:
        """Remove and return the points up to a step; None for all."""
        curve, self.curve = self.curve, None
        if curve is None or until is None:
            return curve
        end = bisect_right(curve.steps, until)  # type: ignore[type-var]
        if end < len(curve.steps):
            self.curve = _cut(curve, end, len(curve.steps))
        return _cut(curve, 0, end)


def _cut(curve: Curve, start: int, end: int) -> Curve:
    if (start, end) == (0, len(curve.steps)):
        return curve
    part = slice(start, end)
    return type(curve)(curve.steps[part], curve.timestamps[part], curve.values[part])


def scan(
    source: Source,
    run_id: int,
    paths: Sequence[str],
    *,
    step_min: Step | None = None,
    step_max: Step | None = None,
    page: int | None = None,
) -> Iterator[Row]:
    """Yield a row for each step, in order, with the values of metrics by name.

    If a metric has several points at a step, further rows of the step follow, in order of time.
    Each row has its step and, as microseconds since the epoch, the time of its last point. Points
    are read page by page, so that a long run takes little memory.

    Args:
        paths: names of metrics; system metrics, which have no steps, are left out.
        step_min, step_max: the first and the last step; None for all.
        page: points of a metric to read at once, at least 2.
    """
    buffers = {path: _Buffer(step_min, page or _PAGE) for path in paths}
    while buffers:
        _fill(source, run_id, buffers, step_max)
        # Up to here, all points of all metrics have been read.
        ends = [
            buffer.curve.steps[-1]
            for buffer in buffers.values()
            if buffer.has_more and buffer.curve is not None
        ]
        until = min(ends, default=None)  # type: ignore[type-var]
        yield from _rows({path: buffer.take(until) for path, buffer in buffers.items()})
        buffers = {
            path: buffer
            for path, buffer in buffers.items()
            if buffer.has_more or not buffer.is_empty
        }


def _fill(
    source: Source, run_id: int, buffers: Mapping[str, _Buffer], step_max: Step | None
) -> None:
    """Read the next page of each metric of which no points are left."""
    while missing := {
        path: buffer for path, buffer in buffers.items() if buffer.has_more and buffer.is_empty
    }:
        starts = {path: buffer.start for path, buffer in missing.items()}
        limit = max(buffer.limit for buffer in missing.values())
        pages = source.pages(run_id, starts, step_max, limit)
        for path, buffer in missing.items():
            buffer.fill(*pages.get(path, (None, False)))


def _rows(curves: Mapping[str, Curve | None]) -> Iterator[Row]:
    rows: dict[Any, Row] = {}
    times: dict[Any, int] = {}
    repeated: set[Any] = set()
    known: list[Any] | None = None
    for path, curve in curves.items():
        if curve is None:
            continue
        if curve.steps != known:  # metrics that are logged together share their steps
            known = curve.steps
            for step in known:
                if step not in rows:
                    rows[step] = {}
        for step, time, value in zip(known, curve.timestamps, curve.values, strict=True):
            row = rows[step]
            if path in row:
                repeated.add(step)
            row[path] = value
            if time > times.get(step, -1):
                times[step] = time
    for step in rows if len(curves) == 1 else sorted(rows):
        if step in repeated:
            yield from _rows_of_step(curves, step)
            continue
        row = rows[step]
        row[STEP], row[TIME] = step, times[step]
        yield row


def _rows_of_step(curves: Mapping[str, Curve | None], step: Any) -> Iterator[Row]:
    """Rows of a step at which a metric has several points, in order of time."""
    points: list[tuple[int, str, Any]] = []
    for path, curve in curves.items():
        if curve is not None:
            steps: list[Any] = curve.steps
            part = slice(bisect_left(steps, step), bisect_right(steps, step))
            points += [
                (time, path, value)
                for time, value in zip(curve.timestamps[part], curve.values[part], strict=True)
            ]
    row: Row = {}
    for time, path, value in sorted(points, key=lambda point: point[0]):
        if path in row:
            yield row
            row = {}
        row[path], row[STEP], row[TIME] = value, step, time
    yield row


def with_seconds(
    rows: Iterator[Row], created_at: datetime, keys: Sequence[str] | None
) -> Iterator[Row]:
    """Yield rows with their times in seconds, as wandb has them.

    Args:
        created_at: when the run was created, for the key `_runtime`.
        keys: yield only rows that have all of these, without other keys; None for all.
    """
    created = created_at.timestamp()
    for row in rows:
        time = row[TIME] / 1e6
        row[TIME] = time
        row[RUNTIME] = time - created
        if keys is None:
            yield row
        elif all(key in row for key in keys):
            yield {key: row[key] for key in keys}
