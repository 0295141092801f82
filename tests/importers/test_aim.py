"""Importing repositories of Aim, with a stand-in for aim (`fake_aim.py`)."""

from __future__ import annotations

import json
import math
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.importers import fake_aim
from tests.importers.fake_aim import Media

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

HASH = "27fe8ceb864e4a0aab93dbdc"
START = 1_700_000_000.5
ODD = ((0, math.nan), (1, math.inf), (7, 2**53 + 1), (-3, 1.0))


def columns(*points: tuple[Any, Any, Any]) -> dict[str, Any]:
    """The arrays of a metric, in the order of aim's hashes: not that of the steps."""
    keys = [hash(("step", number)) for number in range(len(points))]
    arrays: dict[str, Any] = {"step": {}, "val": {}, "epoch": {}, "time": {}}
    for key, (number, (step, value, epoch)) in sorted(zip(keys, enumerate(points), strict=True)):
        row = {"step": step, "val": value, "epoch": epoch, "time": START + number}
        for name, cell in row.items():
            arrays[name][key] = cell
    return arrays


def objects(step: int, value: Any) -> dict[str, Any]:
    return {"val": {step: value}, "epoch": {step: None}, "time": {step: START}}


def a_run(**changes: Any) -> dict[str, Any]:
    """A run with what aim 3.29.1 returns for it."""
    counts = SimpleNamespace(
        storage={}, to_np_histogram=lambda: (np.array([1, 2]), np.array([1.0, 1.5, 2.0]))
    )
    series: dict[str, tuple[int, str, dict[str, Any]]] = {
        "loss": (1, "float", columns((0, 1.0, 1.0), (1, 0.5, 1.0), (2, 1 / 3, None))),
        "odd": (
            0, "number",
            columns(*((step, value, None) for step, value in ODD)),
        ),
        "frac": (0, "float", columns((1.5, -0.0, math.nan))),
        "__system__cpu": (2, "float", columns((0, 12.5, None))),
        "txt": (0, "aim.text", objects(1, Media(storage={"data": "hello"}))),
        "img": (0, "aim.image", objects(2, Media.image(b"\x89PNG 1"))),
        "imgs": (0, "list(aim.image)", objects(2, [Media.image(b"\x89PNG 1"), Media.image(b"2")])),
        "dist": (0, "aim.distribution", objects(3, counts)),
        "logs": (0, "aim.log_line", objects(0, Media(storage={"data": "printed"}))),
        "figures3d": (0, "aim.figure3d", objects(0, None)),
    }  # fmt: skip
    traces: dict[int, Any] = {}
    trees: dict[int, Any] = {}
    for name, (context, dtype, tree) in series.items():
        version = 2 if "step" in tree else 1
        traces.setdefault(context, {})[name] = {"dtype": dtype, "version": version}
        trees.setdefault(context, {})[name] = tree
    return {
        "name": "my run", "experiment": "exp/ß", "description": "note", "tags": ["t 1"],
        "creation_time": START, "end_time": START + 9, "archived": False, "artifacts": {},
        "params": {
            "hparams": {"lr": 0.1, "n": None, "b": True, "i": 2**60, "l": [1, 2], "nan": math.nan},
            "__system_params": {"executable": "python", "environment_variables": {"KEY": "secret"}},
        },
        "contexts": {0: {}, 1: {"subset": "train"}, 2: {"gpu": 0}},
        "traces": traces, "series": trees,
    } | changes  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    (path / ".aim" / "meta" / "chunks" / HASH).mkdir(parents=True)
    (path / ".aim" / "run_metadata.sqlite").touch()
    return path


