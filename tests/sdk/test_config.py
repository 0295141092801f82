"""The configuration of a run: a live mapping, nested in Python and flat in the database."""

from __future__ import annotations

import argparse
import copy
import json
import math
import pickle
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trackai


def stored(path: Path) -> dict[str, Any]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT key, value FROM configs").fetchall()
    connection.close()
    return {key: json.loads(value) for key, value in rows}


def test_changes_of_the_configuration_are_stored(db_path: Path) -> None:
    with trackai.init(project="p", config={"opt": {"lr": 0.1, "betas": (0.9, 0.99)}, "n": 1}):
        assert trackai.config["opt"]["lr"] == 0.1
        assert trackai.config["opt/lr"] == 0.1
        assert trackai.config.n == 1
        trackai.config["opt/lr"] = 0.2
        trackai.config.update({"n": 2, "late": None}, allow_val_change=True)
        trackai.config.seed = 7
        assert trackai.config["opt"] == {"lr": 0.2, "betas": (0.9, 0.99)}
        assert list(trackai.config) == ["opt", "n", "late", "seed"]
    assert stored(db_path) == {
        "opt/lr": 0.2, "opt/betas": [0.9, 0.99], "n": 2, "late": None, "seed": 7,
    }  # fmt: skip


def test_assigning_a_key_replaces_its_nested_values(db_path: Path) -> None:
    first = {"opt": {"lr": 1, "deep": {"er": 2}}, "optics": 3, "data": {"path": "x"}}
    with trackai.init(project="p", name="r", config=first) as run:
        run.config["opt"] = {"wd": 4}
        run.config["opt"] = {"lr": 5, "betas": {"a": 6}}
        run.config["data"] = "y"
        run.config["late/one"] = 7
        run.config["late"] = {"two": 8}
        run.config["opt/betas"] = 9
        assert dict(run.config) == {
            "opt": {"lr": 5, "betas": 9}, "optics": 3, "data": "y", "late": {"two": 8},
        }  # fmt: skip
    expected = {"opt/lr": 5, "opt/betas": 9, "optics": 3, "data": "y", "late/two": 8}
    assert stored(db_path) == expected
    with trackai.init(project="p", name="r", resume="must") as run:
        run.config["opt"] = None
    assert stored(db_path) == {"opt": None, "optics": 3, "data": "y", "late/two": 8}


@dataclass
class Optimizer:
    lr: float


class Raises:
    """An object without a repr."""

    def __repr__(self) -> str:
        raise ValueError


def test_values_that_json_cannot_express_become_text(db_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    circle: dict[str, Any] = {"a": 1}
    circle["self"] = circle
    config = {
        "function": test_changes_of_the_configuration_are_stored, "nan": math.nan, "big": 2**100,
        "set": {2, 1},
        "np": np.float32(0.5), "array": np.arange(3), "path": Path("x"), "data": Optimizer(0.1),
        "bytes": b"\xff", "raises": Raises(), "loop": loop, "empty": {}, "bad": "\ud800",
        "\ud801": 1, "circle": circle, 7: "number",
        "inner": {"deep": [math.inf, {"x": object}]},
    }  # fmt: skip
    with trackai.init(project="p", config=config):
        pass
    values = stored(db_path)
    assert values["nan"] == "NaN"
    assert values["big"] == 2**100
    assert values["set"] == [1, 2]
    assert values["np"] == 0.5
    assert values["path"] == "x"
    assert values["data/lr"] == 0.1
    assert values["empty"] == {}
    assert values["7"] == "number"
    assert values["inner/deep"][0] == "Infinity"
    assert values["function"] == f"{__name__}.test_changes_of_the_configuration_are_stored"
    assert values["circle/a"] == 1
    assert values["circle/self"] == "{'a': 1, 'self': {...}}"
    assert values["bad"] == "'\\ud800'"
    assert len([key for key in values if not key.startswith("circle")]) == len(config) - 1


def test_an_object_with_attributes_is_a_configuration(db_path: Path) -> None:
    with trackai.init(project="p", config=argparse.Namespace(lr=0.1)) as run:
        run.config.update(argparse.Namespace(seed=1))
    assert stored(db_path) == {"lr": 0.1, "seed": 1}


def test_copies_are_plain_dicts(db_path: Path) -> None:
    with trackai.init(project="p", config={"opt": {"lr": 0.1}, "_seed": 1}) as run:
        run.log({"x": 1})
        for live in (run.config, trackai.config, run.summary):
            for copied in (copy.copy(live), copy.deepcopy(live), pickle.loads(pickle.dumps(live))):
                assert type(copied) is dict
                assert copied == dict(live)
        assert run.config._seed == 1
        copy.deepcopy(run.config)["opt"]["lr"] = 1.0
        assert run.config["opt/lr"] == 0.1
        assert not hasattr(run.config, "__wrapped__")


def test_the_configuration_without_an_active_run(db_path: Path) -> None:
    assert "no active run" in repr(trackai.config)
    with pytest.raises(trackai.NoActiveRunError):
        trackai.config["a"] = 1
    with pytest.raises(AttributeError):
        trackai.config.__wrapped__  # noqa: B018
    run = trackai.init(project="p")
    with pytest.raises(AttributeError, match="nope"):
        run.config.nope  # noqa: B018
    with pytest.raises(KeyError):
        run.config["no/pe"]
    run.finish()
    with pytest.raises(trackai.NoActiveRunError):
        run.config["a"] = 1
