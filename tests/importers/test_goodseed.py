"""Importing runs of GoodSeed, as goodseed 0.4.0 writes them."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.importers.sources import read_source
from trackai.errors import InvalidInputError
from trackai.importers.goodseed import recognises
from trackai.importers.goodseed.reader import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

SECOND = 1_795_973_884
SCHEMA = """
    CREATE TABLE configs (path TEXT PRIMARY KEY, type_tag TEXT NOT NULL, value TEXT,
        updated_at TEXT NOT NULL, uploaded INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE metric_series (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
    CREATE TABLE metric_points (series_id INTEGER NOT NULL REFERENCES metric_series(id),
        step REAL NOT NULL, y REAL NOT NULL, ts INTEGER NOT NULL,
        uploaded INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (series_id, step));
    CREATE TABLE run_meta (key TEXT PRIMARY KEY, value TEXT);
    CREATE TABLE string_points (series_id INTEGER NOT NULL REFERENCES string_series(id),
        step REAL NOT NULL, value TEXT NOT NULL, ts INTEGER NOT NULL,
        uploaded INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (series_id, step));
    CREATE TABLE string_series (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
"""
META = {
    "schema_version": "1", "run_id": "bold-falcon", "project": "w/sample", "name": "näme/1",
    "created_at": "2026-11-29T17:38:04.428396+00:00", "status": "finished",
    "closed_at": "2026-11-29T17:38:04.429859+00:00",
}  # fmt: skip
CONFIGS = [
    ("sys/id", "str", "bold-falcon"), ("sys/description", "str", "d"),
    ("sys/tags", "string_set", '["a", "b"]'), ("sys/group_tags", "string_set", '["g"]'),
    ("monitoring/cabd2b1d/hostname", "str", "host"), ("monitoring/cabd2b1d/pid", "int", "7"),
    ("lr", "float", "0.001"), ("seed", "int", "7"), ("big", "int", str(2**70)),
    ("flag", "bool", "true"), ("nothing", "null", ""), ("nan", "float", "nan"),
    ("nested/depth", "int", "4"), ("text", "str", "true"), ("set", "string_set", '["x"]'),
    ("at", "datetime", "2024-01-01T12:00:00"), ("wrong", "int", "many"),
]  # fmt: skip
POINTS = [
    ("train/loss", 0, 0.5), ("train/loss", 1, 0.25), ("accuracy", 0, 0.5),
    ("big", 0, 9007199254740992.0), ("inf", 0, math.inf), ("fraction", 1.5, 1.0),
    ("negative", -3, -0.0), ("train/loss", 3, 0.125), ("train/loss", 3, 0.1), ("accuracy", 10, 0.9),
    ("monitoring/cabd2b1d/cpu", 0, 12.5),
]  # fmt: skip
TEXTS = [
    ("note", 1, "hello"), ("monitoring/cabd2b1d/stdout", 0, "one"),
    ("monitoring/cabd2b1d/stdout", 1, "two"), ("monitoring/cabd2b1d/stderr", 2, "three"),
]  # fmt: skip


def connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def log(connection: sqlite3.Connection, kind: str, rows: list[Any], second: int = SECOND) -> None:
    column = "y" if kind == "metric" else "value"
    for path, step, value in rows:
        connection.execute(f"INSERT OR IGNORE INTO {kind}_series (path) VALUES (?)", (path,))
        connection.execute(
            f"INSERT OR REPLACE INTO {kind}_points (series_id, step, {column}, ts) "
            f"VALUES ((SELECT id FROM {kind}_series WHERE path = ?), ?, ?, ?)",
            (path, step, value, second),
        )
    connection.commit()


def write(path: Path, meta: dict[str, str] = META) -> Path:
    with contextlib.closing(connect(path)) as connection:
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO run_meta VALUES (?, ?)", meta.items())
        connection.executemany("INSERT INTO configs VALUES (?, ?, ?, '', 0)", CONFIGS)
        log(connection, "metric", POINTS)
        log(connection, "string", TEXTS)
    return path


def test_what_goodseed_writes(tmp_path: Path) -> None:
    path = write(tmp_path / "projects" / "w" / "sample" / "runs" / "bold-falcon.sqlite")
    for source in (path, tmp_path):
        receipt, runs = read_source(Source, source)
        assert receipt.problems == []
        assert [remark.problem for remark in receipt.remarks] == [
            "'wrong' is not int; stored as a text"
        ]
        head, points = runs["bold-falcon"].head, runs["bold-falcon"].points
        assert points["train/loss"] == [(0, 0.5), (1, 0.25), (3, 0.1)]
        assert points["accuracy"] == [(0, 0.5), (10, 0.9)]
        assert points["big"] == [(0, 9007199254740992.0)]
        assert points["inf"] == [(0, math.inf)]
        assert points["fraction"] == [(1.5, 1.0)]
        assert points["negative"] == [(-3, 0.0)]
        assert points["note"] == [(1, "hello")]
        assert points["system/cpu"] == [(SECOND * 1_000_000, 12.5)]
        assert [value for _, value in points["logs/stdout"]] == ["one", "two"]
        assert [value for _, value in points["logs/stderr"]] == ["three"]
        assert all(isinstance(step, int) for step, _ in points["train/loss"])
        assert set(runs["bold-falcon"].times["accuracy"]) == {SECOND * 1_000_000}
        assert head.config == {
            "lr": 0.001, "seed": 7, "big": 2**70, "flag": True, "nothing": None, "nan": "NaN",
            "nested/depth": 4, "text": "true", "set": ["x"], "at": "2024-01-01T12:00:00",
            "wrong": "many",
        }  # fmt: skip
        assert head.environment == {1: {"host": "host", "pid": 7, "sys/group_tags": ["g"]}}
        assert (head.project, head.name, head.notes) == ("w/sample", "näme/1", "d")
        assert (head.tags, head.state) == (["a", "b"], "completed")
        assert head.created_at == 1_795_973_884_428_396
        assert head.finished_at == 1_795_973_884_429_859


def test_a_run_that_is_being_written(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    meta = {key: value for key, value in META.items() if key != "closed_at"}
    path = write(tmp_path / "a.sqlite", {**meta, "status": "running"})
    with contextlib.closing(connect(path)) as connection:
        log(connection, "metric", [("accuracy", 11, 1.0)], SECOND + 1)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO metric_points VALUES (1, 99, 9, 9, 0)")
        first = trackai("import", "goodseed", path, "--json").json
        connection.rollback()
        assert ask("SELECT state FROM runs") == [("running",)]
        again = trackai("import", "goodseed", tmp_path, "--json").json
        assert (again["new_runs"], again["totals"]["stored"]) == (0, 0)
        assert again["totals"]["already_there"] == first["totals"]["stored"]
        log(connection, "metric", [("accuracy", 12, 1.0)], SECOND + 2)
        connection.execute("UPDATE run_meta SET value = 'failed' WHERE key = 'status'")
        connection.commit()
        grown = trackai("import", "goodseed", path, "--json").json
        assert (grown["new_runs"], grown["totals"]["stored"]) == (0, 1)
        assert ask("SELECT state FROM runs") == [("failed",)]


def test_a_killed_run_has_failed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sqlite", {**META, "status": "running"})
    os.utime(path, (1, 1))
    assert read_source(Source, path)[1]["bold-falcon"].head.state == "failed"


def test_files_of_others(tmp_path: Path, trackai: Trackai) -> None:
    assert "no runs of GoodSeed" in trackai("import", "goodseed", tmp_path, code=2).err
    with contextlib.closing(connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE t (x)")
    (tmp_path / "text.sqlite").write_text("no database" * 99)
    for name, problem in (("other", "not a run of GoodSeed"), ("text", "not a SQLite database")):
        path = tmp_path / f"{name}.sqlite"
        assert problem in trackai("import", "goodseed", path, code=2).err
    assert not recognises(tmp_path)
    write(tmp_path / "projects" / "w" / "p" / "runs" / "a.sqlite")
    assert recognises(tmp_path)
    receipt = trackai("import", "goodseed", tmp_path, "--json", code=4).json
    assert receipt["runs"] == 1
    assert {problem["where"] for problem in receipt["problems"]} == {"other.sqlite", "text.sqlite"}


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=9))))
def test_damaged_files(tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    path = tmp_path / "a.sqlite"
    if not (tmp_path / "whole").exists():
        (tmp_path / "whole").write_bytes(write(path).read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    for position, data in changes:
        start = position % len(content)
        content[start : start + len(data)] = data
    path.write_bytes(content)
    recognises(path)
    with contextlib.suppress(InvalidInputError):
        read_source(Source, path)


def test_rows_of_any_type(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sqlite")
    with contextlib.closing(connect(path)) as connection:
        connection.execute("INSERT INTO metric_points VALUES (1, 50, 'text', 9, 0)")
        connection.execute("INSERT INTO metric_points VALUES (99, 51, 1, 9, 0)")
        connection.execute("INSERT INTO metric_points VALUES (1, 9e999, 1, 9, 0)")
        connection.execute("INSERT INTO metric_points VALUES (1, 52, 1, -5, 0)")
        connection.execute("INSERT INTO configs VALUES ('blob', 'int', x'00ff', '', 0)")
        connection.commit()
    receipt, runs = read_source(Source, path)
    assert receipt.counts("metrics").not_stored == {"invalid row": 3, "invalid step: inf": 1}
    assert runs["bold-falcon"].points["train/loss"] == [(0, 0.5), (1, 0.25), (3, 0.1)]
