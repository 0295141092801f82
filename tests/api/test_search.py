"""/api/search and /api/alerts: what is looked for over all projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def log_run(
    name: str, project: str = "vision", *, tags: list[str] | None = None, **config: Any
) -> int:
    with trackai.init(project=project, name=name, tags=tags, config=config) as run:
        run.log({"train/Loss": 1.0, "acc": 0.5})
    return run.id


def hits(server: Server, text: str, **query: Any) -> list[tuple[str, str, str]]:
    parameters = "".join(f"&{name}={value}" for name, value in query.items())
    found = server.get(f"/api/search?text={quote(text)}{parameters}")["hits"]
    return [(hit["kind"], hit["name"], hit["project"]) for hit in found]


def test_everything_with_a_name_is_found(server: Server, db_path: Path, tmp_path: Path) -> None:
    log_run("resnet-50", tags=["baseline"], optimizer={"lr": 0.1})
    run = log_run("ViT-loss", project="loss study", tags=["loss tag"], loss_weight=3)
    file = tmp_path / "losses.csv"
    file.write_text("1")
    with trackai.init(project="loss study", name="ViT-loss", resume="must") as resumed:
        resumed.save(str(file))
    server.request("POST", "/api/projects/2/views", {"name": "My losses", "layout": {}})
    project = "loss study"
    assert hits(server, "LOSS") == [
        ("project", project, project),
        ("run", "ViT-loss", project),
        ("metric", "train/Loss", project),
        ("config", "loss_weight", project),
        ("tag", "loss tag", project),
        ("file", "losses.csv", project),
        ("view", "My losses", project),
    ]
    # What the project has is found there.
    assert ("metric", "train/Loss", "vision") in hits(server, "loss", project_id=1)
    assert ("tag", "loss tag", project) in hits(server, "loss", project_id=1)
    assert hits(server, "optimizer/lr") == [("config", "optimizer/lr", "vision")]
    found = server.get("/api/search?text=vit")["hits"]
    assert [(hit["run_id"], hit["project_id"]) for hit in found] == [(run, 2)]
    assert hits(server, "100% nothing") == []
    # Without a text: where one was last.
    assert hits(server, "") == [
        ("project", project, project),
        ("project", "vision", "vision"),
        ("run", "ViT-loss", project),
        ("run", "resnet-50", "vision"),
    ]


def test_what_was_deleted_is_not_found(server: Server, db_path: Path) -> None:
    run = log_run("one", tags=["gone"], gone=1)
    assert len(hits(server, "gone")) == 2
    server.request("DELETE", f"/api/runs/{run}")
    assert hits(server, "gone") == []
    assert hits(server, "loss") == []


def test_runs_that_are_out_of_the_way(server: Server, db_path: Path) -> None:
    with trackai.init(project="p", name="kept", tags=["good"]) as run:
        run.alert("low")

    def change(action: str) -> None:
        body = {"run_ids": [run.id], "action": {"type": action}}
        assert server.request("POST", "/api/runs/bulk", body).status == 200

    def alerts(query: str = "") -> int:
        return len(server.get(f"/api/alerts?{query}")["alerts"])

    def hidden(query: str = "") -> tuple[int, int]:
        page = server.get(f"/api/alerts?{query}")
        return page["archived"], page["archived_runs"]

    def archived_hits() -> list[bool]:
        return [hit["is_archived"] for hit in server.get("/api/search?text=kept")["hits"]]

    assert (len(hits(server, "kept")), len(hits(server, "good")), alerts()) == (1, 1, 1)
    assert (hidden(), archived_hits()) == ((0, 0), [False])
    change("archive")
    assert (len(hits(server, "kept")), len(hits(server, "good")), alerts()) == (1, 1, 0)
    assert (hidden(), hidden("project_id=1"), hidden("level=info")) == ((1, 1), (1, 1), (0, 0))
    assert (alerts("archived=true"), hidden("archived=true")) == (1, (0, 0))
    assert (alerts(f"run_id={run.id}"), hidden(f"run_id={run.id}")) == (1, (0, 0))
    assert archived_hits() == [True]
    change("trash")
    assert (hits(server, "kept"), hits(server, "good"), alerts()) == ([], [], 0)
    assert (alerts("archived=true"), hidden()) == (0, (0, 0))
    assert alerts(f"run_id={run.id}") == 1
    change("restore")
    change("unarchive")
    assert (len(hits(server, "kept")), alerts()) == (1, 1)


def test_runs_in_the_trash_take_no_places_among_hits(server: Server, db_path: Path) -> None:
    trashed = log_run("one", tags=["lr1", "lr2"], lr1=1, lr2=2)
    log_run("two", tags=["a long lr"], a_long_lr=1)
    body = {"run_ids": [trashed], "action": {"type": "trash"}}
    assert server.request("POST", "/api/runs/bulk", body).status == 200
    assert hits(server, "lr", limit=2) == [
        ("config", "a_long_lr", "vision"), ("tag", "a long lr", "vision"),
    ]  # fmt: skip


def test_hits_are_limited_and_the_best_come_first(server: Server, db_path: Path) -> None:
    with trackai.init(project="p", name="r") as run:
        run.log({f"a/very/long/loss/{number}": 1.0 for number in range(60)})
        run.log({"loss": 1.0, "val/loss": 2.0})
    assert [name for _, name, _ in hits(server, "loss", limit=3)] == [
        "loss", "val/loss", "a/very/long/loss/0",
    ]  # fmt: skip
    assert len(hits(server, "loss", limit=50)) == 50


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=51", "limit"), (f"text={'a' * 201}", "text"),
                         ("project_id=0", "project_id")],
)  # fmt: skip
def test_a_search_is_refused_by_the_name_of_the_field(
    server: Server, query: str, field: str
) -> None:
    answer = server.request("GET", f"/api/search?{query}")
    assert answer.status == 422
    assert field in answer.json["detail"]


def test_alerts_are_listed_over_projects(server: Server, db_path: Path) -> None:
    with trackai.init(project="p", name="a") as first:
        first.alert("low", "accuracy\nfell", level="warn", step=3)
        first.log({"stdout": "no alert", "alerts": 1})
        first.log_system({"alertsystem/warn": 1})
    with trackai.init(project="q", name="b") as second:
        for number in range(5):
            second.alert(f"bad {number}", level="error", step=number)
        second.alert("note", level="info")
    page = server.get("/api/alerts")
    assert page["total"] == 7
    assert [alert["title"] for alert in page["alerts"]] == [
        "note", "bad 4", "bad 3", "bad 2", "bad 1", "bad 0", "low",
    ]  # fmt: skip
    assert page["alerts"][-1] == {
        "level": "warn", "title": "low", "text": "accuracy\nfell", "is_cut": False, "step": 3,
        "timestamp": page["alerts"][-1]["timestamp"], "run_id": first.id, "run": "a",
        "project_id": 1, "project": "p",
    }  # fmt: skip
    assert page["alerts"][1]["text"] is None

    def titles(query: str) -> list[str]:
        return [alert["title"] for alert in server.get(f"/api/alerts?{query}")["alerts"]]

    assert titles("project_id=1") == ["low"]
    assert titles("level=error&limit=2") == ["bad 4", "bad 3"]
    assert titles(f"run_id={second.id}&level=info") == ["note"]
    assert titles("project_id=77") == []
    assert titles("level=none") == []
    assert titles("limit=2") == ["note", "bad 4"]
    server.request("DELETE", f"/api/runs/{second.id}")
    assert titles("") == ["low"]


def test_the_latest_of_many_runs_come_first_and_long_ones_are_cut(
    server: Server, db_path: Path
) -> None:
    for number in range(40):
        with trackai.init(project="p", name=f"r{number}") as run:
            run.alert(f"alert {number}", level=("warn", "error")[number % 2])
    assert [alert["title"] for alert in server.get("/api/alerts?limit=20")["alerts"]] == [
        f"alert {number}" for number in range(39, 19, -1)
    ]
    with trackai.init(project="p", name="long") as run:
        run.alert("t" * 1000, "x" * 5000)
    latest = server.get("/api/alerts?limit=1")["alerts"][0]
    assert latest["is_cut"]
    assert (len(latest["title"]), len(latest["text"])) == (300, 2000)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "run_id=x"])
def test_a_list_of_alerts_is_refused_by_the_name_of_the_field(server: Server, query: str) -> None:
    answer = server.request("GET", f"/api/alerts?{query}")
    assert answer.status == 422
    assert query.split("=")[0] in answer.json["detail"]
