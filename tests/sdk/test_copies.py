"""Copies of runs, and of objects that hold one: deepcopy, pickle, worker processes."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import trackai
from trackai.errors import (
    InvalidInputError,
    MissingExtraError,
    NoActiveRunError,
    OverloadedError,
    TrackAIError,
)

if TYPE_CHECKING:
    from pathlib import Path


class Trainer:
    """A script's object that holds a run, and a method of it."""

    def __init__(self) -> None:
        self.run = trackai.init(project="p", name="a", config={"lr": 0.1, "act": lambda: 1})
        self.log = self.run.log
        self.weights = [1, 2]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda held: pickle.loads(pickle.dumps(held))]
)
def test_a_copy_in_the_same_process_logs_to_the_run(db_path: Path, copied: Any) -> None:
    trainer = Trainer()
    twin = copied(trainer)
    assert twin.run is trainer.run
    assert copied(trainer.run) is trainer.run
    twin.log({"x": 1})
    twin.run.log({"x": 2})
    trainer.run.finish()
    assert trackai.Api().run("p/a").history()["x"].values == [1, 2]
    assert copied(trainer.run) is trainer.run
    assert copied(trackai.config if trackai.run else {}) == {}


READING = """
import pickle, sys, trackai
run = pickle.load(sys.stdin.buffer)
assert isinstance(run, trackai.Run)
print(run.name, run.project, run.run_id, run.config["opt"]["lr"], run.step, run.is_finished)
print(run.tags, run.url, run.path, dict(run.summary))
for call in (lambda: run.log({"x": 1}), lambda: run.log_system({"x": 1}), lambda: run.save("x"),
             lambda: run.log_artifact("x"), lambda: run.alert("x"), lambda: run.dir,
             lambda: setattr(run, "name", "b"), lambda: setattr(run.config, "lr", 1),
             lambda: run.summary.update({"x": 1})):
    try:
        call()
    except trackai.NoActiveRunError as error:
        assert str(error) == (
            "run 'a' was pickled in another process: to log to it here, call "
            "trackai.init(project='p', id='a') in this process")
    else:
        sys.exit(1)
run.finish()
with pickle.loads(pickle.dumps(run)) as again:
    assert again.name == "a"
assert trackai.run is None
"""


def test_another_process_reads_the_run_but_does_not_log_to_it(db_path: Path) -> None:
    run = trackai.init(project="p", name="a", tags=["t"], config={"opt": {"lr": 0.1}})
    run.log({"x": 1})
    run._catch_up()
    ran = subprocess.run(
        [sys.executable, "-c", READING], input=pickle.dumps(run), capture_output=True
    )
    assert ran.returncode == 0, ran.stderr.decode()
    first, second = ran.stdout.decode().splitlines()
    assert first == "a p a 0.1 1 True"
    assert second == f"('t',) {run.url} p/a {{'x': 1}}"
    run.log({"x": 2})
    run.finish()
    [stored] = trackai.Api().runs("p")
    assert (stored.state, stored.history()["x"].values) == ("completed", [1, 2])


def log_in_worker(run: trackai.Run) -> str:
    try:
        run.log({"y": os.getpid()})
        run.finish()
    except TrackAIError as error:
        return str(error)
    return "logged"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_run_among_the_arguments_of_a_worker_process(db_path: Path, method: str) -> None:
    run = trackai.init(project="p", name="a")
    run.log({"x": 1})
    with multiprocessing.get_context(method).Pool(1) as pool:
        said = pool.apply(log_in_worker, (run,))
    run.finish()
    history = trackai.Api().run("p/a").history()
    if method == "fork":  # it has inherited the run
        assert said == "logged"
        assert len(history["y"].values) == 1
    else:
        assert "was pickled in another process" in said
        assert "y" not in history


def test_other_objects_are_copied(db_path: Path) -> None:
    with trackai.init(project="p", name="a") as run:
        run.log({"x": 1})
        summary, config = copy.deepcopy(run.summary), copy.deepcopy(run.config)
        assert {type(copied).__name__ for copied in (summary, config)} == {"dict"}
    api = trackai.Api()
    stored = api.run("p/a")
    for held in (
        api,
        stored,
        stored.history(),
        trackai.Image(np.zeros((2, 2, 3))),
        trackai.Table(columns=["a"], data=[[1]]),
        trackai.Histogram([1, 2, 3]),
        trackai.Artifact("a", type="b"),
        trackai.Html("<b>x</b>"),
        trackai.Settings(a=1),
    ):
        for copied in (copy.copy(held), copy.deepcopy(held), pickle.loads(pickle.dumps(held))):
            assert type(copied) is type(held)
    assert pickle.loads(pickle.dumps(stored)).history()["x"].values == [1]


def test_errors_are_pickled() -> None:
    for error in (
        NoActiveRunError(),
        OverloadedError(),
        InvalidInputError("step", "must be finite"),
        MissingExtraError("A plot", "plot"),
    ):
        copied = pickle.loads(pickle.dumps(error))
        assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))
