"""Importing databases and folders of MLflow."""

from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackai.errors import InvalidInputError, MissingExtraError
from trackai.importers.mlflow import recognises
from trackai.importers.mlflow.params import guess
from trackai.importers.mlflow.points import Points
from trackai.importers.mlflow.reader import Source
from trackai.importers.receipt import Receipt
from trackai.store.catalogue.files import blob_path
from trackai.structs.exchange import Block, FileHead, RunHead, WriterHead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Trackai

    Ask = Callable[..., list[tuple[Any, ...]]]

START = 1_795_973_831_302
END = START + 1_000
LARGEST = 1.7976931348623157e308
# What a sample of MLflow 3.17 holds: metric, milliseconds after the start, value, step.
POINTS = [
    ("train/loss", 60, 0.5, 0),
    ("train/loss", 70, 0.25, 1),
    ("accuracy", 73, 0.5, 0),
    ("train/loss", 71, math.nan, 2),
    ("train/loss", 72, 0.125, 3),
    ("big", 118, 9007199254740992.0, 0),
    ("inf", 120, math.inf, 0),
    ("train/loss", 129, 0.1, 3),
    ("accuracy", 130, 0.9, 10),
]
PARAMS = {
    "lr": "0.001", "seed": "7", "name": "baseline", "flag": "True", "nothing": "None",
    "nested": "{'depth': 4, 'dropout': 0.1}",
}  # fmt: skip
CONFIG = {
    "lr": 0.001, "seed": 7, "name": "baseline", "flag": True, "nothing": None,
    "nested/depth": 4, "nested/dropout": 0.1,
}  # fmt: skip
# The tables of version 1.0, and what later versions have added.
OLD_TABLES = """
    CREATE TABLE experiments (
        experiment_id INTEGER PRIMARY KEY, name VARCHAR(256), artifact_location VARCHAR(256)
    );
    CREATE TABLE runs (
        run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), user_id VARCHAR(256),
        status VARCHAR(20), start_time BIGINT, end_time BIGINT, source_name VARCHAR(500),
        source_version VARCHAR(50), artifact_uri VARCHAR(200), experiment_id INTEGER
    );
    CREATE TABLE metrics (
        key VARCHAR(250), value FLOAT NOT NULL, timestamp BIGINT, run_uuid VARCHAR(32) NOT NULL,
        PRIMARY KEY (key, timestamp, run_uuid, value)
    );
    CREATE TABLE params (
        key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid)
    );
    CREATE TABLE tags (
        key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid)
    );
"""
TABLES = """
    CREATE TABLE experiments (
        experiment_id INTEGER PRIMARY KEY, name VARCHAR(256), artifact_location VARCHAR(256),
        lifecycle_stage VARCHAR(32), workspace VARCHAR(63) DEFAULT 'default' NOT NULL
    );
    CREATE TABLE experiment_tags (key VARCHAR(250), value TEXT, experiment_id INTEGER);
    CREATE TABLE runs (
        run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), user_id VARCHAR(256),
        status VARCHAR(9), start_time BIGINT, end_time BIGINT, source_name VARCHAR(500),
        source_version VARCHAR(50), lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200),
        experiment_id INTEGER
    );
    CREATE TABLE metrics (
        key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
        run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL,
        is_nan BOOLEAN DEFAULT '0' NOT NULL,
        PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan)
    );
    CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
    CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, key, step);
    CREATE TABLE params (
        key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid)
    );
    CREATE INDEX index_params_run_uuid ON params (run_uuid);
    CREATE TABLE tags (
        key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid)
    );
    CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
"""
MODEL_TABLES = """
    CREATE TABLE inputs (
        input_uuid VARCHAR(36), source_type VARCHAR(36), source_id VARCHAR(36),
        destination_type VARCHAR(36), destination_id VARCHAR(36)
    );
    CREATE TABLE input_tags (input_uuid VARCHAR(36), name VARCHAR(255), value VARCHAR(500));
    CREATE TABLE datasets (
        dataset_uuid VARCHAR(36), experiment_id INTEGER, name VARCHAR(500), digest VARCHAR(36),
        dataset_source_type VARCHAR(36), dataset_source TEXT, dataset_schema TEXT,
        dataset_profile TEXT
    );
    CREATE TABLE logged_models (
        model_id VARCHAR(36), name VARCHAR(500), artifact_location VARCHAR(1000),
        model_type VARCHAR(500), source_run_id VARCHAR(32)
    );
    CREATE TABLE logged_model_params (model_id VARCHAR(36), param_key, param_value TEXT);
    CREATE TABLE logged_model_tags (model_id VARCHAR(36), tag_key, tag_value TEXT);
    CREATE TABLE registered_models (name VARCHAR(256), description TEXT);
    CREATE TABLE registered_model_tags (key VARCHAR(250), value TEXT, name VARCHAR(256));
    CREATE TABLE registered_model_aliases (
        alias VARCHAR(256), version INTEGER, name VARCHAR(256)
    );
    CREATE TABLE model_versions (
        name VARCHAR(256), version INTEGER, description TEXT, current_stage VARCHAR(20),
        run_id VARCHAR(32)
    );
    CREATE TABLE model_version_tags (key VARCHAR(250), value TEXT, name, version INTEGER);
    CREATE TABLE trace_info (request_id VARCHAR(50), experiment_id INTEGER);
"""
LOGGED = """
    SELECT path, axis, step, metrics.timestamp, value FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    WHERE runs.slug = ? ORDER BY path, step, metrics.timestamp, writer_id
"""
EVERYTHING = """
    SELECT runs.uid, path, axis, step, metrics.timestamp, value, writers.uid FROM metrics
    JOIN series ON series.id = series_id JOIN runs ON runs.id = series.run_id
    JOIN writers ON writers.id = writer_id
    ORDER BY runs.uid, path, axis, step, metrics.timestamp, writers.uid
"""


