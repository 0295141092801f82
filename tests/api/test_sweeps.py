"""/api/projects/{id}/values and /importance: all runs that match a filter."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai
from trackai.store.catalogue.samples import evenly

if TYPE_CHECKING:
    from tests.conftest import Server

RUNS = 40


@pytest.fixture
def project(server: Server) -> str:
    rng = Random(1)
    for number in range(RUNS):
        lr = 10 ** rng.uniform(-4, -1)
        config: dict[str, Any] = {"opt": {"lr": lr}, "kind": rng.choice("ab"), "fixed": 1}
        if number == 3:
            del config["opt"]
        name = None if number == 0 else f"run {number}"
        with trackai.init(
            project="sweep",
            name=name,
            config=config,
            group="odd even".split()[number % 2],
            job_type="ab"[number % 2],  # is not a parameter
        ) as run:
            if number == 5:
                continue
            loss = math.nan if number == 6 else math.inf if number == 7 else math.log(lr) ** 2
            run.log({"val/loss": loss, "word": "text"}, step=0)
    with trackai.init(project="other", config={"secret": 1}) as run:
        run.log({"val/loss": 1})
    return "/api/projects/1"


def test_values_are_columns_of_the_newest_runs_first(server: Server, project: str) -> None:
    fields = "metric.val/loss.last,config.opt/lr,config.kind,state,config.none,metric.word"
    page = server.get(f"{project}/values?columns={fields}")
    assert page["total"] == RUNS
    assert page["run_ids"] == list(range(RUNS, 0, -1))
    assert page["names"][0] == f"run {RUNS - 1}"
    assert page["names"][-1] == server.get("/api/runs/1")["run_id"]
    assert page["states"] == ["completed"] * RUNS
    assert set(page["values"]) == set(fields.split(","))
    losses = page["values"]["metric.val/loss.last"][::-1]
    assert losses[5:8] == [None, "NaN", "Infinity"]
    assert page["values"]["config.opt/lr"][::-1][3] is None
    assert page["values"]["config.none"] == [None] * RUNS
    # The same as the table of runs says.
    table = server.get(f"/api/runs?project_id=1&limit=1000&columns={fields}")["runs"]
    for name in fields.split(","):
        by_run = dict(zip(page["run_ids"], page["values"][name], strict=True))
        assert {run["id"]: run["values"][name] for run in table} == by_run


def test_values_are_of_the_runs_that_match(server: Server, project: str) -> None:
    page = server.get(f"{project}/values?columns=config.kind&filter=group=odd&limit=3")
    assert page["total"] == RUNS / 2
    assert len(page["run_ids"]) == 3
    none = server.get(f"{project}/values?columns=config.kind&filter=name=none")
    assert none == {
        "total": 0,
        "run_ids": [],
        "names": [],
        "states": [],
        "values": {"config.kind": []},
    }


def test_importance_names_the_parameter_that_matters(server: Server, project: str) -> None:
    answer = server.get(f"{project}/importance?target=metric.val/loss.min")
    assert answer["target"] == "metric.val/loss.min"
    assert (answer["matching"], answer["sampled"]) == (RUNS, RUNS)
    # Neither NaN nor infinity is a minimum.
    assert (answer["runs"], answer["missing"], answer["nans"]) == (RUNS - 3, 3, 0)
    fields = [parameter["field"] for parameter in answer["parameters"]]
    assert fields[0] == "config.opt/lr"
    assert sorted(fields) == ["config.fixed", "config.kind", "config.opt/lr"]
    assert answer["parameters"][0]["importance"] > 0.8
    assert answer["parameters"][0]["correlation"] < -0.9
    assert "random forest" in answer["method"]
    last = server.get(f"{project}/importance?target=metric.val/loss")
    assert (last["missing"], last["nans"], last["infinite"]) == (1, 1, 1)
    assert last["runs"] == RUNS - 2


def test_importance_is_of_the_runs_that_match(server: Server, project: str) -> None:
    where = quote("group = odd and config.kind = a")
    answer = server.get(f"{project}/importance?target=metric.val/loss&filter={where}")
    matching = server.get(f"/api/runs?project_id=1&filter={where}")["total"]
    assert 0 < answer["matching"] == matching < RUNS / 2
    none = server.get(f"{project}/importance?target=metric.val/loss&filter=name=none")
    assert (none["matching"], none["runs"], none["parameters"]) == (0, 0, [])
    assert none["problem"] == "at least 10 runs must have a value, got 0"
    assert none["r_squared"] is None


def test_parameters_can_be_chosen(server: Server, project: str) -> None:
    query = "target=metric.val/loss&parameters=group,config.kind,metric.val/loss"
    answer = server.get(f"{project}/importance?{query}")
    fields = {parameter["field"] for parameter in answer["parameters"]}
    assert fields == {"group", "config.kind"}  # the target does not explain itself


def test_runs_are_sampled_at_even_distances() -> None:
    assert evenly(list(range(10)), 10) == list(range(10))
    assert evenly(list(range(10)), 5) == [0, 2, 4, 6, 8]
    assert evenly(list(range(1, 100_001)), 3) == [1, 33_334, 66_667]
    assert evenly([], 5) == []


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("values", "columns: missing"),
        ("values?columns=config.x&limit=10001", "limit: must be at most 10000, got 10001"),
        ("values?columns=lr", "columns: "),
        (
            "values?columns=" + ",".join(f"config.k{n}" for n in range(201)),
            "columns: must be at most 200 fields, got 201",
        ),
        ("importance", "target: missing"),
        ("importance?target=lr", "target: "),
        ("importance?target=id,state", "target: must be one field, got 2"),
        ("importance?target=id&filter=((", "filter: "),
        ("importance?target=id&parameters=%3D", "parameters: "),
    ],
)
def test_invalid_parameters_are_named(server: Server, project: str, path: str, detail: str) -> None:
    answer = server.request("GET", f"{project}/{path}")
    assert answer.status == 422
    assert answer.json["detail"].startswith(detail)


def test_an_unknown_project_is_not_found(server: Server, project: str) -> None:
    for path in ("values?columns=state", "importance?target=id"):
        answer = server.request("GET", f"/api/projects/99/{path}")
        assert (answer.status, answer.json["detail"]) == (404, "project 99 not found")
