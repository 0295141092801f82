"""Charts as records, as HTTP and Python show them."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Literal

from trackai.downsampling import buckets
from trackai.downsampling.thinning import Columns
from trackai.structs.records import ChartBucket, ChartData
from trackai.values.non_finite import json_value
from trackai.values.times import microseconds, utc

if TYPE_CHECKING:
    from datetime import datetime

    from trackai.store.charts.charts import Chart
    from trackai.store.points.series import Series

XAxis = Literal["step", "time", "relative"]


def show(chart: Chart, one: Series, x: XAxis, began: datetime, cursor: int) -> ChartData:
    """A chart of a series (`lineage.as_one`); `began` is when its run did."""
    on_steps = one.axis == "step"
    if x == "step" and not on_steps:
        x = "time"
    simple = one.kind == "number" and one.finite_points == one.points
    if simple and on_steps and isinstance(chart.found, Columns):
        data = _in_columns(chart.found)
    else:
        data = [
            ChartBucket(
                bucket.first_step if on_steps else None,
                bucket.last_step if on_steps else None,
                bucket.points,
                bucket.nan_points + bucket.infinite_points,
                bucket.first_value if simple else json_value(bucket.first_value, one.kind),  # type: ignore[arg-type]
                bucket.last_value if simple else json_value(bucket.last_value, one.kind),  # type: ignore[arg-type]
                bucket.min_value,
                bucket.max_value,
                buckets.mean(bucket),
            )
            for bucket in chart.buckets
        ]
    if x != "step":
        zero = microseconds(began)
        for shown, bucket in zip(data, chart.buckets, strict=True):
            first, last = bucket.first_timestamp, bucket.last_timestamp
            if x == "time":
                shown.x, shown.x_last = utc(first), utc(last)
            else:
                shown.x, shown.x_last = (first - zero) / 1e6, (last - zero) / 1e6
    answer = ChartData(data, chart.level is None, x, cursor)
    if chart.curve is not None:
        answer.smoothed_within = chart.curve.within
        for shown, average in zip(data, chart.curve.averages, strict=True):
            shown.smoothed = average
    return answer


def _in_columns(found: Columns) -> list[ChartBucket]:
    """Of finite numbers by step: a third of the cost where there are many."""
    return list(
        map(
            ChartBucket,
            found.first_step,
            found.last_step,
            found.points,
            repeat(0),
            found.first_value,
            found.last_value,
            found.min_value,
            found.max_value,
            found.means(),
        )
    )