class Tracking:
    """A database as MLflow writes it."""

    def __init__(self, path: Path, tables: str = TABLES) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(tables)
        self.insert("experiments", experiment_id=0, name="Default", artifact_location="/gone/0")
        self.insert("experiments", experiment_id=1, name="sample", artifact_location="/gone/1")

    def insert(self, table: str, **values: Any) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())
        )

    def run(self, uuid: str, name: str | None = None, **columns: Any) -> None:
        tags = {"mlflow.runName": name or uuid, **columns.pop("tags", {})}
        row = {
            "run_uuid": uuid, "name": name or uuid, "user_id": "me", "status": "FINISHED",
            "start_time": START, "end_time": END, "experiment_id": 1,
            "artifact_uri": f"/gone/mlruns/1/{uuid}/artifacts",
        }  # fmt: skip
        self.insert("runs", **row | columns)
        for key, value in tags.items():
            self.insert("tags", key=key, value=value, run_uuid=uuid)

    def log(self, uuid: str, points: Iterable[tuple[str, Any, Any, Any]]) -> None:
        for key, at, value, step in points:
            stored = {math.inf: LARGEST, -math.inf: -LARGEST}.get(value, value)
            is_nan = value != value
            self.insert(
                "metrics", key=key, value=0.0 if is_nan else stored, timestamp=START + at,
                run_uuid=uuid, step=step, is_nan=is_nan,
            )  # fmt: skip


