"""The response shapes that existing HTTP clients rely on."""

from __future__ import annotations

import http.client
import json
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai
from tests.conftest import count_points, execute_sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

NAMES = [
    "loss", "train/loss", "a b/ü 100%", "double//slash", "/leading", "trailing/", "loss/",
    "q?x=1&y#z", "..", "a/../b", "%2F", "日本",
]  # fmt: skip


@pytest.fixture
def runs(db_path: Path) -> list[trackai.Run]:
    """Three runs of two projects."""
    runs = []
    for project, name, group in (("One", "a", "g"), ("One", "B-ü", None), ("Two", "a", "g")):
        with trackai.init(
            project=project, name=name, group=group, config={"opt": {"lr": 0.1}, "n": [1, None]}
        ) as run:
            for step in range(5):
                run.log({"loss": 1 / (step + 1), "count": step}, step=step)
            run.log({"half": 1.0}, step=0.5)
            run.log({"special": math.nan}, step=0)
            run.log({"special": math.inf}, step=1)
            run.log({"special": -math.inf}, step=2)
            run.log({"flag": True, "text": "hello"}, step=9)
            run.log_system({"gpu": 0.5})
        runs.append(run)
    return runs


PROJECT_FIELDS = {"id": int, "name": str, "project_id": str, "created_at": str, "updated_at": str}
RUN_FIELDS = {
    "id": int, "project_id": int, "run_id": str, "name": str | None, "group_name": str | None,
    "state": str, "created_at": str, "updated_at": str,
}  # fmt: skip


def check(record: dict[str, Any], fields: dict[str, Any]) -> None:
    for name, kind in fields.items():
        assert isinstance(record[name], kind), (name, record)
        if name.endswith("_at"):
            assert datetime.fromisoformat(record[name]).utcoffset() is not None


@pytest.mark.parametrize("slash", ["", "/"])
def test_projects(server: Server, runs: list[trackai.Run], slash: str) -> None:
    projects = server.get(f"/api/projects{slash}")
    assert [project["name"] for project in projects] == ["Two", "One"]
    check(projects[0], PROJECT_FIELDS)
    assert server.get(f"/api/projects{slash}?limit=1&offset=1") == projects[1:]
    project = server.get(f"/api/projects/{projects[1]['id']}{slash}")
    check(project, PROJECT_FIELDS)
    counts = ("total_runs", "running_runs", "completed_runs", "failed_runs")
    assert [project[name] for name in counts] == [2, 0, 2, 0]
    new = {"name": f"New {slash}", "project_id": f"new{slash}"}
    made = server.request("POST", f"/api/projects{slash}", new)
    assert made.status == 200
    assert {**made.json, **new} == made.json
    check(made.json, PROJECT_FIELDS)
    for clash in ({**new, "name": "x"}, {**new, "project_id": "x"}):
        answer = server.request("POST", f"/api/projects{slash}", clash)
        assert answer.status == 409
        assert isinstance(answer.json["detail"], str)
    deleted = server.request("DELETE", f"/api/projects/{project['id']}{slash}")
    assert deleted.status == 200
    assert isinstance(deleted.json["message"], str)
    assert server.request("GET", f"/api/projects/{project['id']}{slash}").status == 404
    assert server.get("/api/runs")["total"] == 1


def test_deleting_a_project_deletes_its_runs(
    server: Server, runs: list[trackai.Run], db_path: Path
) -> None:
    for project in server.get("/api/projects"):
        server.request("DELETE", f"/api/projects/{project['id']}")
    for table in ("projects", "runs", "configs", "series", "writers"):
        assert execute_sql(db_path, f"SELECT COUNT(*) FROM {table}") == [(0,)], table
    assert count_points(db_path) == 0


