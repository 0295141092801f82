"""/api/projects/{id}/views and /api/views: views of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.test_projects import make, make_run
from tests.conftest import execute_sql
from trackai.structs import layouts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

PANELS: list[dict[str, Any]] = [
    {"kind": "lines", "id": "a", "metrics": ["loss", "val/loss"], "x_metric": "tokens"},
    {"kind": "lines", "id": "b", "metrics": ["loss"], "x": "relative", "log_y": True, "width": 12},
    {"kind": "scatter", "id": "c", "x": "config.lr", "y": 'metric."val/loss".min', "log_x": False},
    {"kind": "bars", "id": "d", "field": "metric.acc", "order": "descending", "height": 400},
    {"kind": "text", "id": "e", "text": "# Notes", "title": "Read me", "pinned": True},
]
LAYOUT = {"sections": [{"name": "One", "panels": PANELS}, {"name": "Two", "is_open": False}]}
DEFAULTS: dict[str, Any] = {"title": "", "width": 4, "height": 210, "pinned": False}


def new(server: Server, name: str = "Mine", project: int = 1) -> dict[str, Any]:
    answer = server.request(
        "POST", f"/api/projects/{project}/views", {"name": name, "layout": LAYOUT}
    )
    assert answer.status == 200, answer
    view: dict[str, Any] = answer.json
    return view


def panel(**fields: Any) -> dict[str, Any]:
    """A layout with one panel of text, with some fields changed."""
    changed = {"kind": "text", "id": "a", "text": "t", **fields}
    return {"sections": [{"name": "s", "panels": [changed]}]}


def test_a_view_is_created_read_changed_and_deleted(server: Server) -> None:
    make(server, "p")
    assert server.get("/api/projects/1/views") == []
    view = new(server)
    assert (view["project_id"], view["name"], view["version"]) == (1, "Mine", 1)
    first, second = view["layout"]["sections"]
    assert (first["name"], first["is_open"]) == ("One", True)
    assert second == {"name": "Two", "is_open": False, "panels": []}
    for sent, stored in zip(PANELS, first["panels"], strict=True):
        assert stored == {**stored, **DEFAULTS, **sent}
    path = f"/api/views/{view['id']}"
    assert server.get(path) == view
    summary = {name: value for name, value in view.items() if name != "layout"}
    assert server.get("/api/projects/1/views/") == [summary]

    # What was read can be sent back.
    change = {"name": "Ours", "layout": view["layout"], "version": 1}
    changed = server.request("PUT", path, change)
    assert changed.status == 200
    assert changed.json["layout"] == view["layout"]
    assert (changed.json["name"], changed.json["version"]) == ("Ours", 2)
    assert server.get(path) == changed.json

    deleted = server.request("DELETE", path)
    assert (deleted.status, deleted.json) == (200, {"message": "deleted view 'Ours'"})
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {**change, "version": 2})):
        answer = server.request(method, path, body)
        assert (answer.status, answer.json) == (404, {"detail": f"view {view['id']} not found"})


def test_an_update_that_would_be_lost_is_refused(server: Server) -> None:
    make(server, "p")
    view = new(server)
    path = f"/api/views/{view['id']}"
    change = {"name": "Mine", "layout": {"sections": []}, "version": 1}
    assert server.request("PUT", path, change).status == 200
    answer = server.request("PUT", path, {**change, "layout": LAYOUT})
    detail = "view 'Mine' was changed by someone else: it has version 2, not 1"
    assert (answer.status, answer.json) == (409, {"detail": detail})
    assert server.get(path)["layout"] == {"sections": []}


def test_a_view_keeps_the_columns_of_the_table(server: Server) -> None:
    make(server, "p")
    table = {
        "columns": ["metric.loss.min", "state", 'config."a b"'],
        "pinned": ["state"],
        "widths": {"name": 200, "state": 48},
    }
    body = {"name": "a", "layout": {"sections": [], "table": table}}
    created = server.request("POST", "/api/projects/1/views", body)
    assert created.json["layout"] == {"sections": [], "table": table}
    path = f"/api/views/{created.json['id']}"
    assert server.get(path) == created.json
    change = {"name": "a", "layout": {"sections": []}, "version": 1}
    assert server.request("PUT", path, change).json["layout"] == {"sections": []}


def test_a_view_keeps_which_rows_the_table_shows(server: Server) -> None:
    project = make(server, "p")["id"]
    run = make_run(server, project, "first")
    uid = server.get(f"/api/runs/{run}/details")["uid"]
    rows = {
        "filter": "lr < 0.01 or (", "archived": True, "sort_by": "metric.loss.min",
        "sort_order": "asc", "group_by": 'config.lr,config."a, b"',
        "baseline": {"uid": uid, "name": "first"},
    }  # fmt: skip
    body = {"name": "a", "layout": {"sections": [], "rows": rows}}
    created = server.request("POST", f"/api/projects/{project}/views", body)
    assert created.json["layout"] == {"sections": [], "rows": rows}
    assert created.json["baseline_id"] == run
    path = f"/api/views/{created.json['id']}"
    assert server.get(path) == created.json
    # The baseline is found in the trash, and not after it was deleted.
    keep = {"run_ids": [run], "action": {"type": "trash"}, "cursor": 0}
    assert server.request("POST", "/api/runs/bulk", keep).status == 200
    assert server.get(path)["baseline_id"] == run
    delete = {"run_ids": [run], "action": {"type": "delete"}, "cursor": 0}
    assert server.request("POST", "/api/runs/bulk", delete).status == 200
    assert server.get(path) == {**created.json, "baseline_id": None}
    change = {"name": "a", "layout": {"sections": [], "rows": {}}, "version": 1}
    assert server.request("PUT", path, change).json["layout"]["rows"] == {
        "filter": "", "archived": False, "sort_by": "", "sort_order": "desc", "group_by": "",
        "baseline": None,
    }  # fmt: skip


def test_names_are_unique_in_a_project(server: Server) -> None:
    make(server, "p")
    make(server, "q")
    new(server, "a")
    other = new(server, "b")
    new(server, "a", project=2)
    detail = {"detail": "view 'a' already exists"}
    created = server.request("POST", "/api/projects/1/views", {"name": "a", "layout": LAYOUT})
    assert (created.status, created.json) == (409, detail)
    change = {"name": "a", "layout": LAYOUT, "version": 1}
    renamed = server.request("PUT", f"/api/views/{other['id']}", change)
    assert (renamed.status, renamed.json) == (409, detail)


def test_views_of_an_unknown_project(server: Server) -> None:
    body = {"name": "a", "layout": LAYOUT}
    for answer in (
        server.request("GET", "/api/projects/9/views"),
        server.request("POST", "/api/projects/9/views", body),
    ):
        assert (answer.status, answer.json) == (404, {"detail": "project 9 not found"})


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ({"sections": {}}, "layout.sections: must be a list, got an object"),
        ({"panels": []}, "layout.panels: unknown field"),
        ({"table": {"order": []}}, "layout.table.order: unknown field"),
        (
            {"table": {"widths": {"state": 47}}},
            "layout.table.widths[...]: must be an integer >= 48",
        ),
        ({"table": {"columns": ["lr"]}}, "columns: "),
        ({"rows": {"order": "desc"}}, "layout.rows.order: unknown field"),
        ({"rows": {"filter": "a" * 8193}}, "filter: must have at most 8192 characters, got 8193"),
        ({"rows": {"filter": "a\0"}}, "filter: must not contain the character U+0000"),
        ({"rows": {"sort_by": "="}}, "sort_by: "),
        ({"rows": {"group_by": "a,,"}}, "group_by: "),
        ({"rows": {"sort_order": "up"}}, "layout.rows.sort_order: "),
        ({"rows": {"baseline": {"name": "a"}}}, "layout.rows.baseline.uid: "),
        ({"table": {"pinned": ["="]}}, "pinned: "),
        ({"table": {"widths": {"lr": 100}}}, "widths: "),
        (
            {"table": {"columns": ["state"] * 201}},
            "layout.table.columns: must have at most 200 items",
        ),
        (panel(kind="pie"), "layout.sections[0].panels[0].kind: Invalid value 'pie'"),
        (panel(colour="red"), "layout.sections[0].panels[0].colour: unknown field"),
        (panel(id=""), "id: must not be empty"),
        (panel(text="x" * 20_001), "text: must have at most 20000 characters, got 20001"),
        (panel(text="\0"), "text: must not contain the character U+0000"),
        (panel(title="x" * 513), "title: must have at most 512 characters, got 513"),
        (panel(width=13), "layout.sections[0].panels[0].width: must be an integer <= 12"),
        (panel(height=99), "layout.sections[0].panels[0].height: must be an integer >= 100"),
        ({"sections": [{"name": " "}]}, "name: must not be empty"),
        (
            {"sections": [{"name": "s", "panels": [PANELS[0], PANELS[0]]}]},
            "layout: 2 panels have the id 'a'",
        ),
        (
            {"sections": [{"name": "s", "panels": [{**PANELS[0], "metrics": []}]}]},
            "layout.sections[0].panels[0].metrics: must not be empty",
        ),
        (
            {"sections": [{"name": "s", "panels": [{**PANELS[0], "metrics": ["a", "a"]}]}]},
            "metrics: must not contain a metric twice",
        ),
        (
            {"sections": [{"name": "s", "panels": [{**PANELS[0], "x_metric": ""}]}]},
            "x_metric: must not be empty",
        ),
        (
            {"sections": [{"name": "s", "panels": [{**PANELS[2], "y": "lr"}]}]},
            "y: at position 1 ('lr'): unknown field 'lr'",
        ),
        (
            {"sections": [{"name": "s", "panels": [{**PANELS[3], "field": "config.a, id"}]}]},
            "field: must be one field, got 2",
        ),
        (
            {"sections": [{"name": f"s{number}"} for number in range(101)]},
            "layout.sections: must have at most 100 items",
        ),
        (
            {
                "sections": [
                    {
                        "name": "s",
                        "panels": [
                            {"kind": "text", "id": str(number), "text": ""}
                            for number in range(layouts.MAX_PANELS + 1)
                        ],
                    }
                ]
            },
            "layout: must have at most 500 panels, got 501",
        ),
    ],
)
def test_layouts_are_checked(server: Server, layout: Any, problem: str) -> None:
    make(server, "p")
    answer = server.request("POST", "/api/projects/1/views", {"name": "a", "layout": layout})
    assert answer.status == 422
    assert answer.json["detail"].startswith(problem)
    view = new(server)
    change = {"name": "a", "layout": layout, "version": 1}
    refused = server.request("PUT", f"/api/views/{view['id']}", change)
    assert (refused.status, refused.json) == (422, answer.json)
    assert server.get(f"/api/views/{view['id']}") == view


def test_names_versions_and_sizes_are_checked(server: Server) -> None:
    make(server, "p")
    view = new(server)
    path = f"/api/views/{view['id']}"
    for change, problem in (
        ({"name": "", "version": 1}, "name: must not be empty"),
        ({"name": "x" * 513, "version": 1}, "name: must have at most 512 characters, got 513"),
        ({"name": "a"}, "version: missing"),
        ({"name": "a", "version": 0}, "version: must be an integer >= 1"),
    ):
        answer = server.request("PUT", path, {"layout": LAYOUT, **change})
        assert (answer.status, answer.json) == (422, {"detail": problem})
    large = {"name": "a", "layout": LAYOUT, "padding": "x" * 1_000_000}
    answer = server.request("POST", "/api/projects/1/views", large)
    assert (answer.status, answer.json) == (413, {"detail": "body: must be at most 1000000 bytes"})


def test_views_are_deleted_with_their_project(server: Server, db_path: Path | str) -> None:
    make(server, "p")
    view = new(server)
    server.request("DELETE", "/api/projects/1")
    assert server.request("GET", f"/api/views/{view['id']}").status == 404
    assert execute_sql(db_path, "SELECT COUNT(*) FROM views") == [(0,)]
