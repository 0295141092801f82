"""`trackai import auto`: finding the files of several trackers below a folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tensorboardX

import trackai as sdk
from tests.importers.neptune.conftest import DATA
from trackai.importers.auto.search import Found, search
from trackai.importers.receipt import Receipt
from trackai.importers.trackers import TRACKERS, Tracker
from trackai.importers.wandb.folders import HEADER
from trackai.importers.wandb.messages import History, Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

RUNS = """
    SELECT projects.name, runs.slug, runs.uid FROM runs JOIN projects ON projects.id = project_id
    ORDER BY runs.slug
"""


def log_events(folder: Path, *values: float) -> None:
    with tensorboardX.SummaryWriter(str(folder)) as writer:
        for step, value in enumerate(values):
            writer.add_scalar("loss", value, step)


def log_wandb(folder: Path, run_id: str, *values: float) -> None:
    """Write what wandb writes for a short run."""
    start = Record()
    start.run.run_id, start.run.project = run_id, "p"
    start.run.start_time.seconds = 1_700_000_000 + len(values)
    records = [start]
    for step, value in enumerate(values):
        row = History()
        row.step.num = step
        row.item.add(nested_key=["loss"], value_json=repr(value))
        records.append(Record(history=row.SerializeToString()))
    end = Record()
    end.exit.exit_code = 0
    content = bytearray(HEADER)
    for record in [*records, end]:
        data = record.SerializeToString()
        content += struct.pack("<IHB", zlib.crc32(b"\x01" + data), len(data), 1) + data
    folder.mkdir(parents=True)
    (folder / f"run-{run_id}.wandb").write_bytes(content)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with files of several trackers."""
    path = tmp_path / "work"
    log_events(path / "logs" / "first", 1.0, 2.0)
    log_events(path / "logs" / "deep" / "second", 3.0)
    log_wandb(path / "wandb" / "offline-run-20260101_000000-a", "a", 0.5, 0.25)
    log_events(path / "wandb" / "offline-run-20260101_000000-a" / "files" / "tb", 9.0)
    (path / "wandb" / "latest-run").symlink_to(path / "wandb" / "offline-run-20260101_000000-a")
    return path


def found(path: Path, store: Path | None = None) -> list[tuple[str, str]]:
    sources = search(path, Receipt("", ""), store or path / "none.db")
    return [(kind, os.path.relpath(place, path)) for kind, place, _ in sources]


def test_all_kinds_are_imported_and_as_by_their_own_commands(
    work: Path, trackai: Trackai, ask: Ask
) -> None:
    output = trackai("import", "auto", work)
    assert "tensorboard  logs\n" in output.out
    assert "wandb  wandb/offline-run-20260101_000000-a\n" in output.out
    runs = ask(RUNS)
    assert [run[:2] for run in runs] == [("p", "a"), ("logs", "deep/second"), ("logs", "first")]
    for command in (("tensorboard", work / "logs"), ("wandb", work), ("auto", work)):
        receipt = trackai("import", *command, "--json").json
        assert (receipt["complete"], receipt["new_runs"], receipt["stored"]) == (True, 0, 0)
        assert receipt["totals"]["stored"] == 0
    assert ask(RUNS) == runs


def test_what_was_added_later_is_imported_and_the_runs_stay_the_same(
    work: Path, trackai: Trackai, ask: Ask
) -> None:
    trackai("import", "auto", work)
    log_events(work / "logs" / "third", 4.0)
    log_wandb(work / "elsewhere" / "offline-run-20260102_000000-a", "a", 0.75, 0.5, 0.25)
    receipt = trackai("import", "auto", work, "--json").json
    assert (receipt["runs"], receipt["new_runs"], receipt["stored"]) == (4, 1, 4)
    # The runs of wandb that were resumed in another folder are one.
    attempts = ask("SELECT COUNT(*) FROM writers JOIN runs ON runs.id = run_id WHERE slug = 'a'")
    assert attempts == [(2,)]


def test_dry_run_lists_and_stores_nothing(work: Path, trackai: Trackai, db_path: Path) -> None:
    listed = trackai("import", "auto", work, "--dry-run", "--json").json
    assert [source["tracker"] for source in listed["sources"]] == ["tensorboard", "wandb"]
    assert trackai("import", "auto", work, "--dry-run").out.splitlines() == [
        "tensorboard  logs", "wandb  wandb/offline-run-20260101_000000-a"
    ]  # fmt: skip
    assert not db_path.exists()


