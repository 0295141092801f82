"""`scan_history`: all points, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.reading import history_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server


def without_times(rows: Any) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in ("_timestamp", "_runtime")} for row in rows]


def test_a_row_for_each_step(api: trackai.Api) -> None:
    run = api.run(1)
    rows = list(run.scan_history())
    assert [row["_step"] for row in rows] == [0, 0.5, *range(1, 10)]
    assert rows[0]["loss"] == 1.0
    assert (rows[1]["flag"], rows[1]["text"]) == (True, "NaN")
    assert math.isnan(rows[1]["odd name/%"])
    assert rows[2]["odd name/%"] == -math.inf
    assert rows[0]["_timestamp"] == run.history("loss")["loss"].timestamps[0] / 1e6
    assert 0 <= rows[0]["_runtime"] < 60
    assert all("gpu" not in row for row in rows)


def test_only_rows_with_all_keys(api: trackai.Api) -> None:
    run = api.run(1)
    rows = run.scan_history(keys=["loss", "_step"], min_step=2, max_step=5, page_size=10)
    assert list(rows) == [{"loss": 1 / (step + 1), "_step": step} for step in (2, 3, 4)]
    assert list(run.scan_history(["flag", "loss"])) == []
    assert list(run.scan_history(["loss", "nope"])) == []
    assert [row["_step"] for row in run.scan_history(["_step"], max_step=1)] == [0, 0.5]
    for keys in ("loss", [1]):
        with pytest.raises(trackai.InvalidInputError, match="keys: must be a list of names"):
            run.scan_history(keys)  # type: ignore[arg-type]


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, server: Server) -> str | None:
    return server.url if request.param == "server" else None


def test_points_that_share_a_step(place: str | None, db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"a": 1}, step=0)
        run.log({"b": 2}, step=0)
        run.log({"a": 3, "b": 4}, step=1)
        run.log({"a": 5}, step=1)
        run.log({"b": 6}, step=2)
    assert without_times(trackai.Api(place).run(run.id).scan_history()) == [
        {"a": 1, "b": 2, "_step": 0},
        {"a": 3, "b": 4, "_step": 1},
        {"a": 5, "_step": 1},
        {"b": 6, "_step": 2},
    ]


def test_pages_are_joined(
    place: str | None, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_rows, "_PAGE", 3)
    with trackai.init(project="p") as run:
        for step in range(20):
            run.log({"dense": step, "text": str(step)}, step=step)
            if step % 7 == 0:
                run.log({"sparse": step / 2}, step=step)
        for value in range(9):  # more points at a step than a page has
            run.log({"dense": value}, step=20)
        run.log({"late": 1.5}, step=10.5)
    stored = trackai.Api(place).run(run.id)
    rows = list(stored.scan_history())
    assert [row["_step"] for row in rows] == [*range(11), 10.5, *range(11, 20), *[20] * 9]
    for key, curve in stored.history().items():
        points = [(row["_step"], row[key]) for row in rows if key in row]
        assert points == list(zip(curve.steps, curve.values, strict=True)), key
    assert [row["dense"] for row in stored.scan_history(["dense"], 2, 18)] == [18, 19, *range(9)]


def test_a_fork_has_the_rows_of_its_parent(place: str | None, db_path: Path) -> None:
    with trackai.init(project="p", name="parent") as parent:
        for step in range(5):
            parent.log({"x": step}, step=step)
    with trackai.init(project="p", name="fork", fork_from=f"{parent.run_id}?_step=2") as fork:
        fork.log({"x": 30, "y": 1}, step=3)
    rows = without_times(trackai.Api(place).run(fork.id).scan_history())
    assert rows == [
        {"x": 0, "_step": 0}, {"x": 1, "_step": 1}, {"x": 2, "_step": 2},
        {"x": 30, "y": 1, "_step": 3},
    ]  # fmt: skip


def test_rows_of_a_live_run_end(db_path: Path) -> None:
    with trackai.init(project="p") as run:
        run.log({"x": 1})
        run.summary.get("x")  # stores it
        rows = trackai.Api().run(run.id).scan_history()
        assert without_times(rows) == [{"x": 1, "_step": 0}]
