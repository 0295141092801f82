"""The archive and the trash over HTTP, and regular expressions and bare names in filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture(autouse=True)
def some_runs(server: Server) -> None:
    for number in range(4):
        with trackai.init(
            project="p", name=f"run {number}", id=f"r{number}", config={"lr": 10.0**-number}
        ) as run:
            run.log({"loss": number}, step=0)


def keep(server: Server, verb: str, **chosen: Any) -> list[int]:
    body = {**chosen, "action": {"type": verb}}
    answer = server.request("POST", "/api/runs/bulk", body)
    assert answer.status == 200, answer
    assert answer.json["cursor"] is None
    assert answer.json["changed"] == len(answer.json["run_ids"])
    return list(answer.json["run_ids"])


def ids(server: Server, condition: str = "", **query: str) -> list[int]:
    parameters = {"project_id": "1", "filter": condition, **query}
    text = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
    return sorted(run["id"] for run in server.get(f"/api/runs?{text}")["runs"])


def test_archived_runs_are_left_out_until_asked_for(server: Server) -> None:
    assert keep(server, "archive", run_ids=[1, 2]) == [1, 2]
    assert ids(server) == ids(server, "lr <= 1") == [3, 4]
    assert ids(server, archived="true") == [1, 2, 3, 4]
    assert ids(server, "archived = true") == [1, 2]
    assert server.get("/api/runs/1")["archived_at"] is not None
    project = server.get("/api/projects/1")
    assert (project["total_runs"], project["archived_runs"], project["trashed_runs"]) == (2, 2, 0)
    assert server.get("/api/projects?counts=true")[0] == project
    groups = server.get("/api/projects/1/groups?by=state")["groups"]
    assert [group["runs"] for group in groups] == [2]
    groups = server.get("/api/projects/1/groups?by=state&archived=true")["groups"]
    assert [group["runs"] for group in groups] == [4]
    band = server.get("/api/metrics/groups?project_id=1&metric=loss&points=10")
    assert band["runs"] == 2
    # A page of theirs, and the charts of runs that are named, are as before.
    chart = server.get("/api/metrics/runs/1/metric/loss?points=10")
    assert chart["data"][0]["first"] == 0
    assert keep(server, "unarchive", select={"project_id": 1, "archived": True}) == [1, 2]
    assert ids(server) == [1, 2, 3, 4]


def test_the_trash_is_undone_restored_and_emptied(server: Server) -> None:
    before = [server.get(f"/api/runs/{number}") for number in (1, 2, 3, 4)]
    trashed = keep(server, "trash", select={"project_id": 1, "filter": "loss >= 1"})
    assert trashed == [2, 3, 4]
    assert ids(server) == [1]
    assert ids(server, trashed="true") == [2, 3, 4]
    assert server.get("/api/projects/1")["trashed_runs"] == 3
    assert keep(server, "restore", run_ids=trashed) == trashed
    assert [server.get(f"/api/runs/{number}") for number in (1, 2, 3, 4)] == before
    keep(server, "trash", run_ids=[2, 3])
    body = {"select": {"project_id": 1, "trashed": True}, "action": {"type": "delete"}}
    assert server.request("POST", "/api/runs/bulk", body).json["changed"] == 2
    assert ids(server, "trashed = true or trashed = false") == [1, 4]
    # A run in the trash can be deleted like any other.
    keep(server, "trash", run_ids=[4])
    assert server.request("DELETE", "/api/runs/4").status == 200
    assert server.request("GET", "/api/runs/4").status == 404


def test_a_run_in_the_trash_loses_nothing_and_comes_back_when_resumed(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with trackai.init(project="p", id="live") as run:
        run.log({"loss": 1.0}, step=0)
        [number] = ids(server, "run_id = live")
        keep(server, "trash", run_ids=[number])
        for step in range(1, 100):
            run.log({"loss": 1.0}, step=step)
    record = server.get(f"/api/runs/{number}")
    assert record["state"] == "completed"
    assert record["trashed_at"] is not None
    assert len(server.get(f"/api/metrics/runs/{number}/metric/loss")["data"]) == 100
    with pytest.raises(trackai.TrackAIError, match="and is in the trash: use"):
        trackai.init(project="p", id="live", resume="never")
    keep(server, "archive", run_ids=[number])
    with trackai.init(project="p", id="live", resume="allow") as run:
        run.log({"loss": 2.0}, step=100)
    assert "run 'live' was archived or in the trash: resuming it takes it out" in caplog.text
    record = server.get(f"/api/runs/{number}")
    assert (record["trashed_at"], record["archived_at"]) == (None, None)
    assert number in ids(server)


def test_regular_expressions_and_names_are_the_same_everywhere(server: Server) -> None:
    assert ids(server, r"name =~ '^run [12]$'") == [2, 3]
    assert ids(server, "lr < 0.05 and loss > 2") == [4]
    select = {"project_id": 1, "filter": "run_id =~ '[13]$'"}
    body = {"select": select, "action": {"type": "tag", "add": ["odd"]}}
    assert server.request("POST", "/api/runs/bulk", body).json["changed"] == 2
    assert ids(server, "tag =~ ^od") == [2, 4]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("name =~ '(?<=a)'", "filter: at position 9"),
        ("name =~ '(a|b)*a(a|b){20}'", "too complex"),
        ("name =~ '('", "has a ( without a )"),
        ("speed > 3", "at position 1 ('speed'): unknown field, neither a configuration key nor"),
        ("los > 3", "did you mean metric.loss?"),
    ],
)
def test_filters_that_cannot_be_used_are_refused_by_name(
    server: Server, condition: str, problem: str
) -> None:
    answer = server.request("GET", f"/api/runs?project_id=1&filter={quote(condition)}")
    assert answer.status == 422
    assert problem in answer.json["detail"]
    body = {"select": {"project_id": 1, "filter": condition}, "action": {"type": "delete"}}
    answer = server.request("POST", "/api/runs/bulk", body)
    assert answer.status == 422
    assert ids(server) == [1, 2, 3, 4]
