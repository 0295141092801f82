"""CSV: as `trackai export` writes it, or a table with a column for each metric."""

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

_ROWS = 20_000
# Of a text, in characters; what fits into 32 bits is the most that every platform takes.
_LONGEST = (1 << 31) - 1
_STEP = ("step", "_step", "global_step", "iteration", "epoch")
_TIME = ("timestamp", "_timestamp", "time", "wall_time")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)",
    re.ASCII | re.IGNORECASE,
)
_BOOLS = {"True": True, "False": False}


def read(path: Path, *, project: str, name: str) -> Iterator[RunHead | Block]:
    """The runs of a file.

    Args:
        project, name: of the run that a table with a column for each metric becomes; a file of
            `trackai export` has its own.

    Raises:
        InvalidInputError: a line does not fit; it is named.
    """
    csv.field_size_limit(_LONGEST)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = next(rows, [])
            if tuple(header) == COLUMNS:
                yield from _points(rows)
            elif header:
                yield from _table(header, rows, path, project=project, name=name)
            else:
                raise ValueError("the file is empty")
        except (ValueError, csv.Error) as error:
            raise InvalidInputError(f"{path.name}, line {rows.line_num}", str(error)) from None


def _points(rows: Iterable[list[str]]) -> Iterator[RunHead | Block]:
    """A row for each point; those of one series by one writer follow each other."""
    seen: set[str] = set()
    for key, group in groupby(map(_point, rows), key=itemgetter(0)):
        project, run, run_uid, attempt, writer, metric, axis = key
        while batch := list(islice(group, _ROWS)):
            timestamps = [one[2] for one in batch]
            if run_uid not in seen:
                seen.add(run_uid)
                yield RunHead(
                    uid=run_uid, project=project, run_id=run, name=run, created_at=timestamps[0]
                )
            yield Block(
                run_uid=run_uid,
                metric=metric,
                axis=_axis(axis),
                writer=WriterHead(uid=writer, attempt=_int64(attempt, "attempt")),
                steps=[one[1] for one in batch],
                timestamps=timestamps,
                values=[one[3] for one in batch],
            )


def _point(row: list[str]) -> tuple[tuple[str, ...], Step, int, Value]:
    """What a row says: whose point it is, its step, time and value.

    A row is read whole before the next one is: the line that an error names is its own.
    """
    _check_width(row, COLUMNS)
    *key, step, time, type_, value = row
    _axis(key[6])
    _int64(key[3], "attempt")
    return tuple(key), _step(step, "step"), _microseconds(time, "timestamp"), _typed(type_, value)


def _table(
    header: list[str], rows: Iterable[list[str]], path: Path, *, project: str, name: str
) -> Iterator[RunHead | Block]:
    """A row for each step, a column for each metric; an empty cell is no point."""
    lowered = [column.strip().lower() for column in header]
    step_at = next((lowered.index(column) for column in _STEP if column in lowered), None)
    time_at = next((lowered.index(column) for column in _TIME if column in lowered), None)
    # The same file makes the same run.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    uid = hashlib.sha256(f"{project}/{name}/{digest}".encode()).hexdigest()[:32]
    begun = path.stat().st_mtime_ns // 1000
    yield RunHead(uid=uid, project=project, run_id=name, name=name, created_at=begun)
    columns: dict[str, tuple[list[Step], list[int], list[Value]]] = {}
    for number, row in enumerate(rows):
        _check_width(row, header)
        step: Step = number if step_at is None else _step(row[step_at], header[step_at])
        time = begun + number
        if time_at is not None:
            time = _microseconds(row[time_at], header[time_at])
        for at, (metric, cell) in enumerate(zip(header, row, strict=True)):
            if at not in (step_at, time_at) and cell.strip():
                steps, times, values = columns.setdefault(metric.strip(), ([], [], []))
                steps.append(step)
                times.append(time)
                values.append(guessed(cell))
    for metric, (steps, times, values) in columns.items():
        yield Block(
            run_uid=uid,
            metric=metric,
            writer=WriterHead(uid=uid, host="csv", started_at=begun),
            steps=steps,
            timestamps=times,
            values=values,
        )


def _check_width(row: Sequence[str], header: Sequence[str]) -> None:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} cells under {len(header)} columns")


def _axis(text: str) -> Axis:
    if text == "step" or text == "time":
        return text  # type: ignore[return-value]
    raise ValueError(f"column axis: {text!r} is neither step nor time")


def _step(text: str, column: str) -> Step:
    step = _number(text)
    if step is None or not -INT64 <= step < INT64:  # also true of NaN
        raise ValueError(f"column {column}: {text!r} is no finite number within 64 bits")
    return step


def _int64(text: str, column: str) -> int:
    number = _number(text)
    if not isinstance(number, int):
        raise ValueError(f"column {column}: {text!r} is no integer within 64 bits")
    return number


def _microseconds(text: str, column: str) -> int:
    seconds = _number(text)
    if seconds is None:
        try:
            return microseconds(datetime.fromisoformat(text))
        except ValueError:
            raise ValueError(
                f"column {column}: {text!r} is neither a time like 2026-01-31T12:00:00 nor seconds "
                "since the epoch"
            ) from None
    if not FIRST_TIME <= seconds * 1e6 <= LAST_TIME:
        raise ValueError(
            f"column {column}: {text!r} seconds since the epoch are not in the years 1 to 9999; "
            "are they milliseconds?"
        )
    return round(seconds * 1_000_000)


def _typed(type_: str, text: str) -> Value:
    if type_ == "str":
        return text
    if type_ == "int":
        return _int64(text, "value")
    if type_ == "bool" and text in _BOOLS:
        return _BOOLS[text]
    if type_ == "float" and _number(text) is not None:
        return float(text)
    if type_ not in ("float", "bool"):
        raise ValueError(f"column type: {type_!r} is none of float, int, bool and str")
    raise ValueError(f"column value: {text!r} is no {type_}")


def guessed(text: str) -> Value:
    """A number, true or false where the text is one, else the text."""
    number = _number(text)
    if number is not None:
        return number
    return _BOOLS.get(text.strip().capitalize(), text)


def _number(text: str) -> int | float | None:
    """The number that a text is; an integer beyond 64 bits as a float."""
    # int() and float() would also take "2024_01" and digits of other scripts.
    text = text.strip()
    if len(text) < 99 and _INTEGER.fullmatch(text) and -INT64 <= (whole := int(text)) < INT64:
        return whole
    return float(text) if _FLOAT.fullmatch(text) else None
