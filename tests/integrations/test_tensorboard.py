"""The drop-in for the `SummaryWriter` of PyTorch and tensorboardX."""

from __future__ import annotations

import inspect
import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image as PillowImage
from tensorboardX import SummaryWriter as TensorboardXWriter

import trackai
from trackai.errors import InvalidInputError
from trackai.integrations import _tensorboard_values
from trackai.integrations.tensorboard import SummaryWriter
from trackai.store.catalogue.files import blob_path

if TYPE_CHECKING:
    from pathlib import Path


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def content(db_path: Path, metric: str) -> list[bytes]:
    hashes = query(db_path, f"SELECT sha256 FROM files WHERE path = '{metric}' ORDER BY id")
    return [blob_path(db_path, sha256).read_bytes() for (sha256,) in hashes]


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(PillowImage.open(io.BytesIO(data)))


def points(db_path: Path, metric: str) -> list[tuple[float, Any]]:
    sql = f"SELECT step, value FROM points WHERE metric = '{metric}' ORDER BY time, step_number"
    return query(db_path, sql)


def test_every_method_of_tensorboardx_has_its_parameters() -> None:
    """Others are accepted by position or by name, too."""
    for name, method in inspect.getmembers(TensorboardXWriter, inspect.isfunction):
        if name.startswith("_"):
            continue
        ours = inspect.signature(getattr(SummaryWriter, name)).parameters
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in ours.values())
        positional = [p for p in ours.values() if p.kind is inspect.Parameter.VAR_POSITIONAL]
        for parameter in inspect.signature(method).parameters:
            if parameter == "kwargs":
                continue
            assert parameter in ours or takes_any or positional, f"{name}: {parameter}"


def test_scalars_are_logged_exactly_at_their_steps(db_path: Path) -> None:
    with SummaryWriter("runs/first", project="p") as writer:
        writer.add_scalar("loss", 0.1, 5)
        writer.add_scalar("loss", np.float64(1e-300), 6)
        writer.add_scalars("acc", {"train": 0.5, "val": 0.25}, 6)
        writer.add_scalar("counted", 1)
        writer.add_scalar("counted", 2)
        with writer.use_metadata(global_step=40):
            writer.add_scalar("counted", 3)
        writer.flush()
    run = trackai.Api(db_path).run("latest")
    assert (run.name, run.project, run.state) == ("first", "p", "completed")
    assert points(db_path, "loss") == [(5, 0.1), (6, 1e-300)]
    assert points(db_path, "acc/val") == [(6, 0.25)]
    assert points(db_path, "counted") == [(0, 1), (1, 2), (40, 3)]


def test_what_is_added_after_close_continues_the_run(db_path: Path) -> None:
    writer = SummaryWriter("runs/first", project="p")
    writer.add_scalar("loss", 1.0, 0)
    writer.close()
    writer.add_scalar("loss", 0.5, 1)
    writer.add_scalars("acc", {"val": 0.25}, 1)
    writer.close()
    (run,) = trackai.Api(db_path).runs("p")
    assert (run.name, run.state) == ("first", "completed")
    assert points(db_path, "loss") == [(0, 1.0), (1, 0.5)]
    assert points(db_path, "acc/val") == [(1, 0.25)]


def test_the_active_run_is_used_and_left_open(db_path: Path) -> None:
    with trackai.init(project="p", name="mine") as run:
        with SummaryWriter("runs/other") as writer:
            writer.add_scalar("loss", 1.0, 0)
        assert writer.run is run
        run.log({"loss": 0.5}, step=1)
    assert points(db_path, "loss") == [(0, 1.0), (1, 0.5)]
    assert len(trackai.Api(db_path).runs("p")) == 1


def test_an_exception_fails_the_run(db_path: Path) -> None:
    with pytest.raises(RuntimeError), SummaryWriter("runs/first", project="p"):
        raise RuntimeError
    assert trackai.Api(db_path).run("latest").state == "failed"


def test_writers_of_several_folders_have_a_run_each(db_path: Path) -> None:
    train, val = (SummaryWriter(f"logs/{name}", project="p") for name in ("train", "val"))
    train.add_scalar("loss", 1.0, 0)
    val.add_scalar("loss", 2.0, 0)
    train.close()
    val.close()
    runs = {run.name: run.summary["loss"].last for run in trackai.Api(db_path).runs("p")}
    assert runs == {"train": 1.0, "val": 2.0}


def test_purge_step_continues_the_run(db_path: Path) -> None:
    for purge_step, value in ((None, 1.0), (2, 2.0)):
        with SummaryWriter("runs/first", purge_step=purge_step, project="p") as writer:
            for step in range(purge_step or 0, 4):
                writer.add_scalar("loss", value, step)
    run = trackai.Api(db_path).run("latest")
    assert len(trackai.Api(db_path).runs("p")) == 1
    assert list(run.history("loss")["loss"].values) == [1.0, 1.0, 2.0, 2.0]


