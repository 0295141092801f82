"""tag, rename, move, delete, demo"""

from __future__ import annotations

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


def test_delete_asks(trackai: Trackai, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no run" in trackai("delete", "nope", "--yes", code=3).err
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    assert "points" in trackai("delete", "1", "2", code=130).err
    assert trackai("runs", "--json").json["total"] == 3
    assert trackai("delete", "1", "2", "--yes", "--json").json["deleted"] == [1, 2]
    assert trackai("runs", "--json").json["total"] == 1
    assert trackai("sql", "SELECT COUNT(DISTINCT series_id) FROM metrics", "--json").json[
        "rows"
    ] == [[8]]
