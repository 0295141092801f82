"""Reads a table of metrics: a row for each step, and a column for each metric.

It is read twice, in batches of rows: what a column holds depends on all of its cells.
"""

from __future__ import annotations

import hashlib
import re
from itertools import chain, compress, islice
from typing import TYPE_CHECKING, NamedTuple

from trackai.errors import InvalidInputError
from trackai.importers.csv_cells import infer_value, parse_number, parse_step, parse_time
from trackai.importers.csv_column import Column
from trackai.structs.exchange import Block, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from trackai.importers.receipt import Receipt
    from trackai.values.types import Step

_STEP_COLUMNS = ("step", "_step", "global_step", "iteration", "iter", "epoch")
_TIME_COLUMNS = ("timestamp", "_timestamp", "time", "wall_time")
# pandas calls an index without a name so when it reads the table again.
_UNNAMED = re.compile(r"(?:Unnamed: [0-9]+)?")
_SEPARATOR = re.compile(r"[\s;|]")
# TensorBoard names the tag of a downloaded series only in the name of the file.
_TENSORBOARD = ["wall_time", "step", "value"]
_TENSORBOARD_FILE = re.compile(r"run-.*-tag-(?P<tag>.+)", re.DOTALL)
# In seconds: numbers in a column "time" are times since the epoch only from 1973 on. Ultralytics,
# for one, writes the seconds since the start there.
_EARLIEST = 100_000_000


# Limits the memory that a batch of rows takes.
_CELLS_PER_BATCH = 400_000
_CHARACTERS_PER_BATCH = 8 << 20


class _Batch(NamedTuple):
    """Consecutive rows of one attempt.

    Attributes:
        attempt: counted from 0.
    """

    attempt: int
    steps: list[Step]
    times: list[int]
    rows: list[list[str]]


