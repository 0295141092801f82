"""Compares stored runs with what a framework reports."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

import trackai


def stored(project: str | None = None) -> list[Any]:
    """The runs in the database, the first one first."""
    return list(reversed(trackai.Api().runs(project)))


def only(project: str | None = None) -> Any:
    """The one run in the database."""
    runs = stored(project)
    assert len(runs) == 1, [run.name for run in runs]
    return runs[0]


def points(run: Any, name: str) -> list[tuple[float, Any]]:
    """The points of a metric, as (step, value)."""
    curve = run.history(name)[name]
    return list(zip(curve.steps, curve.values, strict=True))


def expect(run: Any, expected: Mapping[str, Iterable[tuple[float, Any]]]) -> None:
    """Check that metrics have exactly these points."""
    for name, wanted in expected.items():
        got, want = points(run, name), sorted(wanted)
        assert len(got) == len(want), (name, got, want)
        for (step, value), (wanted_step, wanted_value) in zip(got, want, strict=True):
            assert step == wanted_step, (name, got, want)
            same = value == wanted_value or (math.isnan(value) and math.isnan(wanted_value))
            assert same, (name, step, value, wanted_value)


def expect_state(run: Any, state: str) -> None:
    """Check the state of a run as it is now."""
    now = trackai.Api().run(run.id)
    assert now.state == state, (now.name, now.state, state)


def files() -> list[tuple[str, int]]:
    """The media in the database, as (name, step)."""
    with closing(sqlite3.connect(os.environ["TRACKAI_DB_PATH"])) as db:
        return list(db.execute("SELECT path, step FROM files"))


def checked(what: str) -> None:
    """Report what the lines above have checked."""
    print(f"checked: {what}", flush=True)
