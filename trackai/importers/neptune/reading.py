"""Reading a part with pyarrow: from its columns to batches that can be stored.

It is done column by column with NumPy: a Python object is made only where the store needs one.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trackai.importers.neptune import series
from trackai.importers.neptune.batches import (
    COLUMN,
    DAMAGED,
    Batch,
    Decode,
    FileRow,
    Header,
    Inspect,
    Param,
)
from trackai.importers.neptune.layout import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trackai.importers.neptune.batches import Answer, Request

BATCH_ROWS = 1 << 17
_IDENTITY = ("project_id", "run_id", "attribute_path", "attribute_type")
_STEP = pa.decimal128(18, 6)
_SERIES = {
    "float_series": "float_value",
    "string_series": "string_value",
    "histogram_series": "histogram_value",
}
_PARAMS = {
    "float": "float_value",
    "int": "int_value",
    "string": "string_value",
    "bool": "bool_value",
    "datetime": "datetime_value",
    "string_set": "string_set_value",
}
_FILES = frozenset({"file", "file_series", "file_set", "artifact"})
_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)


def answer(request: Request) -> Iterator[Answer]:
    """Do what is asked for."""
    if isinstance(request, Inspect):
        yield inspect(request)
    else:
        yield from decode(request)


def inspect(asked: Inspect) -> Header | Problem:
    """Read whose a part is and how many rows it has; nothing else is decoded."""
    try:
        with pq.ParquetFile(asked.path) as file:
            missing = [name for name in _IDENTITY if name not in file.schema_arrow.names]
            if missing:
                return Problem(
                    asked.name,
                    f"the column {missing[0]!r} is missing: none of its "
                    f"{file.metadata.num_rows} rows can be stored",
                )
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["project_id", "run_id"])
                for project, run in zip(*ids.to_pydict().values(), strict=True):
                    if project and run:
                        return Header(project, run, file.metadata.num_rows, _hash(asked.path))
            return Problem(asked.name, "no row says whose it is")
    except _ERRORS as error:
        return Problem(asked.name, f"it cannot be read as parquet: {_first_line(error)}")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def decode(asked: Decode) -> Iterator[Batch]:
    """The rows of a part, batch by batch; the last batch ends where the part ends."""
    with pq.ParquetFile(asked.path, read_dictionary=list(_IDENTITY)) as file:
        row = 0
        for groups in _spans(file):
            for table, rows, damage in _read(file, groups):
                end = row + rows
                if end > asked.start:
                    skipped = max(0, asked.start - row)
                    if damage is None:
                        yield _Splitter(asked.header, table.slice(skipped), row + skipped).split()
                    else:
                        yield _lost(row + skipped, end, damage)
                row = end
    if row == asked.start:
        yield Batch(row, row, [], [], [], {}, [])


def _spans(file: Any) -> Iterator[list[int]]:
    """Row groups that are read together: the exporter's groups may be very small."""
    span: list[int] = []
    rows = 0
    for group in range(file.num_row_groups):
        more = file.metadata.row_group(group).num_rows
        if span and rows + more > BATCH_ROWS:
            yield span
            span, rows = [], 0
        span.append(group)
        rows += more
    if span:
        yield span


def _read(file: Any, groups: list[int]) -> Iterator[tuple[Any, int, str | None]]:
    """Record batches of row groups, with the number of rows; of what is damaged, only that."""
    expected = sum(file.metadata.row_group(group).num_rows for group in groups)
    done = 0
    try:
        # A span is at most one batch, or one large group: it can be tried again group by group.
        batches = file.iter_batches(BATCH_ROWS, row_groups=groups, use_threads=False)
        for batch in batches if len(groups) == 1 else _joined(batches):
            batch.validate(full=True)
            done += batch.num_rows
            yield batch, batch.num_rows, None
    except _ERRORS as error:
        if done == 0 and len(groups) > 1:
            for group in groups:
                yield from _read(file, [group])
        else:
            yield None, expected - done, _first_line(error)


def _joined(batches: Iterator[Any]) -> list[Any]:
    """One batch of several: each would be a transaction of its own."""
    table = pa.Table.from_batches(list(batches)).unify_dictionaries().combine_chunks()
    joined: list[Any] = table.to_batches()
    return joined


