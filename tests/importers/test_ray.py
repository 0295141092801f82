"""Importing folders as Ray Tune 2.60 writes them."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.importers.sources import read_source
from trackai.importers.ray import recognises
from trackai.importers.ray.reader import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

BEGAN = 1_796_071_742
CONFIG = {"lr": 0.01, "model": {"depth": 2, "act": "relu"}, "none": None}
LOSSES = [0.01, 0.005, math.nan, math.inf]


def result(iteration: int, trial_id: str = "68157_00000", **values: Any) -> dict[str, Any]:
    """Return a line of result.json, as Tune writes it."""
    return {
        **values, "timestamp": BEGAN + iteration, "checkpoint_dir_name": None, "done": False,
        "training_iteration": iteration, "trial_id": trial_id, "date": "2026-11-30_20-49-02",
        "time_this_iter_s": 0.0003795623779296875, "time_total_s": 0.5 * iteration, "pid": 30533,
        "hostname": "vm", "node_ip": "192.0.2.2", "config": CONFIG,
        "time_since_restore": 0.0003795623779296875, "iterations_since_restore": iteration,
    }  # fmt: skip


def write_trial(
    experiment: Path, results: list[dict[str, Any]], trial_id: str = "68157_00000"
) -> Path:
    folder = experiment / f"train_{trial_id}_0_lr=0.0100_2026-11-30_20-48-33"
    folder.mkdir(parents=True)
    lines = [json.dumps(line) + "\n" for line in results]
    (folder / "result.json").write_text("".join(lines))
    (folder / "params.json").write_text(json.dumps(CONFIG, indent=2))
    (folder / "params.pkl").write_bytes(b"\x80\x05N.")
    for file in folder.iterdir():
        os.utime(file, (BEGAN, BEGAN))
    return folder


def write_states(
    experiment: Path, status: dict[Path, str], name: str = "2026-11-30_20-48-33"
) -> None:
    trials = [
        [
            json.dumps(
                {"trial_id": folder.name[6:17], "status": text, "relative_logdir": folder.name}
            ),
            json.dumps({"start_time": BEGAN}),
        ]
        for folder, text in status.items()
    ]
    file = experiment / f"experiment_state-{name}.json"
    file.write_text(json.dumps({"trial_data": trials, "runner_data": {}, "stats": {}}))
    os.utime(file, (BEGAN, BEGAN))


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """The folder of an experiment: a complete trial, one that failed, and one without results."""
    experiment = tmp_path / "ray_results" / "exp"
    results = [
        result(number, loss=loss, acc=number, nested={"f1": 0.5}, big=2**53 + 1, ok=True,
               text="hé", shape=[2, 3], nothing=None)
        for number, loss in enumerate(LOSSES, start=1)
    ]  # fmt: skip
    complete = write_trial(experiment, results)
    failed = write_trial(experiment, [result(1, "68157_00001", loss=1.5)], "68157_00001")
    (failed / "error.txt").write_text("RuntimeError: boom\n")
    empty = write_trial(experiment, [], "68157_00002")
    write_states(experiment, {complete: "TERMINATED", failed: "ERROR", empty: "ERROR"})
    write_states(experiment, {}, "2026-12-01_00-00-00")  # restored, without trials so far
    return experiment


def test_what_tune_writes(experiment: Path, trackai: Trackai, ask: Ask) -> None:
    receipt = trackai("import", "ray", experiment, "--json").json
    assert receipt["complete"] is True, receipt
    assert ask("SELECT slug, name, group_name, state FROM runs ORDER BY slug") == [
        ("68157_00000", "train_68157_00000", "exp", "completed"),
        ("68157_00001", "train_68157_00001", "exp", "failed"),
        ("68157_00002", "train_68157_00002", "exp", "failed"),
    ]
    points = dict[str, list[Any]]()
    for metric, step, value in ask(
        "SELECT metric, step, value FROM points WHERE run = '68157_00000' ORDER BY 1, 2"
    ):
        points.setdefault(metric, []).append((step, value))
    assert points["loss"] == [(1, 0.01), (2, 0.005), (3, None), (4, math.inf)]
    assert points["acc"] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert points["nested/f1"] == [(step, 0.5) for step in (1, 2, 3, 4)]
    assert points["big"] == [(step, 2**53 + 1) for step in (1, 2, 3, 4)]
    assert points["ok"] == [(step, 1) for step in (1, 2, 3, 4)]
    assert points["text"] == [(step, "hé") for step in (1, 2, 3, 4)]
    assert points["shape"] == [(step, "[2,3]") for step in (1, 2, 3, 4)]
    assert not {"pid", "config/lr", "timestamp", "done", "nothing"} & points.keys()
    config: dict[str, str] = dict(
        ask("SELECT key, value FROM config_overview WHERE run = '68157_00000'")
    )
    assert config == {
        "lr": "0.01", "model/depth": "2", "model/act": '"relu"', "none": "null", "pid": "30533",
        "trial_id": '"68157_00000"', "hostname": '"vm"', "node_ip": '"192.0.2.2"',
    }  # fmt: skip
    assert ask("SELECT key, value FROM config_overview WHERE run = '68157_00002'") != []
    assert ask("SELECT path, size FROM files") == [("error.txt", 19)]
    assert ask("SELECT created_at FROM runs WHERE slug = '68157_00000'") == [(BEGAN * 10**6,)]
    again = trackai("import", "auto", experiment.parent, "--json").json
    assert (again["new_runs"], again["stored"]) == (0, 0)


def test_a_trial_that_goes_back_to_a_checkpoint(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """What it reports again supersedes what it reported before, also in an import of more."""
    first = [result(number, loss=number) for number in (1, 2, 3)]
    rest = [result(number, loss=10 * number) | {"timestamp": BEGAN + 9} for number in (2, 3, 4)]
    folder = write_trial(tmp_path / "exp", first)
    trackai("import", "ray", tmp_path)
    with (folder / "result.json").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in rest)
    receipt = trackai("import", "ray", tmp_path, "--json").json
    assert receipt["stored"] == 3 * 6  # loss, and what Tune counts and measures
    assert ask("SELECT step, value FROM points WHERE metric = 'loss' ORDER BY 1") == [
        (1, 1), (2, 20), (3, 30), (4, 40)
    ]  # fmt: skip
    assert ask("SELECT COUNT(*) FROM logged_points WHERE metric = 'loss'") == [(6,)]


@pytest.mark.parametrize(
    ("status", "done", "seconds", "state"),
    [
        ("RUNNING", False, 0, "running"),
        ("RUNNING", False, 3600, "failed"),
        ("PAUSED", True, 3600, "completed"),
        (None, False, 0, "running"),
        (None, False, 3600, "completed"),  # a folder of a trial without its experiment
    ],
)
def test_trials_without_an_end(
    tmp_path: Path, status: str | None, done: bool, seconds: float, state: str
) -> None:
    folder = write_trial(tmp_path / "exp", [result(1, loss=1.5) | {"done": done}])
    if status is not None:
        write_states(tmp_path / "exp", {folder: status})
    if not seconds:
        os.utime(folder / "result.json")
    [run] = read_source(Source, tmp_path)[1].values()
    assert run.head.state == state


def test_damage_is_named_and_the_rest_is_kept(experiment: Path, trackai: Trackai) -> None:
    [folder] = experiment.glob("*_00000_*")
    lines = (folder / "result.json").read_bytes().splitlines(keepends=True)
    lines[1] = b'{"loss": 1\n'
    lines[2] = b"[1]\n"
    lines[3] = lines[3].replace(b"training_iteration", b"iteration")
    (folder / "result.json").write_bytes(b"".join(lines) + b'{"loss": 0.1, "tra')
    receipt = trackai("import", "ray", experiment, "--json", code=4).json
    where = f"{folder.name}/result.json"
    assert [(item["where"], item["problem"]) for item in receipt["problems"]] == [
        (f"{where}, line 2", "not JSON"),
        (f"{where}, line 3", "not an object of JSON"),
        (f"{where}, line 4", "has no training_iteration or timestamp"),
    ]
    assert {"where": where, "problem": "ends within line 5"} in receipt["remarks"]
    assert receipt["runs"] == 3


def test_which_folders_are_of_ray(experiment: Path, tmp_path: Path) -> None:
    [folder] = experiment.glob("*_00000_*")
    assert recognises(experiment)
    assert recognises(folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "result.json").write_text('{"accuracy": 0.5}')
    (other / "params.json").write_text("{}")
    assert not recognises(other)
    assert not recognises(other / "result.json")


def test_a_folder_without_trials(tmp_path: Path, trackai: Trackai) -> None:
    error = trackai("import", "ray", tmp_path, code=2).err
    assert "no trials of Ray Tune found" in error