def test_the_current_folder_is_listed_by_its_dot(
    work: Path, trackai: Trackai, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work / "logs")
    assert trackai("import", "auto", ".", "--dry-run").out.splitlines() == ["tensorboard  ."]


def test_nothing_recognised(tmp_path: Path, trackai: Trackai, db_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_text("step,loss\n1,2\n")
    (tmp_path / "data" / "rows.jsonl").write_text('{"text": "of a data set"}\n')
    (tmp_path / "data" / "x.zip").write_bytes(b"PK")
    (tmp_path / "data" / "x.db").write_bytes(b"no database")
    error = trackai("import", "auto", tmp_path / "data", code=1).err
    assert "nothing to import found; looked for files of" in error
    assert "TensorBoard" in error
    assert not db_path.exists()


def test_files_that_users_name_and_those_of_our_exports(
    tmp_path: Path, trackai: Trackai, ask: Ask
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("step,loss\n1,2\n")
    assert trackai("import", "auto", table, "--json").json["points"] == 1
    folder = tmp_path / "exports"
    folder.mkdir()
    trackai("export", "--all", "-o", folder / "runs.jsonl")
    trackai("export", "--all", "-o", folder / "points.csv")
    trackai("backup", folder / "copy.db")
    shutil.copy(table, folder)
    assert sorted(found(folder)) == [
        ("csv", "points.csv"), ("jsonl", "runs.jsonl"), ("trackai", "copy.db")
    ]  # fmt: skip
    receipt = trackai("import", "auto", folder, "--json").json
    assert (receipt["complete"], receipt["runs"], receipt["stored"]) == (True, 2, 0)
    # Into an empty database, too.
    receipt = trackai("import", "auto", folder, "--db", tmp_path / "new.db", "--json").json
    assert (receipt["complete"], receipt["new_runs"], receipt["stored"]) == (True, 1, 1)


def test_the_database_that_is_imported_into_is_not_a_source(
    tmp_path: Path, trackai: Trackai
) -> None:
    path = tmp_path / "work"
    log_events(path / "logs", 1.0)
    store = path / "trackai.db"
    trackai("import", "auto", path, "--db", store)
    assert found(path, store) == [("tensorboard", ".")]
    assert ("trackai", "trackai.db") in found(path)
    assert trackai("import", "auto", path, "--db", store, "--json").json["stored"] == 0


def test_a_record_file_beside_the_folders_of_others(tmp_path: Path) -> None:
    log_wandb(tmp_path / "work", "a", 0.5)
    log_events(tmp_path / "work" / "logs" / "first", 1.0)
    log_events(tmp_path / "work" / "files" / "copied", 2.0)
    assert found(tmp_path / "work") == [("wandb", "."), ("tensorboard", "logs")]


def test_files_that_only_have_the_names_of_others_hide_nothing(tmp_path: Path) -> None:
    log_events(tmp_path / "logs", 1.0)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TABLE users (name)")
    for name, text in (
        ("data/version_0/metrics.csv", "city,pop\na,1\n"),
        ("data/plots/metrics/x.tsv", "a\tb\n1\t2\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [kind for kind, _ in found(tmp_path)] == ["tensorboard"]


def test_event_files_beside_the_files_of_others(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    path = tmp_path / "work"
    log_events(path / "one", 1.0)
    log_wandb(path / "one" / "wandb" / "run-1-x", "x", 0.5)
    log_events(path / "one" / "wandb" / "run-1-x" / "files", 9.0)
    log_events(path / "two", 2.0)
    trackai("import", "auto", path)
    assert [run[:2] for run in ask(RUNS)] == [
        ("work", "one"), ("work", "two"), ("p", "x")
    ]  # fmt: skip


def test_an_export_of_neptune_is_part_of_the_sum(tmp_path: Path, trackai: Trackai) -> None:
    shutil.copytree(DATA / "export", tmp_path / "work" / "neptune")
    log_events(tmp_path / "work" / "logs", 1.0)
    receipt = trackai("import", "auto", tmp_path / "work", "--json").json
    alone = trackai("import", "neptune", tmp_path / "work" / "neptune", "--json").json
    assert receipt["complete"] is True
    assert receipt["totals"]["read"] == alone["totals"]["read"] + 1
    assert alone["totals"]["stored"] == 0
    again = trackai("import", "auto", tmp_path / "work", "--json").json
    assert (again["new_runs"], again["stored"]) == (0, 0)
    # Other Parquet files with such names are not an export.
    other = tmp_path / "other" / "data" / "train"
    other.mkdir(parents=True)
    (other / "x_part_0.parquet").write_bytes(b"PAR1" + bytes(100) + b"\x08\0\0\0PAR1")
    assert found(tmp_path / "other") == []


def test_a_tracker_without_its_extra_is_a_problem(
    work: Path, trackai: Trackai, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRACKERS, "wandb", Tracker("wandb", "Weights & Biases", needs=("absent",)))
    receipt = trackai("import", "auto", work, "--json", code=4).json
    [problem] = receipt["problems"]
    assert "pip install 'trackai[wandb]'" in problem["problem"]
    assert receipt["new_runs"] == 2


def test_a_source_that_cannot_be_read_does_not_stop_the_others(
    work: Path, trackai: Trackai
) -> None:
    (work / "a").mkdir()
    (work / "broken.jsonl").write_text('{"type":"run","uid":3}\n')
    (work / "a" / "run-x.wandb").write_bytes(b"something else")
    receipt = trackai("import", "auto", work, "--json", code=4).json
    assert receipt["new_runs"] == 3
    problems = {problem["where"]: problem["problem"] for problem in receipt["problems"]}
    assert set(problems) == {"broken.jsonl", "run-x.wandb"}


def test_folders_that_cannot_be_read_are_problems(
    work: Path, trackai: Trackai, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    (work / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    receipt = trackai("import", "auto", work, "--json", code=4).json
    assert receipt["problems"] == [
        {"where": "closed", "problem": "the folder cannot be read: Permission denied"}
    ]
    assert receipt["new_runs"] == 3


def test_hidden_folders_environments_and_links_are_not_searched(tmp_path: Path) -> None:
    path = tmp_path / "work"
    log_events(path / ".git" / "logs", 1.0)
    log_events(path / "node_modules" / "logs", 1.0)
    log_events(path / "env" / "logs", 1.0)
    (path / "env" / "pyvenv.cfg").touch()
    log_events(tmp_path / "outside", 1.0)
    (path / "link").symlink_to(tmp_path / "outside")
    assert found(path) == []
    assert found(path / "link") == [("tensorboard", ".")]


def test_files_of_a_database_are_not_searched(tmp_path: Path) -> None:
    path = tmp_path / "work"
    path.mkdir()
    with closing(sqlite3.connect(path / "p.db")) as connection:
        connection.execute("CREATE TABLE metrics (timestamp, run_name, step, metrics)")
    log_events(path / "media" / "events", 1.0)
    log_events(path / "logs", 1.0)
    assert found(path) == [("trackio", "p.db"), ("tensorboard", "logs")]


def test_files_of_a_run_are_stored_after_the_next_source_was_begun(
    work: Path, trackai: Trackai, ask: Ask
) -> None:
    (work / "wandb" / "offline-run-20260101_000000-a" / "files" / "note.txt").write_text("x")
    log_wandb(work / "z" / "run-2-b", "b", 1.0)
    with sdk.init(project="own", db_path=work / "own.db") as run:
        run.log({"loss": 1})
    assert trackai("import", "auto", work, "--json").json["complete"]
    assert ask("SELECT COUNT(*) FROM files WHERE name = 'note.txt' AND sha256 NOT NULL") == [(1,)]
    assert ask("SELECT name FROM projects ORDER BY name") == [("logs",), ("own",), ("p",)]


def test_progress_names_the_source(work: Path) -> None:
    from trackai.importers.auto.reader import Source

    units = set()

    class Shares:
        def share(self, done: int, total: int, unit: str) -> None:
            units.add(unit)

    receipt = Receipt("", "")
    sources = [Found("wandb", work / "wandb"), Found("tensorboard", work / "logs")]
    list(Source(work, sources, receipt=receipt, progress=Shares()).read())
    assert units == {"bytes of wandb wandb", "bytes of tensorboard logs"}
