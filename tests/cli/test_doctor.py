"""doctor: finds what is wrong, and mends what can be."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Trackai


def test_a_store_that_is_well(trackai: Trackai) -> None:
    trackai("demo", "--runs", "2")
    assert trackai("doctor", "--json").json["findings"] == []
    assert "as it should be" in trackai("doctor").out


@pytest.mark.parametrize(
    "mistake", ["points = 99, last_step = 3, sum = 0", "last_value = 7", "max_value = 15"]
)
def test_figures_that_differ_from_the_rows(trackai: Trackai, db_path: Path, mistake: str) -> None:
    for start in (0, 5):  # a resumed run has superseded points
        with sdk.init(project="p", name="r", resume="allow") as run:
            for step in range(start, start + 10):
                run.log({"x": float(step)}, step=step)
    trackai("doctor")
    before = trackai("show", "r", "--json").json["metrics"]
    connection = sqlite3.connect(db_path)
    connection.execute(f"UPDATE series SET {mistake}")
    connection.commit()
    connection.close()
    [finding] = trackai("doctor", "--json", code=4).json["findings"]
    assert "figures" in finding["what"]
    trackai("doctor", "--fix")
    assert trackai("show", "r", "--json").json["metrics"] == before


def test_journals_that_were_left_behind(trackai: Trackai, db_path: Path) -> None:
    trackai("demo", "--runs", "1")
    spool = db_path.with_name(db_path.name + "-spool")
    (spool / "x.journal.damaged").write_bytes(b"")
    assert "damaged" in trackai("doctor", code=4).out
    (spool / "x.journal.damaged").unlink()
    run = sdk.init(project="p")
    run.log({"x": 1.0})
    assert "wait" in trackai("doctor", code=4).out
    run.finish()
    trackai("doctor")
