"""trackai doctor: finding and fixing problems."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.cli.conftest import Trackai


def test_a_healthy_database(trackai: Trackai) -> None:
    trackai("demo", "--runs", "2")
    assert trackai("doctor", "--json").json["findings"] == []
    assert trackai("doctor").out == "No problems found.\n"


@pytest.mark.parametrize(
    "mistake",
    [
        "points = 99, last_step = 3, sum = 0",
        "last_value = 7",
        "max_value = 15",
        "sum = sum + 0.001",
        "finite_points = finite_points - 1",
    ],
)
def test_wrong_summary_figures_are_found_and_fixed(
    trackai: Trackai, db_path: Path, mistake: str
) -> None:
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


def test_unstored_and_damaged_journals_are_found(trackai: Trackai, db_path: Path) -> None:
    trackai("demo", "--runs", "1")
    spool = db_path.with_name(db_path.name + "-spool")
    (spool / "x.journal.damaged").write_bytes(b"")
    assert "damaged" in trackai("doctor", code=4).out
    (spool / "x.journal.damaged").unlink()
    run = sdk.init(project="p")
    run.log({"x": 1.0})
    assert "1 journal not stored yet" in trackai("doctor", code=4).out
    run.finish()
    trackai("doctor")


def test_rows_of_removed_journals_are_found_and_fixed(
    trackai: Trackai, db_path: Path, run_python: Callable[..., CompletedProcess[str]]
) -> None:
    """A process killed between removing a journal and its row leaves only the row."""
    process = run_python(
        """
        import os, signal
        import trackai
        from trackai.store.catalogue import journals

        async def forget(conn, name):
            os.kill(os.getpid(), signal.SIGKILL)

        run = trackai.init(project="p", name="r")
        run.log({"x": 1.0})
        journals.forget = forget
        run.finish()
        """,
        check=False,
    )
    assert process.returncode == -9

    def rows() -> int:
        with closing(sqlite3.connect(db_path)) as connection:
            [(number,)] = connection.execute("SELECT COUNT(*) FROM journals")
        return int(number)

    assert rows() == 1
    [finding] = trackai("doctor", "--json", code=4).json["findings"]
    assert finding["fixable"]
    assert rows() == 1
    # The row of an active run is kept.
    run = sdk.init(project="p", name="live")
    run.log({"x": 2.0})
    trackai("doctor", "--fix", code=4)
    assert rows() == 1
    run.finish()
    trackai("doctor")
    assert rows() == 0
    assert trackai("show", "r", "--json").json["run"]["state"] == "completed"
    assert trackai("show", "live", "--json").json["metrics"][0]["points"] == 1


def test_large_values_without_a_point_are_found_and_deleted(
    trackai: Trackai, db_path: Path
) -> None:
    with sdk.init(project="p") as run:
        for step in range(3):
            run.log({"text": str(step) * 5000}, step=step)
    assert trackai("doctor", "--json").json["findings"] == []
    with closing(sqlite3.connect(db_path)) as connection:
        connection.execute("UPDATE metrics SET value = 'short' WHERE step = 0")
        connection.commit()
    [finding] = trackai("doctor", "--json", code=4).json["findings"]
    assert "1 large value without a point" in finding["what"]
    trackai("doctor", "--fix")
    assert trackai("doctor", "--json").json["findings"] == []
    with closing(sqlite3.connect(db_path)) as connection:
        connection.execute("DELETE FROM large_values WHERE step = 1")
        connection.commit()
    [finding] = trackai("doctor", "--json", code=4).json["findings"]
    assert finding == {"what": "the large values of 1 point are missing", "fixable": False}


def test_recover_says_what_it_could_not_store(trackai: Trackai, db_path: Path) -> None:
    run = sdk.init(project="p", name="r")
    run.log({"x": 1})
    assert "1 journal in use by running processes" in trackai("recover").err
    run.finish()
    unreadable = db_path.with_name(db_path.name + "-spool") / "1-w-000000.journal"
    unreadable.mkdir()
    assert f"could not store {unreadable}" in trackai("recover", code=4).err
    unreadable.rmdir()
    assert trackai("recover").err == "No journals to recover.\n"


def test_backup_and_merge_refuse_a_damaged_database(trackai: Trackai, db_path: Path) -> None:
    run = sdk.init(project="p", name="r")
    for step in range(5000):
        run.log({"x": step, "text": f"text {step}"})
    run.finish()
    damaged = db_path.with_name("damaged.db")
    data = bytearray(db_path.read_bytes())
    page = len(data) // 4096 // 2
    data[page * 4096 : page * 4096 + 200] = bytes(range(200))
    damaged.write_bytes(data)
    copy = db_path.with_name("copy.db")
    refusal = trackai("backup", str(copy), "--db", str(damaged), code=1).err
    assert refusal.startswith(f"trackai: {damaged} is damaged")
    assert not copy.exists()
    target = db_path.with_name("target.db")
    assert "is damaged" in trackai("merge", str(damaged), "--db", str(target), code=1).err
    assert trackai("runs", "--json", "--db", str(target)).json["runs"] == []
