"""Importing folders as DVCLive 3.49 writes them."""

from __future__ import annotations

import json
import math
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.sources import NoProgress, read_points
from trackai.importers.dvclive import recognises
from trackai.importers.dvclive.reader import Source
from trackai.importers.receipt import Receipt
from trackai.importers.yaml_values import load_yaml, plain
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

POINTS = "SELECT step, value FROM points WHERE metric = ? ORDER BY step, time"
WRITTEN = 1_795_973_000
TABLES = {
    "train/loss": "step\tloss\n0\t0.5\n1\t0.25\n2\tnan\n3\t0.125\n3\t0.1\n",
    "accuracy": "step\taccuracy\n0\t0.5\n10\t0.9\n",
    "big": "step\tbig\n0\t9007199254740993\n",
    "inf": "step\tinf\n0\tinf\n",
    "timed": "timestamp\tstep\ttimed\n1795973855552\t10\t1.0\n",
    # Each call decides whether it has a time.
    "mixed": "step\tmixed\n0\t1.5\n1795973855552\t1\t2.5\n",
    "text": 'step\ttext\n0\tword\n1\t"a\tb"\n',
    "bool": "step\tbool\n0\tTrue\n",
}
# The values that were logged last, and those of metrics that are not plotted.
LAST = {
    "train": {"loss": 0.1}, "accuracy": 0.9, "inf": "inf", "step": 10, "noplot": 3.0,
    "sub": {"nan": "nan", "word": "w", "huge": 2**70 + 1, "none": None},
}  # fmt: skip
PARAMS = """lr: 0.001
tiny: 1e-05
word: yes
flag: true
nothing:
nested:
  depth: 4
  list: [1, .nan]
big: 1180591620717411303424
"""


def write(folder: Path, tables: dict[str, str], at: float = WRITTEN) -> None:
    for metric, text in tables.items():
        path = folder / "plots" / "metrics" / f"{metric}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (at, at))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "repo" / "dvclive"
    write(folder, TABLES)
    for name, text in (
        ("metrics.json", json.dumps(LAST)), ("params.yaml", PARAMS), ("../dvc.yaml", "params: []"),
        ("plots/images/sub/pic.png", "pixels"), ("plots/sklearn/cm.json", "[]"),
    ):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (WRITTEN, WRITTEN))
    return folder