def _lost(start: int, end: int, damage: str) -> Batch:
    batch = Batch(start, end, [], [], [], {}, [])
    counts = batch.of("(unreadable)")
    counts.read = end - start
    counts.refuse(DAMAGED, end - start)
    batch.problems.append(f"rows {start + 1} to {end} cannot be read: {damage}")
    return batch


class _Splitter:
    """Splits the rows of a record batch by their types."""

    def __init__(self, header: Header, table: Any, start: int) -> None:
        self.header = header
        self.table = table
        self.batch = Batch(start, start + table.num_rows, [], [], [], {}, [])

    def split(self) -> Batch:
        types = self.table.column("attribute_type")
        codes = np.asarray(types.indices.fill_null(-1))
        foreign = self._foreign()
        for code, type_ in enumerate(["(none)", *types.dictionary.to_pylist()], start=-1):
            mask = codes == code
            rows = int(mask.sum())
            if not rows:
                continue
            self.batch.of(type_).read += rows
            if foreign is not None:
                mask &= ~foreign
                self._refuse(
                    type_, "it belongs to another run than its file", rows - int(mask.sum())
                )
            if mask.any():
                self._split_type(type_, None if mask.all() else pa.array(mask))
        return self.batch

    def _foreign(self) -> Any:
        """Which rows name another project or run than the part's first row, if any."""
        found = None
        for column, own in (("project_id", self.header.project), ("run_id", self.header.run)):
            ids = self.table.column(column)
            if ids.null_count == 0 and ids.dictionary.to_pylist() == [own]:
                continue
            other = np.asarray([one != own for one in ids.to_pylist()])
            found = other if found is None else found | other
        return found if found is not None and found.any() else None

    def _refuse(self, type_: str, reason: str, rows: int = 1) -> None:
        if rows:
            self.batch.of(type_).refuse(reason, rows)
            self.batch.problems.append(f"{rows} rows of the type {type_} are not stored: {reason}")

    def _split_type(self, type_: str, mask: Any) -> None:
        column = (
            _SERIES.get(type_) or _PARAMS.get(type_) or ("file_value" if type_ in _FILES else None)
        )
        if column is None:
            reason = (
                "rows without a type" if type_ == "(none)" else f"unknown attribute type {type_!r}"
            )
            self._refuse(type_, reason, self._rows(mask))
            return
        needed = [column] if type_ in _PARAMS else [column, "step", "timestamp"]
        missing = [name for name in needed if name not in self.table.schema.names]
        if missing:
            self._refuse(type_, f"{COLUMN}{missing[0]!r} is missing", self._rows(mask))
            return
        columns = [self.table.column(name) for name in ("attribute_path", *needed)]
        if mask is not None:
            columns = [one.filter(mask) for one in columns]
        try:
            if type_ in _SERIES:
                self._series(type_, *columns)
            elif type_ in _PARAMS:
                self._params(type_, *columns)
            else:
                self._files(type_, *columns)
        except (*_ERRORS, ValueError, TypeError) as error:
            reason = f"{COLUMN}{column!r} does not hold what it should: {_first_line(error)}"
            self._refuse(type_, reason, self._rows(mask))

    def _rows(self, mask: Any) -> int:
        return self.table.num_rows if mask is None else int(np.asarray(mask).sum())

    def _series(self, type_: str, paths: Any, values: Any, steps: Any, times: Any) -> None:
        present = _present(values)
        placed = _present(paths) & _present(steps) & _present(times)
        # The exporter writes NaN as null: a number's row with step and time is a point.
        says = placed & (present | (type_ == "float_series"))
        nothing = ~present & ~says
        points = series.arrange(
            type_,
            paths.dictionary.to_pylist(),
            _filtered(np.asarray(paths.indices.fill_null(0)), says),
            _filtered(_micro(steps), says),
            _filtered(_microseconds(times), says),
            _values_of(type_, values, says),
        )
        self.batch.of(type_).null += int(nothing.sum())
        for reason, column in (
            ("no attribute path", paths),
            ("no step", steps),
            ("no timestamp", times),
        ):
            lacking = present & ~says & ~_present(column)
            self._refuse(type_, reason, int(lacking.sum()))
            present &= ~lacking
        self.batch.points += points

    def _params(self, type_: str, paths: Any, values: Any) -> None:
        jsons = _JSON[type_](values)
        for path, (text, stored_type) in zip(paths.to_pylist(), jsons, strict=True):
            if text is None:
                self.batch.of(type_).null += 1
            elif path is None:
                self._refuse(type_, "no attribute path")
            else:
                self.batch.params.append(Param(type_, path, text, stored_type))

    def _files(self, type_: str, paths: Any, values: Any, steps: Any, times: Any) -> None:
        micro = _micro(steps).tolist()
        microseconds = _microseconds(times).tolist()
        rows = zip(
            paths.to_pylist(), values.to_pylist(), micro, _present(steps).tolist(),
            microseconds, _present(times).tolist(), strict=True,
        )  # fmt: skip
        for path, value, step, has_step, time, has_time in rows:
            if value is None or value["path"] is None:
                self.batch.of(type_).null += 1
            elif path is None:
                self._refuse(type_, "no attribute path")
            else:
                self.batch.files.append(
                    FileRow(
                        type_,
                        path,
                        series.exact_step(step) if has_step else None,
                        time if has_time else None,
                        value["path"],
                    )
                )


