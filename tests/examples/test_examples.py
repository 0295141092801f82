"""The examples: run as scripts, then read over HTTP and with sqlite3."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Server

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run_example(db_path: Path, tmp_path: Path) -> Callable[[str], str]:
    """Run an example in an empty folder, logging to `db_path`, and return its output."""

    def run(name: str) -> str:
        process = subprocess.run(
            [sys.executable, str(EXAMPLES / name)],
            cwd=tmp_path,
            env={**os.environ, "TRACKAI_DB_PATH": str(db_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert process.returncode == 0, process.stderr
        assert process.stderr == ""
        return process.stdout

    return run


def count(db_path: Path, sql: str = "SELECT COUNT(*) FROM metrics") -> Any:
    with closing(sqlite3.connect(db_path)) as connection:
        (number,) = connection.execute(sql).fetchone()
    return number


def only_run(server: Server) -> Any:
    [run] = server.get("/api/runs")["runs"]
    return server.get(f"/api/runs/{run['id']}/summary")


def points(server: Server, run: Any, path: str) -> list[Any]:
    page = server.get(f"/api/metrics/runs/{run['id']}/metric/{path}?limit=10000")
    assert page["has_more"] is False
    return list(page["data"])


def test_every_example_is_tested() -> None:
    tested = {
        "simple_experiment.py", "context_manager.py", "resume_run.py", "train_digits.py",
    }  # fmt: skip
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


def test_simple_experiment(
    run_example: Callable[[str], str], server: Server, db_path: Path
) -> None:
    assert "simple-experiment" in run_example("simple_experiment.py")
    run = only_run(server)
    assert run["name"] == "simple-experiment"
    assert run["state"] == "completed"
    assert run["config"] == {
        "learning_rate": 0.001,
        "batch_size": 32,
        "optimizer/name": "adam",
        "optimizer/beta": 0.9,
    }
    assert server.get(f"/api/metrics/runs/{run['id']}") == [
        "gpu_util", "memory_gb", "train/accuracy", "train/loss",
    ]  # fmt: skip
    losses = points(server, run, "train/loss")
    assert [point["step"] for point in losses] == list(range(100))
    assert losses[-1]["value"] == run["metrics"]["train/loss"] < losses[0]["value"]
    assert [point["step"] for point in points(server, run, "memory_gb")] == [None] * 10
    assert count(db_path) == 100 * 2 + 10 * 2


def test_context_manager(run_example: Callable[[str], str], server: Server, db_path: Path) -> None:
    assert "diverging failed" in run_example("context_manager.py")
    runs = {run["name"]: run for run in server.get("/api/runs")["runs"]}
    assert {name: run["state"] for name, run in runs.items()} == {
        "context-manager": "completed",
        "diverging": "failed",
    }
    good = points(server, runs["context-manager"], "loss")
    assert [point["value"] for point in good] == [0.95**step for step in range(50)]
    bad = points(server, runs["diverging"], "loss")
    assert bad[-2]["value"] <= 100 < bad[-1]["value"]
    assert count(db_path) == len(good) + len(bad)


def test_resume_run(run_example: Callable[[str], str], server: Server, db_path: Path) -> None:
    run_example("resume_run.py")
    run = only_run(server)
    assert run["state"] == "completed"
    curve = [(point["step"], point["value"]) for point in points(server, run, "loss")]
    assert curve == [(step, 0.5 if step < 50 else 0.3) for step in range(100)]
    assert count(db_path) == 100
    assert count(db_path, "SELECT COUNT(*) FROM writers") == 2

    run_example("resume_run.py")  # resumes the same run
    assert len(points(server, run, "loss")) == count(db_path) == 200
    assert count(db_path, "SELECT COUNT(*) FROM runs") == 1


def test_train_digits(run_example: Callable[[str], str], server: Server, db_path: Path) -> None:
    printed = run_example("train_digits.py")
    run = only_run(server)
    assert run["name"] in printed
    assert run["state"] == "completed"
    assert run["group_name"] == "mlp"
    epochs = run["config"]["epochs"]
    steps = epochs * 22  # 1,347 images for training in batches of up to 64
    losses = points(server, run, "train/loss")
    assert [point["step"] for point in losses] == list(range(steps))
    assert losses[-1]["value"] < losses[0]["value"] / 5
    assert [point["step"] for point in points(server, run, "test/accuracy")] == list(
        range(21, steps, 22)
    )
    assert run["metrics"]["test/accuracy"] > 0.9  # it has learned something
    assert f"{run['metrics']['test/accuracy']:.1%}" in printed
    assert run["metrics"]["memory_mb"] > 0
    assert len(points(server, run, "cpu_percent")) == epochs
    assert count(db_path) == 2 * steps + 4 * epochs
    assert count(db_path) == count(db_path, "SELECT sum(points) FROM series")
