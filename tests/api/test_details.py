"""/api/runs/{id}/details, log, histograms and files: the data of the run page."""

from __future__ import annotations

import json
import os
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
def imported(server: Server, db_path: Path | str) -> Server:
    """A server with imported runs that have forks, logs, histograms and files."""
    with pytest.raises(SystemExit):
        main(["import", "neptune", str(EXPORT), "--json", "--db", str(db_path)])
    return server


def _id(server: Server, slug: str) -> int:
    (run,) = server.get(f"/api/runs?filter=run_id={slug}")["runs"]
    return int(run["id"])


def _raw(
    server: Server, path: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes, Any]:
    try:
        request = urllib.request.Request(server.url + path, headers=headers or {})
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_details_have_the_parent_and_the_forks(imported: Server) -> None:
    parent, child = _id(imported, "llm-7b-baseline"), _id(imported, "llm-7b-fork-lr3e-5")
    details = imported.get(f"/api/runs/{child}/details")
    assert details["forked_from"]["run"]["id"] == parent
    assert details["forked_from"]["step"] == 1200
    assert [fork["run"]["run_id"] for fork in details["forks"]] == ["llm-7b-fork-of-fork"]
    above = imported.get(f"/api/runs/{parent}/details")
    assert above["forked_from"] is None
    assert [(fork["uid"], fork["run"]["id"]) for fork in above["forks"]] == [
        (details["uid"], child)
    ]
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
    assert [(line["number"], line["step"], line["text"]) for line in page["lines"]] == [
        (30, 30, "Épochë 30 of 50"),
        (31, 31, "Épochë 31 of 50"),
    ]
    hits = server.get(f"{log}&search={quote('éPOCHË 4')}&limit=2&offset=1")
    assert hits["total"] == 11  # 4 and 40 to 49
    assert [line["number"] for line in hits["lines"]] == [40, 41]
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
    assert [line["text"] for line in log["lines"]] == [line["value"] for line in points]
    page = imported.get(f"/api/runs/{child}/log?metric=runtime/stdout&search=E")
    assert [line["number"] for line in page["lines"]] == [
        line["number"] for line in log["lines"] if "e" in line["text"].lower()
    ]
    runs = imported.get("/api/runs?search=FAS-1")["runs"]
    names = imported.get(f"/api/metrics/runs/{runs[-1]['id']}")
    (path,) = [name for name in names if name.endswith("stdout")][:1]
    system = imported.get(f"/api/runs/{runs[-1]['id']}/log?metric={path}&limit=1")
    assert system["lines"][0]["step"] is None
    assert system["lines"][0]["timestamp"]


def test_thinned_histograms_include_the_first_and_the_last(imported: Server) -> None:
    run_id = _id(imported, "llm-7b-baseline")
    url = f"/api/runs/{run_id}/histograms?metric=debug/hist/wte.weight"
    complete = imported.get(url)
    assert complete["total"] == len(complete["data"]) == 15
    for point in complete["data"]:
        assert len(point["value"]["edges"]) == len(point["value"]["values"]) + 1
    thinned = imported.get(f"{url}&points=4")
    assert thinned["total"] == 15
    assert 3 <= len(thinned["data"]) <= 5
    assert thinned["data"][0] == complete["data"][0]
    assert thinned["data"][-1] == complete["data"][-1]
    assert imported.request("GET", f"{url}&points=1").status == 422
    text = f"/api/runs/{run_id}/histograms?metric=runtime/stdout"
    assert imported.request("GET", text).status == 404