def write_files(
    folder: Path,
    uuid: str = "a" * 32,
    points: Iterable[tuple[str, Any, Any, Any]] = (),
    *,
    experiment: str = "365123940183535348",
    name: str = "sample",
    meta: dict[str, Any] | None = None,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> Path:
    """Write a run as MLflow's file store does; return its folder."""
    run = folder / experiment / uuid
    for part in ("metrics", "params", "tags", "artifacts"):
        (run / part).mkdir(parents=True, exist_ok=True)
    described = {
        "artifact_location": f"file:///gone/{experiment}", "experiment_id": experiment,
        "lifecycle_stage": "active", "name": name,
    }  # fmt: skip
    (run.parent / "meta.yaml").write_text(yaml_of(described))
    described_run = {
        "artifact_uri": f"file:///gone/{experiment}/{uuid}/artifacts", "end_time": END,
        "experiment_id": experiment, "lifecycle_stage": "active", "run_id": uuid,
        "run_name": "finished", "source_name": "", "source_version": "", "start_time": START,
        "status": 3, "tags": [], "user_id": "user",
    }  # fmt: skip
    (run / "meta.yaml").write_text(yaml_of({**described_run, **(meta or {})}))
    for part, texts in (("params", params or {}), ("tags", tags or {})):
        for key, text in texts.items():
            (run / part / key).parent.mkdir(exist_ok=True)
            (run / part / key).write_bytes(text.encode())
    for key, at, value, step in points:
        (run / "metrics" / key).parent.mkdir(exist_ok=True)
        with (run / "metrics" / key).open("a") as file:
            file.write(f"{START + at} {value} {step}\n")
    return run


def yaml_of(values: dict[str, Any]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())


@pytest.fixture
def tracking(tmp_path: Path) -> Iterator[Tracking]:
    (tmp_path / "source").mkdir()
    tracking = Tracking(tmp_path / "source" / "mlflow.db")
    with closing(tracking.connection):
        yield tracking


class Silent:
    def share(self, done: int, total: int, unit: str) -> None:
        assert done <= total


def read(path: Path, receipt: Receipt | None = None) -> Iterator[Any]:
    receipt = receipt or Receipt("source", "database")
    yield from Source(path, receipt=receipt, progress=Silent()).read()


def items(path: Path) -> tuple[list[Any], Receipt]:
    receipt = Receipt("source", "database")
    return list(read(path, receipt)), receipt


def logged(found: Iterable[Any]) -> list[tuple[str, Any, int, str]]:
    """Return the points: metric, step, time and value."""
    return [
        (block.metric, step, at, repr(value))
        for block in found
        if isinstance(block, Block)
        for step, at, value in zip(
            block.own_steps or block.steps, block.timestamps, block.values, strict=True
        )
    ]


def expected(points: Iterable[tuple[str, Any, Any, Any]]) -> list[tuple[str, Any, int, str]]:
    return [(key, step, (START + at) * 1000, repr(value)) for key, at, value, step in points]


def heads(found: Iterable[Any]) -> dict[str, RunHead]:
    return {item.run_id: item for item in found if isinstance(item, RunHead)}


def own_config(head: RunHead) -> dict[str, Any]:
    return {key: value for key, value in head.config.items() if not key.startswith("_mlflow/")}


def check_sample(ask: Ask, uuid: str) -> None:
    points: dict[str, list[Any]] = {}
    for path, axis, step, _, value in ask(LOGGED, uuid):
        assert axis == "step"
        points.setdefault(path, []).append((step, value))
    assert points == {
        "train/loss": [(0, 0.5), (1, 0.25), (2, None), (3, 0.125), (3, 0.1)],
        "accuracy": [(0, 0.5), (10, 0.9)],
        "big": [(0, 9007199254740992.0)],
        "inf": [(0, math.inf)],
    }
    config = ask(
        "SELECT key, configs.value FROM configs JOIN runs ON runs.id = run_id WHERE slug = ?", uuid
    )
    own = {key: json.loads(text) for key, text in config if not key.startswith("_mlflow/")}
    assert own == CONFIG
    assert {key: type(value) for key, value in own.items()} == {
        key: type(value) for key, value in CONFIG.items()
    }


def test_a_database(tracking: Tracking, trackai: Trackai, ask: Ask) -> None:
    tags = {"k": "v", "flag": "", "mlflow.note.content": "about it", "lines": "a\nb"}
    tracking.run("f" * 32, "finished", tags=tags, source_name="train.py", source_version="abc")
    tracking.log("f" * 32, POINTS)
    for key, value in PARAMS.items():
        tracking.insert("params", key=key, value=value, run_uuid="f" * 32)
    tracking.run("e" * 32, "failed", status="FAILED", start_time=START + 1)
    receipt = trackai("import", "mlflow", tracking.path, "--json").json
    assert receipt["complete"] is True
    assert (receipt["runs"], receipt["points"]) == (2, 9)
    remarks = [remark["problem"] for remark in receipt["remarks"]]
    assert remarks[0] == "infinities, which MLflow stores as 1.8e308: 1"
    assert remarks[1].endswith(f"/gone/mlruns/1/{'f' * 32}/artifacts and 1 more")
    check_sample(ask, "f" * 32)
    runs = ask(
        "SELECT projects.name, runs.name, state, notes, runs.created_at, finished_at FROM runs "
        "JOIN projects ON projects.id = project_id ORDER BY runs.id"
    )
    assert runs == [
        ("sample", "finished", "completed", "about it", START * 1000, END * 1000),
        ("sample", "failed", "failed", None, (START + 1) * 1000, END * 1000),
    ]
    assert ask("SELECT tag FROM tags WHERE run_id = 1") == [("flag",), ("k=v",)]
    assert ask("SELECT value FROM configs WHERE key = '_mlflow/tags/lines'") == [('"a\\nb"',)]
    facts = dict[Any, Any](ask("SELECT key, value FROM environment WHERE run_id = 1"))
    assert facts == {"user": '"me"', "script": '"train.py"', "git/commit": '"abc"'}


def test_a_folder(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    tags = {"k": "v", "mlflow.user": "user", "mlflow.source.name": "-", "group/team": "x"}
    write_files(tmp_path / "mlruns", points=POINTS, params=PARAMS, tags=tags)
    receipt = trackai("import", "mlflow", tmp_path / "mlruns", "--json").json
    assert (receipt["complete"], receipt["points"], receipt["remarks"]) == (True, 9, [])
    check_sample(ask, "a" * 32)
    assert ask("SELECT tag FROM tags ORDER BY tag") == [("group/team=x",), ("k=v",)]
    assert ask("SELECT name, state, finished_at FROM runs") == [
        ("finished", "completed", END * 1000)
    ]
    facts = dict[Any, Any](ask("SELECT key, value FROM environment"))
    assert facts == {"user": '"user"', "script": '"-"'}


@pytest.mark.parametrize("kind", ["database", "folder"])
def test_only_what_is_new_is_added(
    kind: str, tmp_path: Path, tracking: Tracking, trackai: Trackai, ask: Ask
) -> None:
    def log(points: list[tuple[str, Any, Any, Any]]) -> None:
        if kind == "database":
            tracking.log("f" * 32, points)
        else:
            write_files(tmp_path / "mlruns", points=points)

    tracking.run("f" * 32)
    log(POINTS)
    source = tracking.path if kind == "database" else tmp_path / "mlruns"
    assert trackai("import", "mlflow", source, "--json").json["stored"] == 9
    before = ask(EVERYTHING)
    assert trackai("import", "mlflow", source, "--json").json["stored"] == 0
    assert ask(EVERYTHING) == before
    # Behind the others, late, and at the step and time of another.
    log([("accuracy", 140, 1.0, 11), ("train/loss", 61, 7.0, -3), ("accuracy", 130, 0.95, 10)])
    receipt = trackai("import", "mlflow", source, "--json").json
    assert (receipt["stored"], receipt["points"]) == (3, 12)
    assert set(before) < set(ask(EVERYTHING))


def test_points_are_kept_apart_and_in_order(tracking: Tracking, trackai: Trackai, ask: Ask) -> None:
    tracking.run("f" * 32)
    tracking.log("f" * 32, [("m", 5, value, 0) for value in (3.0, 1.0, 2.0)])
    tracking.log("f" * 32, [("m", 4, 9.0, 0), ("m", 6.5, 0.5, 1.5), ("m", 7, 4.0, -2)])
    assert trackai("import", "mlflow", tracking.path, "--json").json["stored"] == 6
    stored = ask(LOGGED, "f" * 32)
    assert [(step, at - START * 1000, value) for _, _, step, at, value in stored] == [
        (-2, 7000, 4.0), (0, 4000, 9.0), (0, 5000, 3.0), (0, 5000, 1.0), (0, 5000, 2.0),
        (1.5, 6500, 0.5),
    ]  # fmt: skip


def test_points_that_cannot_be_stored_are_counted(tracking: Tracking) -> None:
    tracking.run("f" * 32)
    tracking.log("f" * 32, [("m", 1, 1.0, 0), ("m", 2, "text", 1), ("m", 3, 1.0, math.inf)])
    tracking.log("f" * 32, [("m", 10**16, 1.0, 2), ("m", 4, 2.0, 3)])
    found, receipt = items(tracking.path)
    assert logged(found) == expected([("m", 1, 1.0, 0), ("m", 4, 2.0, 3)])
    assert receipt.counts("metrics").not_stored == {
        "not a number": 1, "invalid step": 1, "invalid timestamp": 1,
    }  # fmt: skip


def test_deleted_runs_are_left_out(tracking: Tracking, trackai: Trackai, ask: Ask) -> None:
    tracking.insert("experiments", experiment_id=2, name="gone", lifecycle_stage="deleted")
    tracking.run("a" * 32)
    tracking.run("b" * 32, lifecycle_stage="deleted")
    tracking.run("c" * 32, lifecycle_stage="active", experiment_id=2)
    mlruns = tracking.path.parent / "mlruns"
    write_files(mlruns, "d" * 32, meta={"lifecycle_stage": "deleted"})
    write_files(mlruns / ".trash", "e" * 32, experiment="7", name="trash")
    receipt = trackai("import", "mlflow", tracking.path.parent, "--json").json
    assert receipt["runs"] == 1
    assert receipt["remarks"][-1]["problem"] == (
        "4 deleted runs are left out; --deleted imports them"
    )
    receipt = trackai("import", "mlflow", tracking.path.parent, "--deleted", "--json").json
    assert receipt["runs"] == 5
    deleted = ask(
        "SELECT slug FROM runs JOIN configs ON run_id = runs.id "
        "WHERE key = '_mlflow/lifecycle_stage' AND value = '\"deleted\"' ORDER BY slug"
    )
    assert deleted == [(letter * 32,) for letter in "bcde"]


@pytest.mark.parametrize("kind", ["database", "folder"])
def test_nested_runs_are_a_group(kind: str, tmp_path: Path, tracking: Tracking) -> None:
    parents = {"b": "a", "c": "b", "d": "missing", "f": "f"}
    for letter in "abcdef":
        tags = {"mlflow.runName": f"run {letter}"}
        if letter in parents:
            parent = parents[letter]
            tags["mlflow.parentRunId"] = parent * 32 if len(parent) == 1 else parent
        if kind == "database":
            tracking.run(letter * 32, f"run {letter}", tags=tags)
        else:
            write_files(tmp_path / "mlruns", letter * 32, tags=tags)
    found, _ = items(tracking.path if kind == "database" else tmp_path / "mlruns")
    groups = {head.name: head.group_name for head in heads(found).values()}
    assert groups == {
        "run a": "run a", "run b": "run a", "run c": "run a", "run d": "missing",
        "run e": None, "run f": None,
    }  # fmt: skip


def test_runs_without_an_end(tmp_path: Path, tracking: Tracking) -> None:
    now = time.time_ns() // 1_000_000
    tracking.run("a" * 32, status="RUNNING", start_time=now, end_time=None)
    tracking.run("b" * 32, status="RUNNING", end_time=None)
    tracking.run("c" * 32, status="SCHEDULED", end_time=None)
    tracking.run("d" * 32, status="KILLED")
    for letter, status in zip("ef", (1, 5), strict=True):
        write_files(tmp_path / "mlruns", letter * 32, meta={"status": status, "end_time": None})

    def states(path: Path) -> list[tuple[str, str]]:
        return [(run_id[0], head.state) for run_id, head in sorted(heads(items(path)[0]).items())]

    failed = [("b", "failed"), ("c", "failed"), ("d", "failed")]
    assert states(tracking.path) == [("a", "running"), *failed]
    assert states(tmp_path / "mlruns") == [("e", "running"), ("f", "failed")]
    os.utime(tracking.path, (0, 0))
    for path in (tmp_path / "mlruns").rglob("*"):
        os.utime(path, (0, 0))
    assert states(tracking.path) == [("a", "failed"), *failed]
    assert states(tmp_path / "mlruns") == [("e", "failed"), ("f", "failed")]


def test_the_metrics_of_the_system(tracking: Tracking, trackai: Trackai, ask: Ask) -> None:
    tracking.run("f" * 32)
    points = [("system/cpu", at, float(at), step) for step, at in enumerate((10, 20, 20))]
    tracking.log("f" * 32, points)
    receipt = trackai("import", "mlflow", tracking.path, "--json").json
    assert receipt["types"]["system metrics"]["stored"] == 3
    assert [row[1:] for row in ask(LOGGED, "f" * 32)] == [
        ("time", (START + at) * 1000, (START + at) * 1000, at) for at in (10, 20, 20)
    ]
    assert ask("SELECT step FROM system_steps ORDER BY step") == [(0,), (1,), (2,)]
    assert trackai("import", "mlflow", tracking.path, "--json").json["stored"] == 0


def test_old_tables(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    tracking = Tracking(tmp_path / "old.db", OLD_TABLES)
    with closing(tracking.connection):
        tracking.run("a" * 32, "old")
        tracking.run("b" * 32, "other")
        for at, uuid in enumerate(("a", "b", "a", "a")):
            tracking.insert(
                "metrics", key="loss", value=at / 2, timestamp=START + at, run_uuid=uuid * 32
            )
    assert trackai("import", "mlflow", tmp_path / "old.db", "--json").json["complete"] is True
    assert [(step, value) for _, _, step, _, value in ask(LOGGED, "a" * 32)] == [
        (0, 0.0), (0, 1.0), (0, 1.5),
    ]  # fmt: skip
    assert [value for *_, value in ask(LOGGED, "b" * 32)] == [0.5]


def test_data_sets_and_models(tracking: Tracking) -> None:
    tracking.connection.executescript(MODEL_TABLES)
    uuid = "f" * 32
    history = '[{"artifact_path": "model", "run_id": "f"}]'
    tracking.run(uuid, tags={"mlflow.log-model.history": history})
    tracking.insert("experiment_tags", key="team", value="x", experiment_id=1)
    tracking.insert("experiment_tags", key="mlflow.note.content", value="why", experiment_id=1)
    tracking.insert("params", key="lr", value="0.1", run_uuid=uuid)
    tracking.insert(
        "inputs", input_uuid="i", source_type="DATASET", source_id="d", destination_type="RUN",
        destination_id=uuid,
    )  # fmt: skip
    tracking.insert("input_tags", input_uuid="i", name="mlflow.data.context", value="training")
    tracking.insert(
        "datasets", dataset_uuid="d", name="mnist", digest="123", dataset_source_type="http",
        dataset_source='{"url": "x"}',
    )  # fmt: skip
    tracking.insert("logged_models", model_id="m-1", name="net", source_run_id=uuid)
    tracking.insert("logged_model_params", model_id="m-1", param_key="lr", param_value="0.1")
    tracking.insert("logged_model_params", model_id="m-1", param_key="depth", param_value="4")
    tracking.insert("registered_models", name="best", description="in use")
    tracking.insert(
        "model_versions", name="best", version=2, current_stage="Production", run_id=uuid
    )
    tracking.insert("model_versions", name="best", version=3, current_stage="None", run_id="x")
    tracking.insert("registered_model_aliases", alias="champion", version=2, name="best")
    tracking.insert("trace_info", request_id="t", experiment_id=1)
    found, receipt = items(tracking.path)
    assert heads(found)[uuid].config == {
        "lr": 0.1,
        "_mlflow/experiment/id": "1",
        "_mlflow/experiment/description": "why",
        "_mlflow/experiment/tags/team": "x",
        "_mlflow/log-model.history": [{"artifact_path": "model", "run_id": "f"}],
        "_mlflow/datasets/mnist/123/source_type": "http",
        "_mlflow/datasets/mnist/123/source": '{"url": "x"}',
        "_mlflow/datasets/mnist/123/tags/mlflow.data.context": "training",
        "_mlflow/models/m-1/name": "net",
        "_mlflow/models/m-1/params/depth": "4",
        "_mlflow/registered_models/best/description": "in use",
        "_mlflow/registered_models/best/versions/2/stage": "Production",
        "_mlflow/registered_models/best/versions/2/aliases": ["champion"],
    }
    assert receipt.counts("traces").not_stored == {"not supported": 1}
    assert receipt.counts("registered models").not_stored == {"versions of no run": 1}


def test_data_sets_and_models_of_folders(tmp_path: Path) -> None:
    mlruns, uuid = tmp_path / "mlruns", "a" * 32
    run = write_files(mlruns, uuid)

    def write(path: Path, **values: Any) -> None:
        path.mkdir(parents=True)
        (path / "meta.yaml").write_text(yaml_of(values))

    write(run.parent / "datasets" / "d", name="mnist", digest="123", source_type="http")
    write(run / "inputs" / "i", source_type="DATASET", source_id="d", tags={"t": "u"})
    write(run.parent / "models" / "m-1", name="net", source_run_id=uuid, artifact_location="x",
          model_id="m-1")  # fmt: skip
    (run.parent / "models" / "m-1" / "artifacts").mkdir()
    (run.parent / "models" / "m-1" / "artifacts" / "MLmodel").write_text("yaml")
    write(mlruns / "models" / "best", name="best", description="in use")
    write(mlruns / "models" / "best" / "version-2", name="best", version=2, run_id=uuid,
          current_stage="None")  # fmt: skip
    (mlruns / "models" / "best" / "aliases").mkdir()
    (mlruns / "models" / "best" / "aliases" / "champion").write_text("2")
    (run.parent / "traces" / "t").mkdir(parents=True)
    found, receipt = items(mlruns)
    config = heads(found)[uuid].config
    assert config == {
        "_mlflow/experiment/id": "365123940183535348",
        "_mlflow/datasets/mnist/123/source_type": "http",
        "_mlflow/datasets/mnist/123/tags/t": "u",
        "_mlflow/models/m-1/name": "net",
        "_mlflow/registered_models/best/description": "in use",
        "_mlflow/registered_models/best/versions/2/aliases": ["champion"],
    }
    assert receipt.counts("traces").not_stored == {"not supported": 1}
    assert not receipt.problems
    assert [item.path for item in found if isinstance(item, FileHead)] == ["models/m-1/MLmodel"]


@pytest.mark.parametrize("uri", [
    "/gone/mlruns/1/{}/artifacts", "file:///gone/my%20place/mlruns/1/{}/artifacts",
    "file:./mlruns/1/{}/artifacts", "mlflow-artifacts:/1/{}/artifacts",
    "C:\\work\\mlruns\\1\\{}\\artifacts", "file:///C:/work/mlruns/1/{}/artifacts",
])  # fmt: skip
def test_artifacts_are_found_where_they_are_now(
    uri: str, tracking: Tracking, trackai: Trackai, ask: Ask, db_path: Path
) -> None:
    uuid = "f" * 32
    tracking.run(uuid, artifact_uri=uri.format(uuid))
    tracking.run("e" * 32, artifact_uri=uri.format("e" * 32))
    folder = tracking.path.parent / "mlruns" / "1" / uuid / "artifacts"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.bin").write_bytes(b"weights")
    (folder / "notes.txt").write_text("hello")
    receipt = trackai("import", "mlflow", tracking.path, "--json").json
    assert (receipt["complete"], receipt["remarks"]) == (True, [])
    rows = ask("SELECT path, kind, name, sha256 FROM files ORDER BY path")
    assert [row[:3] for row in rows] == [
        ("model/weights.bin", "file", "weights.bin"), ("notes.txt", "file", "notes.txt"),
    ]  # fmt: skip
    assert blob_path(db_path, rows[0][3]).read_bytes() == b"weights"
    receipt = trackai("import", "mlflow", tracking.path, "--json").json
    assert receipt["types"]["files"] == {
        "read": 2, "stored": 0, "already_there": 2, "null": 0, "not_stored": {},
    }  # fmt: skip


def test_images_keep_their_steps(tmp_path: Path, trackai: Trackai, ask: Ask) -> None:
    images = write_files(tmp_path / "mlruns") / "artifacts" / "images"
    images.mkdir()
    for name in (
        f"val#dog s%step%3%timestamp%{START}%g1.png", f"cat~a+step+-4+timestamp+{START}+g2.png",
        f"val#dog s%step%3%timestamp%{START}%g1%compressed.webp", "own.png",
    ):  # fmt: skip
        (images / name).write_bytes(name.encode())
    assert trackai("import", "mlflow", tmp_path, "--json").json["complete"] is True
    rows = ask("SELECT path, kind, step, timestamp FROM files ORDER BY kind, path")
    assert [row for row in rows if row[1] == "file_series"] == [
        ("cat/a", "file_series", -4, START * 1000), ("val/dog s", "file_series", 3, START * 1000),
    ]  # fmt: skip
    assert [row[2] for row in rows if row[1] == "file"] == [None, None]
    assert all(size for (size,) in ask("SELECT size FROM files"))
    receipt = trackai("import", "mlflow", tmp_path, "--json").json
    assert receipt["types"]["files"]["already_there"] == 4


def test_artifacts_elsewhere_are_counted(tracking: Tracking) -> None:
    for letter, uri in (("a", "s3://bucket/1/{}/artifacts"), ("b", "dbfs:/x/1/{}/artifacts")):
        tracking.run(letter * 32, artifact_uri=uri.format(letter * 32))
    _, receipt = items(tracking.path)
    assert receipt.counts("artifacts").not_stored == {"stored at s3:": 1, "stored at dbfs:": 1}


def test_nothing_outside_is_read(tmp_path: Path, tracking: Tracking) -> None:
    outside = tmp_path / "outside"
    (outside / "a" / "artifacts").mkdir(parents=True)
    (outside / "a" / "artifacts" / "secret").write_text("secret")
    mlruns = tracking.path.parent / "mlruns"
    run = write_files(mlruns, "a" * 32, [("m", 1, 1.0, 0)])
    (run / "artifacts" / "file").symlink_to(outside / "a" / "artifacts" / "secret")
    (run / "artifacts" / "inner").symlink_to(run / "params")
    (run / "metrics" / "n").symlink_to(run / "metrics" / "m")
    (run / "params" / "p").symlink_to(outside / "a" / "artifacts" / "secret")
    (run / "tags" / "mlflow.runName").symlink_to(outside / "a" / "artifacts" / "secret")
    (mlruns / "link").symlink_to(outside)
    with closing(Tracking(outside / "outside.db").connection):
        (tracking.path.parent / "linked.db").symlink_to(outside / "outside.db")
    meta = {"artifact_uri": f"{outside}/a/artifacts"}
    other = write_files(mlruns, "b" * 32, meta=meta)
    (other / "artifacts").rmdir()
    tracking.run("c" * 32, artifact_uri=f"file://{outside}/a/artifacts")
    tracking.run("d" * 32, artifact_uri="../outside/a/artifacts")
    found, receipt = items(tracking.path.parent)
    assert not [item for item in found if isinstance(item, FileHead)]
    assert {metric for metric, *_ in logged(found)} == {"m", "n"}
    assert not any(own_config(head) for head in heads(found).values())
    assert "secret" not in repr(found)
    assert receipt.counts("files").not_stored == {"not a file in the folder": 2}
    assert sorted(problem.problem for problem in receipt.problems) == [
        *["a link out of the folder"] * 4, *["not a file, or a link"] * 2,
    ]  # fmt: skip


def test_a_run_in_two_stores_is_one_run(tracking: Tracking, trackai: Trackai, ask: Ask) -> None:
    uuid = "a" * 32
    tracking.run(uuid, "moved", status="RUNNING", end_time=None)
    tracking.log(uuid, POINTS)
    os.utime(tracking.path, (0, 0))
    write_files(tracking.path.parent / "mlruns", uuid, [*POINTS, ("accuracy", 200, 1.0, 20)])
    receipt = trackai("import", "mlflow", tracking.path.parent, "--json").json
    assert receipt["complete"] is True
    assert (receipt["runs"], receipt["stored"], receipt["points"]) == (1, 10, 19)
    assert ask("SELECT state FROM runs") == [("completed",)]


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_database_that_is_being_written(mode: str, tracking: Tracking) -> None:
    tracking.connection.execute(f"PRAGMA journal_mode = {mode}")
    tracking.run("f" * 32)
    tracking.log("f" * 32, POINTS)
    tracking.connection.execute("BEGIN")
    tracking.log("f" * 32, [("late", 500, 1.0, 0)])
    assert sorted(logged(items(tracking.path)[0])) == sorted(expected(POINTS))
    tracking.connection.execute("ROLLBACK")


def test_mlflow_can_log_during_an_import(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackai.importers.mlflow.database._ROWS_AT_ONCE", 3)
    monkeypatch.setattr("trackai.importers.mlflow.database._POINTS_TOGETHER", 6)
    tracking.run("f" * 32)
    tracking.log("f" * 32, POINTS)
    tracking.connection.execute("PRAGMA busy_timeout = 0")
    found = []
    for item in read(tracking.path):
        found.append(item)
        tracking.log("f" * 32, [("late", 500 + len(found), 1.0, 0)])  # does not wait
    assert sorted(logged(found)) == sorted(expected(POINTS))
    assert len(logged(items(tracking.path)[0])) == 9 + len(found)


def test_a_database_whose_writer_was_killed(tmp_path: Path, tracking: Tracking) -> None:
    tracking.run("f" * 32)
    tracking.log("f" * 32, POINTS)
    tracking.connection.execute("PRAGMA cache_size = 5")
    tracking.connection.execute("BEGIN")
    tracking.log("f" * 32, [("unfinished", at, float(at), at) for at in range(1000)])
    (tmp_path / "killed").mkdir()
    for file in ("mlflow.db", "mlflow.db-journal"):
        shutil.copy(tracking.path.with_name(file), tmp_path / "killed" / file)
    found, receipt = items(tmp_path / "killed")
    assert sorted(logged(found)) == sorted(expected(POINTS))
    assert not receipt.problems
    assert (tmp_path / "killed" / "mlflow.db-journal").exists()
    tracking.connection.execute("ROLLBACK")


def test_folders_without_yaml(
    tmp_path: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackai.importers.mlflow.reader.find_spec", lambda name: None)
    tracking.run("f" * 32)
    assert items(tracking.path)[1].problems == []
    write_files(tracking.path.parent / "mlruns")
    with pytest.raises(MissingExtraError, match=r"pip install 'trackai\[mlflow\]'"):
        items(tracking.path.parent)


def test_what_is_recognised(tmp_path: Path, tracking: Tracking) -> None:
    mlruns = tmp_path / "other" / "mlruns"
    run = write_files(mlruns)
    (tmp_path / "some.db").write_bytes(b"something else")
    for path in (tracking.path, tracking.path.parent, mlruns, mlruns.parent, run.parent):
        assert recognises(path), path
    for path in (tmp_path, tmp_path / "some.db", run):
        assert not recognises(path), path
    assert heads(items(run.parent)[0]).keys() == {"a" * 32}


def test_a_damaged_database_is_named(tracking: Tracking, trackai: Trackai) -> None:
    folder = tracking.path.parent
    (folder / "mlflow.db").write_bytes(b"damaged")
    assert recognises(folder)
    err = trackai("import", "mlflow", folder, code=2).err
    assert err.endswith("mlflow.db: not a SQLite database\n")
    write_files(folder / "mlruns", points=POINTS)
    receipt = trackai("import", "mlflow", folder, "--json", code=4).json
    assert receipt["stored"] == 9
    assert receipt["problems"] == [{"where": "mlflow.db", "problem": "not a SQLite database"}]


def test_other_files_are_refused(tmp_path: Path, trackai: Trackai) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE runs (id)")
    (tmp_path / "text.db").write_text("text")
    for path, problem in (
        (tmp_path, "no runs of MLflow found (mlflow.db, mlruns)"),
        (tmp_path / "other.db", "not a database of MLflow"),
        (tmp_path / "text.db", "not a SQLite database"),
    ):
        assert problem in trackai("import", "mlflow", path, code=2).err


def test_damaged_folders_give_the_rest(tmp_path: Path) -> None:
    run = write_files(tmp_path / "mlruns", points=POINTS, params=PARAMS)
    (run / "meta.yaml").write_text("status: [")
    (run / "metrics" / "accuracy").write_bytes(b"1795973831375 0.5\n?\n17 x 3\n18 1.0 2 mnist 9\n")
    found, receipt = items(tmp_path / "mlruns")
    assert own_config(heads(found)["a" * 32]) == CONFIG
    assert [point[:3] for point in logged(found) if point[0] == "accuracy"] == [
        ("accuracy", 0, 1795973831375_000), ("accuracy", 2, 18_000),
    ]  # fmt: skip
    assert heads(found)["a" * 32].created_at == 1795973831375_000
    assert receipt.counts("metrics").not_stored == {"damaged line": 2}
    assert len(receipt.problems) == 2


def test_folders_that_are_cut_anywhere(tmp_path: Path) -> None:
    run = write_files(tmp_path / "mlruns", points=POINTS)
    path = run / "metrics" / "train" / "loss"
    data = path.read_bytes()
    of_loss = [point for point in expected(POINTS) if point[0] == "train/loss"]
    for size in range(len(data)):
        path.write_bytes(data[:size])
        found, receipt = items(tmp_path / "mlruns")
        whole = data[:size].count(b"\n")
        points = sorted(point for point in logged(found) if point[0] == "train/loss")
        assert points == sorted(of_loss[:whole])
        assert bool(receipt.remarks) is not data[:size].endswith((b"\n", b"")[size == 0])
        assert not receipt.problems


def test_databases_that_are_cut_or_damaged(tmp_path: Path, tracking: Tracking) -> None:
    tracking.run("f" * 32)
    points = [("loss", at, at / 3, at) for at in range(400)]
    tracking.log("f" * 32, points)
    true = set(expected(points))
    data = tracking.path.read_bytes()
    path = tmp_path / "cut.db"
    read = 0
    for size in range(0, len(data), 1500):
        path.write_bytes(data[:size])
        try:
            found, receipt = items(path)
        except InvalidInputError:
            continue
        assert set(logged(found)) <= true
        read = max(read, len(logged(found)))
        assert receipt.problems or len(logged(found)) == 400
    assert read > 0


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_is_reported(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    run = write_files(folder / "mlruns", points=POINTS, params=PARAMS, tags={"k": "v"})
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        found, _ = items(folder)
    except InvalidInputError:  # the meta.yaml of the only experiment
        assert path.parent == run.parent
        return
    intact = [point for point in expected(POINTS) if point[0] not in path.as_posix()]
    assert set(intact) <= set(logged(found))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(plain)
def test_parameters_have_the_types_that_they_had(value: Any) -> None:
    guessed = guess(str(value))
    if isinstance(value, str):  # the text of another value is that value
        assert guessed == value or str(guessed) != value or type(guessed) is not str
    elif not {"nan", "inf"}.isdisjoint(str(value).replace("-", " ").replace("[", " ").split()):
        assert isinstance(guessed, str | float)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**100:
        assert guessed == str(value)
    elif "inf" not in str(value) and "nan" not in str(value):
        assert repr(guessed) == repr(value)


@pytest.mark.parametrize(("text", "value"), [
    ("True", True), ("None", None), ("1", 1), ("-3", -3), ("0.1", 0.1), ("1e-05", 1e-05),
    ("(1, 'a')", [1, "a"]), ("[]", []), (str(2**70), 2**70), ("-inf", -math.inf),
    *((text, text) for text in (
        "", "true", "007", "1_000", "-0", "0x10", "'a'", " 1", "1 ", "1,5", "{1, 2}", "[b'a']",
        "[nan]", "[1 2]", "[" * 5000, "{'a': " * 3000, "[" * 60 + "]" * 60, "(" + "-" * 9000 + "1)",
        "1e999", "٣", "[1].copy()", "{1: 2, '1': 3}", "9" * 5000,
    )),
])  # fmt: skip
def test_guesses(text: str, value: Any) -> None:
    assert guess(text) == value
    assert type(guess(text)) is type(value)


def test_a_mapping_gives_way_to_parameters_of_its_names(tracking: Tracking) -> None:
    tracking.run("f" * 32)
    for key, value in (("a", "{'b': 1}"), ("a/b", "2"), ("c", "nan")):
        tracking.insert("params", key=key, value=value, run_uuid="f" * 32)
    head = heads(items(tracking.path)[0])["f" * 32]
    assert own_config(head) == {"a": "{'b': 1}", "a/b": 2, "c": "NaN"}
    assert head.config_types == {"c": "float"}


@given(
    st.lists(st.tuples(st.integers(0, 3) | st.just(0.5), st.integers(0, 4)), max_size=30),
    st.lists(st.integers(0, 30)),
)
def test_writers_do_not_depend_on_the_pieces(
    points: list[tuple[float, int]], cuts: list[int]
) -> None:
    def read(bounds: list[int]) -> list[tuple[Any, ...]]:
        gathered = Points("uid", WriterHead(uid="writer"), Receipt("", ""))
        read = []
        for start, stop in zip([0, *bounds], [*bounds, len(points)], strict=True):
            part = range(start, stop)
            for block in gathered.blocks(
                "m", [points[at][0] for at in part], [points[at][1] for at in part],
                [float(at) for at in part],
            ):  # fmt: skip
                read += [
                    (value, step, at, block.writer.uid)
                    for value, step, at in zip(
                        block.values, block.steps, block.timestamps, strict=True
                    )
                ]
        return sorted(read)

    whole = read([])
    assert read(sorted(min(cut, len(points)) for cut in cuts)) == whole
    assert [row[0] for row in whole] == [float(at) for at in range(len(points))]
    assert len({row[1:] for row in whole}) == len(points)
    # Those at the same step and time have their writers in order, so that they are read so.
    assert [(row[1], row[2]) for row in whole] == [(step, at * 1000) for step, at in points]
