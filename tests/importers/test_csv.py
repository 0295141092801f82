"""CSV files of other programs: which cells are numbers, and which lines are refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.importers.test_round_trip import call

if TYPE_CHECKING:
    from pathlib import Path


def stored(db_path: Path) -> list[Any]:
    with closing(sqlite3.connect(db_path)) as connection:
        return connection.execute("SELECT metric, step, value FROM points ORDER BY 1, 2").fetchall()


def test_only_ascii_numbers_are_numbers(db_path: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "step,month,x\n0,2024_01, 1 \n1,1_000,-.5e-3\n2,\u0663,Infinity\n3,inf_,1.\n4,TRUE,1e400\n",
        encoding="utf-8",
    )
    call("import", "csv", str(table))
    points = stored(db_path)
    assert [value for metric, _, value in points if metric == "month"] == [
        "2024_01", "1_000", "\u0663", "inf_", 1,
    ]  # fmt: skip
    assert [value for metric, _, value in points if metric == "x"] == [
        1, -0.0005, float("inf"), 1.0, float("inf"),
    ]  # fmt: skip


def test_an_integer_beyond_64_bits_is_a_float(db_path: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"step,x\n{2**63 - 1},{2**70}\n")
    call("import", "csv", str(table))
    assert stored(db_path) == [("x", 2**63 - 1, float(2**70))]


HEADER = "project,run,run_uid,attempt,writer,metric,axis,step,timestamp,type,value\n"
GOOD = "p,r,u,1,w,m,step,0,0,float,0.5\n"
BAD_STEP = "column step: must be a finite number within 64 bits, got '1e300'"
BAD_SECONDS = "column time: must be seconds since the epoch in the years 1 to 9999, got"
BAD_TIME = "column time: must be a time like 2026-01-31T12:00:00 or seconds since the epoch, got"
BAD_FLOAT = "column value: must be a float, got '1_0'"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("step,x\n0,1\n1e300,1\n2,1\n", 3, BAD_STEP),
        ("step,x\n99999999999999999999,1\n", 2, "column step"),
        ("step,x\n1_0,1\n", 2, "column step"),
        ("Epoch,x\nnan,1\n", 2, "column Epoch"),
        ("step,time,x\n0,1700000000000,1\n", 2, "milliseconds"),
        ("step,time,x\n0,inf,1\n", 2, f"{BAD_SECONDS} 'inf'"),
        ("step,time,x\n0,nan,1\n", 2, f"{BAD_SECONDS} 'nan'"),
        ("step,time,x\n0,soon,1\n", 2, f"{BAD_TIME} 'soon'"),
        ("step,x\n0\n", 2, "number of cells must be 2, got 1"),
        (HEADER + GOOD + GOOD.replace("0.5", "1_0") + GOOD, 3, BAD_FLOAT),
        (HEADER + GOOD + GOOD.replace("w,m,step,0,", "w,m,step,inf,") + GOOD, 3, "column step"),
        (HEADER + GOOD + GOOD.replace("float,0.5", "bool,maybe"), 3, "column value"),
        (HEADER + GOOD.replace("float,0.5", f"int,{2**63}"), 2, "column value"),
        (HEADER + GOOD.replace("u,1,", "u,one,"), 2, "column attempt"),
        (HEADER + "p,r\n", 2, "number of cells must be 11, got 2"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_stored(
    db_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    line: int,
    message: str,
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    call("import", "csv", str(table), code=2)
    error = capsys.readouterr().err
    assert f"table.csv, line {line}: " in error
    assert message in error
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (0,)
