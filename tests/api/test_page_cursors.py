"""Pages by cursor neither repeat nor miss anything when something comes or goes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai
from trackai.reading import api, local_source, remote_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server
    from trackai.reading.source import Source


def _pages(server: Server, path: str, between: Callable[[int], None]) -> list[Any]:
    """Read all pages of a list; `between` is called with the number of each page."""
    items: list[Any] = []
    cursor = ""
    number = 0
    while True:
        answer = server.request("GET", f"{path}&cursor={cursor}")
        assert answer.status == 200, answer
        items += answer.json
        cursor = answer.headers.get("next-cursor", "")
        if not cursor:
            return items
        between(number)
        number += 1


def _create_project(server: Server, name: str) -> int:
    answer = server.request("POST", "/api/projects", {"name": name, "project_id": name})
    assert answer.status == 200, answer
    return int(answer.json["id"])


@pytest.mark.parametrize("counts", ["true", "false"])
def test_projects_that_come_and_go_shift_no_page(server: Server, counts: str) -> None:
    ids = [_create_project(server, f"p{number}") for number in range(12)]

    def between(page: int) -> None:
        _create_project(server, f"new{page}")
        server.request("DELETE", f"/api/projects/{ids[-1 - page]}")  # one of an earlier page

    listed = _pages(server, f"/api/projects?limit=3&counts={counts}", between)
    assert [project["id"] for project in listed] == ids[::-1]
    offset = server.get("/api/projects?limit=3&offset=3")
    assert len(offset) == 3


def test_files_shift_no_page(server: Server, tmp_path: Path) -> None:
    with trackai.init(project="p") as run:
        for name in "abcdefg":
            (tmp_path / f"{name}.txt").write_text(name)
            run.save(tmp_path / f"{name}.txt", base_path=tmp_path)
        for step in range(3):
            run.log({"table": trackai.Table(columns=["x"], data=[[step]])}, step=step)

    def between(page: int) -> None:
        with trackai.init(project="p", id=run.run_id, resume="must") as again:
            (tmp_path / f"a{page}.txt").write_text("new")  # sorts before later pages
            again.save(tmp_path / f"a{page}.txt", base_path=tmp_path)

    expected = server.get(f"/api/runs/{run.id}/files")
    paths = server.get(f"/api/runs/{run.id}/file-paths")
    assert len(expected) == 10
    assert _pages(server, f"/api/runs/{run.id}/files?limit=1", lambda page: None) == expected
    listed = _pages(server, f"/api/runs/{run.id}/files?limit=3", between)
    assert [file["id"] for file in listed if file["id"] <= 10] == [file["id"] for file in expected]
    listed = _pages(server, f"/api/runs/{run.id}/file-paths?limit=2", between)
    assert [path for path in listed if path in paths] == paths
    assert len({path["path"] for path in listed}) == len(listed)


@pytest.mark.parametrize("limit", [7, 11_000])  # a page, and a stream
def test_points_that_arrive_shift_no_page(server: Server, limit: int) -> None:
    total = 3 * limit + 2
    with trackai.init(project="p") as run:
        for step in range(total):
            run.log({"loss": step}, step=step)
        run.log_system({"loss": 0.5})  # a series of the same name on the other axis
    path = f"/api/metrics/runs/{run.id}/metric/loss?limit={limit}"
    steps: list[Any] = []
    page = server.get(path)
    while True:
        steps += [point["step"] for point in page["data"]]
        if not page["has_more"]:
            assert "next_cursor" not in page
            break
        rows = {"rows": [{"step": -len(steps), "values": {"loss": 1.0}}]}
        assert server.request("POST", f"/api/metrics/runs/{run.id}", rows).status == 200
        page = server.get(f"{path}&cursor={page['next_cursor']}")
    assert steps == [*range(total), None]


def test_points_with_the_same_step_and_time_are_all_read(server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"other": 1})
    for writer in "abcde":
        rows = [{"step": 1, "timestamp": 5, "values": {"loss": ord(writer)}}]
        body = {"rows": rows, "writer": writer}
        assert server.request("POST", f"/api/metrics/runs/{run.id}", body).status == 200
    path = f"/api/metrics/runs/{run.id}/metric/loss?limit=2"
    page = server.get(path)
    values = [point["value"] for point in page["data"]]
    while page["has_more"]:
        page = server.get(f"{path}&cursor={page['next_cursor']}")
        values += [point["value"] for point in page["data"]]
    assert sorted(values) == [ord(writer) for writer in "abcde"]


def test_invalid_cursors_are_named(server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1})
    for path in (
        "/api/projects?x=",
        f"/api/runs/{run.id}/files?x=",
        f"/api/runs/{run.id}/file-paths?x=",
        f"/api/metrics/runs/{run.id}/metric/loss?x=",
    ):
        for cursor in ("x", "é", "AAAA", "kw", "x" * 9000, "gaFh"):
            answer = server.request("GET", f"{path.removesuffix('x=')}cursor={quote(cursor)}")
            assert answer.status == 422, (path, cursor, answer)
            assert answer.json["detail"].startswith("cursor: ")


@pytest.mark.parametrize("kind", ["file", "server"])
@pytest.mark.parametrize("sort", ["created_at", "metric.loss", "name"])
def test_runs_of_the_api_are_complete_while_others_come_and_go(
    server: Server, db_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, sort: str
) -> None:
    monkeypatch.setattr(api, "_PAGE", 4)
    ids = []
    for number in range(18):
        with trackai.init(project="p", name=f"r{number:02}") as run:
            run.log({"loss": number})
        ids.append(run.id)
    source_class = local_source.LocalSource if kind == "file" else remote_source.RemoteSource
    read_page = source_class.runs
    pages = 0

    def runs(self: Source, *arguments: Any, **options: Any) -> Any:
        nonlocal pages
        page = read_page(self, *arguments, **options)  # type: ignore[arg-type]
        with trackai.init(project=f"new{pages}", name=f"r{pages:02}-new") as new:
            new.log({"loss": 3.5})
        server.request("DELETE", f"/api/runs/{page.runs[0].id}")
        pages += 1
        return page

    monkeypatch.setattr(source_class, "runs", runs)
    listed = [run.id for run in trackai.Api(server.url if kind == "server" else db_path).runs(
        sort=sort)]  # fmt: skip
    assert pages >= 5
    assert len(set(listed)) == len(listed)
    assert set(ids) <= set(listed)