def test_what_dvclive_writes(written: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    receipt = trackai("import", "dvclive", written.parent, "--json").json
    assert receipt["complete"] is True, receipt

    def points(metric: str) -> list[Any]:
        return ask(POINTS, metric)

    losses = [(0, 0.5), (1, 0.25), (2, None), (3, 0.125), (3, 0.1)]
    assert sorted(points("train/loss"), key=str) == sorted(losses, key=str)
    assert points("accuracy") == [(0, 0.5), (10, 0.9)]
    assert points("big") == [(0, 2**53 + 1)]
    assert points("inf") == [(0, math.inf)]
    assert points("mixed") == [(0, 1.5), (1, 2.5)]
    assert points("text") == [(0, "word"), (1, "a\tb")]
    assert points("bool") == [(0, 1)]
    assert points("noplot") == [(10, 3)]
    assert points("sub/nan") == [(10, None)]
    assert points("sub/word") == [(10, "w")]
    assert points("sub/huge") == [(10, float(2**70))]
    times = ask("SELECT timestamp FROM metrics JOIN series ON series.id = series_id"
                " WHERE path = 'timed'")  # fmt: skip
    assert times == [(1_795_973_855_552_000,)]
    config: dict[str, str] = dict(ask("SELECT key, value FROM configs"))
    assert {key: json.loads(value) for key, value in config.items()} == {
        "lr": 0.001, "tiny": 1e-05, "word": "yes", "flag": True, "nothing": None,
        "nested/depth": 4, "nested/list": [1, "NaN"], "big": 2**70,
    }  # fmt: skip
    [head] = ask("SELECT slug, state, created_at, finished_at FROM runs")
    assert head == ("dvclive", "completed", WRITTEN * 10**6, 1_795_973_855_552_000)
    assert ask("SELECT name FROM projects") == [("repo",)]
    files: dict[str, str] = dict(ask("SELECT path, sha256 FROM files"))
    assert files.keys() == {"dvc.yaml", "plots/images/sub/pic.png", "plots/sklearn/cm.json"}
    assert blob_path(db_path, files["plots/images/sub/pic.png"]).read_bytes() == b"pixels"


def test_importing_again_changes_nothing(written: Path, trackai: Trackai) -> None:
    trackai("import", "dvclive", written.parent)
    copy = written.parents[1] / "copied"
    shutil.copytree(written.parent, copy / "repo", copy_function=shutil.copy)
    for path in (written, copy):
        receipt = trackai("import", "dvclive", path, "--json").json
        assert (receipt["new_runs"], receipt["totals"]["stored"]) == (0, 0), path


def test_a_run_that_grows_is_one_run_and_the_next_is_another(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    folder = tmp_path / "repo" / "dvclive"
    write(folder, {"loss": "step\tloss\n0\t0.512"})
    receipt = trackai("import", "dvclive", folder, "--json").json
    assert (receipt["runs"], receipt["remarks"][-1]["problem"]) == (0, "has no metrics yet")
    write(folder, {"loss": "step\tloss\n0\t0.51234567\n"})
    os.utime(folder / "plots" / "metrics" / "loss.tsv")
    trackai("import", "dvclive", folder)
    assert ask("SELECT state FROM runs") == [("running",)]
    write(folder, {"loss": "step\tloss\n0\t0.51234567\n1\t0.25\n", "epoch": "step\tepoch\n0\t0\n"})
    receipt = trackai("import", "dvclive", folder, "--json").json
    assert (receipt["runs"], receipt["new_runs"]) == (1, 0)
    assert receipt["types"]["metrics"]["stored"] == 2
    assert ask("SELECT state FROM runs") == [("completed",)]
    write(folder, {"loss": "step\tloss\n0\t0.61234567\n", "epoch": "step\tepoch\n0\t0\n"})
    receipt = trackai("import", "dvclive", folder, "--json", "--project", "repo").json
    assert receipt["new_runs"] == 1


@pytest.mark.parametrize("metric", ["train/loss", "timed", "text"])
def test_a_file_that_is_cut_anywhere_is_read_up_to_there(tmp_path: Path, metric: str) -> None:
    write(tmp_path, {metric: TABLES[metric], "other": "step\tother\n0\t1\n"})
    whole, _ = read_points(Source, tmp_path)
    path = tmp_path / "plots" / "metrics" / f"{metric}.tsv"
    content = path.read_bytes()
    before: set[Any] = set()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        points, receipt = read_points(Source, tmp_path)
        assert before <= points <= whole
        before = points
        assert not receipt.problems
    assert before == whole


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damage_makes_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    write(folder, {"loss": TABLES["train/loss"], "mixed": TABLES["mixed"]})
    (folder / "metrics.json").write_text(json.dumps(LAST))
    (folder / "params.yaml").write_text(PARAMS)
    names = ["metrics.json", "params.yaml", "plots/metrics/loss.tsv", "plots/metrics/mixed.tsv"]
    path = folder / data.draw(st.sampled_from(names))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    read_points(Source, folder)


def test_parameters_are_yaml_1_2(tmp_path: Path) -> None:
    """ruamel.yaml, which DVCLive uses, writes a text `yes` and a number `1e-05` so."""
    path = tmp_path / "params.yaml"
    path.write_text("a: yes\nb: 12:30:45\nc: 1e+300\nd: -.inf\ne: nan\nf: 017\ng: NO\nh: ~\n")
    assert plain(load_yaml(path, version="1.2")) == {
        "a": "yes", "b": "12:30:45", "c": 1e300, "d": -math.inf, "e": "nan", "f": 17, "g": "NO",
        "h": None,
    }  # fmt: skip


def test_nothing_outside_of_the_folder_is_read(written: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (written / "plots" / "images" / "link.png").symlink_to(tmp_path / "secret.txt")
    (written / "plots" / "metrics" / "link.tsv").symlink_to(tmp_path / "secret.txt")
    (written / "params.yaml").unlink()
    (written / "params.yaml").symlink_to(tmp_path / "secret.txt")
    receipt = Receipt("source", "database")
    items = list(Source(written, receipt=receipt, progress=NoProgress()).read())
    assert not [item for item in items if "link" in repr(item) or "dvc.yaml" in repr(item)]
    assert items[-1].config == {}  # type: ignore[union-attr]


def test_a_repository_of_dvc_is_not_a_run(written: Path, trackai: Trackai, ask: Ask) -> None:
    repo = written.parent
    (repo / "metrics.json").write_text('{"accuracy": 0.9}')
    (repo / "params.yaml").write_text("lr: 0.1")
    (repo / "plots").mkdir()
    trackai("import", "auto", repo)
    assert ask("SELECT slug FROM runs") == [("dvclive",)]


def test_other_files_in_the_folder_are_not_stored(
    written: Path, trackai: Trackai, ask: Ask
) -> None:
    (written / ".env").write_text("SECRET=1")
    (written / "report.md").write_text("# Report")
    (written / "data").mkdir()
    (written / "data" / "train.bin").write_text("data")
    trackai("import", "dvclive", written)
    assert ask("SELECT path FROM files ORDER BY path") == [
        ("plots/images/sub/pic.png",), ("plots/sklearn/cm.json",), ("report.md",)
    ]  # fmt: skip


def test_other_folders_are_refused(written: Path, tmp_path: Path, trackai: Trackai) -> None:
    assert recognises(written)
    assert recognises(written.parent)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "metrics.json").write_text("{}")
    assert not recognises(empty)
    assert "no folders of DVCLive found" in trackai("import", "dvclive", empty, code=2).err
