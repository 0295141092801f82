"""What is exported and imported again is the same, bit for bit."""

from __future__ import annotations

import math
import sqlite3
import struct
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

import trackai as sdk
from trackai.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(db_path: Path) -> Path:
    """A store with everything that a point can be."""
    with sdk.init(
        project="Prójekt/1", name="näme", group="g", config={"a": {"b": [1, "x"]}}
    ) as run:
        for value in (0.1, -0.0, 5e-324, math.nan, math.inf, -math.inf, 1e308, 7, 2**63 - 1, True):
            run.log({'all/kinds, "quoted"': value})
        run.log({'all/kinds, "quoted"': "NaN"})
        for text in ("NaN", "Infinity", "", "line\nbreak", "日本"):
            run.log({"text": text})
        run.log({"flags": True})
        run.log({"flags": False})
        for step in (-3, 0.5, 2**60, 1e-6):
            run.log({"steps": 1.5}, step=step)
        run.log_system({"gpu": 0.5})
    for steps in (range(10), range(5, 12)):
        with sdk.init(project="p", name="resumed", resume="allow") as run:
            for step in steps:
                run.log({"loss": float(step)}, step=step)
    return db_path


def call(*arguments: str) -> None:
    with pytest.raises(SystemExit) as exited:
        main(list(arguments))
    assert not exited.value.code


def bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value


def points(path: Path, *, with_kind: bool = True) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        f"""
        SELECT runs.uid, runs.slug, projects.name, path, axis,
               {"kind" if with_kind else "''"}, writers.uid, writers.attempt,
               typeof(step), step, metrics.timestamp, typeof(value), value
        FROM metrics
        JOIN series ON series.id = series_id
        JOIN runs ON runs.id = series.run_id
        JOIN projects ON projects.id = project_id
        JOIN writers ON writers.id = writer_id
        ORDER BY runs.uid, path, axis, step, metrics.timestamp
        """
    ).fetchall()
    connection.close()
    return [tuple(map(bits, row)) for row in rows]


def figures(path: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        """
        SELECT uid, path, axis, kind, points, finite_points, nan_points, first_step, last_step,
               last_value, min_value, max_value, sum
        FROM series JOIN runs ON runs.id = run_id ORDER BY uid, path, axis
        """
    ).fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_export_and_import(store: Path, tmp_path: Path, format_: str) -> None:
    file, copy = tmp_path / f"out.{format_}", tmp_path / "copy.db"
    call("export", "--all", "-o", str(file))
    for _ in range(2):  # a second time changes nothing
        call("import", format_, str(file), "--db", str(copy))
    assert points(copy) == points(store)
    assert len(points(copy)) == 35 + 7 - 2
    assert figures(copy) == figures(store)


def test_json_lines_hold_the_rest_too(store: Path, tmp_path: Path) -> None:
    call("export", "--project", "Prójekt/1", "-o", str(tmp_path / "out.jsonl"))
    call("import", "jsonl", str(tmp_path / "out.jsonl"), "--db", str(tmp_path / "copy.db"))
    connection = sqlite3.connect(tmp_path / "copy.db")
    assert connection.execute("SELECT name, group_name, state FROM runs").fetchall() == [
        ("näme", "g", "completed")
    ]
    assert connection.execute("SELECT key, value FROM configs").fetchall() == [("a/b", '[1,"x"]')]
    connection.close()


def test_parquet(store: Path, tmp_path: Path) -> None:
    call("export", "--all", "-o", str(tmp_path / "out.parquet"))
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    expected = points(store, with_kind=False)
    assert len(rows) == len(expected)
    found = []
    for row in rows:
        value: Any = row["value"]
        if row["type"] in ("int", "bool"):
            value = row["value_int"]
        elif row["type"] == "str":
            value = row["value_text"]
        elif value != value:
            value = None
        step = row["step"] if row["step_int"] is None else row["step_int"]
        found.append((row["run_uid"], row["metric"], row["axis"], bits(step), bits(value)))
    assert sorted(found, key=str) == sorted(
        ((row[0], row[3], row[4], row[9], row[12]) for row in expected), key=str
    )


def test_merge_is_the_union(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    call("merge", str(store), "--db", str(other))
    with sdk.init(project="p", name="resumed", resume="must", db_path=other) as run:
        run.log({"loss": 1.0}, step=20)
    with sdk.init(project="p", name="resumed", resume="must") as run:
        run.log({"other": 2.0}, step=30)
    before = set(points(store)) | set(points(other))
    for _ in range(2):
        call("merge", str(other))
        assert set(points(store)) == before
        assert len(points(store)) == len(before)


def test_a_table_with_a_column_for_each_metric(db_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("step,loss,acc,note\n1,0.5,,x\n2.5,nan,0.25,\n", encoding="utf-8")
    for _ in range(2):
        call("import", "csv", str(file), "--project", "tables")
    connection = sqlite3.connect(db_path)
    assert connection.execute(
        "SELECT project, run, metric, step, value FROM points ORDER BY metric, step"
    ).fetchall() == [
        ("tables", "table", "acc", 2.5, 0.25),
        ("tables", "table", "loss", 1, 0.5),
        ("tables", "table", "loss", 2.5, None),
        ("tables", "table", "note", 1, "x"),
    ]
    connection.close()


@pytest.mark.parametrize(
    ("format_", "text", "where"),
    [
        ("jsonl", "{}\n", "line 1"),
        ("jsonl", '{"type":"points"}\n', "line 1"),
        ("jsonl", "\x00\n", "line 1"),
        ("csv", "", "line 0"),
        ("csv", "step,loss\nx,1\n", "line 2"),
        ("csv", "step,loss\n1\n", "line 2"),
        ("csv", "step,loss\nnan,1\n", "line 2"),
    ],
)
def test_bad_input_is_named(
    db_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    format_: str,
    text: str,
    where: str,
) -> None:
    file = tmp_path / f"bad.{format_}"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as exited:
        main(["import", format_, str(file)])
    assert exited.value.code == 2
    assert where in capsys.readouterr().err
