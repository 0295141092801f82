"""A table of runs as a data frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

import trackai

if TYPE_CHECKING:
    from pathlib import Path


def test_columns_and_their_types(api: trackai.Api) -> None:
    config = {"opt": {"lr": 3}, "whole": 2**60 + 1, "list": [1]}
    details = {"tags": ["b", "a"], "group": "g", "notes": "n", "config": config}
    with trackai.init(project="Other", name="o", **details) as run:  # type: ignore[arg-type]
        run.log({"loss": 1, "count": 2**60 + 1, "text": "word", "nan": math.nan})
    frame = api.runs().to_pandas()
    assert frame["name"].tolist() == ["o", "r2", "r1", "r0"]
    assert frame["project"].tolist() == ["Other", *["My project"] * 3]
    first = frame.iloc[0]
    assert (first["tags"], first["group"], first["notes"]) == (["a", "b"], "g", "n")
    assert (first["state"], first["run_id"], first["id"]) == ("completed", "o", run.id)
    assert str(frame["created_at"].dtype).startswith("datetime64")
    assert first["created_at"] == pd.Timestamp(api.run(run.id).created_at)
    assert frame["config.opt/lr"].tolist() == [3.0, 0.01, 0.1, 1.0]
    assert frame["config.whole"].dtype == "Int64"
    assert first["config.whole"] == first["summary.count"] == 2**60 + 1
    assert first["config.list"] == [1]
    assert frame["summary.flag"].dtype == "boolean"
    assert frame["summary.text"].tolist() == ["word", "NaN", "NaN", "NaN"]
    assert math.isnan(first["summary.nan"])
    assert frame["summary.odd name/%"].tolist()[1:] == [-math.inf] * 3
    assert frame["summary.loss"].dtype == "float64"
    assert frame["summary.gpu"].tolist()[1:] == [0.5] * 3


def test_a_filtered_table_and_an_empty_one(api: trackai.Api) -> None:
    runs = api.runs("My project", filter="config.opt/lr < 0.5", sort="metric.loss")
    assert runs.to_pandas()["name"].tolist() == ["r2", "r1"]
    empty = api.runs(filter="id = 0").to_pandas()
    assert len(empty) == 0
    assert "created_at" in empty


def test_numbers_that_a_float_cannot_hold(db_path: Path) -> None:
    for value in (2**60 + 1, 0.5):
        with trackai.init(project="p", config={"mixed": value, "huge": 10**30}) as run:
            run.log({"mixed": value})
    frame = trackai.Api().runs(sort="id", ascending=True).to_pandas()
    assert frame["summary.mixed"].tolist() == frame["config.mixed"].tolist() == [2**60 + 1, 0.5]
    assert frame["config.huge"].tolist() == [10**30, 10**30]


def test_a_run_that_is_deleted_meanwhile(api: trackai.Api) -> None:
    runs = api.runs()
    assert len(runs) == 3
    api.run(2).delete()
    assert runs.to_pandas()["id"].tolist() == [3, 1]


def test_histograms_are_left_out(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"weights": trackai.Histogram([1.0, 2.0]), "x": 1})
    columns = trackai.Api().runs().to_pandas().columns
    assert "summary.x" in columns
    assert "summary.weights" not in columns
