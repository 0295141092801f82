"""Points of a run as lists, data frames and Arrow tables."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from trackai.errors import MissingExtraError
from trackai.values.times import microseconds
from trackai.values.types import Step, Value

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from trackai.structs.points import PointImage
    from trackai.structs.records import ChartData

# Integers up to this are exact as floats.
_EXACT_FLOAT = 1 << 53
# The types of pandas for columns with missing values, by kind.
_NULLABLE = {"i": "Int64", "b": "boolean"}


class Curve(msgspec.Struct, frozen=True):
    """The points of a metric in order of step, as lists of the same length.

    A downsampled curve has a value for each bucket of points.

    Attributes:
        steps: the steps; None for system metrics. Of a bucket, its first step.
        timestamps: microseconds since the epoch. Of a bucket, its first timestamp.
        values: the values. Of a bucket, the mean.
        low: the minimum of the finite values of each bucket; None if not downsampled.
        high: the maximum, likewise.
    """

    steps: list[Step | None]
    timestamps: list[int]
    values: list[Value]
    low: list[Step | None] | None = None
    high: list[Step | None] | None = None


class Arrays(NamedTuple):
    """The points of a metric in order of step, as arrays of int64, float64 or bool.

    A column with values of several types is a list.

    Attributes:
        steps: the steps; a list of None for system metrics.
        timestamps: microseconds since the epoch.
    """

    steps: NDArray[Any] | list[Any]
    timestamps: NDArray[Any] | list[Any]
    values: NDArray[Any] | list[Any]


def read_images(images: Sequence[PointImage]) -> Arrays:
    """Read images of points of one axis, which follow each other.

    Raises:
        ValueError: one is not an image.
    """
    from trackai.reading import image_reader  # which imports NumPy

    columns = [
        column.tolist() if column.dtype == object else column
        for column in image_reader.read(images)
    ]
    steps, timestamps, values = columns
    return Arrays(steps if images[0].axis == "step" else [None] * len(values), timestamps, values)


def curve_of_arrays(arrays: Arrays) -> Curve:
    """Convert arrays to lists of Python objects."""
    return Curve(*(column if isinstance(column, list) else column.tolist() for column in arrays))


def curve_of_chart(chart: ChartData, *, is_text: bool) -> Curve:
    """Convert a chart over time to a curve.

    Args:
        is_text: whether the metric is text, in which "NaN" is a word.
    """
    buckets = chart.data
    steps = [bucket.step for bucket in buckets]
    timestamps = [microseconds(_time(bucket.x)) for bucket in buckets]
    if chart.raw:
        values = [bucket.first if is_text else from_json(bucket.first) for bucket in buckets]
        return Curve(steps, timestamps, values)
    means: list[Value] = [math.nan if bucket.mean is None else bucket.mean for bucket in buckets]
    low, high = [bucket.min for bucket in buckets], [bucket.max for bucket in buckets]
    return Curve(steps, timestamps, means, low, high)


def _time(x: Any) -> datetime:
    time: datetime = x
    return time


def from_json(value: Value) -> Value:
    """Convert a value of a metric that is not text: "NaN" and "Infinity" are floats in Python."""
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


class History(Mapping[str, Curve]):
    """The points of metrics of a run: a mapping of names to `Curve`s.

    Example:
        history = trackai.Api().run("latest").history()
        history["loss"].values
        history.to_pandas()
    """

    def __init__(self, curves: Mapping[str, Curve | Arrays]) -> None:
        self._stored = curves
        self._curves: dict[str, Curve] = {}

    def __getitem__(self, key: str) -> Curve:
        if key not in self._curves:
            stored = self._stored[key]
            self._curves[key] = stored if isinstance(stored, Curve) else curve_of_arrays(stored)
        return self._curves[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __repr__(self) -> str:
        sizes = (f"{name}: {len(curve.values)} points" for name, curve in self._stored.items())
        return f"History({', '.join(sizes)})"

    def to_pandas(self, index: Literal["step", "time"] | None = None) -> pd.DataFrame:
        """Return a data frame with a row for each step and a column for each metric.

        Of a step that was logged more than once, the latest value is taken. Integers and booleans
        stay exact: where steps are missing, their columns are of the types Int64 and boolean.
        Needs `trackai[pandas]`.

        Args:
            index: "step", or "time" for a row for each timestamp (UTC). System metrics have no
                steps and are left out by "step"; default "time" if there are only those.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("A data frame", "pandas") from None
        if index is None:
            stepped = any(map(_has_steps, self._stored.values()))
            index = "step" if stepped else "time"
        columns = self._columns(pd, index)
        rows = list({id(column.index): column.index for column in columns.values()}.values())
        if len(rows) > 1:
            every_row = reduce(lambda union, other: union.union(other), rows)
            for key, column in columns.items():
                nullable = _NULLABLE.get(column.dtype.kind)
                if nullable and len(column) < len(every_row):
                    columns[key] = column = column.astype(nullable)
                if every_row.dtype == object:  # pandas would make floats of the steps
                    columns[key] = column.reindex(every_row)
        frame = pd.DataFrame(columns)
        return frame if frame.index.is_monotonic_increasing else frame.sort_index()

    def _columns(self, pd: Any, index: Literal["step", "time"]) -> dict[str, pd.Series[Any]]:
        indices: list[pd.Index[Any]] = []
        columns = {}
        steps = {key: _without_none(curve.steps) for key, curve in self._stored.items()}
        exact = index == "step" and _round_as_floats(*steps.values())
        for key, curve in self._stored.items():
            values = pd.Series(_packed(curve.values), name=key)
            if index == "time":
                times = pd.Series(curve.timestamps, dtype="int64")
                rows = pd.DatetimeIndex(pd.to_datetime(times, unit="us", utc=True), name="time")
            else:
                if len(steps[key]) == 0 and len(curve.values):
                    continue
                values = values[: len(steps[key])]
                packed = steps[key] if exact else _packed(steps[key])
                rows = pd.Index(packed, name="step", dtype=object if exact else None)
            # Metrics that are logged together share an index, which is the costliest part.
            known_rows = next((known for known in indices if known.equals(rows)), None)
            if known_rows is None:
                indices.append(rows)
            values.index = rows if known_rows is None else known_rows
            if not (rows.is_monotonic_increasing and rows.is_unique):
                values = values[~rows.duplicated(keep="last")]
            columns[key] = values
        return columns

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table with a row for each point. Needs `trackai[parquet]`.

        Returns:
            A table with the columns metric (string), step (double, null for system metrics),
            timestamp (microseconds, UTC), value (double, null for text), text (string, null for
            numbers), and step_int and value_int (int64): the integers, which a double may not
            hold exactly.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise MissingExtraError("An Arrow table", "parquet") from None

        schema = pa.schema(
            [
                ("metric", pa.string()), ("step", pa.float64()),
                ("timestamp", pa.timestamp("us", tz="UTC")), ("value", pa.float64()),
                ("text", pa.string()), ("step_int", pa.int64()), ("value_int", pa.int64()),
            ]
        )  # fmt: skip
        tables = [
            pa.table(
                [
                    pa.repeat(pa.scalar(key, pa.string()), len(curve.values)),
                    _doubles(pa, curve.steps),
                    _packed_integers(pa, pa.timestamp("us", tz="UTC"), curve.timestamps),
                    _doubles(pa, curve.values),
                    _texts(pa, curve.values),
                    _integers(pa, curve.steps),
                    _integers(pa, curve.values),
                ],
                schema=schema,
            )
            for key, curve in self._stored.items()
        ]
        return pa.concat_tables(tables) if tables else schema.empty_table()


