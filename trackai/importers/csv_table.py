"""Reads a table of metrics: a row for each step, and a column for each metric."""

from __future__ import annotations

import hashlib
import re
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.csv_cells import (
    have_decimal_commas,
    infer_value,
    is_inexact,
    is_missing,
    parse_number,
    parse_step,
    parse_time,
)
from trackai.structs.exchange import Block, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from trackai.importers.receipt import Receipt
    from trackai.values.types import Step, Value

_STEP_COLUMNS = ("step", "_step", "global_step", "iteration", "iter", "epoch")
_TIME_COLUMNS = ("timestamp", "_timestamp", "time", "wall_time")
# pandas calls an index without a name so when it reads the table again.
_UNNAMED = re.compile(r"(?:Unnamed: [0-9]+)?")
_SEPARATOR = re.compile(r"[\s;|]")
# TensorBoard names the tag of a downloaded series only in the name of the file.
_TENSORBOARD = ["wall_time", "step", "value"]
_TENSORBOARD_FILE = re.compile(r"run-.*-tag-(?P<tag>.+)", re.DOTALL)
# How keras writes an array.
_LIST = re.compile(r'"(?P<list>\[[^"]*\])"')
# In seconds: numbers in a column "time" are times since the epoch only from 1973 on. Ultralytics,
# for one, writes the seconds since the start there.
_EARLIEST = 100_000_000


class _Column(NamedTuple):
    """The cells of a column that are not empty, with their steps and times.

    Attributes:
        begins: for each attempt, the index of its first cell.
    """

    steps: list[Step]
    times: list[int]
    cells: list[str]
    begins: list[int]


