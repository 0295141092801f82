"""The configuration of a run: a live mapping, nested in Python and flat in the database."""

from __future__ import annotations

import argparse
import copy
import json
import math
import pickle
import sqlite3
from argparse import Namespace
from array import array
from collections import UserDict, UserList, UserString, deque
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import attrs
import ml_collections
import ml_dtypes
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from omegaconf import OmegaConf

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


def test_copies_without_an_active_run_are_the_configuration_of_the_next_run(
    db_path: Path,
) -> None:
    for _ in range(2):
        live = trackai.config
        for copied in (copy.copy(live), copy.deepcopy([live])[0], pickle.loads(pickle.dumps(live))):
            assert copied is live
        trackai.init(project="p", config={"lr": 0.1}).finish()


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


@attrs.define
class Schedule:
    warmup: int
    parts: list[Optimizer]


class Point(NamedTuple):
    x: int
    y: float


class Record(msgspec.Struct):
    lr: float


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    lr: float
    key: pydantic.SecretStr = pydantic.SecretStr("secret")


@dataclass(slots=True)
class Slotted:
    depth: int
    optimizer: Optimizer


class OldSlots:
    __slots__ = ("lr", "unset")

    def __init__(self) -> None:
        self.lr = 0.1


class Phase(Enum):
    TEST = "test"
    PAIR = (1, 2)


class Plain:
    pass


def placeholder() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict({"lr": 0.1, "opt": {"b": 1}})
    config.todo = ml_collections.config_dict.required_placeholder(int)
    config.twice = config.get_ref("lr") * 2
    return config


OMEGA = OmegaConf.create(
    {
        "lr": 0.1, "double": "${lr}", "todo": "???", "wrong": "${nothing}", "none": None,
        "layers": [64, "${lr}", "???"], "deep": {"up": "${..lr}"},
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Namespace(lr=0.1, opt=SimpleNamespace(b=[1])), {"lr": 0.1, "opt": {"b": [1]}}),
        (UserDict({"a": UserList([1, UserString("s")])}), {"a": [1, "s"]}),
        (deque([1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        (array("i", [1, 2]), [1, 2]),
        (Optimizer(0.1), {"lr": 0.1}),
        (Slotted(3, Optimizer(0.1)), {"depth": 3, "optimizer": {"lr": 0.1}}),
        (Schedule(5, [Optimizer(0.1)]), {"warmup": 5, "parts": [{"lr": 0.1}]}),
        (Point(1, 0.5), {"x": 1, "y": 0.5}),
        ([Point(1, 0.5)], [{"x": 1, "y": 0.5}]),
        (Record(0.1), {"lr": 0.1}),
        (Model(lr=0.1, more=1), {"lr": 0.1, "key": "SecretStr('**********')", "more": 1}),  # type: ignore[call-arg]
        (Phase.TEST, "test"),
        (Phase.PAIR, "PAIR"),
        ({Phase.TEST: 1}, {"test": 1}),
        ({1: "a", "1": "b", None: 2, (1, 2): 3}, {"1": "a", "'1'": "b", "None": 2, "(1, 2)": 3}),
        (partial(Optimizer, lr=Phase.TEST), f"functools.partial({__name__}.Optimizer, lr='test')"),  # type: ignore[arg-type]
        (math.pow, "math.pow"),
        (len, "len"),
        (Optimizer, f"{__name__}.Optimizer"),
        (Optimizer.__repr__, f"{__name__}.Optimizer.__repr__"),
        (list[int], "list[int]"),
        (Plain(), f"<{__name__}.Plain object>"),
        (Decimal("0.10"), "0.10"),
        (Fraction(1, 3), "1/3"),
        (np.datetime64("2026-01-02", "ns"), "2026-01-02T00:00:00"),
        (pd.Timestamp("2026-01-02", tz="UTC"), "2026-01-02T00:00:00+00:00"),
        (timedelta(seconds=90), "PT90S"),
        (np.timedelta64(90, "s"), "PT90S"),
        (np.array(90, "timedelta64[s]"), "PT90S"),
        (np.array([90, "NaT"], "timedelta64[s]"), ["PT90S", None]),
        (np.ma.masked, None),
        (np.ma.array([1, 2], mask=[True, False]), [None, 2]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.NA, None),
        (np.array([1.5], ml_dtypes.bfloat16), [1.5]),
        (ml_dtypes.bfloat16(1.5), 1.5),
        (np.float16(0.5), 0.5),
        ("a\0b", "a\0b"),
        (placeholder(), {"lr": 0.1, "opt": {"b": 1}, "todo": None, "twice": 0.2}),
        (
            OMEGA,
            {
                "lr": 0.1, "double": 0.1, "todo": "???", "wrong": "${nothing}", "none": None,
                "layers": [64, 0.1, "???"], "deep": {"up": 0.1},
            },
        ),
    ],
)  # fmt: skip
def test_objects_keep_their_structure(db_path: Path, value: Any, expected: Any) -> None:
    with trackai.init(project="p", config={"nested": value}) as run:
        if isinstance(expected, dict) and "lr" in expected:
            assert run.config["nested/lr"] == 0.1
    assert trackai.Api().run("latest").config == {"nested": expected}
    if isinstance(expected, dict) and not isinstance(value, dict):
        with trackai.init(project="p", config=value) as run:
            run.config.update(value)
        assert trackai.Api().run("latest").config == expected


def test_an_object_with_slots_is_a_configuration(db_path: Path) -> None:
    with trackai.init(project="p", config=OldSlots()):
        pass
    assert stored(db_path) == {"lr": 0.1}


def test_mappings_that_contain_themselves(db_path: Path) -> None:
    knot: dict[str, Any] = {}
    knot |= {"a": knot, "b": knot, "c": [knot], "lr": 1}
    with trackai.init(project="p", config={"knot": knot}) as run:
        run.config.update(knot)
    values = stored(db_path)
    assert values["lr"] == values["knot/lr"] == 1
    assert len(values) < 20


def test_keys_that_cannot_be_stored_are_left_out(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"lr": 0.1, "": 1, "a\0b": 2, "n" * 2000: 3, "opt/b": 4, "opt": {"b": 5, "": 6}}
    with trackai.init(project="p", config=config):
        pass
    assert stored(db_path) == {"lr": 0.1, "opt/b": 4, "opt/": 6}
    assert "config key '': must not be empty; left out" in caplog.text
    assert r"config key 'a\x00b': must not contain the character U+0000" in caplog.text
    assert "config key 'opt/b': two values have this key" in caplog.text
    with pytest.raises(trackai.InvalidInputError, match="config key ''"):
        trackai.init(project="p", config=config, strict=True)
