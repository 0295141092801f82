"""What type checkers, `dir()` and `typing.get_type_hints` know of the public names.

The functions here without "test" in their names are checked by mypy, and never run: an unused
`type: ignore` is an error, and so is an `assert_type` that does not hold.
"""

from __future__ import annotations

import inspect
import rlcompleter
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any, assert_type, get_type_hints

import pandas as pd
import pyarrow as pa
import pytest

import trackai
from trackai.reading.api import Runs
from trackai.reading.artifacts import ArtifactEntry, StoredArtifact
from trackai.reading.history import Curve, History
from trackai.reading.stored_run import StoredRun
from trackai.sdk.config import Config
from trackai.sdk.summary import Summary

# What the classes and functions of `trackai` return.
RETURNED = (ArtifactEntry, Config, Curve, History, Runs, StoredArtifact, StoredRun, Summary)


def names_that_are_not_public() -> None:
    trackai.lgo({"loss": 1.0})  # type: ignore[attr-defined]
    trackai.Rnu  # type: ignore[attr-defined]  # noqa: B018
    trackai.log("loss", 1.0)  # type: ignore[arg-type]


def the_active_run() -> None:
    assert_type(trackai.run, trackai.Run | None)
    assert_type(trackai.summary, Summary)
    assert_type(trackai.init(project="p"), trackai.Run)
    assert_type(trackai.log({"loss": 1.0}), None)
    assert_type(trackai.finish(), None)
    with trackai.init(project="p") as run:
        assert_type(run, trackai.Run)
        assert_type(run.id, int)
        assert_type(run.config, Config)
        assert_type(run.summary, Summary)
        assert_type(run.log_artifact("model.pt"), trackai.Artifact)


def what_was_logged() -> None:
    api = trackai.Api()
    assert_type(api.projects(), list[str])
    assert_type(api.runs("p"), Runs)
    assert_type(api.runs("p")[0], StoredRun)
    assert_type(api.runs("p")[:2], Sequence[StoredRun])
    assert_type(api.run("p/1"), StoredRun)
    assert_type(api.run("p/1").history(), History)
    assert_type(api.run("p/1").history()["loss"], Curve)


def public() -> list[str]:
    return [*trackai.__all__, "run", "summary"]


def callables() -> Iterator[tuple[str, Any]]:
    """Public functions and classes, and the methods and properties of the latter."""
    for value in (*(getattr(trackai, name) for name in trackai.__all__), *RETURNED):
        if inspect.isfunction(value):
            yield value.__qualname__, value
        elif isinstance(value, type):
            yield value.__qualname__, value
            yield from methods(value)


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    own = [base for base in cls.__mro__ if base.__module__.startswith("trackai.")]
    for name, member in (item for base in own for item in vars(base).items()):
        function = getattr(member, "fget", getattr(member, "__func__", member))
        is_public = not name.startswith("_") or name.endswith("__")
        if is_public and inspect.isfunction(function):
            yield f"{cls.__qualname__}.{name}", function


CALLABLES = dict(callables())


def test_the_public_callables_are_all_there() -> None:
    expected = {
        "init",
        "log",
        "Api",
        "Api.runs",
        "Run.__init__",
        "StoredRun.config",
        "History.to_pandas",
    }
    assert expected <= CALLABLES.keys()


@pytest.mark.parametrize("name", CALLABLES)
def test_type_hints_are_found_at_run_time(name: str) -> None:
    hints = get_type_hints(CALLABLES[name], localns={"pa": pa, "pd": pd})  # of extras
    assert not any(isinstance(hint, str) for hint in hints.values())


def test_dir_has_all_that_is_public() -> None:
    assert set(public()) <= set(dir(trackai))
    # In a new process, in which nothing has been used yet.
    script = "import trackai; print(*dir(trackai))"
    names = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert set(public()) <= set(names)
    assert {name for name in names if not name.startswith("__")} <= set(public())


@pytest.mark.parametrize("name", public())
def test_tab_completes_what_is_public(name: str) -> None:
    completer = rlcompleter.Completer({"trackai": trackai})
    offered: set[str] = set()
    while completion := completer.complete(f"trackai.{name}", len(offered)):
        offered.add(completion.rstrip("()"))
    assert f"trackai.{name}" in offered
