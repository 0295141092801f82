"""/api/projects/{id}/groups and /api/runs/groups: runs grouped by a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai

if TYPE_CHECKING:
    from tests.conftest import Server

WEIRD = 'a "b" \\ c, or = d'
RUNS: list[tuple[str | None, dict[str, Any], float]] = [
    ("one", {"lr": 0.1, "big": True, "text": WEIRD}, 1.0),
    ("one", {"lr": 0.1, "big": False, "text": "null"}, 3.0),
    ("two", {"lr": 1, "big": True, "text": "x" * 1000}, float("nan")),
    (None, {"lr": "0.1", "deep": {"list": [1, 2]}}, float("inf")),
]


@pytest.fixture
def project(server: Server) -> str:
    for group, config, value in RUNS:
        with trackai.init(project="p", group=group, config=config) as run:
            run.log({"loss": value, "word": "text"}, step=0)
    return "/api/projects/1/groups"


def test_groups_are_sorted_by_size_with_means(server: Server, project: str) -> None:
    page = server.get(f"{project}?by=group&columns=metric.loss,config.lr,metric.word,metric.none")
    assert page["total"] == 3
    first, second, none = page["groups"]
    assert first == {
        "value": "one", "runs": 2, "filter": 'group_name = "one"',
        "means": {
            "metric.loss": 2, "config.lr": pytest.approx(0.1),
            "metric.word": None, "metric.none": None,
        },
    }  # fmt: skip
    assert second["means"]["metric.loss"] is None
    assert (none["value"], none["filter"]) == (None, "group_name = null")
    assert none["means"]["metric.loss"] is None


@pytest.mark.parametrize(
    ("by", "sizes"),
    [
        ("group", [2, 1, 1]),
        ("config.lr", [2, 1, 1]),
        ("config.big", [2, 1, 1]),
        ("config.text", [1, 1, 1, 1]),
        ("config.deep/list", [1, 3]),
        ("config.none", [4]),
        ("state", [4]),
    ],
)
def test_the_filter_of_a_group_matches_its_runs(
    server: Server, project: str, by: str, sizes: list[int]
) -> None:
    groups = server.get(f"{project}?by={by}")["groups"]
    assert [group["runs"] for group in groups] == sizes
    seen = set()
    for group in groups:
        runs = server.get(f"/api/runs?filter={quote(group['filter'])}")["runs"]
        assert len(runs) == group["runs"], group
        seen |= {run["id"] for run in runs}
    assert len(seen) == 4


def test_groups_are_filtered_in_pages(server: Server, project: str) -> None:
    page = server.get(f"{project}?by=group&filter=config.big=true")
    assert [(group["value"], group["runs"]) for group in page["groups"]] == [("one", 1), ("two", 1)]
    page = server.get(f"{project}?by=group&limit=1&offset=1")
    assert (page["total"], page["groups"][0]["value"]) == (3, "two")


def test_invalid_group_fields_are_named(server: Server, project: str) -> None:
    for by in (
        "metric.loss",
        "notes",
        "created",
        "config.",
        "group,id",
        "config.a,config.b,state,name,tag",
    ):
        answer = server.request("GET", f"{project}?by={by}")
        assert answer.status == 422
        assert "by" in answer.json["detail"]
    assert server.request("GET", f"{project}?by=group&filter=x").status == 422
    assert server.request("GET", "/api/projects/99/groups?by=group").status == 404
    many = ",".join(f"config.{number}" for number in range(51))
    assert server.request("GET", f"{project}?by=group&columns={many}").status == 422


def members(server: Server, run_ids: list[int], by: str, slash: str = "") -> Any:
    answer = server.request(
        "POST", f"/api/runs/groups{slash}", {"run_ids": run_ids, "group_by": by}
    )
    assert answer.status == 200, answer
    assert list(answer.json) == ["groups"]
    return answer.json["groups"]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("group", [("one", [1, 2]), ("two", [3]), (None, [4])]),
        ("config.lr", [(0.1, [1, 2]), (1, [3]), ("0.1", [4])]),
        ("config.big", [(False, [2]), (True, [1, 3]), (None, [4])]),
        ("config.none", [(None, [1, 2, 3, 4])]),
        ("state", [("completed", [1, 2, 3, 4])]),
        ("all", [(None, [1, 2, 3, 4])]),
    ],
)
@pytest.mark.usefixtures("project")
def test_groups_of_several_runs_are_sorted_by_value(
    server: Server, by: str, groups: list[tuple[Any, list[int]]]
) -> None:
    expected = [{"value": value, "run_ids": run_ids} for value, run_ids in groups]
    assert members(server, [4, 3, 2, 1], by) == expected
    assert members(server, [1, 2, 3, 4, 1, 999, 0, -1, 2**70], by, "/") == expected
    # The charts of the groups have the same order.
    body = {"run_ids": [1, 2, 3, 4], "metric_paths": [], "points": 10, "group_by": by}
    charts = server.request("POST", "/api/metrics/compare", body).json["groups"]
    assert charts == [{**group, "runs": len(group["run_ids"]), "metrics": {}} for group in expected]
    assert members(server, [], by) == members(server, [999], by) == []


WRONG_GROUPINGS = [
    (b"", "body"),
    (b"[]", "body"),
    (b"{}", "group_by"),
    (b'{"group_by": "group"}', "run_ids"),
    (b'{"run_ids": [1], "group_by": "group", "select": {"project_id": 1}}', "select"),
    (b'{"group_by": "group", "select": {}}', "select"),
    (b'{"group_by": "group", "select": {"project_id": 1, "filter": "x"}}', "filter"),
    (b'{"run_ids": [1]}', "group_by"),
    (b'{"run_ids": 1, "group_by": "group"}', "run_ids"),
    (b'{"run_ids": [1.0], "group_by": "group"}', "run_ids"),
    (b'{"run_ids": [' + b"1," * 1000 + b'1], "group_by": "group"}', "run_ids"),
    (b'{"run_ids": [1], "group_by": null}', "group_by"),
    (b'{"run_ids": [1], "group_by": ""}', "group_by"),
    (b'{"run_ids": [1], "group_by": "metric.loss"}', "group_by"),
    (b'{"run_ids": [1], "group_by": "notes"}', "group_by"),
    (b'{"run_ids": [1], "group_by": "config."}', "group_by"),
    (b'{"run_ids": [1], "group_by": "config.a b c"}', "group_by"),
]


def test_invalid_groupings_are_refused(server: Server) -> None:
    for body, named in WRONG_GROUPINGS:
        answer = server.request("POST", "/api/runs/groups", data=body)
        assert (answer.status, list(answer.json)) == (422, ["detail"]), (body[:80], answer)
        assert named in answer.json["detail"], (body[:80], answer)
