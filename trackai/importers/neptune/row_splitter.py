"""Splits the rows of an export by their attribute types.

The work is done column by column with NumPy; Python objects are created only where the store needs
them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from trackai.importers.json_values import json_value
from trackai.importers.names import invalid_name, shown
from trackai.importers.neptune import point_order
from trackai.importers.neptune.messages import COLUMN, Batch, FileRow, Param
from trackai.values.names import path_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trackai.importers.neptune.messages import Header

READ_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)
_STEP_TYPE = pa.decimal128(18, 6)
_SERIES_COLUMNS = {
    "float_series": "float_value",
    "string_series": "string_value",
    "histogram_series": "histogram_value",
}
_PARAM_COLUMNS = {
    "float": "float_value",
    "int": "int_value",
    "string": "string_value",
    "bool": "bool_value",
    "datetime": "datetime_value",
    "string_set": "string_set_value",
}
_FILE_TYPES = frozenset({"file", "file_series", "file_set", "artifact"})
_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}
_EncodedParams = list[tuple[str | None, str | None]]


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0]


class RowSplitter:
    """Converts a record batch to points, parameters and files.

    Args:
        header: the header of the part; rows of other runs are refused.
        table: the record batch.
        start: the position of its first row in the part.
    """

    def __init__(self, header: Header, table: Any, start: int) -> None:
        self.header = header
        self.table = table
        self.batch = Batch(start, start + table.num_rows, [], [], [], {}, [])

    def split(self) -> Batch:
        """Convert all rows; those that cannot be stored are counted and reported."""
        types = self.table.column("attribute_type")
        codes = np.asarray(types.indices.fill_null(-1))
        wrong_run = self._rows_of_other_runs()
        wrong_names = list(self._rows_of_invalid_names())
        for code, type_ in enumerate(["(none)", *types.dictionary.to_pylist()], start=-1):
            mask = codes == code
            rows = int(mask.sum())
            if not rows:
                continue
            self.batch.counts_of(type_).read += rows
            if wrong_run is not None:
                mask &= ~wrong_run
                self._refuse(
                    type_, "the row belongs to another run than its file", rows - int(mask.sum())
                )
            for path, problem, wrong_name in wrong_names:
                self._refuse_name(type_, path, problem, int((mask & wrong_name).sum()))
                mask &= ~wrong_name
            if mask.any():
                self._split_type(type_, None if mask.all() else pa.array(mask))
        return self.batch

    def _rows_of_other_runs(self) -> Any:
        """Return a mask of the rows of another project or run than the header's, or None."""
        mask = None
        for column, expected in (("project_id", self.header.project), ("run_id", self.header.run)):
            ids = self.table.column(column)
            if ids.null_count == 0 and ids.dictionary.to_pylist() == [expected]:
                continue
            differs = np.asarray([id_ != expected for id_ in ids.to_pylist()])
            mask = differs if mask is None else mask | differs
        return mask if mask is not None and mask.any() else None

    def _rows_of_invalid_names(self) -> Iterator[tuple[str, str, Any]]:
        """Yield each path that cannot be stored, the reason, and a mask of its rows."""
        paths = self.table.column("attribute_path")
        codes = np.asarray(paths.indices.fill_null(-1))
        for code, path in enumerate(paths.dictionary.to_pylist()):
            problem = None if path is None else path_problem(path)
            if problem is not None:
                yield path, problem, codes == code

    def _refuse_name(self, type_: str, path: str, problem: str, rows: int) -> None:
        if rows:
            self.batch.counts_of(type_).refuse(invalid_name(problem), rows)
            self.batch.problems.append(
                f"{rows} rows of {type_} {shown(path)} are not stored: the name {problem}"
            )

    def _refuse(self, type_: str, reason: str, rows: int = 1) -> None:
        if rows:
            self.batch.counts_of(type_).refuse(reason, rows)
            self.batch.problems.append(f"{rows} rows of type {type_} are not stored: {reason}")

    def _split_type(self, type_: str, mask: Any) -> None:
        column = (
            _SERIES_COLUMNS.get(type_)
            or _PARAM_COLUMNS.get(type_)
            or ("file_value" if type_ in _FILE_TYPES else None)
        )
        if column is None:
            reason = (
                "no attribute type" if type_ == "(none)" else f"unknown attribute type {type_!r}"
            )
            self._refuse(type_, reason, self._count(mask))
            return
        needed = [column] if type_ in _PARAM_COLUMNS else [column, "step", "timestamp"]
        missing = [name for name in needed if name not in self.table.schema.names]
        if missing:
            self._refuse(type_, f"{COLUMN}{missing[0]!r} is missing", self._count(mask))
            return
        columns = [self.table.column(name) for name in ("attribute_path", *needed)]
        if mask is not None:
            columns = [values.filter(mask) for values in columns]
        try:
            if type_ in _SERIES_COLUMNS:
                self._add_series(type_, *columns)
            elif type_ in _PARAM_COLUMNS:
                self._add_params(type_, *columns)
            else:
                self._add_files(type_, *columns)
        except (*READ_ERRORS, ValueError, TypeError) as error:
            reason = f"{COLUMN}{column!r} cannot be read: {first_line(error)}"
            self._refuse(type_, reason, self._count(mask))

    def _count(self, mask: Any) -> int:
        return self.table.num_rows if mask is None else int(np.asarray(mask).sum())

    def _add_series(self, type_: str, paths: Any, values: Any, steps: Any, times: Any) -> None:
        present = _present(values)
        placed = _present(paths) & _present(steps) & _present(times)
        # The exporter writes NaN as null, so a number with a step and a time is a point even if
        # its value is null.
        is_point = placed & (present | (type_ == "float_series"))
        is_null = ~present & ~is_point
        points = point_order.arrange(
            type_,
            paths.dictionary.to_pylist(),
            _filtered(np.asarray(paths.indices.fill_null(0)), is_point),
            _filtered(_millionths(steps), is_point),
            _filtered(_microseconds(times), is_point),
            _point_values(type_, values, is_point),
        )
        self.batch.counts_of(type_).null += int(is_null.sum())
        for reason, column in (
            ("no attribute path", paths),
            ("no step", steps),
            ("no timestamp", times),
        ):
            lacking = present & ~is_point & ~_present(column)
            self._refuse(type_, reason, int(lacking.sum()))
            present &= ~lacking
        self.batch.points += points

    def _add_params(self, type_: str, paths: Any, values: Any) -> None:
        encoded = _PARAM_ENCODERS[type_](values)
        for path, (text, stored_type) in zip(paths.to_pylist(), encoded, strict=True):
            if text is None:
                self.batch.counts_of(type_).null += 1
            elif path is None:
                self._refuse(type_, "no attribute path")
            else:
                self.batch.params.append(Param(type_, path, text, stored_type))

    def _add_files(self, type_: str, paths: Any, values: Any, steps: Any, times: Any) -> None:
        rows = zip(
            paths.to_pylist(), values.to_pylist(), _millionths(steps).tolist(),
            _present(steps).tolist(), _microseconds(times).tolist(), _present(times).tolist(),
            strict=True,
        )  # fmt: skip
        for path, value, step, has_step, time, has_time in rows:
            if value is None or value["path"] is None:
                self.batch.counts_of(type_).null += 1
            elif path is None:
                self._refuse(type_, "no attribute path")
            else:
                self.batch.files.append(
                    FileRow(
                        type_,
                        path,
                        point_order.exact_step(step) if has_step else None,
                        time if has_time else None,
                        value["path"],
                    )
                )


