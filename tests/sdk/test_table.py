"""Tables keep the type of each cell."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import trackai
from trackai.errors import InvalidInputError

BIG = 2**53 + 1


class Colour(Enum):
    RED = "red"


def stored(table: trackai.Table) -> tuple[list[Any], list[list[Any]]]:
    content = json.loads(table.open().read())
    return content["columns"], content["data"]


def column(values: Any, **kwargs: Any) -> Any:
    """A column of pandas beside one of floats, as it is stored."""
    frame = pd.DataFrame({"x": pd.Series(values, **kwargs), "loss": 0.5})
    return [row[0] for row in stored(trackai.Table(dataframe=frame))[1]]


@pytest.mark.parametrize(
    ("values", "kwargs", "expected"),
    [
        ([BIG, 2], {}, [BIG, 2]),
        ([BIG, None], {"dtype": "Int64"}, [BIG, None]),
        ([BIG, None], {"dtype": pd.ArrowDtype(pa.int64())}, [BIG, None]),
        ([2**63 + 1, 1], {"dtype": "uint64"}, [2**63 + 1, 1]),
        ([True, None], {"dtype": "boolean"}, [True, None]),
        ([True, False], {}, [True, False]),
        ([1.5, np.nan], {}, [1.5, "NaN"]),
        ([1.5, None], {"dtype": "Float64"}, [1.5, None]),
        (["x", None], {}, ["x", None]),
        (["x", np.nan], {"dtype": object}, ["x", None]),
        (["x", None], {"dtype": "category"}, ["x", None]),
        ([1, "a", 2.5], {"dtype": object}, [1, "a", 2.5]),
        (pd.to_datetime(["2026-01-02", None]), {}, ["2026-01-02T00:00:00", None]),
        (
            pd.to_datetime(["2026-01-02"]).tz_localize("Asia/Tokyo"),
            {},
            ["2026-01-02T00:00:00+09:00"],
        ),
        (pd.to_timedelta(["90s", None]), {}, ["PT90S", None]),
        (pd.to_timedelta(["1 days 00:00:00.5"]), {}, ["P1DT0.5S"]),
        (pd.period_range("2026-01", periods=1, freq="M"), {}, ["2026-01"]),
        ([[1, 2], {"a": {1: None}}], {}, [[1, 2], {"a": {"1": None}}]),
        ([Decimal("0.10"), Decimal(1)], {}, ["0.10", "1"]),
        (np.array([1, 2], "complex64"), {}, ["(1+0j)", "(2+0j)"]),
    ],
)
def test_columns_of_pandas(values: Any, kwargs: Any, expected: Any) -> None:
    cells = column(values, **kwargs)
    assert cells == expected
    assert list(map(type, cells)) == list(map(type, expected))


def test_names_of_columns_of_pandas() -> None:
    twice = pd.DataFrame([[1, 2.5]], columns=["x", "x"])
    assert stored(trackai.Table(dataframe=twice)) == (["x", "x"], [[1, 2.5]])
    levels = pd.DataFrame([[1, 2, 3]], columns=pd.MultiIndex.from_tuples(
        [("loss", "mean"), ("loss", "std"), ("n", "")]
    ))  # fmt: skip
    assert stored(trackai.Table(data=levels)) == (["loss/mean", "loss/std", "n"], [[1, 2, 3]])
    grouped = (
        pd.DataFrame({"a": [1, 1], "b": ["x", "y"], "c": [0.5, 1.5]}).groupby(["a", "b"]).sum()
    )
    assert stored(trackai.Table(data=grouped)) == (
        ["a", "b", "c"],
        [[1, "x", 0.5], [1, "y", 1.5]],
    )
    chosen = pd.DataFrame({"a": [1, 2]})[1:]
    assert stored(trackai.Table(data=chosen)) == (["a"], [[2]])
    assert stored(trackai.Table(dataframe=chosen[:0])) == (["a"], [])


def test_frames_of_polars_and_pyarrow(db_path: Path) -> None:
    time = datetime(2026, 1, 2, tzinfo=UTC)
    data = {
        "big": [BIG, None], "loss": [0.5, None], "time": [time, None], "nested": [{"a": [1]}, None],
        "price": [Decimal("1.50"), None],
    }  # fmt: skip
    expected = [[BIG, 0.5, "2026-01-02T00:00:00+00:00", {"a": [1]}, "1.50"], [None] * 5]
    arrow = pa.table(data)
    for frame in (
        pl.DataFrame(data), pl.DataFrame(data).lazy(), arrow, arrow.to_batches()[0],
    ):  # fmt: skip
        assert stored(trackai.Table(dataframe=frame)) == (list(data), expected)
        assert stored(trackai.Table(data=frame)) == (list(data), expected)
        with trackai.init(project="p", strict=True) as run:
            run.log({"frame": frame})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (BIG, BIG),
        (np.int64(BIG), BIG),
        (np.ma.masked, None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (pa.scalar(None, pa.int64()), None),
        (np.ma.array([1, 2], mask=[True, False]), [None, 2]),
        (np.array(["2026-01-02"], "M8[ns]"), ["2026-01-02T00:00:00"]),
        (np.array([1.5], ml_dtypes.bfloat16), [1.5]),
        (ml_dtypes.bfloat16(1.5), 1.5),
        (datetime(2026, 1, 2, 3), "2026-01-02T03:00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(days=-1), "-P1D"),
        (timedelta(0), "PT0S"),
        (Decimal("1E+3"), "1E+3"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        ({1: "a", "1": "b"}, {"1": "a", "'1'": "b"}),
        (pl.Series([1, None]), [1, None]),
        (pa.array([1, None]), [1, None]),
        (pd.DataFrame({"a": [1]}), {"columns": ["a"], "data": [[1]]}),
        (pl.DataFrame({"a": [1]}), {"columns": ["a"], "data": [[1]]}),
    ],
)
def test_cells(cell: Any, expected: Any) -> None:
    assert stored(trackai.Table(["a", "b"], [[cell, 0.5]]))[1] == [[expected, 0.5]]


def test_rows_in_other_forms() -> None:
    rows = [{"a": 1, "b": 2}, {"a": 3, "c": 4}]
    expected = (["a", "b", "c"], [[1, 2, None], [3, None, 4]])
    assert stored(trackai.Table(data=rows)) == expected
    assert stored(trackai.Table(["c", "a"], rows)) == (["c", "a"], [[None, 1], [4, 3]])
    assert stored(trackai.Table(data={"a": [1, 2], "b": "xy"})) == (
        ["a", "b"],
        [[1, "x"], [2, "y"]],
    )
    records = np.array([(1, 0.5)], dtype=[("n", "i8"), ("x", "f8")])
    assert stored(trackai.Table(data=records)) == (["n", "x"], [[1, 0.5]])
    masked = np.ma.array([[1, 2]], mask=[[False, True]])
    assert stored(trackai.Table(data=masked)) == ([0, 1], [[1, None]])
    for wrong in (["ab"], [1], np.arange(3), [{"a": 1}, [2]]):
        with pytest.raises(InvalidInputError, match="data: a row must be a list of values, got"):
            trackai.Table(data=wrong)
    with pytest.raises(InvalidInputError, match="data: columns must have the same length"):
        trackai.Table(data={"a": [1], "b": []})
    with pytest.raises(InvalidInputError, match="columns: column 'z' not found"):
        trackai.Table(["z"], {"a": [1]})