class Table:
    """A table of metrics in a CSV file: call `scan`, then `read`.

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
        self._started_at = path.stat().st_mtime_ns // 1000
        # For each attempt, when it began.
        self._attempts: list[int] = []
        self._columns = [Column() for _ in header]
        self._metrics: list[int] = []
        self._rows = 0
        self._check_header()

    def _check_header(self) -> None:
        if self._names[0].lower().startswith("sep="):
            raise ValueError(f"remove the line {self._names[0]!r}, which is only for spreadsheets")
        if all(parse_number(name) is not None for name in self._names):
            raise ValueError("the first line must name the columns, got numbers")
        twice = {name for name in self._names if name and self._names.count(name) > 1}
        if twice:
            raise ValueError(f"column {min(twice)!r} occurs twice")

    def scan(self, rows: Iterable[list[str]]) -> None:
        """Check all rows, and decide what the columns hold.

        Raises:
            ValueError: a row is not valid.
            InvalidInputError: a column is not valid.
        """
        rows = self._filled(self._counted(rows))
        first = next(rows, None)
        if first is None:
            return
        self._check_first(first)
        for batch in self._batches(chain([first], rows)):
            if batch.attempt == len(self._attempts):
                self._attempts.append(batch.times[0] if batch.attempt else self._started_at)
            for position, cells in enumerate(zip(*batch.rows, strict=True)):
                if position not in (self._step_at, self._time_at):
                    self._columns[position].add(list(filter(str.strip, cells)))
        self._conclude()

    def _counted(self, rows: Iterable[list[str]]) -> Iterator[list[str]]:
        for self._rows, row in enumerate(rows, start=1):
            yield row

    def _filled(self, rows: Iterable[list[str]]) -> Iterator[list[str]]:
        """Yield the rows that are not blank: csv.reader returns a blank line without cells."""
        if len(self._names) > 1:
            return filter(None, rows)
        return (row or [""] for row in rows)

    def _batches(self, rows: Iterable[list[str]]) -> Iterator[_Batch]:
        batch = _Batch(0, [], [], [])
        first_step: Step | None = None
        last_step: Step = 0
        characters = 0
        for number, row in enumerate(rows):
            check_width(row, self._names)
            step: Step = number
            if self._step_at is not None:
                step = parse_step(
                    row[self._step_at], self._names[self._step_at] or "without a name"
                )
            time = self._started_at + number
            if self._time_at is not None:
                time = parse_time(row[self._time_at], self._names[self._time_at])
            if first_step is None:
                first_step = step
            begins_again = step == first_step < last_step
            last_step = step
            is_full = (
                len(batch.rows) * len(self._names) >= _CELLS_PER_BATCH
                or characters >= _CHARACTERS_PER_BATCH
            )
            if batch.rows and (begins_again or is_full):
                yield batch
                batch = _Batch(batch.attempt + begins_again, [], [], [])
                characters = 0
            batch.steps.append(step)
            batch.times.append(time)
            batch.rows.append(row)
            characters += sum(map(len, row))
        if batch.rows:
            yield batch

    def _conclude(self) -> None:
        """Note how the table is understood."""
        for position, column in enumerate(self._columns):
            if not column.cells:
                continue
            if position == 0 and self._has_index() and column.counts_rows:
                self._receipt.add_remark(
                    self._path.name, "the first column, without a name, only counts the rows"
                )
                continue
            self._metrics.append(position)
            where = f"column {self._names[position]}"
            try:
                column.check()
            except ValueError as error:
                raise InvalidInputError(f"{self._path.name}, {where}", str(error)) from None
            for remark in column.remarks():
                self._receipt.add_remark(self._path.name, f"{where}: {remark}")
            self._receipt.count_null("metrics", column.missing)
        # A table with a column of texts may have other reasons to begin again at the first step.
        if any(column.begins_with_text for column in self._columns):
            del self._attempts[1:]
        if len(self._attempts) > 1:
            self._receipt.add_remark(
                self._path.name,
                f"begins again at the first step: it has {len(self._attempts)} attempts",
            )

    def read(
        self, rows: Iterable[list[str]], *, project: str, name: str
    ) -> Iterator[RunHead | Block]:
        """Yield the run with all its points.

        Args:
            rows: the same rows once more; others that were added since are left out.

        Raises:
            ValueError: a row is not valid.
        """
        # The uid is derived from the content: importing the same file again finds the same run.
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        uid = _digest(f"{project}/{name}/{digest}")
        yield RunHead(uid=uid, project=project, run_id=name, name=name, created_at=self._started_at)
        writers = [
            WriterHead(
                uid=uid if number == 1 else _digest(f"{uid}/{number}"), attempt=number, host="csv",
                started_at=at,
            )
            for number, at in enumerate(self._attempts, start=1)
        ]  # fmt: skip
        for batch in self._batches(self._filled(islice(rows, self._rows))):
            writer = writers[min(batch.attempt, len(writers) - 1)]
            columns = list(zip(*batch.rows, strict=True))
            for position in self._metrics:
                yield from self._block(uid, writer, position, batch, columns[position])

    def _block(
        self, uid: str, writer: WriterHead, position: int, batch: _Batch, cells: Sequence[str]
    ) -> Iterator[Block]:
        """Yield the points of a column, if it has any."""
        steps, times = batch.steps, batch.times
        if not all(map(str.strip, cells)):
            present = [bool(cell.strip()) for cell in cells]
            steps, times = list(compress(steps, present)), list(compress(times, present))
            cells = list(compress(cells, present))
        values = self._columns[position].convert(cells)
        if None in values:
            present = [value is not None for value in values]
            steps, times = list(compress(steps, present)), list(compress(times, present))
            values = list(compress(values, present))
        if values:
            yield Block(
                run_uid=uid, metric=self._names[position], writer=writer, steps=steps,
                timestamps=times, values=values, follows_start=self._time_at is None,
            )  # fmt: skip

    def _check_first(self, row: list[str]) -> None:
        """Decide by the first row what the columns are for which the names do not tell."""
        check_width(row, self._names)
        if (
            len(self._names) == 1
            and _SEPARATOR.search(self._names[0])
            and row[0]
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
