"""/api/projects: order, pages, conflicts and errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.conftest import count_points, execute_sql

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def make(server: Server, name: str, slug: str | None = None) -> dict[str, Any]:
    answer = server.request("POST", "/api/projects", {"name": name, "project_id": slug or name})
    assert answer.status == 200, answer
    project: dict[str, Any] = answer.json
    return project


def make_run(server: Server, project: int, slug: str, state: str = "running") -> int:
    body = {"project_id": project, "run_id": slug, "state": state}
    answer = server.request("POST", "/api/runs", body)
    assert answer.status == 200, answer
    return int(answer.json["id"])


def test_a_new_project_has_its_fields(server: Server) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    project = make(server, "My project", "my-project")
    assert {"id", "name", "project_id", "created_at", "updated_at"} <= project.keys()
    assert type(project["id"]) is int
    assert (project["name"], project["project_id"]) == ("My project", "my-project")
    created = datetime.fromisoformat(project["created_at"])
    assert created.utcoffset() == timedelta(0)
    assert before <= created
    assert project["updated_at"] == project["created_at"]
    counts = {"total_runs": 0, "running_runs": 0, "completed_runs": 0, "failed_runs": 0}
    counts |= {"archived_runs": 0, "trashed_runs": 0}
    assert server.get(f"/api/projects/{project['id']}") == {**project, **counts}
    assert server.get("/api/projects") == [project]


def test_names_are_stored_unchanged(server: Server) -> None:
    for name in (
        "Ünï ✓ 日本", "a/b?c=d&e#f", "100% 'quoted' \"twice\"", "  spaces  ", "12", "🎉" * 256,
        "';DROP TABLE projects;--",
    ):  # fmt: skip
        project = make(server, name)
        assert (project["name"], project["project_id"]) == (name, name)
        assert server.get(f"/api/projects/{project['id']}")["name"] == name
        assert server.get("/api/projects")[0]["project_id"] == name


def test_names_may_have_control_characters_and_identifiers_may_not(server: Server) -> None:
    for number, name in enumerate(("tab\tnew\nline", "\x1b[31mred", "\u202ereversed", "🎉" * 512)):
        assert make(server, name, f"p{number}")["name"] == name
        assert server.get("/api/projects")[0]["name"] == name
    run = make_run(server, 1, "r")
    for bad, problem in (
        ("a\nb", "must not contain control characters, got U+000A"),
        ("\x1b[2J", "must not contain control characters, got U+001B"),
        ("nul\x00inside", "must not contain control characters, got U+0000"),
        ("c1\x9b", "must not contain control characters, got U+009B"),
        ("bidi\u202e", "must not contain control characters, got U+202E"),
        ("", "must not be empty"),
        (" ", "must not be empty"),
        ("x" * 257, "must have at most 256 characters, got 257"),
    ):
        for method, path, field, body in (
            ("POST", "/api/projects", "project_id", {"name": "n", "project_id": bad}),
            ("POST", "/api/runs", "run_id", {"project_id": 1, "run_id": bad}),
            ("POST", "/api/runs", "group_name",
             {"project_id": 1, "run_id": "new", "group_name": bad}),
            ("PATCH", f"/api/runs/{run}", "run_id", {"run_id": bad}),
            ("PATCH", f"/api/runs/{run}", "group_name", {"group_name": bad}),
            ("PATCH", f"/api/runs/{run}", "tags", {"tags": ["ok", bad]}),
            ("POST", f"/api/runs/{run}/tags", "tags", {"tags": [bad]}),
            ("POST", "/api/runs/tags", "add", {"run_ids": [run], "add": [bad]}),
        ):  # fmt: skip
            answer = server.request(method, path, body)
            assert (answer.status, answer.json) == (422, {"detail": f"{field}: {problem}"})
    for bad, problem in (
        ("nul\x00", "must not contain the character U+0000"),
        (" \n", "must not be empty"),
        ("x" * 5000, "must have at most 512 characters, got 5000"),
    ):
        for method, path, body in (
            ("POST", "/api/projects", {"name": bad, "project_id": "new"}),
            ("POST", "/api/runs", {"project_id": 1, "run_id": "new", "name": bad}),
            ("PATCH", f"/api/runs/{run}", {"name": bad}),
        ):
            answer = server.request(method, path, body)
            assert (answer.status, answer.json) == (422, {"detail": f"name: {problem}"})
    answer = server.request("PATCH", f"/api/runs/{run}", {"config": {"a": {"b\x00": 1}}})
    assert (answer.status, "config: key 'a/b" in answer.json["detail"]) == (422, True)
    assert server.get("/api/runs")["total"] == 1
    assert server.get(f"/api/runs/{run}")["tags"] == []


def test_projects_are_listed_newest_first_in_pages(server: Server) -> None:
    assert server.get("/api/projects") == []
    ids = [make(server, f"p{number}")["id"] for number in range(7)]
    make_run(server, ids[0], "r")  # does not change the order
    newest_first = ids[::-1]
    assert [project["id"] for project in server.get("/api/projects")] == newest_first
    pages = [server.get(f"/api/projects/?limit=3&offset={offset}") for offset in (0, 3, 6, 9)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [project["id"] for page in pages for project in page] == newest_first
    # Empty parameters are ignored.
    assert server.get("/api/projects?limit=&offset=") == server.get("/api/projects")
    assert server.get("/api/projects?offset=9223372036854775807") == []


def test_runs_are_counted_by_state(server: Server) -> None:
    project, other_project = make(server, "one"), make(server, "other")
    states = ["running", "completed", "completed", "failed", "failed", "failed"]
    runs = [make_run(server, project["id"], f"r{n}", state) for n, state in enumerate(states)]
    make_run(server, other_project["id"], "r0")

    def counts() -> list[int]:
        summary = server.get(f"/api/projects/{project['id']}/")
        names = ("total_runs", "running_runs", "completed_runs", "failed_runs")
        return [summary[name] for name in names]

    assert counts() == [6, 1, 2, 3]
    server.request("PATCH", f"/api/runs/{runs[0]}/state?state=completed")
    server.request("DELETE", f"/api/runs/{runs[5]}")
    assert counts() == [5, 0, 3, 2]
    assert server.get(f"/api/projects/{project['id']}")["updated_at"] > project["updated_at"]


def test_an_existing_name_or_slug_is_a_conflict(server: Server) -> None:
    taken = make(server, "name", "slug")
    for name, slug in (("name", "slug"), ("name", "other"), ("other", "slug")):
        answer = server.request("POST", "/api/projects", {"name": name, "project_id": slug})
        assert answer.status == 409
        assert list(answer.json) == ["detail"]
        assert name in answer.json["detail"]
        assert slug in answer.json["detail"]
    assert server.get("/api/projects") == [taken]
    # Names and slugs are separate, and case-sensitive.
    make(server, "slug", "name")
    make(server, "Name", "Slug")


def test_a_deleted_project_is_gone_and_its_id_is_not_reused(server: Server, db_path: Path) -> None:
    doomed, other_project = make(server, "doomed"), make(server, "kept")
    run, other_run = make_run(server, doomed["id"], "r"), make_run(server, other_project["id"], "r")
    points = {"rows": [{"step": 0, "values": {"x": 1.0}}]}
    for run_id in (run, other_run):
        assert server.request("POST", f"/api/metrics/runs/{run_id}", points).status == 200
    path = f"/api/projects/{doomed['id']}/"
    answer = server.request("DELETE", path)
    assert (answer.status, type(answer.json["message"])) == (200, str)
    for method in ("GET", "DELETE"):
        assert server.request(method, path).status == 404
    for gone in (f"/api/runs/{run}", f"/api/runs/{run}/summary", f"/api/metrics/runs/{run}"):
        assert server.request("GET", gone).status == 404
    assert server.get("/api/runs")["total"] == 1
    assert server.get(f"/api/metrics/runs/{other_run}/metric/x")["data"][0]["value"] == 1.0
    again = make(server, "doomed")
    assert again["id"] > other_project["id"]
    assert make_run(server, again["id"], "r") > other_run
    assert execute_sql(db_path, "SELECT COUNT(*) FROM series") == [(1,)]
    assert count_points(db_path) == 1


DEEP = b"[" * 100_000 + b"]" * 100_000


WRONG_BODIES = [
    (b"", "body"),
    (b"null", "body"),
    (b'"text"', "body"),
    (b'{"name": "x", "project_id": "x"} x', "body"),
    (b'{"name": "x", "project_id": "x"', "body"),
    (b'{"name": NaN, "project_id": "x"}', "body"),
    (b"{'name': 'x', 'project_id': 'x'}", "body"),
    (b'\xef\xbb\xbf{"name": "x", "project_id": "x"}', "body"),
    (json.dumps({"name": "x", "project_id": "x"}).encode("utf-16"), "body"),
    (b'{"name": "\xff", "project_id": "x"}', "body"),
    (b'{"name": "\xed\xa0\x80", "project_id": "x"}', "body"),
    (b'{"name": "\\ud800", "project_id": "x"}', "body"),
    (b'{"name": "\\udc00\\ud800", "project_id": "x"}', "body"),
    (b'{"name": ' + DEEP + b', "project_id": "x"}', "name"),
    (b'{"more": ' + DEEP + b', "name": "x", "project_id": "x"}', "more"),
    (b'{"project_id": "x"}', "name"),
    (b'{"name": null, "project_id": "x"}', "name"),
    (b'{"name": true, "project_id": "x"}', "name"),
    (b'{"name": {}, "project_id": "x"}', "name"),
    (b'{"name": "x", "project_id": 9223372036854775808}', "project_id"),
    (b'{"name": "x", "project_id": ["x"]}', "project_id"),
    (b'{"name": "x", "project_id": ""}', "project_id"),
    (b'{"name": "x", "project_id": "' + b"x" * 513 + b'"}', "project_id"),
]


def test_an_invalid_body_writes_nothing(server: Server) -> None:
    for body, named in WRONG_BODIES:
        answer = server.request("POST", "/api/projects", data=body)
        assert (answer.status, list(answer.json)) == (422, ["detail"]), (body[:80], answer)
        assert named in answer.json["detail"], (body[:80], answer)
    assert server.get("/api/projects") == []


def test_projects_are_listed_with_run_counts(server: Server) -> None:
    for name in ("empty", "full"):
        server.request("POST", "/api/projects", {"name": name, "project_id": name})
    for number, state in enumerate(("running", "failed", "failed", "completed")):
        new = {"project_id": 2, "run_id": str(number), "state": state}
        assert server.request("POST", "/api/runs", new).status == 200
    full, empty = server.get("/api/projects?counts=true")
    assert full == server.get("/api/projects/2")
    assert (full["total_runs"], full["running_runs"], full["failed_runs"]) == (4, 1, 2)
    assert empty == server.get("/api/projects/1")
    assert server.get("/api/projects?counts=true&limit=1&offset=1") == [empty]
    assert "total_runs" not in server.get("/api/projects")[0]


def test_logging_points_updates_the_project(server: Server) -> None:
    run = make_run(server, make(server, "older")["id"], "r")
    make(server, "newer")
    points = {"rows": [{"step": 0, "values": {"x": 1.0}}]}
    assert server.request("POST", f"/api/metrics/runs/{run}", points).status == 200
    newer, older = server.get("/api/projects?counts=true")
    assert older["updated_at"] == server.get(f"/api/runs/{run}")["updated_at"]
    assert older["updated_at"] > newer["updated_at"]
    assert older == server.get(f"/api/projects/{older['id']}")


def test_a_project_is_renamed(server: Server) -> None:
    project = make(server, "before", "slug")
    make(server, "other")
    path = f"/api/projects/{project['id']}"
    renamed = server.request("PATCH", path, {"name": "after"}).json
    assert (renamed["name"], renamed["project_id"]) == ("after", "slug")
    assert renamed["updated_at"] > project["updated_at"]
    assert server.request("PATCH", path, {"name": "after"}).status == 200
    conflict = server.request("PATCH", path, {"name": "other"})
    assert (conflict.status, "'other'" in conflict.json["detail"]) == (409, True)
    assert server.request("PATCH", path, {"name": ""}).status == 422
    assert server.request("PATCH", path, {"project_id": "x"}).status == 422
    assert server.request("PATCH", "/api/projects/99", {"name": "x"}).status == 404
    assert server.get(path)["name"] == "after"