def _present(column: Any) -> Any:
    """Return a mask of the values that are not null."""
    if column.null_count == 0:
        return np.ones(len(column), dtype=bool)
    return np.asarray(column.is_valid())


def _filtered(array: Any, mask: Any) -> Any:
    return array if mask.all() else array[mask]


def _millionths(steps: Any) -> Any:
    """Convert steps, decimals of 18 digits, to an array of 64-bit integers in millionths."""
    if steps.type != _STEP_TYPE:
        steps = steps.cast(_STEP_TYPE)
    # Arrow stores a decimal as 128 bits, little-endian: the lower half is enough for 18 digits.
    words = np.frombuffer(steps.buffers()[1], dtype=np.int64)
    return (
        words[2 * steps.offset : 2 * (steps.offset + len(steps)) : 2] if len(steps) else words[:0]
    )


def _microseconds(times: Any) -> Any:
    """Convert times to an array of microseconds since the epoch; nulls become 0."""
    if not pa.types.is_timestamp(times.type):
        raise ValueError(f"must be a timestamp, got {times.type}")
    if times.type.unit == "ns":
        times = times.cast(pa.timestamp("us", times.type.tz))
    # Through int64, which also holds times beyond the years 1 to 9999.
    return np.asarray(times.cast(pa.int64()).fill_null(0)) * _MICROSECONDS[times.type.unit]


def _point_values(type_: str, values: Any, mask: Any) -> Any:
    """Return the values of points: an array of floats, or a list of texts."""
    if type_ == "float_series":
        numbers = np.asarray(values.cast(pa.float64()).fill_null(math.nan))
        return _filtered(numbers, mask)
    if not mask.all():
        values = values.filter(pa.array(mask))
    if type_ == "string_series":
        return values.to_pylist()
    return [_encode_json(value) for value in values.to_pylist()]


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(json_value(value)).decode()


def _encode_floats(values: Any) -> _EncodedParams:
    return [
        (None, None)
        if value is None
        else (_encode_json(value), None if math.isfinite(value) else "float")
        for value in values.cast(pa.float64()).to_pylist()
    ]


def _encode_as(arrow_type: Any) -> Callable[[Any], _EncodedParams]:
    def encode(values: Any) -> _EncodedParams:
        return [
            (None if value is None else _encode_json(value), None)
            for value in values.cast(arrow_type).to_pylist()
        ]

    return encode


def _encode_datetimes(values: Any) -> _EncodedParams:
    present = _present(values).tolist()
    texts = np.datetime_as_string(_microseconds(values).astype("datetime64[us]"), unit="ms")
    return [
        (f'"{text}Z"', "datetime") if is_present else (None, None)
        for text, is_present in zip(texts.tolist(), present, strict=True)
    ]


def _encode_string_sets(values: Any) -> _EncodedParams:
    # The order in the export is arbitrary; sorting makes equal sets equal texts.
    return [
        (None, None) if value is None else (_encode_json(sorted(value)), "string_set")
        for value in values.to_pylist()
    ]


# For each type, a function that returns the JSON of each value, and its type if JSON has none for
# it; two times None for a null.
_PARAM_ENCODERS: dict[str, Callable[[Any], _EncodedParams]] = {
    "float": _encode_floats,
    "int": _encode_as(pa.int64()),
    "string": _encode_as(pa.string()),
    "bool": _encode_as(pa.bool_()),
    "datetime": _encode_datetimes,
    "string_set": _encode_string_sets,
}
