"""CSV: as `trackai export` writes it, or a table with a column for each metric."""

from __future__ import annotations

import csv
import hashlib
import math
from datetime import datetime
from itertools import groupby, islice
from typing import TYPE_CHECKING

from trackai.errors import InvalidInputError
from trackai.exporters.csv import COLUMNS
from trackai.structs.exchange import Block, RunHead, WriterHead
from trackai.structs.values import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from trackai.structs.values import Axis, Step, Value

_ROWS = 20_000
_STEP = ("step", "_step", "global_step", "iteration", "epoch")
_TIME = ("timestamp", "_timestamp", "time", "wall_time")


def read(path: Path, *, project: str, name: str) -> Iterator[RunHead | Block]:
    """The runs of a file.

    Args:
        project, name: of the run that a table with a column for each metric becomes; a file of
            `trackai export` has its own.

    Raises:
        InvalidInputError: a line does not fit; it is named.
    """
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
        except (ValueError, KeyError, csv.Error) as error:
            raise InvalidInputError(f"{path.name}, line {rows.line_num}", str(error)) from None


def _points(rows: Iterable[list[str]]) -> Iterator[RunHead | Block]:
    """A row for each point; those of one series by one writer follow each other."""
    seen: set[str] = set()
    for key, group in groupby(rows, key=lambda row: row[:7]):
        project, run, run_uid, attempt, writer, metric, axis = key
        while batch := list(islice(group, _ROWS)):
            timestamps = [_microseconds(row[8]) for row in batch]
            if run_uid not in seen:
                seen.add(run_uid)
                yield RunHead(
                    uid=run_uid, project=project, run_id=run, name=run, created_at=timestamps[0]
                )
            yield Block(
                run_uid=run_uid,
                metric=metric,
                axis=_axis(axis),
                writer=WriterHead(uid=writer, attempt=int(attempt)),
                steps=[_step(row[7]) for row in batch],
                timestamps=timestamps,
                values=[_typed(row[9], row[10]) for row in batch],
            )


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
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells under {len(header)} columns")
        step: Step = number if step_at is None else _step(row[step_at])
        time = begun + number if time_at is None else _microseconds(row[time_at])
        for at, (metric, cell) in enumerate(zip(header, row, strict=True)):
            if at not in (step_at, time_at) and cell.strip():
                steps, times, values = columns.setdefault(metric.strip(), ([], [], []))
                steps.append(step)
                times.append(time)
                values.append(_guessed(cell))
    for metric, (steps, times, values) in columns.items():
        yield Block(
            run_uid=uid,
            metric=metric,
            writer=WriterHead(uid=uid, host="csv", started_at=begun),
            steps=steps,
            timestamps=times,
            values=values,
        )


def _axis(text: str) -> Axis:
    if text == "step" or text == "time":
        return text  # type: ignore[return-value]
    raise ValueError(f"axis: {text!r} is neither step nor time")


def _step(text: str) -> Step:
    try:
        return int(text)
    except ValueError:
        step = float(text)
    if not math.isfinite(step):
        raise ValueError(f"step: {text!r} is not finite")
    return step


def _microseconds(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        time = datetime.fromisoformat(text)
        return microseconds(time)
    return round(seconds * 1_000_000)


def _typed(type_: str, text: str) -> Value:
    if type_ == "float":
        return float(text)
    if type_ == "int":
        return int(text)
    if type_ == "bool":
        return {"True": True, "False": False}[text]
    if type_ == "str":
        return text
    raise ValueError(f"type: {type_!r} is none of float, int, bool and str")


def _guessed(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text.strip().lower(), text)
