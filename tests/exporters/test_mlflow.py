"""Exporting databases of MLflow, in the state of MLflow 2.0, which later versions upgrade."""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai as sdk
from tests.exporters.conftest import BEGIN, call, rows, run_of, write_store
from trackai.structs.exchange import Block, WriterHead

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai

METRICS = "SELECT key, step, timestamp, value, is_nan FROM metrics"
MS = BEGIN // 1000
LARGEST = sys.float_info.max


def exported(folder: Path, items: list[Any]) -> Path:
    """Export runs, and return the database."""
    write_store(folder / "store.db", items)
    call("export", "mlflow", "--all", "--db", folder / "store.db", "-o", folder / "out")
    return folder / "out" / "mlflow.db"


def test_points(tmp_path: Path) -> None:
    points = [
        (-3, 0, 0.1), (0, 1, math.nan), (1, 2, math.inf), (2, 3, -math.inf), (3, 4, 2**53 + 1),
        (4.5, 5, True), (2**60, 6, -0.0),
    ]  # fmt: skip
    path = exported(tmp_path, run_of([{"a/b c:ü": points}]))
    assert rows(path, METRICS) == sorted(
        [
            ("a/b c:ü", -3, MS, 0.1, 0), ("a/b c:ü", 0, MS, 0.0, 1),
            ("a/b c:ü", 1, MS, LARGEST, 0), ("a/b c:ü", 2, MS, -LARGEST, 0),
            ("a/b c:ü", 3, MS, 2.0**53, 0), ("a/b c:ü", 4, MS, 1.0, 0),
            ("a/b c:ü", 2**60, MS, -0.0, 0),
        ],
        key=repr,
    )  # fmt: skip
    latest = "SELECT key, step, value, is_nan FROM latest_metrics"
    assert rows(path, latest) == [("a/b c:ü", 2**60, 0.0, 0)]
    remarks = "SELECT count(*) FROM metrics JOIN runs USING (run_uuid)"
    assert rows(path, remarks) == [(7,)]


def test_equal_points_of_a_millisecond_are_all_kept(tmp_path: Path) -> None:
    items = run_of([{"m": [(1, time, 0.5) for time in range(3)] + [(2, 0, 0.5)]}])
    path = exported(tmp_path, items)
    assert rows(path, METRICS) == [
        ("m", 1, MS, 0.5, 0), ("m", 1, MS + 1, 0.5, 0), ("m", 1, MS + 2, 0.5, 0),
        ("m", 2, MS, 0.5, 0),
    ]  # fmt: skip


def test_runs(tmp_path: Path) -> None:
    config = {"a/b": [1, "x", None], "none": None, "yes": True, "nan": "NaN", "long": "x" * 9000}
    items = run_of(
        [{"m": [(1, 0, 1)]}], name="näme", group_name="g", tags=["a", "b c"], notes="two\nlines",
        config=config, config_types={"nan": "float"}, state="failed", finished_at=BEGIN + 5_000_000,
        environment={1: {"script": "train.py", "git/commit": "abc"}},
    )  # fmt: skip
    path = exported(tmp_path, items)
    assert rows(path, "SELECT run_uuid, runs.name, status, start_time, end_time, experiments.name "
                      "FROM runs JOIN experiments USING (experiment_id)") == [
        ("a" * 32, "näme", "FAILED", MS, MS + 5000, "p")
    ]  # fmt: skip
    assert dict(rows(path, "SELECT key, value FROM params")) == {
        "a/b": "[1, 'x', None]", "none": "None", "yes": "True", "nan": "nan", "long": "x" * 9000,
    }  # fmt: skip
    assert dict(rows(path, "SELECT key, value FROM tags")) == {
        "a": "", "b c": "", "mlflow.runName": "näme", "mlflow.note.content": "two\nlines",
        "mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc",
        "trackai.group": "g", "trackai.run_id": "r",
    }  # fmt: skip
    ((uri,),) = rows(path, "SELECT artifact_uri FROM runs")
    assert uri == f"{(tmp_path / 'out').as_posix()}/mlruns/1/{'a' * 32}/artifacts"
    environment = json.loads((path.parent / uri / "environment.json").read_text())
    assert environment == {"1": {"script": "train.py", "git/commit": "abc"}}
    assert rows(path, "SELECT experiment_id, name FROM experiments") == [(0, "Default"), (1, "p")]
    assert rows(path, "SELECT * FROM alembic_version") == [("97727af70f4d",)]


def test_texts_and_files_are_artifacts(db_path: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words")
    with sdk.init(project="p", id="r") as run:
        run.log({"words": "some\nwords", "page": sdk.Html("<p>hi</p>")}, step=3)
        run.log({"counts": sdk.Histogram([1, 2, 2], num_bins=2)})
        run.save(tmp_path / "notes.txt")
        model = sdk.Artifact("model", "model")
        model.add_file(tmp_path / "notes.txt")
        run.log_artifact(model)
    call("export", "mlflow", "r", "-o", tmp_path / "out")
    (folder,) = (tmp_path / "out" / "mlruns").glob("1/*/artifacts")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    names.discard("environment.json")
    assert names == {
        "model/model/notes.txt", "notes.txt", "page/3.html", "texts/words.jsonl",
        "texts/counts.jsonl",
    }  # fmt: skip
    (line,) = (folder / "texts" / "words.jsonl").read_text().splitlines()
    assert json.loads(line)["value"] == "some\nwords"
    assert json.loads(line)["step"] == 3
    assert (folder / "notes.txt").read_text() == "words"


def test_system_metrics_are_found_by_their_names(tmp_path: Path) -> None:
    items = run_of([{}])
    items += [
        Block(run_uid="a" * 32, metric=metric, axis="time", writer=WriterHead(uid="w" * 32),
              steps=[BEGIN, BEGIN + 2000], timestamps=[BEGIN, BEGIN + 2000], values=[1, 2])
        for metric in ("gpu", "system/cpu")
    ]  # fmt: skip
    assert rows(exported(tmp_path, items), METRICS) == [
        (metric, step, MS + 2 * step, step + 1.0, 0)
        for metric in ("system/cpu", "system/gpu")
        for step in (0, 1)
    ]


def test_remarks(trackai: Trackai, tmp_path: Path) -> None:
    points = [(0, 0, math.inf), (0.5, 1, 2**60 + 1), (2, 2, "text")]
    write_store(tmp_path / "store.db", run_of([{"m": points}]))
    arguments = ("r", "--db", tmp_path / "store.db", "-o", tmp_path / "out", "--json")
    output = trackai("export", "mlflow", *arguments)
    assert {remark["remark"] for remark in output.json["remarks"]} == {
        "infinities are 1.8e308, as MLflow stores them (1)",
        "integers beyond 2**53 are rounded (1)",
        "fractional steps are cut (1)",
        "texts and histograms are in artifacts, texts/<metric>.jsonl (1)",
    }


@pytest.mark.parametrize("count", [0, 25_000])
def test_long_series(tmp_path: Path, count: int) -> None:
    block = Block(
        run_uid="a" * 32, metric="m", writer=WriterHead(uid="w" * 32), steps=list(range(count)),
        timestamps=[BEGIN + step for step in range(count)], values=[0.5] * count,
    )  # fmt: skip
    path = exported(tmp_path, [*run_of([{}]), *([block] if count else [])])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (count,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
