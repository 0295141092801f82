"""Points of runs as people compute with them: curves, data frames, Arrow tables."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from trackai.errors import MissingExtraError
from trackai.values.times import microseconds
from trackai.values.types import Step, Value

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa

    from trackai.structs.records import ChartData


class Curve(msgspec.Struct, frozen=True):
    """A metric's points in order of step: lists of one length.

    `steps` are None for a system metric; `timestamps` are microseconds since the epoch. Where the
    curve was thinned, `values` are means over what was logged from each step (and timestamp) on to
    the next, `low` and `high` the least and the greatest finite value there; otherwise these are
    None.
    """

    steps: list[Step | None]
    timestamps: list[int]
    values: list[Value]
    low: list[Step | None] | None = None
    high: list[Step | None] | None = None


def thinned(chart: ChartData, *, text: bool) -> Curve:
    """The curve of a chart over times."""
    data = chart.data
    steps = [one.step for one in data]
    timestamps = [microseconds(_time(one.x)) for one in data]
    if chart.raw:
        values = [one.first if text else number(one.first) for one in data]
        return Curve(steps, timestamps, values)
    means: list[Value] = [math.nan if one.mean is None else one.mean for one in data]
    return Curve(steps, timestamps, means, [one.min for one in data], [one.max for one in data])


def _time(x: Any) -> datetime:
    time: datetime = x
    return time


def number(value: Value) -> Value:
    """A value of JSON as Python computes with it; of a metric of texts, it is one already."""
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


class History(Mapping[str, Curve]):
    """Curves of a run by the metric's name."""

    def __init__(self, curves: dict[str, Curve]) -> None:
        self._curves = curves

    def __getitem__(self, key: str) -> Curve:
        return self._curves[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def __repr__(self) -> str:
        return f"History({', '.join(f'{k}: {len(c.steps)} points' for k, c in self.items())})"

    def to_pandas(self, index: Literal["step", "time"] | None = None) -> pd.DataFrame:
        """A frame with a row for each step and a column for each metric; needs pandas.

        Where a step was logged more than once, the latest value counts.

        Args:
            index: "time" makes a row for each time instead. System metrics have no steps, and are
                only in a frame of that kind, which is the default where there is nothing else.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("A data frame", "pandas") from None
        if index is None:
            stepped = any(curve.steps and curve.steps[0] is not None for curve in self.values())
            index = "step" if stepped else "time"
        places: list[pd.Index[Any]] = []
        columns = {}
        for key, curve in self.items():
            values = pd.Series(_packed(curve.values), name=key)
            if index == "time":
                times = pd.Series(curve.timestamps, dtype="int64")
                place = pd.DatetimeIndex(pd.to_datetime(times, unit="us", utc=True), name="time")
            else:
                steps = _without_none(curve.steps)
                if len(steps) == 0 and curve.steps:
                    continue
                values = values[: len(steps)]
                place = pd.Index(_packed(steps), name="step")
            # Metrics that are logged together have one index: it costs the most.
            place = next((known for known in places if known.equals(place)), place)
            places.append(place)
            values.index = place
            if not (place.is_monotonic_increasing and place.is_unique):
                values = values[~place.duplicated(keep="last")]
            columns[key] = values
        frame = pd.DataFrame(columns)
        return frame if frame.index.is_monotonic_increasing else frame.sort_index()

    def to_arrow(self) -> pa.Table:
        """A table with a row for each point; needs pyarrow.

        The columns are metric, step (null for system metrics), timestamp, value and text: of a
        value that is text, `value` is null, and of all others, `text` is. Steps and values are
        doubles.
        """
        try:
            import pyarrow as pa
        except ImportError:
            raise MissingExtraError("An Arrow table", "parquet") from None

        def doubles(numbers: list[Any]) -> Any:
            try:
                packed = array("d", numbers)  # without a Python object for each
            except TypeError:
                plain = [float(one) if isinstance(one, int | float) else None for one in numbers]
                return pa.array(plain, pa.float64())
            return pa.Array.from_buffers(pa.float64(), len(packed), [None, pa.py_buffer(packed)])

        def texts(values: list[Any]) -> Any:
            if str not in set(map(type, values)):
                return pa.nulls(len(values), pa.string())
            return pa.array([one if isinstance(one, str) else None for one in values], pa.string())

        schema = pa.schema(
            [
                ("metric", pa.string()), ("step", pa.float64()),
                ("timestamp", pa.timestamp("us", tz="UTC")), ("value", pa.float64()),
                ("text", pa.string()),
            ]
        )  # fmt: skip
        tables = [
            pa.table(
                [
                    pa.repeat(pa.scalar(key, pa.string()), len(curve.steps)),
                    doubles(curve.steps),
                    _times(pa, curve.timestamps),
                    doubles(curve.values),
                    texts(curve.values),
                ],
                schema=schema,
            )
            for key, curve in self.items()
        ]
        return pa.concat_tables(tables) if tables else schema.empty_table()


def _times(pa: Any, timestamps: list[int]) -> Any:
    packed = array("q", timestamps)
    kind = pa.timestamp("us", tz="UTC")
    return pa.Array.from_buffers(kind, len(packed), [None, pa.py_buffer(packed)])


def _packed(values: Sequence[Any]) -> Any:
    """Numbers of one kind as an array; of what else there may be, pandas finds out by itself."""
    import numpy as np  # pandas is here, so it is too

    kinds = set(map(type, values))
    return np.array(values) if kinds in ({float}, {int}, {int, float}) else values


def _without_none(steps: list[Step | None]) -> list[Step]:
    """The steps of a metric; where it was a system metric too, those points come last."""
    if steps and steps[-1] is None:
        return [step for step in steps if step is not None]
    return steps  # type: ignore[return-value]
