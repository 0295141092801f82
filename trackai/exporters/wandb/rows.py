"""Puts points together to rows, in the order in which wandb has them."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.exporters.wandb.series import CONSOLE, HISTORY, STREAMS, Series, encode
from trackai.importers.wandb.values import STEP_METRIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trackai.exporters.summary import RunRemarks
    from trackai.exporters.wandb.record_file import RecordFile

    Point = tuple[Any, ...]  # attempt, lane, step, time, series, value

_TIME_CHANGED = "wandb shows the time of the last point at a step; an import gets those of all"
_LINE_CHANGED = "lines of the console that hold line breaks or carriage returns are several lines"


class RowWriter:
    """Writes the points of an attempt.

    Args:
        series: by number.
        by_row: whether wandb's step counts rows, with the true step in a metric of its own.
            Otherwise, there is a row for each step.
        rows: the number of rows of earlier attempts.

    Attributes:
        rows: the number of rows so far.
        summary: the last values, as JSON by name.
    """

    def __init__(
        self, file: RecordFile, series: Sequence[Series], remarks: RunRemarks, *, by_row: bool,
        rows: int,
    ) -> None:  # fmt: skip
        self._file, self._series, self._remarks = file, series, remarks
        self._by_row = by_row
        self.rows = rows
        self.summary: dict[str, str] = {}

    def write(self, points: Iterable[Point]) -> None:
        """Write points, which are ordered by lane and step, or by lane and time."""
        for lane, in_lane in groupby(points, itemgetter(1)):
            if lane == HISTORY:
                for position, row in groupby(in_lane, self._position):
                    self._write_step(position, list(row))
            elif lane == CONSOLE:
                for point in in_lane:
                    self._write_line(point)
            else:
                for time, together in groupby(in_lane, itemgetter(3)):
                    self._write_stats(time, list(together))

    def _position(self, point: Point) -> Any:
        return (point[3], point[2]) if self._by_row else point[2]

    def _write_step(self, position: Any, points: list[Point]) -> None:
        """Write the points at a step. With `by_row`, a series that has several gets more rows."""
        step = position[1] if self._by_row else position
        time = max(point[3] for point in points)
        row: dict[str, str] = {}
        own_times: dict[str, int] = {}
        alerts = []
        for _, _, _, own_time, number, value in points:
            series = self._series[number]
            if series.level:
                alerts.append((series.level, value))
                continue
            if series.name in row:
                self._write_row(step, time, row, own_times)
                row, own_times = {}, {}
            row[series.name] = encode(value, series.kind)
            if own_time != time:
                own_times[series.name] = own_time
        self._write_row(step, time, row, own_times)
        for level, text in alerts:
            self._file.alert(level, text)

    def _write_row(
        self, step: Any, time: int, row: dict[str, str], own_times: dict[str, int]
    ) -> None:
        self.summary |= row
        self._remarks.add(_TIME_CHANGED, len(own_times))
        number = step
        if self._by_row:
            row, number = {**row, STEP_METRIC: encode(step, "number")}, self.rows
        self._file.row(number, time, row, own_times)
        self.rows += 1

    def _write_line(self, point: Point) -> None:
        _, _, _, time, number, line = point
        self._remarks.add(_LINE_CHANGED, "\n" in line or "\r" in line)
        self._file.output(STREAMS[self._series[number].name], time, line)

    def _write_stats(self, time: int, points: list[Point]) -> None:
        self._file.stats(
            time,
            [
                (self._series[number].name, encode(value, self._series[number].kind))
                for *_, number, value in points
            ],
        )
