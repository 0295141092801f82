"""trackai tag, rename, move and delete"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


@pytest.fixture(autouse=True)
def some_runs(trackai: Trackai) -> None:
    trackai("demo", "--runs", "3")


def test_tags(trackai: Trackai) -> None:
    assert trackai("tag", "1", "b", "a").out == "a b\n"
    assert trackai("tag", "1", "b", "--remove", "--json").json["tags"] == ["a"]
    assert [run["id"] for run in trackai("runs", "--filter", "tag=a", "--json").json["runs"]] == [1]


def test_rename_and_move(trackai: Trackai) -> None:
    trackai("rename", "1", "better")
    trackai("move", "better", "another project")
    [run] = trackai("runs", "another project", "--json").json["runs"]
    assert (run["id"], run["name"]) == (1, "better")


def test_invalid_values_are_refused(trackai: Trackai) -> None:
    for command in (("rename", "1", ""), ("move", "1", ""), ("tag", "1", "a", "")):
        assert "must not be empty" in trackai(*command, code=2).err
    for command in (("tag", "1", "\x1b[2J"), ("tag", "1", "a\nb"), ("tag", "1", "\u202e")):
        assert "tags: must not contain control characters" in trackai(*command, code=2).err
    assert [run["tags"] for run in trackai("runs", "--json").json["runs"]] == [[], [], []]


def test_delete_asks_for_confirmation(trackai: Trackai, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "run 'nope' not found" in trackai("delete", "nope", "--yes", code=3).err
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    error = trackai("delete", "1", "2", code=1).err
    assert "points" in error
    assert "nothing was deleted" in error
    assert "pass --yes" in trackai("delete", "1", code=2).err  # stdin is at its end
    assert trackai("runs", "--json").json["total"] == 3
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert trackai("delete", "1", "2", "--json").json["deleted"] == [1, 2]
    assert trackai("runs", "--json").json["total"] == 1
    assert trackai("sql", "SELECT COUNT(DISTINCT series_id) FROM metrics", "--json").json[
        "rows"
    ] == [[8]]


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest) -> list[str]:
    """The options of a command for the database, or for a server of it."""
    if request.param == "file":
        return []
    return ["--url", request.getfixturevalue("server").url]


def test_all_matching_runs_are_tagged(trackai: Trackai, place: list[str]) -> None:
    trackai("demo", "--runs", "2")
    tagged = trackai("tag", "--filter", "id > 1", "a", "b", *place)
    assert (tagged.out, tagged.err) == ("tagged 4 runs\n", "")
    assert trackai("tag", "--filter", "tag = a", "--remove", "a", *place).out == "untagged 4 runs\n"
    runs = trackai("runs", "--json", "--sort", "id", "--asc").json["runs"]
    assert [run["tags"] for run in runs] == [[], ["b"], ["b"], ["b"], ["b"]]
    assert trackai("tag", "--filter", "id = 1", "c", "--json", *place).json["changed"] == 1
    nothing = trackai("tag", "--filter", "name = nothing", "c", *place)
    assert (nothing.out, nothing.err) == ("", "no runs match the filter\n")


def test_all_matching_runs_are_moved(trackai: Trackai, place: list[str]) -> None:
    moved = trackai("move", "--filter", "id < 3", "archive", *place)
    assert moved.out == "moved 2 runs to project 'archive'\n"
    trackai("move", "--filter", "id <= 3", "archive", *place)
    runs = trackai("runs", "archive", "--json", "--sort", "id", "--asc").json["runs"]
    assert [run["id"] for run in runs] == [1, 2, 3]


def test_all_matching_runs_are_deleted(
    trackai: Trackai, place: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trackai("demo", "--runs", "12")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    error = trackai("delete", "--filter", "id > 1", *place, code=1).err
    assert "(id 15)" in error
    assert "and 4 more runs\nDelete 14 runs? [y/N] " in error
    assert trackai("runs", "--json").json["total"] == 15
    deleted = trackai("delete", "--filter", "id > 1", "--yes", *place)
    assert deleted.out.startswith("deleted 14 runs, freed ")
    assert trackai("runs", "--json").json["total"] == 1
    assert trackai("delete", "--filter", "id = 1", "--yes", "--json", *place).json["changed"] == 1


def test_a_filter_and_a_run_exclude_each_other(trackai: Trackai) -> None:
    for command in (
        ("tag",), ("tag", "--filter", "id = 1"), ("move", "1"),
        ("move", "1", "p", "--filter", "id = 1"), ("delete", "--yes"),
        ("delete", "1", "--filter", "id = 1"), ("delete", "--filter", "config.", "--yes"),
        ("tag", "--filter", "", "a"), ("tag", "--filter", "id = 1", "a\nb"),
        ("move", "--filter", "id = 1", ""), ("export", "1", "--filter", "id = 1"),
    ):  # fmt: skip
        trackai(*command, code=2)
    runs = trackai("runs", "--json").json["runs"]
    assert [run["tags"] for run in runs] == [[], [], []]


def test_matching_runs_are_exported(trackai: Trackai, place: list[str], tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    exported = trackai("export", "--filter", "id != 2", "--out", out, "--json", *place).json
    assert exported["runs"] == 2
    trackai("import", "jsonl", out, "--db", tmp_path / "copy.db")
    copies = trackai("runs", "--json", "--db", tmp_path / "copy.db").json["runs"]
    runs = trackai("runs", "--json", "--filter", "id != 2").json["runs"]
    assert {run["run_id"] for run in copies} == {run["run_id"] for run in runs}