@pytest.mark.parametrize("slash", ["", "/"])
def test_runs(server: Server, runs: list[trackai.Run], slash: str) -> None:
    page = server.get(f"/api/runs{slash}")
    assert [run["id"] for run in page["runs"]] == [3, 2, 1]
    assert (page["total"], page["has_more"]) == (3, False)
    check(page["runs"][0], RUN_FIELDS)

    def ids(query: str) -> list[int]:
        return [run["id"] for run in server.get(f"/api/runs{slash}?{query}")["runs"]]

    assert ids("project_id=1") == [2, 1]
    assert ids("group=g") == [3, 1]
    assert ids("state=completed&limit=1") == [3]
    assert ids("state=running") == []
    assert ids("search=b-%C3%9C") == [2]
    assert ids("sort_by=name&sort_order=asc") == [2, 1, 3]
    assert ids("limit=1&offset=1") == [2]
    assert server.get("/api/runs?limit=2")["has_more"] is True
    assert server.get("/api/runs?limit=2&offset=1")["has_more"] is False
    run = server.get(f"/api/runs/1{slash}")
    check(run, RUN_FIELDS)
    assert (run["run_id"], run["group_name"], run["state"]) == ("a", "g", "completed")
    assert server.get(f"/api/runs/1/config{slash}") == {"n": [1, None], "opt/lr": 0.1}
    summary = server.get(f"/api/runs/1/summary{slash}")
    check(summary, RUN_FIELDS)
    assert summary["config"] == {"n": [1, None], "opt/lr": 0.1}
    assert summary["metrics"] == {
        "loss": 0.2, "count": 4, "half": 1.0, "special": "-Infinity", "flag": True,
        "text": "hello", "gpu": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("slash", ["", "/"])
def test_creating_changing_and_deleting_runs(
    server: Server, runs: list[trackai.Run], slash: str
) -> None:
    new = {"project_id": 1, "run_id": f"made{slash}", "name": "n", "group_name": "g2"}
    made = server.request("POST", f"/api/runs{slash}", new)
    assert made.status == 200
    assert {**made.json, **new, "state": "running"} == made.json
    assert server.request("POST", f"/api/runs{slash}", new).status == 409
    unknown = server.request("POST", f"/api/runs{slash}", {**new, "project_id": 99})
    assert unknown.status == 404
    path = f"/api/runs/{made.json['id']}"
    for state in ("completed", "failed", "running"):
        assert server.request("PATCH", f"{path}/state{slash}?state={state}").json["state"] == state
    by_body = server.request("PATCH", f"{path}/state{slash}", {"state": "failed"})
    assert by_body.json["state"] == "failed"
    assert server.request("PATCH", f"{path}/state{slash}?state=odd").status == 422
    assert server.request("PATCH", f"{path}/state{slash}").status == 422
    deleted = server.request("DELETE", f"{path}{slash}")
    assert isinstance(deleted.json["message"], str)
    for method in ("GET", "DELETE"):
        assert server.request(method, f"{path}{slash}").status == 404


@pytest.mark.parametrize("slash", ["", "/"])
def test_metrics(server: Server, runs: list[trackai.Run], slash: str) -> None:
    paths = ["count", "flag", "gpu", "half", "loss", "special", "text"]
    assert server.get(f"/api/metrics/runs/1{slash}") == paths

    def data(path: str, query: str = "") -> Any:
        return server.get(f"/api/metrics/runs/1/metric/{path}{slash}?{query}")["data"]

    loss = data("loss")
    assert [(point["step"], point["value"]) for point in loss] == [
        (step, 1 / (step + 1)) for step in range(5)
    ]
    assert all(set(point) == {"step", "timestamp", "value"} for point in loss)
    assert all(type(point["step"]) is int for point in loss)
    check({"created_at": loss[0]["timestamp"]}, {"created_at": str})
    assert data("half")[0]["step"] == 0.5
    assert [point["value"] for point in data("special")] == ["NaN", "Infinity", "-Infinity"]
    assert data("flag")[0]["value"] is True
    assert data("text")[0]["value"] == "hello"
    assert data("gpu")[0]["step"] is None
    assert [point["step"] for point in data("loss", "step_min=1&step_max=3.5")] == [1, 2, 3]
    assert [point["step"] for point in data("loss", "limit=2&offset=3")] == [3, 4]
    page = server.get(f"/api/metrics/runs/1/metric/loss{slash}?limit=4")
    assert (len(page["data"]), page["has_more"]) == (4, True)
    assert server.get("/api/metrics/runs/1/metric/loss?limit=5")["has_more"] is False


def test_metrics_of_any_name(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for number, name in enumerate(NAMES):
            run.log({name: number + 0.5})
    assert server.get(f"/api/metrics/runs/{run.id}") == sorted(NAMES)
    for number, name in enumerate(NAMES):
        for encoded in (quote(name, safe=""), quote(name, safe="/")):
            page = server.get(f"/api/metrics/runs/{run.id}/metric/{encoded}")
            assert [point["value"] for point in page["data"]] == [number + 0.5], name


@pytest.mark.parametrize("slash", ["", "/"])
def test_compare(server: Server, runs: list[trackai.Run], slash: str) -> None:
    body = {"run_ids": [1, 3, 99], "metric_paths": ["loss", "special", "gpu", "unknown"]}
    answer = server.request("POST", f"/api/metrics/compare{slash}", body)
    assert answer.status == 200
    assert set(answer.json) == {"1", "3"}
    assert set(answer.json["1"]) == {"loss", "special", "gpu"}
    assert answer.json["1"]["loss"][1] == {"step": 1, "value": 0.5}
    assert answer.json["3"]["special"][0]["value"] == "NaN"
    assert answer.json["3"]["gpu"] == [{"step": None, "value": 0.5}]


HUGE = "9" * 30
BAD = [
    ("GET", "/api/projects/abc", None, 422, "project_id"),
    ("GET", "/api/projects/99", None, 404, "99"),
    ("GET", f"/api/projects/{HUGE}", None, 404, ""),
    ("GET", f"/api/projects/{'9' * 5000}", None, 404, ""),
    ("GET", "/api/projects/-1", None, 404, ""),
    ("GET", "/api/projects/1.5", None, 422, "project_id"),
    ("GET", "/api/projects?limit=x", None, 422, "limit"),
    ("GET", "/api/projects?limit=0", None, 422, "limit"),
    ("GET", "/api/projects?limit=-1", None, 422, "limit"),
    ("GET", f"/api/projects?offset={HUGE}", None, 422, "offset"),
    ("GET", "/api/runs?state=odd", None, 422, "state"),
    ("GET", "/api/runs?sort_by=nothing", None, 422, "sort_by"),
    ("GET", "/api/runs?sort_order=up", None, 422, "sort_order"),
    ("GET", f"/api/runs?project_id={HUGE}", None, 422, "project_id"),
    ("GET", "/api/runs/abc", None, 422, "run_id"),
    ("GET", "/api/runs/99/summary", None, 404, "99"),
    ("GET", "/api/runs/99/config", None, 404, "99"),
    ("GET", "/api/metrics/runs/99", None, 404, "99"),
    ("GET", "/api/metrics/runs/1/metric/nothing", None, 404, "nothing"),
    ("GET", "/api/metrics/runs/99/metric/loss", None, 404, ""),
    ("GET", "/api/metrics/runs/1/metric/loss?step_min=x", None, 422, "step_min"),
    ("GET", f"/api/metrics/runs/1/metric/loss?limit={HUGE}", None, 422, "limit"),
    ("GET", "/api/metrics/runs/1/metric/%FF%00", None, 404, ""),
    ("GET", "/api/nothing", None, 404, ""),
    ("PUT", "/api/projects", None, 405, ""),
    ("DELETE", "/api/runs", None, 405, ""),
    ("POST", "/api/projects", b"{", 422, ""),
    ("POST", "/api/projects", b"[1]", 422, ""),
    ("POST", "/api/projects", b"\xff", 422, ""),
    ("POST", "/api/projects", b"[" * 100_000, 422, ""),
    ("POST", "/api/projects", b"{}", 422, "name"),
    ("POST", "/api/projects", b'{"name": 1, "project_id": "x"}', 422, "name"),
    ("POST", "/api/projects", b'{"name": "", "project_id": "x"}', 422, "name"),
    ("POST", "/api/projects", b'{"name": "x", "project_id": "\\ud800"}', 422, ""),
    ("POST", "/api/projects", b'{"name": "x"}', 422, "project_id"),
    ("POST", "/api/runs", b'{"project_id": 1}', 422, "run_id"),
    ("POST", "/api/runs", b'{"project_id": "1", "run_id": "x"}', 422, "project_id"),
    ("POST", "/api/runs", b'{"project_id": 1, "run_id": "x", "state": "odd"}', 422, "state"),
    ("POST", "/api/runs", b'{"project_id": 1, "run_id": "x", "config": [1]}', 422, "config"),
    ("PATCH", "/api/runs/1", b'{"nmae": "x"}', 422, "nmae"),
    ("POST", "/api/runs", b'{"project_id": 1, "run_id": "x", "tags": ["a"]}', 422, "tags"),
    ("POST", "/api/projects", b'{"name": "x", "project_id": "x", "notes": "a"}', 422, "notes"),
    ("PATCH", "/api/runs/1/state", b'{"state": "failed", "name": "x"}', 422, "name"),
    ("POST", "/api/runs/1/tags", b'{"tags": [], "remove": ["a"]}', 422, "remove"),
    ("POST", "/api/metrics/compare", b'{"run_ids": [], "metric_paths": [], "bins": 1}',
     422, "bins"),
    ("POST", "/api/metrics/runs/1", b'{"row": []}', 422, "row"),
    ("POST", "/api/metrics/runs/1", b'{"columns": [{"path": "x", "step": [1], "values": [1]}]}',
     422, "columns[0]"),
    ("GET", "/api/metrics/runs/1/first?kind=nan", None, 422, "metric: missing"),
    ("PATCH", "/api/runs/99/state?state=failed", None, 404, ""),
    ("POST", "/api/metrics/compare", b'{"run_ids": ["1"], "metric_paths": []}', 422, "run_ids"),
    ("POST", "/api/metrics/compare", b'{"run_ids": 1}', 422, "run_ids"),
]  # fmt: skip


def test_unsupported_methods(server: Server) -> None:
    for path, allowed in (
        ("/api/runs", "GET, HEAD, POST"),
        ("/api/runs/1", "DELETE, GET, HEAD, PATCH"),
        ("/api/runs/1/", "DELETE, GET, HEAD, PATCH"),
    ):
        answer = server.request("PUT", path)
        assert (answer.status, answer.headers["allow"]) == (405, allowed)


def test_errors_have_one_shape_and_change_nothing(server: Server, runs: list[trackai.Run]) -> None:
    before = server.get("/api/runs"), server.get("/api/projects")
    for method, path, data, status, named in BAD:
        answer = server.request(method, path, data=data)
        assert answer.status == status, (method, path[:80], data and data[:80], answer)
        assert set(answer.json) == {"detail"}
        assert isinstance(answer.json["detail"], str)
        assert named in answer.json["detail"], answer
    assert (server.get("/api/runs"), server.get("/api/projects")) == before


def test_unsupported_types_and_sizes_of_bodies(server: Server) -> None:
    answer = server.request(
        "POST", "/api/projects", data=b"a=1", headers={"Content-Type": "text/plain"}
    )
    assert answer.status == 415
    # The answer comes before the body has been sent: it is not wanted.
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    connection.request(
        "POST", "/api/projects",
        headers={"Content-Type": "application/json", "Content-Length": "9000000"},
    )  # fmt: skip
    response = connection.getresponse()
    assert response.status == 413
    assert set(answer.json) == set(json.loads(response.read())) == {"detail"}
    connection.close()


def test_health_and_root(server: Server) -> None:
    assert server.get("/health") == server.get("/health/") == {"status": "healthy"}
    root = server.request("GET", "/", headers={"Accept": "application/json"})
    assert root.json == {"name": "trackai", "version": trackai.__version__}
