"""trackai archive, unarchive, trash and restore, and what the other commands make of them"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


@pytest.fixture(autouse=True)
def some_runs(db_path: Path) -> None:
    for number in range(4):
        with sdk.init(project="p", name=f"run {number}", id=f"r{number}") as run:
            run.config.update({"lr": 10.0**-number})
            run.log({"loss": number}, step=0)


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest) -> list[str]:
    """The options of a command for the database, or for a server of it."""
    if request.param == "file":
        return []
    return ["--url", request.getfixturevalue("server").url]


def ids(trackai: Trackai, *options: str) -> list[int]:
    return sorted(run["id"] for run in trackai("runs", "p", "--json", *options).json["runs"])


def test_runs_are_archived_and_trashed_by_name_and_by_filter(
    trackai: Trackai, place: list[str]
) -> None:
    assert trackai("archive", "r0", "r1", *place).out == "archived 2 runs\n"
    assert trackai("archive", "r1", "--json", *place).json["run_ids"] == []
    assert trackai("trash", "--filter", "loss >= 2", *place).out == "moved to the trash: 2 runs\n"
    assert ids(trackai, *place) == []
    assert ids(trackai, "--archived", *place) == [1, 2]
    assert ids(trackai, "--trash", *place) == [3, 4]
    assert ids(trackai, "--filter", "archived = true and lr < 1", *place) == [2]
    assert trackai("restore", "--filter", "lr = 0.001", *place).out == "restored 1 run\n"
    assert trackai("unarchive", "--filter", "name =~ 1$", *place).out == "unarchived 1 run\n"
    assert ids(trackai, *place) == [2, 4]
    nothing = trackai("restore", "--filter", "loss = 0", *place)
    assert (nothing.out, nothing.err) == ("", "no runs match the filter\n")
    assert trackai("show", "r2", "--json", *place).json["run"]["trashed_at"] is not None
    assert trackai("show", "latest", "--json", *place).json["run"]["id"] == 4
    assert trackai("wait", "r2", "--until", "loss >= 2", *place).code == 0
    assert "pass either runs or --filter" in trackai("trash", *place, code=2).err
    for condition in ("lr <", "lr = 1) or (lr = 2", "", "lr < 1 and nope = 2"):
        refused = trackai("trash", "--filter", condition, *place, code=2).err
        for command in ("restore", "unarchive"):
            assert trackai(command, "--filter", condition, *place, code=2).err == refused
    assert "at position 12 ('nope')" in refused
    assert "run 'nope' not found" in trackai("restore", "nope", *place, code=3).err


def test_deleting_is_for_good(trackai: Trackai, place: list[str]) -> None:
    trackai("trash", "r0", "r1", *place)
    deleted = trackai("delete", "--filter", "trashed = true", "--yes", "--json", *place)
    assert deleted.json["changed"] == 2
    assert trackai("delete", "r2", "--yes", "--json", *place).json["deleted"] == [3]
    assert ids(trackai, "--trash", *place) == []


def test_an_export_has_archived_runs_and_a_merge_has_the_trash_too(
    trackai: Trackai, place: list[str], tmp_path: Path
) -> None:
    trackai("archive", "r0", *place)
    trackai("trash", "r1", *place)
    assert trackai("export", "--project", "p", "-o", str(tmp_path / "p.jsonl"), *place).code == 0
    trackai("import", "jsonl", str(tmp_path / "p.jsonl"), "--db", str(tmp_path / "a.db"))
    copy = ["--db", str(tmp_path / "a.db")]
    assert (ids(trackai, *copy), ids(trackai, "--archived", *copy)) == ([2, 3], [1, 2, 3])
    if place:
        return
    trackai("backup", str(tmp_path / "b.db"))
    trackai("merge", str(tmp_path / "b.db"), "--db", str(tmp_path / "c.db"))
    copy = ["--db", str(tmp_path / "c.db")]
    assert (len(ids(trackai, *copy)), len(ids(trackai, "--archived", *copy))) == (2, 3)
    assert len(ids(trackai, "--trash", *copy)) == 1
    rows = trackai("sql", "SELECT run FROM run_overview WHERE trashed > '2000'", "--json", *copy)
    assert rows.json["rows"] == [["r1"]]


def test_the_api_archives_and_trashes(place: list[str]) -> None:
    api = sdk.Api(place[1] if place else None)
    run = api.run("r1")
    assert run.archive().archived_at is not None
    assert [stored.run_id for stored in api.runs("p", sort="id", ascending=True)] == [
        "r0", "r2", "r3",
    ]  # fmt: skip
    assert len(api.runs("p", filter="archived = true or archived = false")) == 4
    assert len(api.runs("p", filters={"archived": True})) == 1
    assert run.unarchive().archived_at is None
    assert run.trash().trashed_at is not None
    assert [stored.run_id for stored in api.runs(filter="trashed = true")] == ["r1"]
    assert run.restore().trashed_at is None
    assert len(api.runs("p", filter="lr < 1 and name =~ 'run [12]'")) == 2
