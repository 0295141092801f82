"""Importing databases of the original TrackAI.

It has the name of this package, so it cannot be installed here. The tests create its tables, and
fill them with rows as its SDK and its Neptune import wrote them.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import trackai as sdk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai
    from tests.conftest import Server

    Ask = Callable[..., list[tuple[Any, ...]]]

SCHEMA = """
    CREATE TABLE projects (
        id INTEGER NOT NULL PRIMARY KEY, name VARCHAR NOT NULL, project_id VARCHAR NOT NULL UNIQUE,
        created_at DATETIME, updated_at DATETIME
    );
    CREATE TABLE runs (
        id INTEGER NOT NULL PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects (id),
        run_id VARCHAR NOT NULL, name VARCHAR, group_name VARCHAR, tags TEXT, state VARCHAR,
        created_at DATETIME, updated_at DATETIME, UNIQUE (project_id, run_id)
    );
    CREATE TABLE metrics (
        id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id),
        attribute_path VARCHAR NOT NULL, attribute_type VARCHAR NOT NULL, step INTEGER,
        timestamp DATETIME, float_value FLOAT, int_value INTEGER, string_value TEXT,
        bool_value BOOLEAN
    );
    CREATE TABLE configs (
        id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id),
        key VARCHAR NOT NULL, value TEXT, UNIQUE (run_id, key)
    );
    CREATE TABLE files (
        id INTEGER NOT NULL PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id),
        file_type VARCHAR NOT NULL, file_path VARCHAR NOT NULL, file_hash VARCHAR, size INTEGER,
        file_metadata TEXT
    );
    CREATE TABLE dashboards (
        id INTEGER NOT NULL PRIMARY KEY, project_id INTEGER NOT NULL, name VARCHAR NOT NULL,
        widgets TEXT, layout TEXT, created_at DATETIME
    );
"""
T = "2026-02-17 10:00:0{}.500000"
POINTS = """
    SELECT path, axis, kind, step, metrics.timestamp, value FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    WHERE runs.slug = ? ORDER BY path, axis, step, metrics.timestamp, writer_id
"""
START = 1_771_322_400_500_000  # 2026-02-17 10:00:00.5


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Create a database of the original TrackAI."""
    path = tmp_path / "original.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        connection.execute(
            "INSERT INTO projects VALUES (7, 'my project', 'my project_0123456789abcdef', ?, ?)",
            (T.format(0), T.format(0)),
        )
        connection.executemany(
            "INSERT INTO runs VALUES (?, 7, ?, ?, ?, ?, ?, ?, ?)",
            [
                (3, "run-1", "run-1", "g", "a, b", "completed", T.format(0), T.format(9)),
                (4, "FAS-1", "FAS-1", None, None, "failed", T.format(1), T.format(2)),
                (5, "run-2", None, None, None, "running", T.format(1), T.format(2)),
            ],
        )
        logged = [
            ("loss", "float", 0, T.format(1), 0.1, None, None, None),
            ("loss", "float", 1, T.format(2), None, None, None, None),  # NaN
            ("loss", "float", 2, T.format(3), math.inf, None, None, None),
            ("loss", "float", 2, T.format(3), 5e-324, None, None, None),
            ("n", "int", 0, T.format(1), None, 2**62 + 1, None, None),
            ("ok", "bool", 0, T.format(1), None, None, None, 1),
            ("ok", "bool", 1, T.format(1), None, None, None, 0),
            ("said", "string", 0, T.format(1), None, None, "héllo", None),
            ("gpu", "float", None, T.format(4), 0.95, None, None, None),
            ("late", "float", 5, None, 1.5, None, None, None),
        ]
        neptune = [
            ("train/loss", "float_series", 3, "2025-01-01 00:00:00.000000", 2.5, None, None, None),
            ("log", "string_series", 1, "2025-01-01 00:00:00", None, None, "line", None),
            ("sys/name", "string", None, None, None, None, "a name", None),
            ("params/lr", "float", None, None, 0.001, None, None, None),
            ("params/none", "float", None, None, None, None, None, None),
            ("sys/failed", "bool", None, None, None, None, None, 0),
            ("model", "file", None, None, None, None, None, None),
        ]
        connection.executemany(
            "INSERT INTO metrics (run_id, attribute_path, attribute_type, step, timestamp,"
            " float_value, int_value, string_value, bool_value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(3, *row) for row in logged] + [(4, *row) for row in neptune],
        )
        connection.executemany(
            "INSERT INTO configs (run_id, key, value) VALUES (?, ?, ?)",
            [
                (3, "opt/lr", "0.001"), (3, "nan", "NaN"), (3, "list", "[1, -Infinity]"),
                (3, "odd", "no json"), (3, "none", "null"),
                (4, "section", '{"a": "1", "b": {"c": 2}}'),
            ],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO files (run_id, file_type, file_path, size) VALUES (4, 'models', ?, 10)",
            ("p/FAS-1/models/best.pt",),
        )
        connection.execute("INSERT INTO dashboards (project_id, name) VALUES (7, 'd')")
        connection.commit()
    return path


