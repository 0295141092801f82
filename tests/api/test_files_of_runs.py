"""/api/files/paths, steps and compare: files of several runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import trackai

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def _html(text: str) -> trackai.Html:
    return trackai.Html(f"<p>{text}")


@pytest.fixture
def runs(db_path: Path, server: Server) -> list[int]:
    """Runs with pages at steps 0, 10 and 20; at 0.5; and with others only."""
    ids = []
    for steps in ((0, 10, 20), (0.5,), (), ()):
        with trackai.init(project="p") as run:
            for step in steps:
                pages = [_html(f"{step} {number}") for number in range(12)]
                run.log({"val/Page": pages, "other": _html("x")}, step=step)
            run.log({"last": _html("y")}, step=5)
        assert run.id is not None
        ids.append(run.id)
    return ids


def _post(server: Server, endpoint: str, **body: Any) -> Any:
    answer = server.request("POST", f"/api/files/{endpoint}", body)
    assert answer.status == 200, answer.json
    return answer.json


def test_paths_of_several_runs(server: Server, runs: list[int]) -> None:
    answer = _post(server, "paths", run_ids=[*runs, 999])
    rows = {row["path"]: row for row in answer["paths"]}
    assert list(rows) == ["last", "other", "val/Page"]
    assert not answer["has_more"]
    assert rows["val/Page"] == {
        "path": "val/Page", "runs": 2, "files": 48, "name": "0.html",
        "first_step": 0, "last_step": 20,
    }  # fmt: skip
    assert rows["last"]["runs"] == 4
    select = {"project_id": 1, "filter": f"id = {runs[1]}"}
    found = _post(server, "paths", select=select, search="PAGE")["paths"]
    assert [(row["path"], row["files"]) for row in found] == [("val/Page", 12)]
    page = _post(server, "paths", run_ids=runs, limit=2)
    assert [row["path"] for row in page["paths"]] == ["last", "other"]
    assert page["has_more"]


def test_steps_of_several_runs(server: Server, runs: list[int]) -> None:
    steps = _post(server, "steps", run_ids=runs, path="val/Page")
    assert steps == {"steps": [0, 0.5, 10, 20], "total": 4}
    assert _post(server, "steps", run_ids=runs, path="none") == {"steps": [], "total": 0}


def test_the_nearest_earlier_step_of_each_run(server: Server, runs: list[int]) -> None:
    def shown(step: float | None) -> dict[int, tuple[float | None, int]]:
        answer = _post(server, "compare", run_ids=runs, path="val/Page", step=step)
        assert {row["run_id"]: row["first_step"] for row in answer} == {runs[0]: 0, runs[1]: 0.5}
        for row in answer:
            # In the order in which they were logged.
            numbers = [int(file["name"].removesuffix(".html")) for file in row["files"]]
            assert numbers == list(range(row["total"]))
        return {
            row["run_id"]: (row["files"][0]["step"] if row["files"] else None, row["total"])
            for row in answer
        }

    assert shown(10) == {runs[0]: (10, 12), runs[1]: (0.5, 12)}
    assert shown(19.5) == {runs[0]: (10, 12), runs[1]: (0.5, 12)}
    assert shown(0.25) == {runs[0]: (0, 12), runs[1]: (None, 0)}
    assert shown(-1) == {runs[0]: (None, 0), runs[1]: (None, 0)}
    assert shown(None) == {runs[0]: (20, 12), runs[1]: (0.5, 12)}


def test_files_without_a_step_come_before_all_steps(
    server: Server, runs: list[int], tmp_path: Path
) -> None:
    with trackai.init(project="p") as run:
        saved = tmp_path / "mixed.html"
        saved.write_text("<p>1")
        run.save(saved)
        run.log({"mixed.html": _html("2")}, step=3)

    def names(step: float | None) -> list[tuple[str, float | None]]:
        (row,) = _post(server, "compare", run_ids=[run.id], path="mixed.html", step=step)
        assert row["first_step"] == 3
        return [(file["name"], file["step"]) for file in row["files"]]

    assert names(2) == [("mixed.html", None)]
    assert names(3) == [("3.html", 3)]
    assert names(None) == [("3.html", 3)]


def test_answers_are_bounded(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"many": [_html(str(number)) for number in range(130)]}, step=0)
    (row,) = _post(server, "compare", run_ids=[run.id], path="many")
    assert (row["total"], len(row["files"])) == (130, 100)


def test_many_steps_are_thinned_and_the_last_is_kept(server: Server, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        for step in range(10_005):
            run.log({"many": _html("x")}, step=step)
    answer = _post(server, "steps", run_ids=[run.id], path="many")
    assert answer["total"] == 10_005
    assert answer["steps"] == [*range(0, 10_005, 2)]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("paths", {}, "run_ids: missing"),
        ("paths", {"run_ids": [1], "limit": 1001}, "limit"),
        ("steps", {"run_ids": [1]}, "path"),
        ("steps", {"select": {}, "path": "a"}, "select: requires project_id or filter"),
        ("compare", {"run_ids": [1], "path": "a", "step": "x"}, "step"),
        ("compare", {"run_ids": [1] * 101, "path": "a"}, "run_ids"),
        ("compare", {"run_ids": [1], "path": "a", "steps": 1}, "steps"),
    ],
)
def test_invalid_bodies_name_the_field(
    server: Server, path: str, body: dict[str, Any], detail: str
) -> None:
    answer = server.request("POST", f"/api/files/{path}", body)
    assert answer.status == 422
    assert detail in answer.json["detail"]


def test_texts_that_no_path_contains(server: Server, runs: list[int]) -> None:
    assert _post(server, "paths", run_ids=runs, search="\0")["paths"] == []
    assert _post(server, "steps", run_ids=runs, path="\0")["steps"] == []
    assert _post(server, "compare", run_ids=runs, path="\0", step=1e308) == []
    assert _post(server, "compare", run_ids=runs, path="val/Page", step=-(2**62)) != []