def test_what_aim_returns(
    repository: Path, trackai: Trackai, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_aim.install(monkeypatch, {HASH: a_run()})
    receipt = trackai("import", "aim", repository, "--json", code=4).json
    assert receipt["totals"]["not_stored"] == {"series of aim.figure3d are not supported": 1}
    assert not receipt["problems"]

    def points(metric: str) -> list[Any]:
        query = "SELECT step, value FROM points WHERE metric = ? ORDER BY time"
        return ask(query, metric)

    assert points("loss/subset=train") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert points("odd") == [(0, None), (1, math.inf), (7, 2**53 + 1), (-3, 1.0)]
    assert points("frac") == [(1.5, 0.0)]
    assert math.copysign(1, points("frac")[0][1]) == -1
    assert points("epoch") == [(0, 1.0), (1, 1.0)]
    assert points("system/cpu/gpu=0") == [(None, 12.5)]
    assert points("txt") == [(1, "hello")]
    assert points("logs/stdout") == [(None, "printed")]
    assert json.loads(points("dist")[0][1]) == {
        "type": "COUNTING", "edges": [1.0, 1.5, 2.0], "values": [1, 2]
    }  # fmt: skip
    config = {key: json.loads(value) for key, value in ask("SELECT key, value FROM configs")}
    assert config == {
        "hparams/lr": 0.1, "hparams/n": None, "hparams/b": True, "hparams/i": 2**60,
        "hparams/l": [1, 2], "hparams/nan": "NaN",
    }  # fmt: skip
    [head] = ask(
        "SELECT projects.name, runs.slug, runs.name, state, notes, runs.created_at FROM runs "
        "JOIN projects ON projects.id = project_id"
    )
    assert head == ("exp/ß", HASH, "my run", "completed", "note", round(START * 1e6))
    assert ask("SELECT tag FROM tags") == [("t 1",)]
    files = ask("SELECT path, step, name FROM files ORDER BY path, name")
    assert files == [
        ("img", 2, "img-2.png"), ("imgs", 2, "imgs-2-0.png"), ("imgs", 2, "imgs-2-1.png")
    ]  # fmt: skip
    facts = {key: json.loads(value) for key, value in ask("SELECT key, value FROM environment")}
    assert facts == {"executable": "python"}
    again = trackai("import", "auto", repository, "--json", code=4).json
    assert (again["runs"], again["new_runs"], again["totals"]["stored"]) == (1, 0, 0)


def test_runs_without_an_end(
    repository: Path, trackai: Trackai, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(end_time=None)
    fake_aim.install(monkeypatch, {HASH: run})
    file = repository / ".aim" / "meta" / "chunks" / HASH / "000008.log"
    file.touch()
    trackai("import", "aim", repository / ".aim", code=4)
    assert ask("SELECT state FROM runs") == [("running",)]
    # The arrays of a run that is being written may differ in length.
    loss = run["series"][1]["loss"]
    for name, cell in (("val", 0.25), ("step", 3)):
        loss[name]["new"] = cell
    trackai("import", "aim", repository, code=4)
    assert ask("SELECT COUNT(*) FROM points WHERE metric = 'loss/subset=train'") == [(3,)]
    loss["time"]["new"] = START + 3
    os.utime(file, (1_700_000_000,) * 2)
    assert trackai("import", "aim", repository, "--json", code=4).json["stored"] == 1
    assert ask("SELECT state FROM runs") == [("failed",)]


def test_runs_that_cannot_be_read_and_repositories_of_other_versions(
    repository: Path, trackai: Trackai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = a_run(series=None)
    del broken["contexts"]
    fake_aim.install(monkeypatch, {"broken": broken, HASH: a_run()})
    receipt = trackai("import", "aim", repository, "--json", code=4).json
    assert [problem["where"] for problem in receipt["problems"]] == ["run broken"]
    assert receipt["runs"] == 1
    monkeypatch.setattr(fake_aim.Repo, "status", "UPDATE_REQUIRED")
    assert "aim storage upgrade" in trackai("import", "aim", repository, code=2).err
    assert "no repository of Aim found" in trackai("import", "aim", tmp_path, code=2).err


def test_without_aim(repository: Path, trackai: Trackai) -> None:
    sentence = "reading a repository of Aim needs aim itself: pip install aim (up to Python 3.12)"
    assert trackai("import", "aim", repository, code=1).err == f"trackai: {sentence}\n"
    receipt = trackai("import", "auto", repository, "--json", code=4).json
    assert receipt["problems"] == [{"where": "work", "problem": sentence}]