def test_everything_is_there(original: Path, trackai: Trackai, ask: Ask) -> None:
    receipt = trackai("import", "trackai", original, "--json", code=4).json
    assert receipt["totals"]["not_stored"] == {"dashboards are not supported": 1}
    assert receipt["types"]["metrics"]["null"] == 2
    assert receipt["types"]["configuration"]["stored"] == 5 + 2 + 3
    second = 1_000_000
    assert ask(POINTS, "run-1") == [
        ("gpu", "time", "number", START + 4 * second, START + 4 * second, 0.95),
        ("late", "step", "number", 5, START, 1.5),
        ("loss", "step", "number", 0, START + second, 0.1),
        ("loss", "step", "number", 1, START + 2 * second, None),
        ("loss", "step", "number", 2, START + 3 * second, math.inf),
        ("loss", "step", "number", 2, START + 3 * second, 5e-324),
        ("n", "step", "number", 0, START + second, 2**62 + 1),
        ("ok", "step", "bool", 0, START + second, 1),
        ("ok", "step", "bool", 1, START + second, 0),
        ("said", "step", "text", 0, START + second, "héllo"),
    ]
    assert [(row[0], row[3], row[5]) for row in ask(POINTS, "FAS-1")] == [
        ("log", 1, "line"), ("train/loss", 3, 2.5),
    ]  # fmt: skip
    assert ask("SELECT slug, name, group_name, state, created_at, updated_at, finished_at FROM runs"
               " ORDER BY id") == [
        ("run-1", "run-1", "g", "completed", START, START + 9 * second, START + 9 * second),
        ("FAS-1", "FAS-1", None, "failed", START + second, START + 2 * second, START + 2 * second),
        ("run-2", None, None, "running", START + second, START + 2 * second, None),
    ]  # fmt: skip
    assert ask("SELECT name, slug FROM projects") == [("my project", "my project_0123456789abcdef")]
    assert ask("SELECT tag FROM tags ORDER BY tag") == [("a",), ("b",)]
    assert ask("SELECT key, value, type FROM configs ORDER BY run_id, key") == [
        ("list", '[1,"-Infinity"]', None), ("nan", '"NaN"', "float"), ("none", "null", None),
        ("odd", '"no json"', None), ("opt/lr", "0.001", None),
        ("params/lr", "0.001", None), ("section/a", '"1"', None), ("section/b/c", "2", None),
        ("sys/failed", "false", None), ("sys/name", '"a name"', None),
    ]  # fmt: skip
    assert ask("SELECT path, kind, name, source, size, sha256 FROM files") == [
        ("models/best.pt", "file", "best.pt", "p/FAS-1/models/best.pt", None, None)
    ]


def test_clients_see_what_they_saw(original: Path, trackai: Trackai, server: Server) -> None:
    trackai("import", "trackai", original, code=4)
    [project] = server.get("/api/projects")
    assert (project["name"], project["project_id"]) == (
        "my project", "my project_0123456789abcdef",
    )  # fmt: skip
    [run] = server.get("/api/runs?search=run-1")["runs"]
    summary = server.get(f"/api/runs/{run['id']}/summary")
    assert summary["created_at"] == "2026-02-17T10:00:00.500000Z"
    assert summary["metrics"]["gpu"] == 0.95
    points = server.get(f"/api/metrics/runs/{run['id']}/metric/loss")["data"]
    assert [point["value"] for point in points] == [0.1, "NaN", "Infinity", 5e-324]
    assert server.get(f"/api/metrics/runs/{run['id']}/metric/gpu")["data"][0]["step"] is None


def test_importing_again_adds_only_what_is_new(original: Path, trackai: Trackai, ask: Ask) -> None:
    trackai("import", "trackai", original, code=4)
    queries = [
        f"SELECT * FROM {table}"
        for table in ("metrics", "runs", "projects", "configs", "files", "series", "writers")
    ]
    before = list(map(ask, queries))
    receipt = trackai("import", "trackai", original, "--json", code=4).json
    assert (receipt["new_runs"], receipt["totals"]["stored"]) == (0, 0)
    assert list(map(ask, queries)) == before
    with closing(sqlite3.connect(original)) as connection:
        connection.execute(
            "INSERT INTO metrics (run_id, attribute_path, attribute_type, step, timestamp,"
            " float_value) VALUES (5, 'loss', 'float', 1, ?, 3.0)",
            (T.format(8),),
        )
        connection.execute(
            "UPDATE runs SET state = 'completed', updated_at = ? WHERE id = 5", (T.format(9),)
        )
        connection.commit()
    receipt = trackai("import", "trackai", original, "--json", code=4).json
    assert (receipt["new_runs"], receipt["totals"]["stored"]) == (0, 1)
    assert ask("SELECT state, finished_at FROM runs WHERE slug = 'run-2'") == [
        ("completed", START + 9_000_000)
    ]


def test_a_database_of_this_program_is_merged(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    with sdk.init(project="p", name="r", db_path=tmp_path / "other.db") as run:
        run.log({"loss": 1.0})
    for new in (1, 0):
        receipt = trackai("import", "trackai", tmp_path / "other.db", "--json").json
        assert (receipt["runs"], receipt["new_runs"]) == (1, new)
    assert ask("SELECT value FROM metrics") == [(1.0,)]


def test_bad_input(original: Path, tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    text, foreign, incomplete = (tmp_path / name for name in ("text.db", "foreign.db", "other.db"))
    text.write_text("no database")
    for path, table in ((foreign, "things"), (incomplete, "projects")):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"CREATE TABLE {table} (id, name)")
    damaged = tmp_path / "damaged.db"
    data = bytearray(original.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    damaged.write_bytes(data)
    for path, message in (
        (tmp_path / "none", "does not exist"),
        (tmp_path, "is a directory"),
        (text, "not a SQLite database"),
        (foreign, "table projects not found"),
        (incomplete, "table projects has no column project_id"),
        (damaged, "the database is damaged"),
    ):
        error = trackai("import", "trackai", path, code=2).err
        assert message in error
        assert len(error.strip().splitlines()) == 1 or "Usage" in error
    assert ask("SELECT COUNT(*) FROM runs") == [(0,)]
