"""/api/runs/{id}/details, log, histograms and files: the data of the run page."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

import trackai
from trackai.cli import main

if TYPE_CHECKING:
    from tests.conftest import Server

EXPORT = Path(__file__).parents[1] / "data" / "neptune" / "export"


@pytest.fixture
def imported(server: Server) -> Server:
    """A server with imported runs that have forks, logs, histograms and files."""
    with pytest.raises(SystemExit):
        main(["import", "neptune", str(EXPORT), "--json"])
    return server


def _id(server: Server, slug: str) -> int:
    (run,) = server.get(f"/api/runs?filter=run_id={slug}")["runs"]
    return int(run["id"])


def _raw(server: Server, path: str, asked: dict[str, str] | None = None) -> tuple[int, bytes, Any]:
    try:
        request = urllib.request.Request(server.url + path, headers=asked or {})
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_details_have_the_parent_and_the_forks(imported: Server) -> None:
    parent, child = _id(imported, "llm-7b-baseline"), _id(imported, "llm-7b-fork-lr3e-5")
    found = imported.get(f"/api/runs/{child}/details")
    assert found["forked_from"]["run"]["id"] == parent
    assert found["forked_from"]["step"] == 1200
    assert [fork["run"]["run_id"] for fork in found["forks"]] == ["llm-7b-fork-of-fork"]
    above = imported.get(f"/api/runs/{parent}/details")
    assert above["forked_from"] is None
    assert [(fork["uid"], fork["run"]["id"]) for fork in above["forks"]] == [(found["uid"], child)]
    imported.request("DELETE", f"/api/runs/{parent}")
    orphan = imported.get(f"/api/runs/{child}/details")["forked_from"]
    assert orphan == {"uid": above["uid"], "step": 1200, "run": None}


def test_details_have_the_processes_that_logged(server: Server) -> None:
    with trackai.init(project="p") as run:
        run.log({"loss": 1})
        (process,) = server.get(f"/api/runs/{run.id}/details")["processes"]
        assert process["state"] == "running"
        assert process["ended_at"] is None
    (process,) = server.get(f"/api/runs/{run.id}/details")["processes"]
    assert process["state"] == "completed"
    assert process["ended_at"] > process["started_at"]
    assert server.request("GET", "/api/runs/999/details").status == 404


def test_logs_have_pages_and_search_results_keep_line_numbers(server: Server) -> None:
    with trackai.init(project="p") as run:
        for step in range(50):
            run.log({"out": f"Épochë {step} of 50", "loss": 0.5}, step=step)
    log = f"/api/runs/{run.id}/log?metric=out"
    page = server.get(f"{log}&limit=2&offset=30")
    assert page["total"] == 50
    assert [(one["number"], one["step"], one["text"]) for one in page["lines"]] == [
        (30, 30, "Épochë 30 of 50"),
        (31, 31, "Épochë 31 of 50"),
    ]
    hits = server.get(f"{log}&search={quote('éPOCHË 4')}&limit=2&offset=1")
    assert hits["total"] == 11  # 4 and 40 to 49
    assert [one["number"] for one in hits["lines"]] == [40, 41]
    assert server.get(f"{log}&search=nowhere") == {"lines": [], "total": 0}
    assert server.get(f"{log}&offset=99")["lines"] == []
    for bad, status in ((f"/api/runs/{run.id}/log", 422), ("/api/runs/99/log?metric=out", 404)):
        assert server.request("GET", bad).status == status
    for path in ("loss", "none"):
        assert server.request("GET", f"/api/runs/{run.id}/log?metric={path}").status == 404


def test_system_logs_have_times_and_a_fork_inherits_its_parents_log(imported: Server) -> None:
    child = _id(imported, "llm-7b-fork-lr3e-5")
    own = imported.get(f"/api/metrics/runs/{child}/metric/runtime/stdout?inherited=false")["data"]
    log = imported.get(f"/api/runs/{child}/log?metric=runtime/stdout")
    assert log["total"] == len(log["lines"]) > len(own)
    points = imported.get(f"/api/metrics/runs/{child}/metric/runtime/stdout")["data"]
    assert [one["text"] for one in log["lines"]] == [one["value"] for one in points]
    found = imported.get(f"/api/runs/{child}/log?metric=runtime/stdout&search=E")
    assert [one["number"] for one in found["lines"]] == [
        one["number"] for one in log["lines"] if "e" in one["text"].lower()
    ]
    runs = imported.get("/api/runs?search=FAS-1")["runs"]
    names = imported.get(f"/api/metrics/runs/{runs[-1]['id']}")
    (path,) = [name for name in names if name.endswith("stdout")][:1]
    system = imported.get(f"/api/runs/{runs[-1]['id']}/log?metric={path}&limit=1")
    assert system["lines"][0]["step"] is None
    assert system["lines"][0]["timestamp"]


def test_thinned_histograms_include_the_first_and_the_last(imported: Server) -> None:
    run_id = _id(imported, "llm-7b-baseline")
    asked = f"/api/runs/{run_id}/histograms?metric=debug/hist/wte.weight"
    whole = imported.get(asked)
    assert whole["total"] == len(whole["data"]) == 15
    for one in whole["data"]:
        assert len(one["value"]["edges"]) == len(one["value"]["values"]) + 1
    some = imported.get(f"{asked}&points=4")
    assert some["total"] == 15
    assert 3 <= len(some["data"]) <= 5
    assert some["data"][0] == whole["data"][0]
    assert some["data"][-1] == whole["data"][-1]
    assert imported.request("GET", f"{asked}&points=1").status == 422
    other = f"/api/runs/{run_id}/histograms?metric=runtime/stdout"
    assert imported.request("GET", other).status == 404


def test_files_are_listed_by_path_in_pages(imported: Server) -> None:
    run_id = _id(imported, "llm-7b-baseline")
    paths = imported.get(f"/api/runs/{run_id}/file-paths")
    series = next(one for one in paths if one["path"] == "images/attn_map")
    assert series == {
        "path": "images/attn_map", "kind": "file_series", "files": 3, "size": 804,
        "first_step": 0.5, "last_step": 1.5,
    }  # fmt: skip
    assert [one["path"] for one in imported.get(f"/api/runs/{run_id}/file-paths?search=ATTN")] == [
        "images/attn_map"
    ]
    images = f"/api/runs/{run_id}/files?path=images/attn_map"
    assert [one["step"] for one in imported.get(images)] == [0.5, 1, 1.5]
    assert [one["step"] for one in imported.get(f"{images}&limit=1&offset=1")] == [1]
    assert imported.request("GET", "/api/runs/999/file-paths").status == 404


def test_previews_are_images_text_or_hex(imported: Server, db_path: Path) -> None:
    run_id = _id(imported, "llm-7b-baseline")
    by_path = {one["path"]: one for one in imported.get(f"/api/runs/{run_id}/files")}

    def look(path: str) -> tuple[int, bytes, Any]:
        return _raw(imported, f"/api/files/{by_path[path]['id']}/preview")

    status, data, headers = look("images/attn_map")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert data.startswith(b"\x89PNG")
    assert headers["Content-Disposition"] is None
    status, data, headers = look("source/train.py")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    for name in ("images/attn_map", "source/train.py"):
        _, _, headers = look(name)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    status, data, headers = look("artifacts/weights")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert data.startswith(b"00000000  ")
    assert len(data.splitlines()) == 188  # of 3000 bytes
    assert look("artifacts/empty")[1] == b""
    # The type depends on the contents, not the name. An SVG is previewed as text.
    blob = by_path["source/train.py"]["sha256"]
    kept = db_path.with_name(db_path.name + "-files") / blob[:2] / blob[2:]
    kept.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    assert look("source/train.py")[2]["Content-Type"] == "text/plain; charset=utf-8"
    kept.write_bytes(b"\xe2\x82\xac" * 100_000)  # the last character is incomplete
    status, data, _ = look("source/train.py")
    assert (status, data.decode()) == (200, "€" * 66_666)
    kept.unlink()
    assert look("source/train.py")[0] == 404


def test_valid_and_invalid_ranges_of_a_file(imported: Server) -> None:
    files = imported.get(f"/api/runs/{_id(imported, 'llm-7b-baseline')}/files")
    one = next(file for file in files if file["path"] == "artifacts/weights")

    def ask(wanted: str) -> tuple[int, bytes, Any]:
        return _raw(imported, f"/api/files/{one['id']}", {"Range": wanted})

    whole = _raw(imported, f"/api/files/{one['id']}")[1]
    assert ask("bytes=1-3")[:2] == (206, whole[1:4])
    for wanted, expected in (("bytes=9-1", 400), ("items=0-1", 400), ("bytes=9999-", 416)):
        status, said, headers = ask(wanted)
        assert status == expected
        assert json.loads(said)["detail"].startswith("Range: ")
    assert headers["Content-Range"] == "bytes */3000"


def test_the_first_extreme_value_includes_inherited_points(
    imported: Server,
) -> None:
    child = _id(imported, "llm-7b-fork-lr3e-5")
    address = f"/api/metrics/runs/{child}"
    data = imported.get(f"{address}/metric/train/loss?limit=100000")["data"]
    points = [one["value"] for one in data]
    own = [one["value"] for one in data if one["step"] > 1200]
    first = f"{address}/first?metric=train/loss&kind="
    for kind, best in (("min", min), ("max", max)):
        for more, some in (("", points), ("&inherited=false", own)):
            assert imported.get(first + kind + more)["value"] == best(some)
    assert (min(own), max(own)) != (min(points), max(points))


def test_impossible_run_ids_are_ignored_with_forks(imported: Server) -> None:
    child = _id(imported, "llm-7b-fork-lr3e-5")
    for more in ({}, {"points": 10}, {"points": 10, "group_by": "group"}):
        asked = {"metric_paths": ["val/*"], **more}
        found = []
        for others in ([], [2**63, -(2**63) - 1, 10**30]):
            body = {**asked, "run_ids": [child, *others]}
            answer = imported.request("POST", "/api/metrics/compare", body)
            assert answer.status == 200, answer
            found.append(answer.json)
        assert found[0] == found[1] != {}
