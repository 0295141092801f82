"""The relative axis: the time since a run began, without the pauses before it was resumed."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import trackai
from trackai.reading.local_source import LocalSource
from trackai.store.catalogue import projects, runs, writers
from trackai.store.charts import training_time
from trackai.store.charts.training_time import TrainingTime
from trackai.store.points import metrics
from trackai.structs.points import Column

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Server
    from trackai.store.engine.database import Database

DAY = 86_400
TICKS_PER_SECOND = 10**9


def test_pauses_are_left_out() -> None:
    training = TrainingTime(100, [(110, 200), (220, 300)])
    times = [100, 110, 150, 200, 210, 220, 300, 305]
    assert [training.at(time) for time in times] == [0, 10, 10, 10, 20, 30, 30, 35]


@pytest.fixture
def on_day(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Move the clock of the SDK to a later day."""

    def move(day: int) -> None:
        def time_ns() -> int:
            return time.time_ns() + day * DAY * TICKS_PER_SECOND

        for module in ("call_log", "run"):
            monkeypatch.setattr(f"trackai.sdk.{module}.time_ns", time_ns)
        monkeypatch.setattr("trackai.sdk.local_destination.time", SimpleNamespace(time_ns=time_ns))

    return move


def log_attempt(run_id: str = "r", **metrics: float) -> None:
    with trackai.init(project="p", id=run_id) as run:
        for number in range(5):
            run.log({"loss": number, **metrics})
        run.log_system({"gpu": 0.5})


def last_x(chart: Any) -> float:
    return float(chart["data"][-1]["x_last"])


def local_x(db_path: Path, run_id: int, metric: str) -> float:
    last: Any = LocalSource(db_path).chart(run_id, metric, 100, "relative").data[-1]
    return float(last.x_last)


@pytest.mark.sqlite("the runs are logged to a file, on another day")
@pytest.mark.parametrize("end", ["finished", "killed"])
def test_every_relative_chart_leaves_out_pauses(
    db_path: Path,
    server: Server,
    on_day: Callable[[int], None],
    run_python: Callable[..., Any],
    end: str,
) -> None:
    if end == "finished":
        log_attempt()
    else:
        run_python(
            """
            import os, trackai
            run = trackai.init(project="p", id="r")
            for number in range(5):
                run.log({"loss": number})
            os._exit(1)
            """,
            check=False,
        )
    for day in (1, 3):
        on_day(day)
        log_attempt()
    run = trackai.Api().run("p/r")
    for metric in ("loss", "gpu"):
        chart = server.get(f"/api/metrics/runs/{run.id}/metric/{metric}?points=100&x=relative")
        assert 0 < last_x(chart) < 60
        assert local_x(db_path, run.id, metric) == last_x(chart)
    xs = [
        point["x"]
        for point in server.get(f"/api/metrics/runs/{run.id}/metric/loss?points=100&x=relative")[
            "data"
        ]
    ]
    assert len(xs) == 15
    assert xs == sorted(xs)
    at = server.get(f"/api/metrics/runs/{run.id}/metric/loss?points=100&x=time")["data"]
    assert at[0]["x"][:10] < at[5]["x"][:10] < at[10]["x"][:10]
    compare = {"run_ids": [run.id], "metric_paths": ["loss"], "points": 100, "x": "relative"}
    compared = server.request("POST", "/api/metrics/compare", compare).json
    assert last_x(compared[str(run.id)]["loss"]) < 60
    grouped = server.request("POST", "/api/metrics/compare", {**compare, "group_by": "all"}).json
    assert last_x(grouped["groups"][0]["metrics"]["loss"]) < 60
    group = server.get("/api/metrics/groups?project_id=1&metric=loss&points=100&x=relative")
    assert last_x(group) < 60


@pytest.mark.sqlite("the runs are logged to a file, on another day")
def test_weights_do_not_decay_during_a_pause(db_path: Path, on_day: Callable[[int], None]) -> None:
    for day in (0, 100):
        on_day(day)
        with trackai.init(project="p", id="r") as run:
            for number in range(20):
                run.log({"loss": float(number)})
                time.sleep(0.005)
    source, run_id = LocalSource(db_path), trackai.Api().run("p/r").id
    over_steps = source.chart(run_id, "loss", 100, "step", 0.6).data
    over_time = source.chart(run_id, "loss", 100, "relative", 0.6).data
    for by_step, by_time in zip(over_steps, over_time, strict=True):
        assert by_time.smoothed == pytest.approx(by_step.smoothed, abs=2)


async def test_a_forked_run_continues_the_time_of_its_parent(db: Database) -> None:
    async with db.write() as conn:
        project = await projects.get_or_create(conn, "p", now=1)
        ids = []
        for uid, began, steps, fork in [
            ("root", 1000, [0, 1, 2, 3], None),
            ("child", 5000, [2, 3], ("root", 1)),
            ("grandchild", 9000, [3], ("child", 2)),
        ]:
            run = await runs.create(
                conn, uid=uid, project_id=project.id, slug=uid, name=None, group_name=None,
                now=began,
            )  # fmt: skip
            writer_id = await writers.get_or_create(
                conn, uid=uid, run_id=run.id, attempt=1, rank=0, host="here", pid=1, now=began
            )
            times = [began + 10 * (number + 1) for number in range(len(steps))]
            column = Column("loss", "step", list(steps), times, [0.5] * len(steps))
            await metrics.append(conn, run.id, writer_id, [column])
            if fork is not None:
                await runs.set_fork(conn, run.id, *fork)
            ids.append(run.id)
    async with db.read() as conn:
        training = await training_time.read(conn, ids)
        alone = await training_time.read(conn, ids, inherited=False)
    root, child, grandchild = (training[run_id] for run_id in ids)
    assert [root.at(1010), root.at(1040)] == [10, 40]
    # Steps 0 and 1 of the parent, then the own points.
    assert [child.at(1020), child.at(5010), child.at(5020)] == [20, 30, 40]
    assert [grandchild.at(1020), grandchild.at(5010), grandchild.at(9010)] == [20, 30, 40]
    assert alone[ids[1]].at(5010) == 10


@pytest.mark.sqlite("the runs are logged to a file, on another day")
def test_a_merged_run_keeps_its_pauses(
    db_path: Path, tmp_path: Path, on_day: Callable[[int], None]
) -> None:
    log_attempt()
    on_day(1)
    log_attempt()
    merged = tmp_path / "merged.db"
    subprocess.run(
        [sys.executable, "-m", "trackai.cli", "merge", str(db_path), "--db", str(merged)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert 0 < local_x(merged, 1, "loss") < 60
