"""CSV files of other programs: which cells are numbers, and which lines are refused."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.test_round_trip import call
from trackai.importers.csv import read
from trackai.importers.receipt import Receipt
from trackai.structs.exchange import Block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Imported = Callable[[Path, str | bytes], dict[str, Any]]

MISSING = ("", "NA", "N/A", "#N/A", "null", "NULL", "None", "-", "<NA>", " NaT ")


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


@pytest.mark.parametrize(
    ("column", "remark"),
    [
        (f"1\n{2**64 + 1}", f"column x: rounds large numbers, such as {2**64 + 1} to {2.0**64!r}"),
        ("-1e999", "column x: rounds large numbers, such as -1e999 to -inf"),
        ("1.5\n--\n-", "column x: 2 of 3 values are texts, such as '--'"),
        ("1.234,5\n0.5", "column x: 1 of 2 values are texts, such as '1.234,5'"),
        (f"{2**64}\ninf\nnan\n1e300\nNA", None),
        ("a\nb", None),
    ],
)
def test_values_that_may_surprise_are_remarks(
    tmp_path: Path, column: str, remark: str | None
) -> None:
    table = tmp_path / "table.csv"
    rows = [f"{step};{cell}" for step, cell in enumerate(column.split("\n"))]
    table.write_text("\n".join(["step;x", *rows]))
    receipt = Receipt("", "")
    assert list(read(table, project=None, name=None, receipt=receipt))
    assert [item.problem for item in receipt.remarks] == ([remark] if remark else [])


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
        ("step\tloss\n0\t1\n1\n", 3, "number of cells must be 2, got 1"),
        ("step,loss,loss\n0,1,2\n", 1, "column 'loss' occurs twice"),
        ("0,1.5\n1,1.25\n", 1, "the first line must name the columns, got numbers"),
        ("sep=;\nstep;loss\n0;1\n", 1, "remove the line 'sep='"),
        ("step loss\n0 1.5\n1 1.25\n", 2, "got one column 'step loss'; separate columns by"),
        (",loss\n2026-01-01,1.5\n", 2, "the first column has no name"),
        ("step,loss\n0,1\nNA,2\n", 3, "column step: must be a finite number within 64 bits"),
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


@pytest.fixture
def imported(trackai: Trackai) -> Imported:
    """Import a file, and return its receipt."""

    def imported(path: Path, text: str | bytes) -> dict[str, Any]:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        receipt: dict[str, Any] = trackai("import", "csv", path, "--json").json
        return receipt

    return imported


CURVE = [("loss", 0, 1.5), ("loss", 1, 1.25)]


@pytest.mark.parametrize(
    "text",
    [
        "step\tloss\n0\t1.5\n1\t1.25\n",
        "step;loss\r\n0;1.5\r\n1;1.25\r\n",
        "step;loss\n0;1,5\n1;1,25\n",
        'step,loss\n0,"1,5"\n1,"1,25"\n',
        "step|loss\n0|1.5\n1|1.25\n",
        "\ufeffstep,loss\r0,1.5\r1,1.25\r",
        "step\tloss\n0\t1.5\n1\t1.25\n".encode("utf-16"),
        '"step","loss"\n"0","1.5"\n\n"1","1.25"\n\n',
        "  Step ,  loss\n   0,   1.5\n   1,  1.25\n",  # Ultralytics
        "# step,loss\n0.0,1.5\n1.0,1.25\n",  # numpy.savetxt
        "loss\n1.5\n1.25\n",
        "loss,\n1.5,\n1.25,\n",
        ",loss\n0,1.5\n1,1.25\n",  # pandas with an index
        ",step,loss\n0,0,1.5\n1,1,1.25\n",
        "Unnamed: 0,step,loss\n0,0,1.5\n1,1,1.25\n",
        *(f"epoch,loss\n0,1.5\n1,1.25\n2,{missing}\n" for missing in MISSING),
    ],
)
def test_dialects(db_path: Path, tmp_path: Path, imported: Imported, text: str | bytes) -> None:
    receipt = imported(tmp_path / "table.csv", text)
    assert receipt["complete"] is True
    assert stored(db_path) == CURVE


def test_files_of_loggers(db_path: Path, tmp_path: Path, imported: Imported) -> None:
    """NaN is a value, and a missing value is none."""
    receipt = imported(
        tmp_path / "keras.csv",
        "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,nan,NA,NA\n1,0.75,inf,0.625,0.5\n",
    )
    assert receipt["types"]["metrics"]["null"] == 2
    assert stored(db_path) == [
        ("accuracy", 0, 0.5), ("accuracy", 1, 0.75), ("loss", 0, None),
        ("loss", 1, float("inf")), ("val_accuracy", 1, 0.625), ("val_loss", 1, 0.5),
    ]  # fmt: skip
    imported(tmp_path / "lightning.csv", "epoch,step,train_loss,val_loss\n0,49,0.5,\n0,49,,0.25\n")
    points = stored(db_path)
    assert ("train_loss", 49, 0.5) in points
    assert ("val_loss", 49, 0.25) in points
    assert points.count(("epoch", 49, 0)) == 2
    imported(tmp_path / "yolo.csv", "epoch,time,box_loss\n1,12.5,0.5\n2,25,0.25\n")
    assert [row for row in stored(db_path) if row[0] == "time"] == [
        ("time", 1, 12.5),
        ("time", 2, 25),
    ]


def test_a_series_that_tensorboard_downloaded(
    db_path: Path, tmp_path: Path, imported: Imported
) -> None:
    text = "Wall time,Step,Value\n1700000000.25,0,1.5\n1700000001.25,1,1.25\n"
    receipt = imported(tmp_path / "run-train-tag-epoch_loss.csv", text)
    assert receipt["remarks"][0]["problem"] == "its values are the metric 'epoch_loss'"
    assert stored(db_path) == [("epoch_loss", step, value) for _, step, value in CURVE]
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT min(timestamp) FROM metrics").fetchone() == (
            1_700_000_000_250_000,
        )


def test_missing_values_in_a_column_of_texts_are_texts(
    db_path: Path, tmp_path: Path, imported: Imported
) -> None:
    imported(tmp_path / "table.csv", "step,country\n0,NA\n1,DE\n2,-\n3,\n")
    assert stored(db_path) == [("country", 0, "NA"), ("country", 1, "DE"), ("country", 2, "-")]


@given(
    names=st.lists(st.sampled_from(["loss", "acc;1", "a\tb", "x|y", "ü"]), min_size=1, unique=True),
    values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=30),
    delimiter=st.sampled_from(",\t;"),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_separates_the_columns(
    tmp_path: Path, names: list[str], values: list[float], delimiter: str
) -> None:
    """A table with a column of steps is read as it was written."""
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["step", *names])
        writer.writerows([step, *(repr(value) for _ in names)] for step, value in enumerate(values))
    items = list(read(path, project=None, name=None, receipt=Receipt("", "")))
    blocks = [item for item in items if isinstance(item, Block)]
    assert [block.metric for block in blocks] == names
    for block in blocks:
        assert block.steps == list(range(len(values)))
        assert block.values == values


@pytest.mark.parametrize("option", ["project", "name"])
def test_an_export_names_its_own_runs(
    db_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    (tmp_path / "export.csv").write_text(HEADER + GOOD)
    call("import", "csv", str(tmp_path / "export.csv"), f"--{option}", "mine", code=2)
    assert f"trackai: {option}: the file is from `trackai export`" in capsys.readouterr().err
    call("import", "csv", str(tmp_path / "export.csv"))
    assert stored(db_path) == [("m", 0, 0.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step;loss\n0;1,500\n1;2,250\n", "'1,500' is ambiguous"),
        ("step;loss\n0;1,5\n1;1,234,567\n", "'1,234,567' is ambiguous"),
        ("step;loss\n0;1,5\n1;1.5\n", "has decimal points and commas, such as '1,5'"),
    ],
)
def test_unclear_separators_in_numbers(
    db_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "table.csv").write_text(text)
    call("import", "csv", str(tmp_path / "table.csv"), code=2)
    assert f"trackai: table.csv, column loss: {message}" in capsys.readouterr().err
    assert stored(db_path) == []
