"""trackai tag, rename, move and delete"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
