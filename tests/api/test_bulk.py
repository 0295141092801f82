"""/api/runs/bulk and /api/runs/export: changes and exports of all runs that match a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest

import trackai
from trackai.client.connection import Connection

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

RUNS = 6


@pytest.fixture
def runs(server: Server, tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text("in all runs")
    for number in range(RUNS):
        config = {"lr": 0.1 if number % 2 else 1}
        with trackai.init(project="p", name=f"run {number}", config=config) as run:
            run.log({"loss": number}, step=0)
            run.save(tmp_path / "same.txt")
    with trackai.init(project="other", name="run 0") as run:
        run.log({"loss": 0}, step=0)


def change(server: Server, select: dict[str, Any], **action: Any) -> list[Any]:
    """Send requests until all runs are changed; returns the responses."""
    answers = []
    cursor: int | None = 0
    while cursor is not None:
        body = {"select": select, "action": action, "cursor": cursor}
        answer = server.request("POST", "/api/runs/bulk", body)
        assert answer.status == 200, answer
        answers.append(answer.json)
        cursor = answer.json["cursor"]
    return answers


def ids(server: Server, condition: str = "id > 0") -> list[int]:
    return sorted(run["id"] for run in server.get(f"/api/runs?filter={quote(condition)}")["runs"])


@pytest.mark.usefixtures("runs")
def test_matching_runs_are_tagged(server: Server) -> None:
    select = {"project_id": 1, "filter": "config.lr=1", "include": [2], "exclude": [3, 99]}
    [answer] = change(server, select, type="tag", add=["a", "b"])
    assert answer == {"changed": 3, "remaining": 0, "bytes": 0, "cursor": None}
    assert ids(server, "tag=a") == ids(server, "tag=b") == [1, 2, 5]
    # What is removed is what the filter compares.
    [answer] = change(server, {"filter": "tag=a"}, type="tag", remove=["a"])
    assert (answer["changed"], ids(server, "tag=a"), ids(server, "tag=b")) == (3, [], [1, 2, 5])


@pytest.mark.usefixtures("runs")
def test_runs_of_other_projects_stay_as_they_are(server: Server) -> None:
    [answer] = change(server, {"project_id": 1, "include": [7]}, type="tag", add=["a"])
    assert (answer["changed"], ids(server, "tag=a")) == (6, [1, 2, 3, 4, 5, 6])


@pytest.mark.usefixtures("runs")
def test_moved_runs_get_a_free_slug(server: Server) -> None:
    [answer] = change(server, {"project_id": 1, "filter": "id < 4"}, type="move", project="other")
    assert answer["changed"] == 3
    slugs = [run["run_id"] for run in server.get("/api/runs?project_id=2&sort_by=id")["runs"]]
    assert slugs == ["run-0", "run-2", "run-1", "run-0-2"]
    change(server, {"project_id": 1}, type="move", project="a new one")
    assert server.get("/api/projects/3")["total_runs"] == 3


@pytest.mark.usefixtures("runs")
def test_matching_runs_are_deleted(server: Server) -> None:
    [answer] = change(server, {"project_id": 1, "exclude": [2]}, type="delete")
    assert (answer["changed"], ids(server)) == (5, [2, 7])
    body = {"run_ids": [1, 7], "action": {"type": "delete"}}
    assert server.request("POST", "/api/runs/bulk", body).json["changed"] == 1
    assert ids(server) == [2]


WRONG = [
    ({}, 422, "action"),
    ({"action": {"type": "delete"}}, 422, "run_ids"),
    ({"run_ids": [], "action": {"type": "delete"}}, 422, "run_ids"),
    ({"run_ids": [1], "select": {"project_id": 1}, "action": {"type": "delete"}}, 422, "select"),
    ({"select": {}, "action": {"type": "delete"}}, 422, "select"),
    ({"select": {"filter": ""}, "action": {"type": "delete"}}, 422, "select"),
    ({"select": {"project_id": 1}}, 422, "action"),
    ({"select": {"project_id": 1}, "action": {"type": "burn"}}, 422, "burn"),
    ({"select": {"project_id": 1, "filter": "("}, "action": {"type": "delete"}}, 422, "filter"),
    ({"select": {"project_id": 9}, "action": {"type": "delete"}}, 404, "project 9"),
    ({"select": {"project_id": 1}, "action": {"type": "tag", "add": ["a\nb"]}}, 422, "add"),
    ({"select": {"project_id": 1}, "action": {"type": "move", "project": ""}}, 422, "project"),
]


@pytest.mark.usefixtures("runs")
def test_wrong_changes_are_refused_and_change_nothing(server: Server) -> None:
    for body, status, named in WRONG:
        answer = server.request("POST", "/api/runs/bulk", body)
        assert answer.status == status, (body, answer)
        assert named in answer.json["detail"], (body, answer)
    assert len(ids(server)) == RUNS + 1
    assert ids(server, "tag!=null") == []


@pytest.mark.usefixtures("runs")
def test_matching_runs_are_exported(server: Server) -> None:
    query = "project_id=1&filter=config.lr=1&include=2,4&exclude=3"
    answer = Connection(server.url).request("GET", f"/api/runs/export?{query}")
    lines = [msgspec.json.decode(line) for line in answer.data.splitlines()]
    names = [line["name"] for line in lines if line["type"] == "run"]
    assert names == ["run 0", "run 1", "run 3", "run 4"]
    # The bytes of a file that all of them have are there once.
    assert [line["type"] for line in lines].count("bytes") == 1
    head = server.request("HEAD", f"/api/runs/export?{query}")
    assert head.headers["content-disposition"] == "attachment; filename*=UTF-8''p.jsonl"
    answer = Connection(server.url).request("GET", "/api/runs/export?run_ids=7,6")
    lines = [msgspec.json.decode(line) for line in answer.data.splitlines()]
    assert [line["name"] for line in lines if line["type"] == "run"] == ["run 5", "run 0"]
    wrong = "project_id=1&filter=(", "project_id=1&include=x", "run_ids=x", "", "run_ids=1&filter=a"
    for query in wrong:
        assert server.request("GET", f"/api/runs/export?{query}").status == 422
    assert server.request("GET", "/api/runs/export?project_id=9").status == 404
