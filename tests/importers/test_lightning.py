"""Importing folders as the CSVLogger of Lightning 2.6 writes them."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.sources import read_points
from trackai.importers.lightning import recognises
from trackai.importers.lightning.reader import Source
from trackai.importers.yaml_values import load_yaml, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

POINTS = "SELECT step, value FROM points WHERE metric = ? ORDER BY step, time"
WRITTEN = 1_795_000_000
HPARAMS = """
act: !!python/name:torch.nn.modules.activation.ReLU ''
flag: true
layers: !!python/tuple
- 1
- 2
nan: .nan
none: null
opt:
  betas: !!python/tuple
  - 0.9
  - 0.99
  name: adam
path: !!python/object/apply:pathlib.PosixPath
- /
- x
- y
"""
ROWS: list[dict[str, Any]] = [
    {"epoch": 0, "n": 1.0, "step": 1, "train/loss_step": -0.27170804142951965},
    {"epoch": 0, "inf": math.inf, "nan": math.nan, "step": 3, "val_loss": -0.8668187856674194},
    {"epoch": 0, "step": 3, "train/loss_epoch": -0.48063796758651733},
    {"epoch": 1, "step": 3, "big": 2**60 + 1, "zero": -0.0, "a,b": "words, \"quoted\""},
    {"extra": 1, "step": 1000, "huge": 2**70 + 1},
]  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]], at: float = WRITTEN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metrics.csv"
    names = sorted({name for row in rows for name in row})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=names)
        writer.writeheader()
        writer.writerows(rows)
    os.utime(path, (at, at))
    return path


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "logs" / "exp" / "version_0"
    write(folder, ROWS)
    (folder / "hparams.yaml").write_text(HPARAMS)
    os.utime(folder / "hparams.yaml", (WRITTEN - 60, WRITTEN - 60))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"weights")
    return folder


def test_what_lightning_writes(written: Path, trackai: Trackai, ask: Ask) -> None:
    receipt = trackai("import", "lightning", written, "--json").json
    assert receipt["complete"] is True, receipt

    def points(metric: str) -> list[Any]:
        return ask(POINTS, metric)

    assert points("train/loss_step") == [(1, -0.27170804142951965)]
    assert points("train/loss_epoch") == [(3, -0.48063796758651733)]
    assert points("val_loss") == [(3, -0.8668187856674194)]
    assert (points("inf"), points("nan")) == ([(3, math.inf)], [(3, None)])
    assert points("big") == [(3, 2**60 + 1)]
    assert math.copysign(1, points("zero")[0][1]) == -1
    assert points("a,b") == [(3, 'words, "quoted"')]
    assert points("huge") == [(1000, 2.0**70)]
    assert points("epoch") == [(1, 0), (3, 0), (3, 1)]
    assert [remark["problem"][:20] for remark in receipt["remarks"]] == [
        "column huge: rounds ", "has no times; those "
    ]  # fmt: skip
    config: dict[str, str] = dict(ask("SELECT key, value FROM configs"))
    assert {key: json.loads(value) for key, value in config.items()} == {
        "act": "torch.nn.modules.activation.ReLU", "flag": True, "layers": [1, 2], "nan": "NaN",
        "none": None, "opt/betas": [0.9, 0.99], "opt/name": "adam", "path": "/x/y",
    }  # fmt: skip
    [head] = ask("SELECT slug, state, created_at, finished_at FROM runs")
    assert head == ("version_0", "completed", (WRITTEN - 60) * 10**6, WRITTEN * 10**6)
    assert ask("SELECT name FROM projects") == [("exp",)]
    assert ask("SELECT path, sha256 FROM files") == [("checkpoints/last.ckpt", None)]


def test_importing_again_changes_nothing(written: Path, trackai: Trackai) -> None:
    trackai("import", "lightning", written)
    copy = written.parents[2] / "copied"
    shutil.copytree(written.parents[1], copy, copy_function=shutil.copy)
    for path in (written.parent, written.parents[1], written / "metrics.csv", copy):
        receipt = trackai("import", "lightning", path, "--json").json
        assert (receipt["new_runs"], receipt["totals"]["stored"]) == (0, 0), path


def test_values_of_a_step_are_recognised_at_other_times(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    """Also long texts, which are not stored with the others, NaN, and values that are repeated."""
    rows = [
        {"step": 1, "text": "word", "x": math.nan},
        {"step": 1, "text": "long " * 50_000, "x": math.nan},
        {"step": 0, "text": "word", "x": 1},
        {"step": 1, "text": "word", "x": math.inf},
    ]
    for at in (WRITTEN, WRITTEN + 100):
        write(tmp_path / "version_0", rows, at)
        trackai("import", "lightning", tmp_path)
    assert ask("SELECT metric, COUNT(*) FROM logged_points GROUP BY 1 ORDER BY 1") == [
        ("text", 4), ("x", 4)
    ]  # fmt: skip
    rows[2]["x"] = 2  # written again, with another value
    write(tmp_path / "version_0", rows, WRITTEN + 200)
    assert trackai("import", "lightning", tmp_path, "--json").json["stored"] == 1


def test_a_run_that_grows_is_one_run(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """Also if a new column has changed all rows."""
    folder = tmp_path / "lightning_logs" / "version_0"
    os.utime(write(folder, ROWS[:2]))
    trackai("import", "lightning", tmp_path)
    assert ask("SELECT state FROM runs") == [("running",)]
    write(folder, ROWS)
    receipt = trackai("import", "lightning", tmp_path, "--json").json
    assert (receipt["runs"], receipt["new_runs"]) == (1, 0)
    assert receipt["types"]["metrics"]["already_there"] == 7
    assert ask("SELECT state FROM runs") == [("completed",)]
    write(tmp_path / "other" / "lightning_logs" / "version_0", ROWS[1:])
    assert trackai("import", "lightning", tmp_path, "--json").json["new_runs"] == 1


def test_folders_of_event_files_are_left_to_tensorboard(written: Path, trackai: Trackai) -> None:
    other = written.parent / "version_1"
    other.mkdir()
    (other / "events.out.tfevents.1.vm.1.0").write_bytes(b"")
    (other / "hparams.yaml").write_text("lr: 1")
    (written.parent / "version_2").mkdir()
    (written.parent / "version_2" / "hparams.yaml").write_text("lr: 1")
    receipt = trackai("import", "lightning", written.parent, "--json").json
    assert receipt["runs"] == 1
    remarks = {remark["where"]: remark["problem"] for remark in receipt["remarks"]}
    assert "trackai import tensorboard" in remarks["version_1"]
    assert remarks["version_2"] == "has no metrics.csv yet"
    shutil.rmtree(written)
    assert not recognises(written.parent)
    error = trackai("import", "lightning", written.parent, code=2).err
    assert "trackai import tensorboard" in error


def test_a_file_that_is_cut_anywhere_is_read_up_to_there(written: Path) -> None:
    path = written / "metrics.csv"
    content = path.read_bytes()
    whole, _ = read_points(Source, written)
    before: set[Any] = set()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        points, receipt = read_points(Source, written)
        assert before <= points <= whole
        before = points
        assert not receipt.problems
    assert before == whole


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damage_makes_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "version_0"
    write(folder, ROWS)
    (folder / "hparams.yaml").write_text(HPARAMS)
    path = folder / data.draw(st.sampled_from(["metrics.csv", "hparams.yaml"]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    read_points(Source, folder)


def test_objects_are_never_made(tmp_path: Path) -> None:
    path = tmp_path / "hparams.yaml"
    path.write_text(
        "a: !!python/object/apply:os.system ['touch made']\n"
        "b: !!python/object/new:pathlib.Path {x: 1}\n"
        "c: !!python/complex 1+2j\n"
        "d: !!python/tuple [!!python/tuple [1], 2026-01-02]\n"
        "e: !!set {b, a}\n"
        "f: {1: !!python/module:os ''}\n"
        "g: !!python/str 5\n"
    )
    assert plain(load_yaml(path)) == {
        "a": {"os.system": ["touch made"]}, "b": {"pathlib.Path": {"x": 1}}, "c": "1+2j",
        "d": [[1], "2026-01-02"], "e": ["a", "b"], "f": {"1": "os"}, "g": "5",
    }  # fmt: skip
    assert not Path("made").exists()
    for text in ("a: !!int ''", "a: !!timestamp x", "a: !!bool x", "a: 2026-13-45", "a: !x 1"):
        path.write_text(text)
        with pytest.raises(ValueError, match="not YAML of plain values"):
            load_yaml(path)


def test_only_folders_of_the_logger_are_recognised(written: Path, tmp_path: Path) -> None:
    assert all(map(recognises, (written, written / "metrics.csv", written.parent)))
    assert recognises(written.parent.parent)
    other = tmp_path / "other"
    other.mkdir()
    (other / "metrics.csv").write_text("step,loss\n0,1\n")
    assert not recognises(other)
    assert not recognises(other / "metrics.csv")
