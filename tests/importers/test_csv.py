"""CSV files of other programs: which cells are numbers, and which lines are refused."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import tracemalloc
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
        ('step,loss\n0,1\n1,"2\n2,3\n3,4\n', 3, "a quote in this row is not closed"),
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


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_pipe_is_refused(
    db_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    call("import", kind, str(tmp_path / "pipe"), code=2)
    assert "pipe is a pipe or a device: save what it contains in a file" in capsys.readouterr().err


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


def test_steps_that_begin_again_are_another_attempt(
    db_path: Path, tmp_path: Path, imported: Imported
) -> None:
    """As keras writes with `append=True`, in the second training."""
    text = (
        "epoch,loss,val_loss\r\n0,2.5,NA\r\n1,2.25,2.0\r\n2,2.125,NA\r\n0,1.5,NA\r\n1,1.25,1.0\r\n"
    )
    receipt = imported(tmp_path / "log.csv", text)
    assert [remark["problem"] for remark in receipt["remarks"]] == [
        "begins again at the first step: it has 2 attempts"
    ]
    assert stored(db_path) == [("loss", 0, 1.5), ("loss", 1, 1.25), ("val_loss", 1, 1.0)]
    with closing(sqlite3.connect(db_path)) as connection:
        logged = connection.execute(
            "SELECT attempt, metric, step, value FROM logged_points ORDER BY 2, 1, 3"
        ).fetchall()
    assert logged == [
        (1, "loss", 0, 2.5), (1, "loss", 1, 2.25), (1, "loss", 2, 2.125), (2, "loss", 0, 1.5),
        (2, "loss", 1, 1.25), (1, "val_loss", 1, 2.0), (2, "val_loss", 1, 1.0),
    ]  # fmt: skip
    # The file is written again, so that it has another time.
    assert imported(tmp_path / "log.csv", text)["stored"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "step,split,loss\n0,train,1\n1,train,2\n0,val,3\n1,val,4\n",  # another kind of table
        "step,loss,val_loss\n0,1,\n0,,3\n1,2,\n1,,4\n",
        "step,loss\n5,1\n4,2\n3,3\n5,4\n",  # never above the first step
    ],
)
def test_other_tables_have_one_attempt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    items = list(read(path, project=None, name=None, receipt=Receipt("", "")))
    assert {item.writer.attempt for item in items if isinstance(item, Block)} == {1}


@pytest.mark.parametrize(
    "text",
    [
        "step,split,loss\n0,train,1\n1,train,2\n0,val,3\n1,val,3\n",  # steps repeat
        "epoch,loss\n0,1\n0,1\n0,1\n1,2\n1,2\n",
        "loss\n1\n1\n",
    ],
)
def test_a_table_without_times_that_was_copied_is_the_same_run(
    db_path: Path, tmp_path: Path, imported: Imported, text: str
) -> None:
    path = tmp_path / "table.csv"
    first = imported(path, text)
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 3_600_000_000_000))
    again = imported(path, text)
    assert again["stored"] == 0
    with closing(sqlite3.connect(db_path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM metrics").fetchone() == (first["points"],)


TABLES = [
    "epoch,loss,val\n0,2.5,NA\n1,,2.0\n2,2.125,NA\n0,1.5,NA\n1,1.25,1.0\n",
    ",word,n\n0,a,\n1,2,1\n2,NA,2\n",
    'step;loss\n0;"1,5"\n1;NA\n2;"2,25"\n3;7\n',
    "step,split,loss\n0,train,1\n1,train,2\n0,val,3\n1,val,4\n",
    f"step,timestamp,x\n0,1700000000,{2**70}\n0,1700000001,1\n",
    "loss\n1\n\n3\n",
]


@pytest.mark.parametrize("text", TABLES)
def test_batches_of_rows_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """What a column holds, and its attempts, do not depend on where batches end."""
    path = tmp_path / "table.csv"
    path.write_text(text)

    def points() -> tuple[list[Any], Any]:
        receipt = Receipt("", "")
        items = list(read(path, project=None, name=None, receipt=receipt))
        blocks = [item for item in items if isinstance(item, Block)]
        rows = [
            (block.metric, block.writer.uid, *point)
            for block in blocks
            for point in zip(block.steps, block.timestamps, block.values, strict=True)
        ]
        return sorted(rows, key=lambda row: row[:4]), receipt

    expected = points()
    monkeypatch.setattr("trackai.importers.csv_table._CELLS_PER_BATCH", 1)
    assert points() == expected


def test_a_long_table_takes_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trackai.importers.csv_table._CELLS_PER_BATCH", 1000)
    path = tmp_path / "table.csv"

    def peak(rows: int) -> int:
        path.write_text("loss,acc\n" + "".join(f"{row}.5,{row}.25\n" for row in range(rows)))
        tracemalloc.start()
        try:
            points = sum(
                len(item.steps)
                for item in read(path, project=None, name=None, receipt=Receipt("", ""))
                if isinstance(item, Block)
            )
            assert points == 2 * rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is imported at first use
    assert peak(20_000) < 1.5 * peak(2000)


def test_arrays_of_keras(db_path: Path, tmp_path: Path, imported: Imported) -> None:
    imported(tmp_path / "vec.csv", 'epoch,s,vec\r\n0,"a,b","""[1.0, 2.0]"""\r\n1,c,NA\r\n')
    assert stored(db_path) == [
        ("s", 0, "a,b"), ("s", 1, "c"), ("vec", 0, "[1.0, 2.0]"), ("vec", 1, "NA")
    ]  # fmt: skip


def test_tables_of_catboost(db_path: Path, tmp_path: Path, imported: Imported) -> None:
    imported(tmp_path / "test_error.tsv", "iter\tLogloss:0\tAUC\n5\t0.5\t1\n6\t0.25\t1\n")
    assert stored(db_path) == [
        ("AUC", 5, 1), ("AUC", 6, 1), ("Logloss:0", 5, 0.5), ("Logloss:0", 6, 0.25)
    ]  # fmt: skip


@given(
    names=st.lists(
        st.sampled_from(["loss", "acc;1", "a\tb", "x|y", "ü", 'quoted "x"', "a,b"]),
        min_size=1, max_size=3, unique=True,
    ),
    values=st.lists(st.floats() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
    delimiter=st.sampled_from(",\t;|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)  # fmt: skip
@settings(
    max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_table_that_is_cut_anywhere_is_read_up_to_there(
    tmp_path: Path,
    names: list[str],
    values: list[float],
    delimiter: str,
    end: str,
    quoting: Any,
    encoding: str,
) -> None:
    """Only the value at the very end may lack digits; what lacks cells is left out."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(["step", *names])
    writer.writerows([step, *(value for _ in names)] for step, value in enumerate(values))
    content = text.getvalue().encode(encoding)
    path = tmp_path / "table.csv"
    header_bytes = len((text.getvalue().split(end)[0] + end).encode(encoding))
    for length in range(header_bytes, len(content) + 1):
        path.write_bytes(content[:length])
        blocks = [
            item
            for item in read(path, project=None, name=None, receipt=Receipt("", ""))
            if isinstance(item, Block)
        ]
        for block in blocks:
            points = list(zip(block.steps, map(repr, block.values), strict=True))
            whole = [(step, repr(value)) for step, value in enumerate(values)]
            assert block.metric in names
            assert points[:-1] == whole[: len(points) - 1]
            if block.metric != names[-1]:
                assert points == whole[: len(points)]
            else:
                assert points[-1][0] == len(points) - 1


@pytest.mark.parametrize("cut", ["2", '2,"1.', "2,1.5,", '2,"ü'.encode()[:-1]])
def test_a_line_that_is_not_complete_is_left_out(
    db_path: Path, tmp_path: Path, imported: Imported, cut: str | bytes
) -> None:
    rest = cut.encode() if isinstance(cut, str) else cut
    receipt = imported(tmp_path / "table.csv", b"step,loss,acc\n0,1.5,1\n1,1.25,1\n" + rest)
    if rest != b"2,1.5,":  # an empty cell
        assert [item["problem"] for item in receipt["remarks"]] == [
            "line 4 is not complete and left out"
        ]
    assert [row for row in stored(db_path) if row[0] == "loss"][:2] == CURVE
