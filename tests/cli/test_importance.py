"""trackai importance, on a database and on the server of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from tests.conftest import Server


@pytest.fixture
def runs(db_path: Path) -> None:
    for number in range(12):
        config = {"size": number, "kind": "ab"[number % 2], "fixed": 1}
        with sdk.init(project="sweep", config=config) as run:
            run.log({"loss": math.nan if number == 11 else float(number)}, step=0)
    with sdk.init(project="sweep", config={"size": 1}):
        pass


def test_parameters_are_listed_with_what_was_left_out(trackai: Trackai, runs: None) -> None:
    output = trackai("importance", "sweep", "metric.loss")
    lines = output.out.splitlines()
    assert lines[0].split() == ["parameter", "importance", "correlation", "runs", "values"]
    cells = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert next(iter(cells)) == "config.size"
    assert cells["config.size"][1:] == ["1", "11", "11"]
    assert cells["config.fixed"][0] == "0"
    assert "11 runs with a value of metric.loss, of 13; 1 without, 1 NaN, 0 infinite." in output.err
    assert "The forest explains" in output.err


def test_few_runs_say_so(trackai: Trackai, runs: None) -> None:
    output = trackai("importance", "sweep", "metric.loss", "--filter", "config.size < 5")
    assert "no importance: at least 10 runs must have a value, got 5" in output.err
    answer = trackai("importance", "sweep", "metric.loss", "--filter", "id < 0", "--json").json
    assert (answer["matching"], answer["parameters"]) == (0, [])


def test_a_server_says_the_same(
    trackai: Trackai, runs: None, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["importance", "sweep", "metric.loss", "--parameters", "config.size,state"]
    for option in ([], ["--json"]):
        local = trackai(*arguments, *option)
        assert trackai(*arguments, *option, "--url", server.url) == local


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("none", "metric.loss"), 3, "project"),
        (("sweep", "loss"), 2, "target: "),
        (("sweep", "metric.loss", "--filter", "(("), 2, "filter: "),
        (("sweep", "metric.loss", "--parameters", "x"), 2, "parameters: "),
    ],
)
def test_errors_are_one_line(
    trackai: Trackai, runs: None, arguments: tuple[str, ...], code: int, problem: str
) -> None:
    output = trackai("importance", *arguments, code=code)
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert problem in output.err
