"""Reads CSV: a file of `trackai export`, or a table with a column for each metric."""

from __future__ import annotations

import csv
import hashlib
import re
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.exporters.csv import COLUMNS
from trackai.structs.exchange import Block, RunHead, WriterHead
from trackai.values.times import FIRST_TIME, LAST_TIME, microseconds
from trackai.values.types import INT64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from trackai.values.types import Axis, Step, Value

_ROWS_PER_BLOCK = 20_000
# In characters; a C long, which is the type of the limit, has 32 bits on some platforms.
_MAX_CELL = (1 << 31) - 1
_STEP_COLUMNS = ("step", "_step", "global_step", "iteration", "epoch")
_TIME_COLUMNS = ("timestamp", "_timestamp", "time", "wall_time")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)",
    re.ASCII | re.IGNORECASE,
)
_BOOLS = {"True": True, "False": False}


def read(path: Path, *, project: str, name: str) -> Iterator[RunHead | Block]:
    """Yield the runs of a file: each head, then its points.

    Args:
        project: the project of the run that a table of metrics becomes. A file of
            `trackai export` names its own projects and runs.
        name: the name of that run.

    Raises:
        InvalidInputError: a line is not valid; the error names it.
    """
    csv.field_size_limit(_MAX_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = next(rows, [])
            if tuple(header) == COLUMNS:
                yield from _read_points(rows)
            elif header:
                yield from _read_table(header, rows, path, project=project, name=name)
            else:
                raise ValueError("the file is empty")
        except (ValueError, csv.Error) as error:
            raise InvalidInputError(f"{path.name}, line {rows.line_num}", str(error)) from None


def _read_points(rows: Iterable[list[str]]) -> Iterator[RunHead | Block]:
    """Read a row for each point; the points of one series by one writer are consecutive."""
    seen: set[str] = set()
    for key, group in groupby(map(_parse_point, rows), key=itemgetter(0)):
        project, run, run_uid, attempt, writer, metric, axis = key
        while batch := list(islice(group, _ROWS_PER_BLOCK)):
            _, steps, timestamps, values = map(list, zip(*batch, strict=True))
            if run_uid not in seen:
                seen.add(run_uid)
                yield RunHead(
                    uid=run_uid, project=project, run_id=run, name=run, created_at=timestamps[0]
                )
            yield Block(
                run_uid=run_uid,
                metric=metric,
                axis=_parse_axis(axis),
                writer=WriterHead(uid=writer, attempt=_parse_int(attempt, "attempt")),
                steps=steps,
                timestamps=timestamps,
                values=values,
            )


def _parse_point(row: list[str]) -> tuple[tuple[str, ...], Step, int, Value]:
    """Return the columns that name the series and writer, the step, the time and the value.

    Every cell is checked here, before the reader goes on: errors name the reader's current line.
    """
    _check_width(row, COLUMNS)
    *key, step, time, type_, value = row
    _parse_axis(key[6])
    _parse_int(key[3], "attempt")
    return (
        tuple(key),
        _parse_step(step, "step"),
        _parse_time(time, "timestamp"),
        _parse_value(type_, value),
    )


def _read_table(
    header: list[str], rows: Iterable[list[str]], path: Path, *, project: str, name: str
) -> Iterator[RunHead | Block]:
    """Read a row for each step and a column for each metric; an empty cell is not a point."""
    lowered = [column.strip().lower() for column in header]
    step_at = next((lowered.index(column) for column in _STEP_COLUMNS if column in lowered), None)
    time_at = next((lowered.index(column) for column in _TIME_COLUMNS if column in lowered), None)
    # The uid is derived from the content: importing the same file again finds the same run.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    uid = hashlib.sha256(f"{project}/{name}/{digest}".encode()).hexdigest()[:32]
    started_at = path.stat().st_mtime_ns // 1000
    yield RunHead(uid=uid, project=project, run_id=name, name=name, created_at=started_at)
    columns: dict[str, tuple[list[Step], list[int], list[Value]]] = {}
    for number, row in enumerate(rows):
        _check_width(row, header)
        step: Step = number if step_at is None else _parse_step(row[step_at], header[step_at])
        time = started_at + number
        if time_at is not None:
            time = _parse_time(row[time_at], header[time_at])
        for position, (metric, cell) in enumerate(zip(header, row, strict=True)):
            if position not in (step_at, time_at) and cell.strip():
                steps, times, values = columns.setdefault(metric.strip(), ([], [], []))
                steps.append(step)
                times.append(time)
                values.append(infer_value(cell))
    for metric, (steps, times, values) in columns.items():
        yield Block(
            run_uid=uid,
            metric=metric,
            writer=WriterHead(uid=uid, host="csv", started_at=started_at),
            steps=steps,
            timestamps=times,
            values=values,
        )


def _check_width(row: Sequence[str], header: Sequence[str]) -> None:
    if len(row) != len(header):
        raise ValueError(f"number of cells must be {len(header)}, got {len(row)}")


def _parse_axis(text: str) -> Axis:
    if text == "step" or text == "time":
        return text  # type: ignore[return-value]
    raise ValueError(f"column axis: must be step or time, got {text!r}")


def _parse_step(text: str, column: str) -> Step:
    step = _parse_number(text)
    if step is None or not -INT64 <= step < INT64:  # also true of NaN
        raise ValueError(f"column {column}: must be a finite number within 64 bits, got {text!r}")
    return step


def _parse_int(text: str, column: str) -> int:
    number = _parse_number(text)
    if not isinstance(number, int):
        raise ValueError(f"column {column}: must be an integer within 64 bits, got {text!r}")
    return number


def _parse_time(text: str, column: str) -> int:
    """Convert seconds since the epoch, or an ISO 8601 time, to microseconds."""
    seconds = _parse_number(text)
    if seconds is None:
        try:
            return microseconds(datetime.fromisoformat(text))
        except ValueError:
            raise ValueError(
                f"column {column}: must be a time like 2026-01-31T12:00:00 or seconds since the "
                f"epoch, got {text!r}"
            ) from None
    if not FIRST_TIME <= seconds * 1e6 <= LAST_TIME:
        raise ValueError(
            f"column {column}: must be seconds since the epoch in the years 1 to 9999, got "
            f"{text!r}; convert milliseconds to seconds"
        )
    return round(seconds * 1_000_000)


def _parse_value(type_: str, text: str) -> Value:
    if type_ == "str":
        return text
    if type_ == "int":
        return _parse_int(text, "value")
    if type_ == "bool" and text in _BOOLS:
        return _BOOLS[text]
    if type_ == "float" and _parse_number(text) is not None:
        return float(text)
    if type_ not in ("float", "bool"):
        raise ValueError(f"column type: must be float, int, bool or str, got {type_!r}")
    raise ValueError(f"column value: must be a {type_}, got {text!r}")


def infer_value(text: str) -> Value:
    """Convert a text to the number or bool that it looks like; return other texts unchanged."""
    number = _parse_number(text)
    if number is not None:
        return number
    return _BOOLS.get(text.strip().capitalize(), text)


def _parse_number(text: str) -> int | float | None:
    """Return the number in a text, or None; integers beyond 64 bits become floats."""
    # int() and float() would also accept "2024_01" and digits of other scripts.
    text = text.strip()
    if len(text) < 99 and _INTEGER.fullmatch(text) and -INT64 <= (integer := int(text)) < INT64:
        return integer
    return float(text) if _FLOAT.fullmatch(text) else None
