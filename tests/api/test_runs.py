"""/api/runs: filters, order, pages, configuration, state and errors."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import trackai
from tests.conftest import execute_sql

if TYPE_CHECKING:
    from tests.conftest import Server

FIELDS = {
    "id", "project_id", "run_id", "name", "group_name", "state", "created_at", "updated_at",
}  # fmt: skip


def make_project(server: Server, name: str) -> int:
    answer = server.request("POST", "/api/projects", {"name": name, "project_id": name})
    assert answer.status == 200, answer
    return int(answer.json["id"])


def make(server: Server, project: int, slug: str, **fields: Any) -> dict[str, Any]:
    answer = server.request("POST", "/api/runs", {"project_id": project, "run_id": slug, **fields})
    assert answer.status == 200, answer
    run: dict[str, Any] = answer.json
    return run


@pytest.fixture
def project(server: Server) -> int:
    """The row id of a project without runs."""
    return make_project(server, "p")


def page(server: Server, **query: str | int) -> dict[str, Any]:
    result: dict[str, Any] = server.get("/api/runs?" + urlencode(query))
    return result


def slugs(server: Server, **query: str | int) -> list[str]:
    return [run["run_id"] for run in page(server, **query)["runs"]]


def test_a_new_run_has_its_fields_and_defaults(server: Server, project: int) -> None:
    run = make(server, project, "slug")
    assert run.keys() >= FIELDS
    assert [type(run[name]) for name in ("id", "project_id", "run_id")] == [int, int, str]
    assert (run["name"], run["group_name"], run["state"]) == (None, None, "running")
    assert run["created_at"] == run["updated_at"]
    for path in (f"/api/runs/{run['id']}", f"/api/runs/{run['id']}/"):
        assert server.get(path) == run
    assert server.get("/api/runs/")["runs"] == [run]
    assert server.get(f"/api/runs/{run['id']}/config/") == {}
    assert server.get(f"/api/runs/{run['id']}/summary/") == {**run, "metrics": {}, "config": {}}


def test_slugs_are_unique_within_a_project(server: Server, project: int) -> None:
    first = make(server, project, "a/ü 100%", name="x", group_name="g", state="failed")
    assert (first["run_id"], first["name"], first["group_name"], first["state"]) == (
        "a/ü 100%", "x", "g", "failed",
    )  # fmt: skip
    body = {"project_id": project, "run_id": "a/ü 100%"}
    answer = server.request("POST", "/api/runs/", body)
    assert (answer.status, list(answer.json)) == (409, ["detail"])
    assert "a/ü 100%" in answer.json["detail"]
    make(server, project, "A/Ü 100%", name="x")
    make(server, make_project(server, "q"), "a/ü 100%")
    assert server.get("/api/runs")["total"] == 3


def test_pages_cover_every_run_once(server: Server, project: int) -> None:
    nothing = page(server)
    assert (nothing["runs"], nothing["total"], nothing["has_more"]) == ([], 0, False)
    ids = [make(server, project, f"r{number}")["id"] for number in range(7)]
    for limit in (1, 3, 7, 100):
        seen: list[int] = []
        for offset in range(0, 7, limit):
            result = page(server, limit=limit, offset=offset)
            seen += [run["id"] for run in result["runs"]]
            assert result["total"] == 7
            assert result["has_more"] is (len(seen) < 7), (limit, offset)
        assert seen == ids[::-1]
    assert page(server, offset=7)["runs"] == []
    beyond = page(server, offset=9223372036854775807, limit=1_000_000)
    assert (beyond["runs"], beyond["total"], beyond["has_more"]) == ([], 7, False)


def test_all_fields_sort_in_both_orders(server: Server, project: int) -> None:
    other_project = make_project(server, "q")
    made = [
        make(server, other_project, "b", name="2", group_name="y", state="failed"),
        make(server, project, "c", name="3", group_name="x", state="completed"),
        make(server, project, "a", name="1", group_name="z", state="running"),
    ]
    server.request("PATCH", f"/api/runs/{made[1]['id']}/state?state=completed")
    runs = [server.get(f"/api/runs/{run['id']}") for run in made]
    for field in ("id", "run_id", "name", "group_name", "state", "created_at", "updated_at"):
        rising = sorted(runs, key=lambda run: run[field])
        for order, expected in (("asc", rising), ("desc", rising[::-1])):
            assert page(server, sort_by=field, sort_order=order)["runs"] == expected, field
    assert page(server)["runs"] == page(server, sort_by="created_at", sort_order="desc")["runs"]


def test_filters_alone_and_combined(server: Server, project: int) -> None:
    other_project = make_project(server, "q")
    make(server, project, "a", group_name="g", state="completed")
    make(server, project, "b", group_name="g", state="failed")
    make(server, project, "c", group_name="G")
    make(server, other_project, "d", group_name="g", state="completed")
    assert slugs(server, project_id=project) == ["c", "b", "a"]
    assert slugs(server, group="g") == ["d", "b", "a"]
    assert slugs(server, state="completed") == ["d", "a"]
    assert slugs(server, project_id=project, group="g", state="completed", search="A") == ["a"]
    assert slugs(server, project_id=other_project, state="failed") == []
    assert slugs(server, project_id=9223372036854775807) == []
    everything = slugs(server)
    assert slugs(server, project_id="", group="", state="", search="", limit="") == everything
    result = page(server, group="g", limit=2)
    assert (result["total"], result["has_more"]) == (3, True)


def test_search_is_a_substring_of_slug_or_name(server: Server, project: int) -> None:
    for slug, name in (
        ("alpha-1", None), ("named", "Größe"), ("100%", "full"), ("under_score", "Tab"),
    ):  # fmt: skip
        make(server, project, slug, **({"name": name} if name else {}))
    for text, expected in (
        ("ALPHA", ["alpha-1"]),  # in the slug, case-insensitive
        ("LPHA-1", ["alpha-1"]),
        ("größe", ["named"]),  # in the name
        ("GRÖSSE", ["named"]),  # ß is SS
        ("%", ["100%"]),  # no wildcards
        ("_", ["under_score"]),
        ("*", []),
        ("a", ["under_score", "named", "alpha-1"]),
        ("\x00", []),
        ("' OR 1=1 --", []),
    ):
        assert slugs(server, search=text) == expected, text


def test_configuration_is_flat_and_keeps_its_types(server: Server, db_path: Path) -> None:
    config = {
        "opt": {"lr": 1, "betas": [0.9, 0.999], "deep": {"ü key": None}},
        "flag": True, "text": "x/y", "big": 2**53 + 1, "nan": math.nan, "empty": {},
    }  # fmt: skip
    flat = {
        "big": 2**53 + 1, "empty": {}, "flag": True, "nan": "NaN", "opt/betas": [0.9, 0.999],
        "opt/deep/ü key": None, "opt/lr": 1, "text": "x/y",
    }  # fmt: skip
    with trackai.init(project="p", config=config) as run:
        run.log({"x": 1.0})
    config = server.get(f"/api/runs/{run.id}/config")
    assert config == flat
    assert list(config) == sorted(flat)
    assert config["flag"] is True
    assert server.get(f"/api/runs/{run.id}/summary")["config"] == flat


def test_configuration_over_http(server: Server, project: int) -> None:
    config = {"opt": {"lr": 0.1, "betas": [0.9, 0.99]}, "seed": 1, "empty": {}, "none": None}
    new = {"project_id": project, "run_id": "r", "config": config}
    run = server.request("POST", "/api/runs", new).json["id"]
    change = {"config": {"opt": {"lr": 0.2}, "note": "NaN"}}
    assert server.request("PATCH", f"/api/runs/{run}", change).status == 200
    stored = server.get(f"/api/runs/{run}/config")
    assert (stored.pop("opt/lr"), stored.pop("note")) == (0.2, "NaN")
    assert stored == {"empty": {}, "none": None, "opt/betas": [0.9, 0.99], "seed": 1}
    assert [row["id"] for row in server.get("/api/runs?filter=config.opt/lr=0.2")["runs"]] == [run]


def test_the_summary_has_the_last_value_of_every_metric(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 3.0, "acc": 0.1}, step=10)
        run.log({"loss": 1.0}, step=20)
        run.log({"loss": 2.0}, step=15)  # logged later, at an earlier step
        run.log({"int": 7, "bool": False, "text": "ü", "nan": math.nan, "inf": -math.inf})
        run.log({"once": 1.0}, step=-5)
        run.log_system({"gpu/0": 0.5})
        run.log_system({"gpu/0": 0.75})
    summary = server.get(f"/api/runs/{run.id}/summary")
    assert summary["metrics"] == {
        "loss": 1.0, "acc": 0.1, "int": 7, "bool": False, "text": "ü", "nan": "NaN",
        "inf": "-Infinity", "once": 1.0, "gpu/0": 0.75,
    }  # fmt: skip
    assert summary["metrics"]["bool"] is False
    assert type(summary["metrics"]["int"]) is int
    run_itself = server.get(f"/api/runs/{run.id}")
    assert {name: summary[name] for name in run_itself} == run_itself


def test_the_state_is_in_the_query_or_the_body(server: Server, project: int) -> None:
    run = make(server, project, "r")
    path = f"/api/runs/{run['id']}/state"
    changed = server.request("PATCH", path + "?state=completed").json
    assert changed["state"] == "completed"
    assert changed["updated_at"] > run["updated_at"]
    assert changed["created_at"] == run["created_at"]
    assert server.request("PATCH", path + "/", {"state": "failed"}).json["state"] == "failed"
    both = server.request("PATCH", path + "?state=running", {"state": "failed"})
    assert both.json["state"] == "running"
    assert server.get(f"/api/runs/{run['id']}") == both.json


def test_deleting_a_run_keeps_the_others(server: Server, project: int) -> None:
    doomed, other_run = make(server, project, "doomed"), make(server, project, "kept")
    for run in (doomed, other_run):
        points = {"rows": [{"step": 0, "values": {"x": run["id"]}}]}
        assert server.request("POST", f"/api/metrics/runs/{run['id']}", points).status == 200
    answer = server.request("DELETE", f"/api/runs/{doomed['id']}")
    assert (answer.status, type(answer.json["message"])) == (200, str)
    for tail in ("", "/", "/summary", "/config"):
        assert server.request("GET", f"/api/runs/{doomed['id']}{tail}").status == 404
    assert server.request("GET", f"/api/metrics/runs/{doomed['id']}/metric/x").status == 404
    assert server.request("PATCH", f"/api/runs/{doomed['id']}/state?state=failed").status == 404
    assert slugs(server) == ["kept"]
    assert server.get(f"/api/runs/{other_run['id']}/summary")["metrics"] == {"x": other_run["id"]}
    again = make(server, project, "doomed")
    assert again["id"] > other_run["id"]
    assert server.get(f"/api/metrics/runs/{again['id']}") == []


WRONG_BODIES = [
    (b"", "body"),
    (b"[]", "body"),
    (b'{"run_id": "x"}', "project_id"),
    (b'{"project_id": 1, "run_id": ""}', "run_id"),
    (b'{"project_id": 1, "run_id": null}', "run_id"),
    (b'{"project_id": 1, "run_id": 1}', "run_id"),
    (b'{"project_id": 1, "run_id": "\\ud83d"}', "body"),
    (b'{"project_id": 1, "run_id": "x", "name": ""}', "name"),
    (b'{"project_id": 1, "run_id": "x", "name": 1.5}', "name"),
    (b'{"project_id": 1, "run_id": "x", "group_name": []}', "group_name"),
    (b'{"project_id": 1, "run_id": "x", "state": "Running"}', "state"),
    (b'{"project_id": 1, "run_id": "x", "state": null}', "state"),
    *(
        (b'{"project_id": %b, "run_id": "x"}' % number, "project_id")
        for number in (b"0", b"-1", b"1.0", b"1e0", b"true", b"null", b"[1]", b"1e400",
                       b"9223372036854775808", b"-9223372036854775809", b"9" * 5000)
    ),
]  # fmt: skip


def test_an_invalid_body_writes_nothing(server: Server, project: int) -> None:
    for body, named in WRONG_BODIES:
        answer = server.request("POST", "/api/runs", data=body)
        assert answer.status == 422, (body[:80], answer)
        assert list(answer.json) == ["detail"]
        assert named in answer.json["detail"], answer
    unknown = b'{"project_id": 9223372036854775807, "run_id": "x"}'
    assert server.request("POST", "/api/runs", data=unknown).status == 404
    assert server.get("/api/runs")["total"] == 0
    assert server.get(f"/api/projects/{project}")["total_runs"] == 0


def test_an_invalid_state_changes_nothing(server: Server, project: int) -> None:
    run = make(server, project, "r")
    path = f"/api/runs/{run['id']}/state"
    for query, body in (
        ("?state=odd", None), ("?state=RUNNING", None), ("?state=%00", None),
        ("?state=odd", b'{"state": "failed"}'),
        ("", b'{"state": "odd"}'), ("", b'{"state": null}'), ("", b'{"state": 1}'), ("", b"{}"),
    ):  # fmt: skip
        answer = server.request("PATCH", path + query, data=body)
        assert (answer.status, list(answer.json)) == (422, ["detail"]), (query, body)
        assert "state" in answer.json["detail"]
    assert server.get(f"/api/runs/{run['id']}") == run


INT64 = "9223372036854775808"


def test_invalid_numbers_in_the_query_are_named(server: Server) -> None:
    for name in ("limit", "offset", "project_id"):
        for text in ("x", "-1", "1.5", "1_0", "%2B1", "0x1", "nan", "1e400", "true", "%00",
                     "%EF%BC%91", INT64, "-" + INT64, "9" * 400, "9" * 5000):  # fmt: skip
            answer = server.request("GET", f"/api/runs?{name}={text}")
            assert (answer.status, list(answer.json)) == (422, ["detail"]), (name, text[:40])
            assert answer.json["detail"].startswith(f"{name}: ")


SCRIPT = """
    import trackai
    for name in ("first", "second"):
        with trackai.init(project="logged", name=name) as run:
            for step in range(20_000):
                run.log({"x": step}, step=step)
"""


def test_scripts_that_end_while_the_server_is_busy_lose_no_points(
    server: Server, db_path: Path, tmp_path: Path
) -> None:
    """SQLite checkpoints when the last connection of a script closes beside the server's."""
    made = 0
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(SCRIPT)], cwd=tmp_path) as script:
        while script.poll() is None:
            make_project(server, f"p{made}")
            made += 1
            server.get("/api/runs")
    assert script.returncode == 0
    make_project(server, "after")
    names = {project["name"] for project in server.get("/api/projects?limit=1000000")}
    assert names == {"logged", "after", *(f"p{number}" for number in range(made))}
    for run in server.get("/api/runs")["runs"]:
        assert run["state"] == "completed"
        points = server.get(f"/api/metrics/runs/{run['id']}/metric/x?limit=20001")["data"]
        assert [point["step"] for point in points] == list(range(20_000))
    if isinstance(db_path, Path):
        assert execute_sql(db_path, "PRAGMA integrity_check") == [("ok",)]
    assert execute_sql(db_path, "SELECT COUNT(*) FROM projects") == [(made + 2,)]