class Table:
    """A table of metrics in a CSV file.

    Args:
        header: the names of the columns.
        receipt: notes cells without values, and how the table was understood.

    Raises:
        ValueError: the header is not valid.
    """

    def __init__(self, path: Path, header: list[str], receipt: Receipt) -> None:
        self._path = path
        self._names = [name.strip() for name in header]
        self._receipt = receipt
        places = list(map(_place, header))
        self._step_at = next((places.index(n) for n in _STEP_COLUMNS if n in places), None)
        self._time_at = next((places.index(n) for n in _TIME_COLUMNS if n in places), None)
        if places == _TENSORBOARD:
            match = _TENSORBOARD_FILE.fullmatch(path.stem)
            self._names[2] = match["tag"] if match else path.stem
            self._receipt.add_remark(path.name, f"its values are the metric {self._names[2]!r}")
        # For each attempt, when it began.
        self._attempts: list[int] = []
        self._check_header()

    def _check_header(self) -> None:
        if self._names[0].lower().startswith("sep="):
            raise ValueError(f"remove the line {self._names[0]!r}, which is only for spreadsheets")
        if all(parse_number(name) is not None for name in self._names):
            raise ValueError("the first line must name the columns, got numbers")
        twice = {name for name in self._names if name and self._names.count(name) > 1}
        if twice:
            raise ValueError(f"column {min(twice)!r} occurs twice")

    def read(
        self, rows: Iterable[list[str]], *, project: str, name: str
    ) -> Iterator[RunHead | Block]:
        """Yield the run with all its points.

        Raises:
            ValueError: a row is not valid.
        """
        # The uid is derived from the content: importing the same file again finds the same run.
        digest = hashlib.sha256(self._path.read_bytes()).hexdigest()
        uid = _digest(f"{project}/{name}/{digest}")
        started_at = self._path.stat().st_mtime_ns // 1000
        yield RunHead(uid=uid, project=project, run_id=name, name=name, created_at=started_at)
        columns = self._read_columns(rows, started_at)
        writers = self._writers(uid, columns)
        for position, column in columns.items():
            metric = self._names[position]
            if self._is_row_number(position, column):
                self._receipt.add_remark(
                    self._path.name, "the first column, without a name, only counts the rows"
                )
                continue
            steps, times, values, begins = self._convert(metric, column)
            begins = [*begins[: len(writers)], len(values)]
            for writer, (start, stop) in zip(writers, pairwise(begins), strict=True):
                if start < stop:
                    yield Block(
                        run_uid=uid, metric=metric, writer=writer, steps=steps[start:stop],
                        timestamps=times[start:stop], values=values[start:stop],
                        has_times=self._time_at is not None or not _increases(steps[start:stop]),
                    )  # fmt: skip

    def _writers(self, uid: str, columns: dict[int, _Column]) -> list[WriterHead]:
        """Return a writer for each attempt.

        A table with a column of texts may have other reasons to begin again at the first step.
        """
        attempts = self._attempts
        if any(_begins_with_text(column) for column in columns.values()):
            attempts = attempts[:1]
        if len(attempts) > 1:
            self._receipt.add_remark(
                self._path.name, f"begins again at the first step: it has {len(attempts)} attempts"
            )
        return [
            WriterHead(
                uid=uid if number == 1 else _digest(f"{uid}/{number}"), attempt=number, host="csv",
                started_at=at,
            )
            for number, at in enumerate(attempts, start=1)
        ]  # fmt: skip

    def _read_columns(self, rows: Iterable[list[str]], started_at: int) -> dict[int, _Column]:
        """Return the columns of metrics that have cells, by position."""
        # csv.reader returns a blank line as a row without cells.
        rows = iter(rows if len(self._names) == 1 else filter(None, rows))
        first = next(rows, None)
        if first is None:
            return {}
        self._check_first(first)
        columns: dict[int, _Column] = {}
        first_step: Step | None = None
        last_step: Step = 0
        for number, row in enumerate(chain([first], rows)):
            if len(self._names) == 1 and not row:
                row = [""]
            check_width(row, self._names)
            step: Step = number
            if self._step_at is not None:
                step = parse_step(
                    row[self._step_at], self._names[self._step_at] or "without a name"
                )
            time = started_at + number
            if self._time_at is not None:
                time = parse_time(row[self._time_at], self._names[self._time_at])
            if first_step is None:
                first_step = step
            if not self._attempts or step == first_step < last_step:
                self._attempts.append(time if self._attempts else started_at)
                for column in columns.values():
                    column.begins.append(len(column.cells))
            last_step = step
            for position, cell in enumerate(row):
                if position not in (self._step_at, self._time_at) and cell.strip():
                    if position not in columns:
                        columns[position] = _Column([], [], [], [0] * len(self._attempts))
                    column = columns[position]
                    column.steps.append(step)
                    column.times.append(time)
                    column.cells.append(cell)
        return columns

    def _check_first(self, row: list[str]) -> None:
        """Decide by the first row what the columns are for which the names do not tell."""
        check_width(row or [""], self._names)
        if (
            len(self._names) == 1
            and _SEPARATOR.search(self._names[0])
            and row
            and isinstance(infer_value(row[0]), str)
        ):
            raise ValueError(
                f"got one column {self._names[0]!r}; separate columns by commas, tabs or semicolons"
            )
        if self._time_at is not None and _place(self._names[self._time_at]) == "time":
            number = parse_number(row[self._time_at])
            if number is not None and abs(number) < _EARLIEST:
                self._time_at = None
        if self._has_index() and self._step_at is None:
            if parse_number(row[0]) is None:
                raise ValueError(
                    "the first column has no name; call it step, timestamp or like a metric"
                )
            self._step_at = 0
            self._receipt.add_remark(self._path.name, "the first column, without a name, has steps")

    def _has_index(self) -> bool:
        """Return whether the first column has no name, as the index of a data frame."""
        return len(self._names) > 1 and _UNNAMED.fullmatch(self._names[0]) is not None

    def _is_row_number(self, position: int, column: _Column) -> bool:
        """Return whether a column only counts the rows, as most indexes do."""
        if position != 0 or not self._has_index():
            return False
        return column.cells == list(map(str, range(len(column.cells))))

    def _convert(
        self, metric: str, column: _Column
    ) -> tuple[list[Step], list[int], list[Value], list[int]]:
        """Return the points of a column, and the index of the first one of each attempt.

        In a column of numbers, cells such as NA have no value. Otherwise they are texts.
        """
        values = list(map(infer_value, column.cells))
        self._remark_inexact(metric, column, values)
        texts = [value for value in values if isinstance(value, str)]
        words = [text for text in texts if not is_missing(text)]
        if words:
            if not self._are_decimals(metric, words, values):
                if len(texts) < len(values):
                    share = f"{len(texts)} of {len(values)} values"
                    self._remark(metric, f"{share} are texts, such as {words[0]!r}")
                return column.steps, column.times, list(map(_unquoted, values)), column.begins
            cells = [cell.replace(",", ".") for cell in column.cells]
            values = list(map(infer_value, cells))
        present = [not isinstance(value, str) for value in values]
        self._receipt.count_null("metrics", present.count(False))
        return (
            [step for step, keep in zip(column.steps, present, strict=True) if keep],
            [time for time, keep in zip(column.times, present, strict=True) if keep],
            [value for value in values if not isinstance(value, str)],
            [begin - present[:begin].count(False) for begin in column.begins],
        )

    def _remark_inexact(self, metric: str, column: _Column, values: list[Value]) -> None:
        for cell, value in zip(column.cells, values, strict=True):
            if is_inexact(cell, value):
                self._remark(metric, f"rounds large numbers, such as {cell} to {value!r}")
                return

    def _remark(self, metric: str, remark: str) -> None:
        self._receipt.add_remark(self._path.name, f"column {metric}: {remark}")

    def _are_decimals(self, metric: str, words: list[str], values: list[Value]) -> bool:
        """Return whether all words of a column are numbers with a decimal comma."""
        try:
            if not have_decimal_commas(words):
                return False
        except ValueError as error:
            raise self._invalid(metric, str(error)) from None
        if any(isinstance(value, float) and value == value for value in values):
            raise self._invalid(metric, f"has decimal points and commas, such as {words[0]!r}")
        self._remark(metric, "has decimal commas")
        return True

    def _invalid(self, metric: str, problem: str) -> InvalidInputError:
        return InvalidInputError(f"{self._path.name}, column {metric}", problem)


def _increases(steps: list[Step]) -> bool:
    return all(step < following for step, following in pairwise(steps))


def _begins_with_text(column: _Column) -> bool:
    cell = next((cell for cell in column.cells if not is_missing(cell)), "0")
    return isinstance(infer_value(cell), str) and not _LIST.fullmatch(cell)


def _unquoted(value: Value) -> Value:
    """Return a list that keras has written within quotes of its own without them."""
    match = _LIST.fullmatch(value) if isinstance(value, str) else None
    return match["list"] if match else value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def has_place(header: Sequence[str]) -> bool:
    """Return whether a header has a column of steps or times."""
    return any(_place(name) in _STEP_COLUMNS + _TIME_COLUMNS for name in header)


def check_width(row: Sequence[str], header: Sequence[str]) -> None:
    """Check the number of cells of a row.

    Raises:
        ValueError: it differs from that of the header.
    """
    if len(row) != len(header):
        raise ValueError(f"number of cells must be {len(header)}, got {len(row)}")


def _place(name: str) -> str:
    """Normalise a name, to find columns of steps and times: "# Wall time" is "wall_time"."""
    return name.strip().lstrip("#").strip().lower().replace(" ", "_")
