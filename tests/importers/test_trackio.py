"""Importing folders that trackio itself wrote."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

POINTS = """
    SELECT path, axis, kind, step, metrics.timestamp, value FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    WHERE runs.name = ? ORDER BY path, axis, step, metrics.timestamp, writer_id
"""
EVERYTHING = """
    SELECT runs.uid, path, axis, step, metrics.timestamp, value, writers.uid FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    JOIN writers ON writers.id = writer_id
    ORDER BY runs.uid, path, axis, step, metrics.timestamp, writers.uid
"""
SCRIPT = """
    import numpy as np
    import trackio
    from pathlib import Path

    quiet = dict(embed=False, auto_log_gpu=False, auto_log_cpu=False)
    config = {"lr": 0.1, "opt": {"name": "adam", "betas": [0.9, 0.999]}, "none": None}
    trackio.init(project="my proj", name="all", group="g", config=config, **quiet)
    for step in range(3):
        trackio.log({"loss": 1 / (step + 1), "n": step, "ok": step > 0, "sub": {"a": step / 2}})
    trackio.log({"loss": float("nan"), "up": float("inf"), "down": float("-inf")}, step=7)
    trackio.log({"loss": 0.5, "text": "NaN of sorts", "none": None, "list": [1, 2]}, step=7)
    picture = trackio.Image(np.zeros((4, 4, 3), dtype=np.uint8), caption="black")
    trackio.log({"picture": picture}, step=8)
    cell = trackio.Image(np.ones((4, 4, 3), dtype=np.uint8))
    trackio.log({
        "histogram": trackio.Histogram([1, 2, 2], num_bins=2),
        "table": trackio.Table(columns=["a", "b"], data=[[1, "x"], [2, cell]]),
        "markdown": trackio.Markdown("# hi"),
        "trace": trackio.Trace(messages=[{"role": "user", "content": "hello"}]),
    }, step=9)
    trackio.log_system({"gpu": 0.5, "mem": {"used": 10}})
    trackio.alert("bad", text="it is bad", level=trackio.AlertLevel.WARN)
    Path("model.bin").write_bytes(b"weights")
    artifact = trackio.Artifact("model", type="model")
    artifact.add_file("model.bin")
    trackio.log_artifact(artifact)
    trackio.finish()
    trackio.init(project="my proj", name="plain", **quiet)
    trackio.log({"loss": 1.0})
    trackio.finish()
    trackio.init(project="other", name="plain", **quiet)
    trackio.log({"loss": 2.0})
    trackio.finish()
"""


def run(script: str, folder: Path, *arguments: object, code: int = 0) -> None:
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, "TRACKIO_DIR": str(folder), "HF_HUB_OFFLINE": "1"},
        cwd=folder.parent, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert process.returncode == code, process.stderr


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let trackio write a folder."""
    path = tmp_path_factory.mktemp("trackio") / "folder"
    run(SCRIPT, path)
    return path


