"""Reads CSV: a file of `trackai export`, or a table with a column for each metric."""

from __future__ import annotations

import codecs
import csv
from collections import deque
from contextlib import contextmanager
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError
from trackai.exporters.csv import COLUMNS
from trackai.importers import csv_table
from trackai.importers.csv_cells import parse_int, parse_step, parse_time, parse_value
from trackai.structs.exchange import Block, RunHead, WriterHead
from trackai.values.text import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

    from trackai.importers.receipt import Receipt
    from trackai.values.types import Axis, Step, Value

_ROWS_PER_BLOCK = 20_000
# In characters; a C long, which is the type of the limit, has 32 bits on some platforms.
_MAX_CELL = (1 << 31) - 1
_DELIMITERS = ",\t;|"
_SAMPLED_ROWS = 20
_PROJECT = "imported"
_ERRORS = "trackai.without_rest"


def read(
    path: Path, *, project: str | None, name: str | None, receipt: Receipt
) -> Iterator[RunHead | Block]:
    """Yield the runs of a file: each head, then its points. All lines are checked before.

    Args:
        project: the project of the run that a table of metrics becomes, by default "imported".
        name: the name of that run, by default the name of the file.
        receipt: notes what a table lacks, and how it was understood.

    Raises:
        InvalidInputError: a line is not valid; the error names it. Or a project or a name is given
            for a file of `trackai export`, which names its own.
    """
    table: csv_table.Table | None = None
    with _opened(path) as (header, rows):
        if tuple(header) == COLUMNS:
            _check_options(project, name)
            deque(_read_points(rows), maxlen=0)
        elif header:
            table = csv_table.Table(path, header, receipt)
            table.scan(_complete(rows, len(header), path, receipt))
        else:
            raise ValueError("the file is empty")
    with _opened(path) as (_, rows):
        if table is None:
            yield from _read_points(rows)
        else:
            yield from table.read(
                rows, project=project or _PROJECT, name=name or without_surrogates(path.stem)
            )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Any]]:
    """Open a file: the first row, and a reader of the others.

    Raises:
        InvalidInputError: the file is not text, or for a ValueError of the body; it names the line.
    """
    csv.field_size_limit(_MAX_CELL)
    with path.open(encoding=_encoding(path), errors=_ERRORS, newline="") as file:
        try:
            rows = csv.reader(file, delimiter=_delimiter(file), strict=True)
        except UnicodeDecodeError as error:
            raise InvalidInputError(path.name, f"must be UTF-8 or UTF-16: {error}") from None
        try:
            yield next(rows, []), rows
        except InvalidInputError:
            raise
        except (ValueError, csv.Error) as error:
            raise InvalidInputError(f"{path.name}, line {rows.line_num}", str(error)) from None


def _complete(rows: Any, width: int, path: Path, receipt: Receipt) -> Iterator[list[str]]:
    """Yield the rows of a table, without one at the end of which the rest is not written yet.

    Args:
        rows: a reader of CSV.
        width: the number of cells of a row.

    Raises:
        csv.Error: as the reader raises it.
        InvalidInputError: a row has another number of cells, and others follow it, or a quote of a
            row is still open at the end of the file.
    """
    has_end: bool | None = None
    while True:
        begin = rows.line_num
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" not in str(error):
                raise
            # A quote that is still open further above is a mistake, and not only the end.
            if rows.line_num - begin > 1:
                where = f"{path.name}, line {begin + 1}"
                raise InvalidInputError(where, "a quote in this row is not closed") from None
            row = None
        line = rows.line_num
        if row is None or (row and len(row) != width):
            if has_end is None:
                has_end = row is not None and _ends_with_line(path)
            if not has_end and next(rows, None) is None:
                receipt.add_remark(path.name, f"line {line} is not complete and left out")
                return
            problem = f"number of cells must be {width}, got {len(row or [])}"
            raise InvalidInputError(f"{path.name}, line {line}", problem)
        yield row


def _ends_with_line(path: Path) -> bool:
    """Return whether the last line of a file has an end."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        return file.read().rstrip(b"\0")[-1:] in (b"\n", b"\r")


def _without_rest(error: UnicodeError) -> tuple[str, int]:
    """Leave out a character at the end of which the rest is not written yet."""
    if isinstance(error, UnicodeDecodeError) and error.reason in (
        "unexpected end of data", "truncated data",
    ):  # fmt: skip
        return "", error.end
    raise error


codecs.register_error(_ERRORS, _without_rest)


def _encoding(path: Path) -> str:
    """Return UTF-16, which spreadsheets write as "Unicode text", if the file begins like it."""
    with path.open("rb") as file:
        mark = file.read(2)
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _delimiter(file: TextIO) -> str:
    """Return the separator that splits the first lines of a file into equally many cells.

    If several do, one that finds a column of steps or times, or else more cells, is taken.
    """

    def rank(delimiter: str) -> tuple[bool, bool, int]:
        file.seek(0)
        rows: list[list[str]] = []
        valid = True
        try:
            for row in islice(csv.reader(file, delimiter=delimiter, strict=True), _SAMPLED_ROWS):
                rows.append(row)
        except csv.Error:
            valid = False
        widths = {len(row) for row in rows if row}
        header = rows[0] if rows else []
        same = valid and len(widths) == 1 and widths != {1}
        return same, csv_table.has_place(header), len(header)

    best = max(_DELIMITERS, key=rank)
    file.seek(0)
    return best


def _check_options(project: str | None, name: str | None) -> None:
    for option, value in (("project", project), ("name", name)):
        if value is not None:
            raise InvalidInputError(
                option, "the file is from `trackai export` and names its own; omit this option"
            )


def _read_points(rows: Iterable[list[str]]) -> Iterator[RunHead | Block]:
    """Read a row for each point; the points of one series by one writer are consecutive."""
    seen: set[str] = set()
    for key, group in groupby(_parse_points(rows), key=itemgetter(0)):
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
                writer=WriterHead(uid=writer, attempt=parse_int(attempt, "attempt")),
                steps=steps,
                timestamps=timestamps,
                values=values,
            )


def _parse_points(
    rows: Iterable[list[str]],
) -> Iterator[tuple[tuple[str, ...], Step, int, Value]]:
    """Yield the columns that name the series and writer, the step, the time and the value.

    Every cell is checked here, before the reader goes on: errors name the reader's current line.
    """
    checked: tuple[str, ...] = ()
    for row in rows:
        csv_table.check_width(row, COLUMNS)
        key = tuple(row[:7])
        if key != checked:
            _parse_axis(key[6])
            parse_int(key[3], "attempt")
            checked = key
        step, time, type_, value = row[7:]
        yield (
            key,
            parse_step(step, "step"),
            parse_time(time, "timestamp"),
            parse_value(type_, value),
        )


def _parse_axis(text: str) -> Axis:
    if text == "step" or text == "time":
        return text  # type: ignore[return-value]
    raise ValueError(f"column axis: must be step or time, got {text!r}")