def _has_steps(curve: Curve | Arrays) -> bool:
    steps = curve.steps
    return len(steps) > 0 and steps[0] is not None


def _types(column: Any) -> set[type]:
    """The types of the values of a list or an array."""
    if isinstance(column, list):
        return set(map(type, column))
    return set(map(type, column[:1].tolist()))


def _doubles(pa: Any, numbers: Any) -> Any:
    if not isinstance(numbers, list):
        return pa.array(numbers.astype(float), pa.float64())
    try:
        packed = array("d", numbers)  # without a Python object for each
    except TypeError:
        floats = [float(x) if isinstance(x, int | float) else None for x in numbers]
        return pa.array(floats, pa.float64())
    return pa.Array.from_buffers(pa.float64(), len(packed), [None, pa.py_buffer(packed)])


def _integers(pa: Any, numbers: Any) -> Any:
    types = _types(numbers)
    if types == {int}:
        return _packed_integers(pa, pa.int64(), numbers)
    if not types & {int, bool}:
        return pa.nulls(len(numbers), pa.int64())
    if not isinstance(numbers, list):
        return pa.array(numbers.astype(int), pa.int64())
    return pa.array([int(x) if isinstance(x, int) else None for x in numbers], pa.int64())


def _texts(pa: Any, values: Any) -> Any:
    if str not in _types(values):
        return pa.nulls(len(values), pa.string())
    return pa.array([x if isinstance(x, str) else None for x in values], pa.string())


def _packed_integers(pa: Any, kind: Any, integers: Any) -> Any:
    packed = array("q", integers) if isinstance(integers, list) else integers
    return pa.Array.from_buffers(kind, len(packed), [None, pa.py_buffer(packed)])


def _packed(values: Any) -> Any:
    """Return ints and floats as an array, and leave other values to pandas."""
    import numpy as np  # which pandas has installed

    if not isinstance(values, list):
        return values
    kinds = set(map(type, values))
    if kinds in ({float}, {int}):
        return np.array(values)
    if kinds == {int, float}:
        return np.array(values, dtype=object if _round_as_floats(values) else None)
    return values


def is_exact_as_float(number: float) -> bool:
    """Whether a number is the same as a float."""
    return type(number) is float or abs(number) <= _EXACT_FLOAT


def _round_as_floats(*columns: Any) -> bool:
    """Whether there are floats, and integers that a float may not hold exactly."""
    kinds = set[type]().union(*map(_types, columns))
    return kinds == {int, float} and any(
        not is_exact_as_float(number)
        for numbers in columns
        for number in (numbers if isinstance(numbers, list) else numbers.tolist())
    )


def _without_none(steps: Any) -> Any:
    """Return the steps before those of the system metric of the same name, which come last."""
    if len(steps) > 0 and steps[-1] is None:
        return [step for step in steps if step is not None]
    return steps
