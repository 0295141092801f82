"""Batches of points as HTTP clients send them: decoding, validation, conversion to columns.

A batch has rows, columns or both; columns are shorter and faster. Points without a step are system
metrics, on the time axis. Points without a timestamp get the time at which they arrive.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from trackai.errors import InvalidInputError
from trackai.structs.points import Column
from trackai.values.times import FIRST_TIME, LAST_TIME, microseconds
from trackai.values.types import INT64, Step, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.values.types import Axis

MAX_METRICS = 10_000
MAX_POINTS = 1_000_000
_NON_FINITE: dict[Value, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# For SQLite's functions a NUL ends a text.
_NO_NUL = "^[^\\x00]*$"
Path = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=_NO_NUL)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=_NO_NUL)]
# ISO 8601, or microseconds since the epoch.
Time = int | datetime


class BatchRow(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The values of one call of log()."""

    values: dict[Path, Value]
    step: Step | None = None
    timestamp: Time | None = None


class BatchColumn(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Points of one metric; all lists have the same length."""

    path: Path
    values: list[Value]
    steps: list[Step] | None = None
    timestamps: list[Time] | None = None


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Points of a run, as rows or as columns.

    Attributes:
        batch_id: a batch with the id of one that has been stored is not stored again.
        writer: the name of the client, if several clients log to the run.
    """

    rows: list[BatchRow] = []
    columns: list[BatchColumn] = []
    batch_id: Label | None = None
    writer: Label = "http"

    def count(self) -> int:
        """The number of points."""
        return sum(len(row.values) for row in self.rows) + sum(
            len(column.values) for column in self.columns
        )


_from_json = msgspec.json.Decoder(Batch)
_from_msgpack = msgspec.msgpack.Decoder(Batch)


def decode_json(data: bytes) -> Batch:
    """Decode a batch from JSON, where "NaN", "Infinity" and "-Infinity" are numbers."""
    batch = _from_json.decode(data)
    for row in batch.rows:
        if any(type(value) is str for value in row.values.values()):
            row.values = {path: _NON_FINITE.get(v, v) for path, v in row.values.items()}
    for column in batch.columns:
        if str in set(map(type, column.values)):
            column.values = [_NON_FINITE.get(value, value) for value in column.values]
    return batch


def decode_msgpack(data: bytes) -> Batch:
    """Decode a batch from msgpack."""
    return _from_msgpack.decode(data)


def metric_at(content: Any, location: str) -> str | None:
    """Name the metric of an invalid value; None if it is not one.

    Args:
        content: the decoded batch, which need not be valid.
        location: where msgspec found it, such as "rows[0].values[...]".
    """
    match = re.match(r"(rows|columns)\[(\d+)\]\.values\[", location)
    if match is None:
        return None
    part = content[match[1]][int(match[2])]
    if match[1] == "columns":
        path = part.get("path")
        return path if isinstance(path, str) else None
    for path, value in part["values"].items():
        try:
            msgspec.convert(value, Value)
        except msgspec.ValidationError:
            return path if isinstance(path, str) else None
    return None


def to_columns(batch: Batch, *, now: int) -> list[Column]:
    """Convert a batch to one column for each metric and axis.

    Points at the same step and time are moved apart, so that all are stored.

    Args:
        now: the timestamp of points without one, microseconds since the epoch.

    Raises:
        InvalidInputError: a step, timestamp or value is invalid, or there are too many.
    """
    if len(batch.rows) == 1 and not batch.columns:
        columns = _of_row(batch.rows[0], now)
        _check_size(columns)
        return columns
    by_metric: dict[tuple[str, Axis], Column] = {}
    for number, row in enumerate(batch.rows):
        _add_row(by_metric, row, f"rows[{number}]", now)
    for number, batch_column in enumerate(batch.columns):
        _add_column(by_metric, batch_column, f"columns[{number}]", now)
    columns = list(by_metric.values())
    _check_size(columns)
    for column in columns:
        _separate_duplicates(column)
    return columns


def _check_size(columns: Sequence[Column]) -> None:
    if len(columns) > MAX_METRICS:
        raise InvalidInputError(
            "body", f"must have at most {MAX_METRICS} metrics, got {len(columns)}"
        )
    points = sum(len(column.steps) for column in columns)
    if points > MAX_POINTS:
        raise InvalidInputError("body", f"must have at most {MAX_POINTS} points, got {points}")


def _of_row(row: BatchRow, now: int) -> list[Column]:
    """Convert a batch of one row, the most common small batch: it has no duplicates."""
    axis, step, time = _position(row, "rows[0]", now)
    _check_row(row, "rows[0].values")
    return [Column(path, axis, [step], [time], [value]) for path, value in row.values.items()]


def _position(row: BatchRow, where: str, now: int) -> tuple[Axis, Step, int]:
    """Axis, step and timestamp of a row."""
    time = now if row.timestamp is None else _times([row.timestamp], f"{where}.timestamp")[0]
    step = time if row.step is None else row.step
    _check_steps([step], f"{where}.step")
    return ("time" if row.step is None else "step"), step, time


def _add_row(
    by_metric: dict[tuple[str, Axis], Column], row: BatchRow, where: str, now: int
) -> None:
    axis, step, time = _position(row, where, now)
    for path, value in row.values.items():
        column = by_metric.get((path, axis))
        if column is None:
            column = by_metric[path, axis] = Column(path, axis, [], [], [])
        if type(value) is int:
            _check_values([value], f"{where}.values", path)
        column.steps.append(step)
        column.timestamps.append(time)
        column.values.append(value)


def _add_column(
    by_metric: dict[tuple[str, Axis], Column], new: BatchColumn, where: str, now: int
) -> None:
    length = len(new.values)
    times = [now] * length
    if new.timestamps is not None:
        times = _times(new.timestamps, f"{where}.timestamps")
    axis: Axis = "time" if new.steps is None else "step"
    steps: list[Step] = list(times) if new.steps is None else new.steps
    if not len(times) == len(steps) == length:
        raise InvalidInputError(where, "values, steps and timestamps must have the same length")
    _check_steps(steps, f"{where}.steps")
    _check_values(new.values, f"{where}.values", new.path)
    column = by_metric.get((new.path, axis))
    if column is None:
        by_metric[new.path, axis] = Column(new.path, axis, steps, times, new.values)
    else:
        column.steps += steps
        column.timestamps += times
        column.values += new.values


def _times(times: Sequence[Time], where: str) -> list[int]:
    numbers = [_microseconds(time) for time in times]
    if numbers and not (min(numbers) >= FIRST_TIME and max(numbers) <= LAST_TIME):
        raise InvalidInputError(
            where, "must be in the years 1 to 9999; a number is in microseconds since the epoch"
        )
    return numbers


def _microseconds(time: Time) -> int:
    if isinstance(time, int):
        return time
    return microseconds(time)


def _check_steps(steps: Sequence[Step], where: str) -> None:
    if not steps:
        return
    low, high = min(steps), max(steps)
    if not (low >= -INT64 and high < INT64) or any(step != step for step in steps):
        raise InvalidInputError(where, "must be finite and between -2**63 and 2**63")


def _check_row(row: BatchRow, where: str) -> None:
    if set(map(type, row.values.values())) != {float}:
        for path, value in row.values.items():
            if type(value) is int and not -INT64 <= value < INT64:
                _check_values([value], where, path)


def _check_values(values: Sequence[Any], where: str, path: str) -> None:
    if set(map(type, values)) == {float}:
        return
    for value in values:
        if type(value) is int and not -INT64 <= value < INT64:
            raise InvalidInputError(
                where,
                f"metric {path[:100]!r}: {value!r:.40} is an integer beyond 64 bits: "
                "send it as a float",
            )


def _separate_duplicates(column: Column) -> None:
    """Move points at the same step and time apart by a microsecond, so that all are stored."""
    if len(set(column.steps)) == len(column.steps):
        return
    # For each step and time in use, the next time to try. Each search starts where the last one
    # ended: many points at the same time take linear, not quadratic, time.
    next_time: dict[tuple[Step, int], int] = {}
    on_steps = column.axis == "step"
    for position, (step, timestamp) in enumerate(zip(column.steps, column.timestamps, strict=True)):
        key = step if on_steps else 0
        time = timestamp
        while (key, time) in next_time:
            time = next_time[key, time]
        next_time[key, time] = next_time[key, timestamp] = time + 1
        column.timestamps[position] = time
        if not on_steps:
            column.steps[position] = time