def _present(column: Any) -> Any:
    if column.null_count == 0:
        return np.ones(len(column), dtype=bool)
    return np.asarray(column.is_valid())


def _filtered(array: Any, mask: Any) -> Any:
    return array if mask.all() else array[mask]


def _micro(steps: Any) -> Any:
    """Steps in millionths: 18 digits fit into 64 bits."""
    if steps.type != _STEP:
        steps = steps.cast(_STEP)
    words = np.frombuffer(steps.buffers()[1], dtype=np.int64)
    return (
        words[2 * steps.offset : 2 * (steps.offset + len(steps)) : 2] if len(steps) else words[:0]
    )


_UNITS = {"s": 1_000_000, "ms": 1000, "us": 1}


def _microseconds(times: Any) -> Any:
    if not pa.types.is_timestamp(times.type):
        raise ValueError(f"{times.type} is no time")
    if times.type.unit == "ns":
        times = times.cast(pa.timestamp("us", times.type.tz))
    # Through int64: it says what lies there, whatever the calendar can express.
    return np.asarray(times.cast(pa.int64()).fill_null(0)) * _UNITS[times.type.unit]


def _values_of(type_: str, values: Any, says: Any) -> Any:
    if type_ == "float_series":
        numbers = np.asarray(values.cast(pa.float64()).fill_null(math.nan))
        return _filtered(numbers, says)
    if not says.all():
        values = values.filter(pa.array(says))
    if type_ == "string_series":
        return values.to_pylist()
    return [_json(value) for value in values.to_pylist()]


def _json(value: Any) -> str:
    return msgspec.json.encode(_expressible(value)).decode()


def _expressible(value: Any) -> Any:
    """The value with strings for the numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _expressible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expressible(item) for item in value]
    return value


_Jsons = list[tuple[str | None, str | None]]


def _float_jsons(values: Any) -> _Jsons:
    return [
        (None, None) if value is None else (_json(value), None if math.isfinite(value) else "float")
        for value in values.cast(pa.float64()).to_pylist()
    ]


def _plain_jsons(arrow_type: Any) -> Callable[[Any], _Jsons]:
    def jsons(values: Any) -> _Jsons:
        return [
            (None if value is None else _json(value), None)
            for value in values.cast(arrow_type).to_pylist()
        ]

    return jsons


def _datetime_jsons(values: Any) -> _Jsons:
    present = _present(values).tolist()
    texts = np.datetime_as_string(_microseconds(values).astype("datetime64[us]"), unit="ms")
    return [
        (f'"{text}Z"', "datetime") if there else (None, None)
        for text, there in zip(texts.tolist(), present, strict=True)
    ]


def _string_set_jsons(values: Any) -> _Jsons:
    # Its order is arbitrary: sorted, the same set is the same text.
    return [
        (None, None) if value is None else (_json(sorted(value)), "string_set")
        for value in values.to_pylist()
    ]


_JSON: dict[str, Callable[[Any], _Jsons]] = {
    "float": _float_jsons,
    "int": _plain_jsons(pa.int64()),
    "string": _plain_jsons(pa.string()),
    "bool": _plain_jsons(pa.bool_()),
    "datetime": _datetime_jsons,
    "string_set": _string_set_jsons,
}