def test_images_have_the_layout_that_is_named(db_path: Path) -> None:
    square = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    with SummaryWriter(project="p") as writer:
        writer.add_image("chw", square.transpose(2, 0, 1), 0)
        writer.add_image("hwc", square, 0, dataformats="HWC")
        writer.add_image("floats", square / 255, 0, dataformats="HWC")
        writer.add_image("grey", square[..., 0], 0, dataformats="HW")
        writer.add_image("turned", square[..., 0].T, 0, dataformats="WH")
        writer.add_images("grid", np.stack([square] * 9).transpose(0, 3, 1, 2), 0)
    for metric in ("chw", "hwc", "floats"):
        assert (pixels(content(db_path, metric)[0]) == square).all(), metric
    for metric in ("grey", "turned"):
        assert (pixels(content(db_path, metric)[0]) == square[..., 0]).all(), metric
    grid = pixels(content(db_path, "grid")[0])
    assert grid.shape == (8, 40, 3)
    assert (grid[4:, :5] == square).all()
    assert not grid[4:, 5:].any()


def test_other_media(db_path: Path) -> None:
    figure = plt.figure()
    with SummaryWriter(project="p") as writer:
        writer.add_figure("figure", figure, 1)
        writer.add_video("video", np.zeros((2, 3, 3, 8, 8), dtype=np.uint8), 1)
        writer.add_audio("audio", np.zeros((1, 100)), 1, sample_rate=8000)
        writer.add_text("text", "hello", 1)
        writer.add_tensor("tensor", np.arange(6.0).reshape(2, 3), 1)
        writer.add_histogram("histogram", np.arange(10), 1, bins=5)
        writer.add_histogram_raw("raw", 0.5, 9, 3, 12, 50, [1.0, 2.0, 1.8e308], [1, 0, 2], 1)
        writer.add_mesh("mesh", np.eye(3)[None], faces=np.array([[[0, 1, 2]]]), global_step=1)
        boxes = np.array([[1, 1, 3, 3]])
        writer.add_image_with_boxes("boxes", np.zeros((3, 8, 8)), boxes, 1, labels=["a"])
        writer.add_graph("Linear(2, 3)")
    assert not plt.get_fignums()
    assert {suffix for (suffix,) in query(db_path, "SELECT substr(name, -4) FROM files")} == {
        ".png", ".gif", ".wav", ".npy", ".obj"
    }  # fmt: skip
    assert (np.load(io.BytesIO(content(db_path, "tensor")[0])) == [[0, 1, 2], [3, 4, 5]]).all()
    assert content(db_path, "mesh")[0].decode().splitlines()[0] == "v 1.0 0.0 0.0"
    assert content(db_path, "mesh")[0].decode().splitlines()[-1] == "f 1 2 3"
    assert pixels(content(db_path, "boxes")[0])[..., 0].any()
    assert points(db_path, "text") == [(1, "hello")]
    (raw,) = points(db_path, "raw")
    assert json.loads(raw[1]) == {
        "type": "COUNTING", "edges": [0.5, 1.0, 2.0, 9.0], "values": [1, 0, 2]
    }  # fmt: skip


def test_a_curve_of_precision_and_recall() -> None:
    labels, predictions = np.array([0, 1, 1, 0]), np.array([0.1, 0.4, 0.9, 0.6])
    rows = _tensorboard_values.pr_curve(labels, predictions, 11, None)
    assert [row[0] for row in rows] == pytest.approx(np.linspace(0, 1, 11))
    for threshold, tp, fp, tn, fn, precision, recall in rows:
        is_positive = np.floor(predictions * 10) >= round(threshold * 10)
        assert tp == (is_positive & (labels == 1)).sum()
        assert fp == (is_positive & (labels == 0)).sum()
        assert (tp + fn, fp + tn) == (2, 2)
        assert precision == pytest.approx(tp / max(tp + fp, 1e-7))
        assert recall == pytest.approx(tp / 2)


def test_embeddings_become_tables(db_path: Path) -> None:
    with SummaryWriter(project="p") as writer:
        writer.add_embedding(np.eye(2), [["a", 1], ["b", 2]], metadata_header=["name", "n"])
    (table,) = content(db_path, "embedding/default")
    assert json.loads(table) == {
        "columns": ["name", "n", "x0", "x1"], "data": [["a", 1, 1.0, 0.0], ["b", 2, 0.0, 1.0]]
    }  # fmt: skip


def test_each_set_of_hyperparameters_is_a_trial(db_path: Path) -> None:
    with SummaryWriter("runs/search", project="p") as writer:
        for number in range(3):
            writer.add_hparams({"lr": 0.1 * number}, {"hparam/loss": float(number)})
    runs = list(trackai.Api(db_path).runs("p"))[::-1]
    assert [run.config for run in runs] == [{"lr": 0.0}, {"lr": 0.1}, {"lr": 0.2}]
    assert [run.summary["hparam/loss"].last for run in runs] == [0.0, 1.0, 2.0]
    assert [run.group for run in runs] == [None, "search", "search"]


def test_what_does_not_fit_is_left_out_by_name(
    db_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SummaryWriter(project="p") as writer:
        writer.add_image("flat", np.zeros(3), 0)
        writer.add_image("five", np.zeros((5, 4, 4)), 0)
        writer.add_pr_curve("curve", [1], [2.0], 0)
        writer.add_histogram("words", ["a"], 0)
        writer.add_scalar("loss", 1.0, 0)
    assert points(db_path, "loss") == [(0, 1.0)]
    for name in ("flat", "five", "curve", "words"):
        assert f"metric '{name}'" in caplog.text
    with pytest.raises(InvalidInputError), trackai.init(project="p", strict=True):
        SummaryWriter().add_image("flat", np.zeros(3), 0)