def test_files_are_listed_by_path_in_pages(imported: Server) -> None:
    run_id = _id(imported, "llm-7b-baseline")
    paths = imported.get(f"/api/runs/{run_id}/file-paths")
    series = next(row for row in paths if row["path"] == "images/attn_map")
    assert series == {
        "path": "images/attn_map", "kind": "file_series", "files": 3, "size": 804,
        "first_step": 0.5, "last_step": 1.5,
    }  # fmt: skip
    assert [row["path"] for row in imported.get(f"/api/runs/{run_id}/file-paths?search=ATTN")] == [
        "images/attn_map"
    ]
    images = f"/api/runs/{run_id}/files?path=images/attn_map"
    assert [file["step"] for file in imported.get(images)] == [0.5, 1, 1.5]
    assert [file["step"] for file in imported.get(f"{images}&limit=1&offset=1")] == [1]
    assert imported.request("GET", "/api/runs/999/file-paths").status == 404


def test_previews_are_images_text_or_hex(imported: Server, db_path: Path | str) -> None:
    run_id = _id(imported, "llm-7b-baseline")
    by_path = {file["path"]: file for file in imported.get(f"/api/runs/{run_id}/files")}

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
    folder = os.environ.get("TRACKAI_FILES") or f"{db_path}-files"
    blob_path = Path(folder, blob[:2], blob[2:])
    blob_path.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    assert look("source/train.py")[2]["Content-Type"] == "text/plain; charset=utf-8"
    for beginning, media_type in (
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"), (b"ID3\x04\0", "audio/mpeg"),
        (b"\0\0\0\x20ftypisom", "video/mp4"), (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"ID3, a text", "text/plain; charset=utf-8"),
        (b"RAFF\0\0\0\0WAVEfmt ", "text/plain; charset=utf-8"),
    ):  # fmt: skip
        blob_path.write_bytes(beginning)
        assert look("source/train.py")[2]["Content-Type"] == media_type
    blob_path.write_bytes(b"\xe2\x82\xac" * 100_000)  # the last character is incomplete
    status, data, _ = look("source/train.py")
    assert (status, data.decode()) == (200, "€" * 66_666)
    blob_path.unlink()
    assert look("source/train.py")[0] == 404


def test_valid_and_invalid_ranges_of_a_file(imported: Server) -> None:
    files = imported.get(f"/api/runs/{_id(imported, 'llm-7b-baseline')}/files")
    weights = next(file for file in files if file["path"] == "artifacts/weights")

    def ask(range_: str) -> tuple[int, bytes, Any]:
        return _raw(imported, f"/api/files/{weights['id']}", {"Range": range_})

    contents = _raw(imported, f"/api/files/{weights['id']}")[1]
    assert ask("bytes=1-3")[:2] == (206, contents[1:4])
    for range_, expected in (("bytes=9-1", 400), ("items=0-1", 400), ("bytes=9999-", 416)):
        status, body, headers = ask(range_)
        assert status == expected
        assert json.loads(body)["detail"].startswith("Range: ")
    assert headers["Content-Range"] == "bytes */3000"


def test_the_first_extreme_value_includes_inherited_points(
    imported: Server,
) -> None:
    child = _id(imported, "llm-7b-fork-lr3e-5")
    address = f"/api/metrics/runs/{child}"
    data = imported.get(f"{address}/metric/train/loss?limit=100000")["data"]
    points = [point["value"] for point in data]
    own = [point["value"] for point in data if point["step"] > 1200]
    first = f"{address}/first?metric=train/loss&kind="
    for kind, best in (("min", min), ("max", max)):
        for parameter, values in (("", points), ("&inherited=false", own)):
            assert imported.get(first + kind + parameter)["value"] == best(values)
    assert (min(own), max(own)) != (min(points), max(points))


def test_impossible_run_ids_are_ignored_with_forks(imported: Server) -> None:
    child = _id(imported, "llm-7b-fork-lr3e-5")
    for fields in ({}, {"points": 10}, {"points": 10, "group_by": "group"}):
        query = {"metric_paths": ["val/*"], **fields}
        answers = []
        for unknown in ([], [2**63, -(2**63) - 1, 10**30]):
            body = {**query, "run_ids": [child, *unknown]}
            answer = imported.request("POST", "/api/metrics/compare", body)
            assert answer.status == 200, answer
            answers.append(answer.json)
        assert answers[0] == answers[1] != {}
