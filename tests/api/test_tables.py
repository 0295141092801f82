"""Tables of runs over HTTP, and changes to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


@pytest.fixture
def runs(db_path: Path, server: Server) -> list[int]:
    """The row ids of three runs of a project."""
    ids = []
    for number in range(3):
        with trackai.init(
            project="p", name=f"run {number}", config={"lr": 10.0**-number, "opt": {"k": number}}
        ) as run:
            run.log({"val/acc": number / 10, "loss": 1.0 - number}, step=0)
        assert run.id is not None
        ids.append(run.id)
    return ids


def _page(server: Server, **query: str | int) -> dict[str, object]:
    page: dict[str, object] = server.get("/api/runs?" + urlencode(query))
    return page


def _ids(page: dict[str, object]) -> list[int]:
    return [run["id"] for run in page["runs"]]  # type: ignore[attr-defined]


def test_filter_sort_and_columns_in_one_request(server: Server, runs: list[int]) -> None:
    page = _page(
        server,
        filter="config.lr<1 and metric.val/acc.max>0",
        sort_by="metric.val/acc.max",
        columns="config.opt/k,metric.val/acc.max,metric.loss",
    )
    assert _ids(page) == [runs[2], runs[1]]
    assert [run["values"] for run in page["runs"]] == [  # type: ignore[attr-defined]
        {"config.opt/k": 2, "metric.val/acc.max": 0.2, "metric.loss": -1.0},
        {"config.opt/k": 1, "metric.val/acc.max": 0.1, "metric.loss": 0.0},
    ]
    assert (page["total"], page["has_more"], page["next_cursor"]) == (2, False, None)
    assert "values" not in server.get("/api/runs")["runs"][0]


def test_pages_by_cursor(server: Server, runs: list[int]) -> None:
    first = _page(server, sort_by="config.lr", sort_order="asc", limit=2)
    cursor = first["next_cursor"]
    assert isinstance(cursor, str)
    second = _page(server, sort_by="config.lr", sort_order="asc", limit=2, cursor=cursor)
    assert _ids(first) + _ids(second) == runs[::-1]
    answer = server.request("GET", f"/api/runs?cursor={cursor}")
    assert (answer.status, "cursor: " in answer.json["detail"]) == (422, True)


def test_errors_in_filters_have_the_position(server: Server) -> None:
    for query, words in (
        ("filter=state%3Drunning+and", "filter: at position 18"),
        ("sort_by=config.", "sort_by: at position 8"),
        ("columns=name,,", "columns: at position 6"),
        ("columns=" + ",".join(f"config.k{n}" for n in range(201)), "columns: must be at most 200"),
    ):
        answer = server.request("GET", "/api/runs?" + query)
        assert (answer.status, words in answer.json["detail"]) == (422, True), answer


def test_the_columns_of_a_project(server: Server, runs: list[int]) -> None:
    project = server.get(f"/api/runs/{runs[0]}")["project_id"]
    assert server.get(f"/api/projects/{project}/columns") == {
        "config": [
            {"key": "lr", "field": "config.lr", "runs": 3},
            {"key": "opt/k", "field": "config.opt/k", "runs": 3},
        ],
        "metrics": [
            {"path": "loss", "field": "metric.loss", "runs": 3, "kind": "number"},
            {"path": "val/acc", "field": "metric.val/acc", "runs": 3, "kind": "number"},
        ],
        "environment": [],
    }
    assert server.request("GET", "/api/projects/999/columns").status == 404


def test_adding_and_removing_tags(server: Server, runs: list[int]) -> None:
    path = f"/api/runs/{runs[0]}/tags"
    answer = server.request("POST", path, {"tags": ["b", "a/ä b", "b"]})
    assert (answer.status, answer.json["tags"]) == (200, ["a/ä b", "b"])
    server.request("POST", path, {"tags": ["x", "y", "y/"]})
    for address, left in (("x/", ["y", "y/"]), ("y/", ["y"]), ("y/", [])):
        answer = server.request("DELETE", f"{path}/{address}")
        assert [tag for tag in answer.json["tags"] if tag[0] in "xy"] == left
    answer = server.request("DELETE", f"{path}/{quote('a/ä b')}")
    assert (answer.status, answer.json["tags"]) == (200, ["b"])
    assert server.get(f"/api/runs/{runs[0]}")["tags"] == ["b"]
    assert _ids(_page(server, filter="tag=b")) == [runs[0]]
    assert server.request("POST", path, {"tags": [""]}).status == 422
    assert server.request("POST", "/api/runs/999/tags", {"tags": ["x"]}).status == 404


def test_tagging_many_runs_is_atomic(server: Server, runs: list[int]) -> None:
    answer = server.request("POST", "/api/runs/tags", {"run_ids": runs, "add": ["x", "y"]})
    assert [run["tags"] for run in answer.json] == [["x", "y"]] * 3
    wrong = {"run_ids": [runs[0], 999], "remove": ["x"]}
    assert server.request("POST", "/api/runs/tags", wrong).status == 404
    assert _ids(_page(server, filter="tag=x", sort_by="id", sort_order="asc")) == runs


def test_changing_name_notes_slug_tags_and_project(server: Server, runs: list[int]) -> None:
    path = f"/api/runs/{runs[0]}"
    answer = server.request(
        "PATCH", path, {"name": "new name", "notes": "a note", "run_id": "slug", "tags": ["t"]}
    )
    assert answer.status == 200
    fields = ("name", "notes", "run_id", "tags", "group_name")
    assert [answer.json[field] for field in fields] == ["new name", "a note", "slug", ["t"], None]
    assert server.request("PATCH", path, {"notes": None}).json["notes"] is None
    assert server.get(path)["name"] == "new name"

    new = {"name": "q", "project_id": "q"}
    project = server.request("POST", "/api/projects", new).json["id"]
    taken = {"project_id": project, "run_id": "slug"}
    assert server.request("POST", "/api/runs", taken).status == 200
    change = {"project_id": project, "run_id": "slug", "tags": []}
    assert server.request("PATCH", path, change).status == 409
    assert server.get(path)["tags"] == ["t"], "a refused change was applied partly"
    moved = server.request("PATCH", path, {"project_id": project})  # gets an unused slug
    assert (moved.status, moved.json["project_id"], moved.json["run_id"]) == (
        200, project, "slug-2",
    )  # fmt: skip
    assert server.get(f"/api/projects/{project}")["total_runs"] == 2
    assert server.request("PATCH", path, {"project_id": 999}).status == 404
    assert server.request("PATCH", path, {"name": ""}).status == 422


def test_deleting_many_runs(server: Server, runs: list[int]) -> None:
    answer = server.request("POST", "/api/runs/delete", {"run_ids": [runs[0], runs[2], 999]})
    assert (answer.status, answer.json["deleted"]) == (200, [runs[0], runs[2]])
    assert _ids(_page(server)) == [runs[1]]
    assert server.request("POST", "/api/runs/delete", {"run_ids": []}).status == 422
