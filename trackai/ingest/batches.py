"""A batch of points that a client sends: how it is written, and what it comes to.

Rows and columns say the same; columns are shorter and faster. What has no step is a system metric,
on the time axis. What has no timestamp gets the time at which it arrives.
"""

from __future__ import annotations

import math
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

# SQLite's functions take a NUL for the end of a text.
_NO_NUL = "^[^\\x00]*$"
Path = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=_NO_NUL)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=_NO_NUL)]
# ISO 8601, or microseconds since the epoch.
Time = int | datetime


class BatchRow(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What one call of log() would say."""

    values: dict[Path, Value]
    step: Step | None = None
    timestamp: Time | None = None


class BatchColumn(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Points of one metric: the lists have one length."""

    path: Path
    values: list[Value]
    steps: list[Step] | None = None
    timestamps: list[Time] | None = None


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Points of a run, as rows or as columns.

    Attributes:
        batch_id: a batch that comes again under this id is not stored again.
        writer: who sends it, where several clients log to one run.
    """

    rows: list[BatchRow] = []
    columns: list[BatchColumn] = []
    batch_id: Label | None = None
    writer: Label = "http"

    def count(self) -> int:
        """How many points there are."""
        return sum(len(row.values) for row in self.rows) + sum(
            len(column.values) for column in self.columns
        )


_from_json = msgspec.json.Decoder(Batch)
_from_msgpack = msgspec.msgpack.Decoder(Batch)


def decode_json(data: bytes) -> Batch:
    """A batch from JSON, in which the three strings stand for non-finite numbers."""
    batch = _from_json.decode(data)
    for row in batch.rows:
        if any(type(value) is str for value in row.values.values()):
            row.values = {path: _NON_FINITE.get(v, v) for path, v in row.values.items()}
    for column in batch.columns:
        if str in set(map(type, column.values)):
            column.values = [_NON_FINITE.get(value, value) for value in column.values]
    return batch


def decode_msgpack(data: bytes) -> Batch:
    """A batch from msgpack, in which non-finite numbers are themselves."""
    return _from_msgpack.decode(data)


def to_columns(batch: Batch, *, now: int) -> list[Column]:
    """The points of a batch, one column for each metric and axis, no two of them alike.

    Raises:
        InvalidInputError: they cannot be stored; the field is named.
    """
    if len(batch.rows) == 1 and not batch.columns:
        columns = _of_row(batch.rows[0], now)
        _check_size(columns)
        return columns
    found: dict[tuple[str, Axis], Column] = {}
    for number, row in enumerate(batch.rows):
        _add_row(found, row, f"rows[{number}]", now)
    for number, wire in enumerate(batch.columns):
        _add_column(found, wire, f"columns[{number}]", now)
    columns = list(found.values())
    _check_size(columns)
    for column in columns:
        _tell_apart(column)
    return columns


def _check_size(columns: Sequence[Column]) -> None:
    if len(columns) > MAX_METRICS:
        raise InvalidInputError("body", f"more than {MAX_METRICS} metrics in a batch")
    if sum(len(column.steps) for column in columns) > MAX_POINTS:
        raise InvalidInputError("body", f"more than {MAX_POINTS} points in a batch")


def _of_row(row: BatchRow, now: int) -> list[Column]:
    """The columns of a batch of one row, as most small ones are: no two points fall together."""
    axis, step, time = _place(row, "rows[0]", now)
    _check_values(list(row.values.values()), "rows[0].values")
    return [Column(path, axis, [step], [time], [value]) for path, value in row.values.items()]


def _place(row: BatchRow, where: str, now: int) -> tuple[Axis, Step, int]:
    time = now if row.timestamp is None else _times([row.timestamp], f"{where}.timestamp")[0]
    step = time if row.step is None else row.step
    _check_steps([step], f"{where}.step")
    return ("time" if row.step is None else "step"), step, time


def _add_row(found: dict[tuple[str, Axis], Column], row: BatchRow, where: str, now: int) -> None:
    axis, step, time = _place(row, where, now)
    for path, value in row.values.items():
        column = found.get((path, axis))
        if column is None:
            column = found[path, axis] = Column(path, axis, [], [], [])
        if type(value) is int:
            _check_values([value], f"{where}.values")
        column.steps.append(step)
        column.timestamps.append(time)
        column.values.append(value)


def _add_column(
    found: dict[tuple[str, Axis], Column], wire: BatchColumn, where: str, now: int
) -> None:
    length = len(wire.values)
    times = [now] * length
    if wire.timestamps is not None:
        times = _times(wire.timestamps, f"{where}.timestamps")
    axis: Axis = "time" if wire.steps is None else "step"
    steps: list[Step] = list(times) if wire.steps is None else wire.steps
    if not len(times) == len(steps) == length:
        raise InvalidInputError(where, "values, steps and timestamps differ in length")
    _check_steps(steps, f"{where}.steps")
    _check_values(wire.values, f"{where}.values")
    column = found.get((wire.path, axis))
    if column is None:
        found[wire.path, axis] = Column(wire.path, axis, steps, times, wire.values)
    else:
        column.steps += steps
        column.timestamps += times
        column.values += wire.values


def _times(times: Sequence[Time], where: str) -> list[int]:
    numbers = [_microseconds(time) for time in times]
    if numbers and not (min(numbers) >= FIRST_TIME and max(numbers) <= LAST_TIME):
        raise InvalidInputError(where, "a time in microseconds lies in the years 1 to 9999")
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
        raise InvalidInputError(where, "a step is a finite number within 64 bits")


def _check_values(values: Sequence[Any], where: str) -> None:
    if set(map(type, values)) == {float}:
        return
    for value in values:
        if type(value) is int and not -INT64 <= value < INT64:
            try:
                float(value)
            except OverflowError:
                raise InvalidInputError(where, "a number is too large") from None


def _tell_apart(column: Column) -> None:
    """Points at the same step and time are moved apart by a microsecond, so that none is lost."""
    if len(set(column.steps)) == len(column.steps):
        return
    # For each place that is taken, a later time that may be free: a search begins where the last
    # one ended, or many points at one place would take forever.
    later: dict[tuple[Step, int], int] = {}
    on_steps = column.axis == "step"
    for position, (step, wanted) in enumerate(zip(column.steps, column.timestamps, strict=True)):
        own = step if on_steps else 0
        time = wanted
        while (own, time) in later:
            time = later[own, time]
        later[own, time] = later[own, wanted] = time + 1
        column.timestamps[position] = time
        if not on_steps:
            column.steps[position] = time
