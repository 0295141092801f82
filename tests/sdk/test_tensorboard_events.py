"""`init(sync_tensorboard=True)`, with the writers of tensorboardX and of TensorBoard."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboardX import SummaryWriter

import trackai

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def points(db_path: Path, metric: str) -> list[tuple[float, Any]]:
    sql = f"SELECT step, value FROM points WHERE metric = '{metric}' ORDER BY time, step_number"
    return query(db_path, sql)


@pytest.mark.parametrize("argument", ["sync_tensorboard", "tensorboard"])
def test_what_tensorboardx_writes_is_logged(db_path: Path, tmp_path: Path, argument: str) -> None:
    with trackai.init(project="p", **{argument: True}):  # type: ignore[arg-type]
        writer = SummaryWriter(str(tmp_path / "logs"))
        for step in range(3):
            writer.add_scalar("charts/return", 0.5 * step, step * 100)
        writer.add_text("note", "hello", 7)
        writer.add_histogram("weights", np.arange(10), 7)
        writer.add_image("picture", np.zeros((3, 4, 4), dtype=np.uint8), 7)
        writer.close()
    writer = SummaryWriter(str(tmp_path / "later"))
    writer.add_scalar("charts/return", 9.0, 900)  # no run is synced any more
    writer.close()
    assert points(db_path, "charts/return") == [(0, 0.0), (100, 0.5), (200, 1.0)]
    assert points(db_path, "note/text_summary") == [(7, "hello")]
    assert query(db_path, "SELECT path, step, name FROM files") == [("picture", 7, "7.png")]
    assert len(points(db_path, "weights")) == 1
    assert list((tmp_path / "logs").glob("events.*")), "the file is written all the same"


def test_names_of_other_folders_begin_with_the_folder(db_path: Path, tmp_path: Path) -> None:
    with trackai.init(project="p", sync_tensorboard=True):
        writer = SummaryWriter(str(tmp_path / "logs"))
        writer.add_scalar("loss", 1.0, 0)
        writer.add_scalars("both", {"train": 2.0}, 0)
        writer.close()
        other = SummaryWriter(str(tmp_path / "validation"))
        other.add_scalar("loss", 3.0, 0)
        other.close()
    paths = query(db_path, "SELECT metric, value FROM points ORDER BY metric")
    assert paths == [("both/train/both", 2.0), ("loss", 1.0), ("validation/loss", 3.0)]


def test_hyperparameters_become_the_configuration(db_path: Path, tmp_path: Path) -> None:
    with trackai.init(project="p", sync_tensorboard=True):
        writer = SummaryWriter(str(tmp_path / "logs"))
        writer.add_hparams({"lr": 0.5, "optimizer": "adam"}, {"final": 1.0}, name="trial")
        writer.close()
    assert trackai.Api(db_path).run("latest").config == {"lr": 0.5, "optimizer": "adam"}


def test_the_writer_of_tensorboard_itself(db_path: Path, tmp_path: Path) -> None:
    """PyTorch's `SummaryWriter` hands its events to this one."""
    with trackai.init(project="p", sync_tensorboard=True):
        writer = EventFileWriter(str(tmp_path / "logs"))
        event = Event(step=3, wall_time=time.time())
        event.summary.value.add(tag="loss", simple_value=0.25)
        writer.add_event(event)
        writer.close()
    assert points(db_path, "loss") == [(3, 0.25)]


def test_both_runs_of_a_process_are_synced(db_path: Path, tmp_path: Path) -> None:
    first = trackai.init(project="p", sync_tensorboard=True)
    second = trackai.init(project="p", sync_tensorboard=True, reinit="create_new")
    writer = SummaryWriter(str(tmp_path / "logs"))
    writer.add_scalar("loss", 1.0, 0)
    writer.close()
    second.finish()
    first.finish()
    assert query(db_path, "SELECT COUNT(*), COUNT(DISTINCT run) FROM points") == [(2, 2)]


def test_points_survive_a_kill(
    db_path: Path, tmp_path: Path, run_python: Callable[..., CompletedProcess[str]]
) -> None:
    run_python(
        """
        import os, signal, trackai
        from tensorboardX import SummaryWriter
        trackai.init(project="p", sync_tensorboard=True)
        writer = SummaryWriter("logs")
        for step in range(100):
            writer.add_scalar("loss", step, step)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        check=False,
    )
    with trackai.init(project="other"):
        pass
    assert len(points(db_path, "loss")) == 100