def test_what_trackio_writes(written: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    receipt = trackai("import", "trackio", written, "--json").json
    assert receipt["complete"] is True
    assert receipt["runs"] == 3
    assert receipt["types"]["metrics"]["null"] == 1
    points: dict[str, list[Any]] = {}
    for path, _, _, step, _, value in ask(POINTS, "all"):
        points.setdefault(path, []).append((step, value))
    assert points["loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3), (7, None), (7, 0.5)]
    assert points["n"] == [(0, 0), (1, 1), (2, 2)]
    assert points["sub/a"] == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert (points["up"], points["down"]) == ([(7, math.inf)], [(7, -math.inf)])
    assert points["text"] == [(7, "NaN of sorts")]
    assert points["list"] == [(7, "[1,2]")]
    assert points["markdown"] == [(9, "# hi")]
    assert json.loads(points["histogram"][0][1]) == {
        "type": "COUNTING", "edges": [1.0, 1.5, 2.0], "values": [1, 2],
    }  # fmt: skip
    [(_, trace)] = points["trace"]
    assert json.loads(trace)["messages"] == [{"role": "user", "content": "hello"}]
    [(_, alert)] = points["alerts/warn"]
    assert alert == "bad\nit is bad"
    kinds = {path: (axis, kind) for path, axis, kind, *_ in ask(POINTS, "all")}
    assert kinds["ok"] == ("step", "bool")
    assert kinds["histogram"] == ("step", "histogram")
    assert kinds["gpu"] == kinds["mem/used"] == ("time", "number")
    with closing(sqlite3.connect(written / "myproj.db")) as theirs:
        [(logged,)] = theirs.execute("SELECT timestamp FROM system_metrics").fetchall()
    [(gpu, time)] = ask("SELECT step, metrics.timestamp FROM metrics JOIN series ON"
                        " series.id = series_id WHERE path = 'gpu'")  # fmt: skip
    assert gpu == time
    assert ask("SELECT strftime('%Y-%m-%dT%H:%M:%S', ? / 1000000, 'unixepoch')", time) == [
        (logged[:19],)
    ]


def test_runs_and_their_files(written: Path, trackai: Trackai, ask: Ask, db_path: Path) -> None:
    trackai("import", "trackio", written)
    assert ask("SELECT projects.name, slug_, group_name, state FROM projects JOIN"
               " (SELECT slug AS slug_, * FROM runs) AS runs ON runs.project_id = projects.id"
               " ORDER BY 1, 2") == [
        ("myproj", "all", "g", "completed"),
        ("myproj", "plain", None, "completed"),
        ("other", "plain", None, "completed"),
    ]  # fmt: skip
    assert [
        (key, json.loads(value))
        for key, value in ask("SELECT key, value FROM configs ORDER BY key")
    ] == [
        ("lr", 0.1),
        ("none", None),
        ("opt/betas", [0.9, 0.999]),
        ("opt/name", "adam"),
    ]
    files = ask("SELECT path, kind, step, name, sha256 FROM files ORDER BY path, name DESC")
    assert [row[:3] for row in files] == [
        ("model:v0", "artifact", None), ("picture", "file_series", 8),
        ("table", "file_series", 9), ("table", "file_series", 9),
    ]  # fmt: skip
    contents = {
        (path, name): blob_path(db_path, sha256).read_bytes() for path, *_, name, sha256 in files
    }
    assert contents.pop(("model:v0", "model.bin")) == b"weights"
    table = json.loads(contents.pop(("table", "9.table.json")))
    assert table["columns"] == ["a", "b"]
    assert [row[0] for row in table["data"]] == [1, 2]
    assert table["data"][0][1] == "x"
    # A picture is named by its caption, and one in a table cell as trackio names it.
    assert ("picture", "black.png") in contents
    cell = table["data"][1][1]["file_path"].rpartition("/")[2]
    assert ("table", cell) in contents
    assert all(content.startswith(b"\x89PNG") for content in contents.values())
    [(started, ended, last)] = ask(
        "SELECT created_at, finished_at, (SELECT max(timestamp) FROM metrics) FROM runs LIMIT 1"
    )
    assert started <= ended
    assert last >= started


def test_again_nothing_is_new(written: Path, trackai: Trackai, ask: Ask) -> None:
    trackai("import", "trackio", written)
    queries = [EVERYTHING, "SELECT * FROM runs", "SELECT * FROM files", "SELECT * FROM configs"]
    before = list(map(ask, queries))
    receipt = trackai("import", "trackio", written / "myproj.db", "--json").json
    assert (receipt["runs"], receipt["new_runs"], receipt["totals"]["stored"]) == (2, 0, 0)
    assert list(map(ask, queries)) == before


def test_a_run_that_goes_on(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    script = """
        import sys, trackio
        trackio.init(project="p", name="r", resume="allow", embed=False, auto_log_gpu=False,
                     auto_log_cpu=False)
        for step in range(int(sys.argv[1]), int(sys.argv[2])):
            trackio.log({"loss": step / 4}, step=step)
        trackio.finish()
    """
    for first, last in ((0, 5), (5, 12)):
        run(script, tmp_path / "folder", first, last)
        assert trackai("import", "trackio", tmp_path / "folder", "--json").json["stored"] == (
            last - first
        )
    assert ask("SELECT step, value FROM metrics") == [(step, step / 4) for step in range(12)]
    assert ask("SELECT COUNT(*), max(finished_at) >= max(updated_at) FROM runs") == [(1, 1)]
    # When it goes on, trackio replaces the time at which it began: the first point tells.
    trackai("import", "trackio", tmp_path / "folder", "--db", tmp_path / "late.db")
    times = "SELECT created_at FROM runs"
    [[created]] = trackai("sql", "--json", "--db", tmp_path / "late.db", times).json["rows"]
    [(began,)] = ask(times)
    [(first,)] = ask("SELECT min(timestamp) FROM metrics")
    assert began <= created <= first


def test_before_runs_had_ids(written: Path, tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    """Databases of trackio before 0.24: runs have only names."""
    shutil.copy(written / "myproj.db", tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall():
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            if table not in ("metrics", "configs", "system_metrics"):
                connection.execute(f"DROP TABLE {table}")
            else:
                selected = ", ".join(name for name in columns if name not in ("run_id", "log_id"))
                connection.execute(f"CREATE TABLE new AS SELECT {selected} FROM {table}")
                connection.execute(f"DROP TABLE {table}")
                connection.execute(f"ALTER TABLE new RENAME TO {table}")
        connection.commit()
    for _ in range(2):
        receipt = trackai("import", "trackio", tmp_path / "old.db", "--json", code=4).json
        assert receipt["runs"] == 2
        # The media are in another folder.
        assert receipt["totals"]["not_stored"] == {"file content not found": 2}
    assert [row[3::2] for row in ask(POINTS, "all") if row[0] == "loss"] == [
        (0, 1.0), (1, 0.5), (2, 1 / 3), (7, None), (7, 0.5),
    ]  # fmt: skip


def test_bad_input(written: Path, tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    empty, text, foreign = (tmp_path / name for name in ("empty", "text.db", "foreign.db"))
    empty.mkdir()
    text.write_text("no database")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE metrics (id)")
    damaged = tmp_path / "folder" / "myproj.db"
    shutil.copytree(written, damaged.parent)
    data = bytearray(damaged.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    damaged.write_bytes(data)
    for path, message in (
        (tmp_path / "none", "does not exist"),
        (empty, "no trackio projects found"),
        (text, "not a SQLite database"),
        (foreign, "not a trackio project"),
        (damaged, "the database is damaged"),
    ):
        output = trackai("import", "trackio", path, code=2)
        assert message in output.err
        assert len(output.err.strip().splitlines()) == 1 or "Usage" in output.err
    assert ask("SELECT COUNT(*) FROM runs") == [(0,)]
    # In a folder, the other projects are imported.
    receipt = trackai("import", "trackio", damaged.parent, "--json", code=4).json
    assert [problem["where"] for problem in receipt["problems"]] == ["myproj.db"]
    assert ask("SELECT projects.name FROM runs JOIN projects ON projects.id = project_id") == [
        ("other",)
    ]


def test_media_outside_the_folder_are_refused(
    written: Path, tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(written, folder)
    (tmp_path / "secret").write_text("secret")
    with closing(sqlite3.connect(folder / "myproj.db")) as connection:
        logged = {"picture": {"_type": "trackio.image", "file_path": "../../secret"}}
        connection.execute(
            "UPDATE metrics SET metrics = ? WHERE step = 8", (json.dumps(logged).encode(),)
        )
        connection.commit()
    receipt = trackai("import", "trackio", folder, "--json", code=4).json
    assert receipt["totals"]["not_stored"] == {"file content not found": 1}
    assert ask("SELECT COUNT(*) FROM files WHERE path = 'picture'") == [(0,)]
