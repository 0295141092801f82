"""Tables keep the type of each cell."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
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
from trackai.sdk import notices
from trackai.store.catalogue.files import blob_path

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


def test_rows_are_added_and_read() -> None:
    table = trackai.Table(columns=["x", "y"])
    table.add_row(1, 2)
    table.add_data(3, 4)
    assert list(table.iterrows()) == [(0, [1, 2]), (1, [3, 4])]
    assert table.get_index() == [0, 1]
    column = table.get_column("y", convert_to="numpy")
    assert (column.dtype.kind, column.tolist()) == ("i", [2, 4])
    frame = table.get_dataframe()
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("list") == {"x": [1, 3], "y": [2, 4]}
    assert trackai.Table(columns=["x"]).get_dataframe().columns.tolist() == ["x"]
    with pytest.raises(InvalidInputError, match='convert_to: must be "numpy" or None'):
        table.get_column("y", convert_to="list")  # type: ignore[arg-type]


def test_computed_columns() -> None:
    table = trackai.Table(["x", "y"], [[3, 1], [4, 6]])
    table.add_computed_columns(lambda index, row: {"diff": row["x"] - row["y"], "at": index})
    assert (table.columns, table.data) == (["x", "y", "diff", "at"], [[3, 1, 2, 0], [4, 6, -2, 1]])
    table.add_computed_columns(lambda index, row: {"first": True} if index == 0 else {})
    assert table.get_column("first") == [True, None]
    with pytest.raises(TypeError, match="fn: must return a dict of values, got int"):
        table.add_computed_columns(lambda index, row: 5)  # type: ignore[arg-type, return-value]
    assert len(table.columns) == 5


def test_tables_are_equal_if_their_cells_are() -> None:
    def made(cell: Any, column: str = "x") -> trackai.Table:
        return trackai.Table([column], [[cell]])

    array = np.array([1, 2])
    assert made(1) == made(1.0)
    assert made(array) == made(array.copy())
    for other in (made(2), made(1, "y"), trackai.Table(["x"], [[1], [1]]), 1):
        assert made(1) != other
    for cell in (np.array([1, 3]), np.array([1]), 1, "x"):
        assert made(array) != made(cell)
    assert repr(made(1)) == "<trackai.Table of 1 rows, columns ['x']>"


def test_every_call_stores_the_whole_table(
    db_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_subjects", set())
    trackai.Table(log_mode="MUTABLE", dtype=float, optional=False, allow_mixed_types=True)
    assert not caplog.messages
    table = trackai.Table(columns=["x"], log_mode="INCREMENTAL")
    with trackai.init(project="p") as run:
        for number in range(2):
            table.add_data(number)
            run.log({"table": table})
    with closing(sqlite3.connect(db_path)) as connection:
        hashes = connection.execute("SELECT sha256 FROM files ORDER BY step").fetchall()
    contents = [json.loads(blob_path(db_path, sha256).read_bytes()) for (sha256,) in hashes]
    assert [content["data"] for content in contents] == [[[0]], [[0], [1]]]
    assert "each log() stores the whole table" in caplog.text
    with pytest.raises(InvalidInputError, match="log_mode: must be"):
        trackai.Table(log_mode="OFTEN")
    with pytest.raises(TypeError, match="colums"):
        trackai.Table(colums=["x"])  # type: ignore[call-arg]
