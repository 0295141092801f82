"""Trains with Ultralytics."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from ultralytics import YOLO

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, only
from trackai.integrations.ultralytics import integrate

ROOT = Path.cwd()


def data() -> str:
    """Two classes of tiny pictures."""
    generator = np.random.default_rng(0)
    for part in ("train", "val"):
        for kind in ("a", "b"):
            folder = ROOT / "data" / part / kind
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(4):
                pixels = generator.integers(0, 255, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return str(ROOT / "data")


def train(model: Any, folder: str, **more: Any) -> Any:
    model.train(
        data=data(), imgsz=32, batch=4, device="cpu", workers=0, amp=False, verbose=False,
        project=str(ROOT / "runs"), name=folder, **{"epochs": 3, "plots": False, **more},
    )  # fmt: skip
    return model.trainer


def new_model(**arguments: Any) -> Any:
    model = YOLO("yolov8n-cls.yaml")
    integrate(model, **arguments)
    return model


def rows(trainer: Any) -> list[dict[str, str]]:
    with trainer.csv.open() as file:
        return [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]


def check_points(run: Any, trainer: Any) -> None:
    """Compare with results.csv, which has five digits."""
    for name in ("train/loss", "metrics/accuracy_top1", "val/loss", "lr/pg0"):
        curve = run.history(name)[name]
        wanted = [(float(row["epoch"]), float(row[name])) for row in rows(trainer)]
        assert curve.steps == [step for step, _ in wanted], (name, curve, wanted)
        for got, (_, value) in zip(curve.values, wanted, strict=True):
            assert abs(got - value) <= 1e-4 * max(1, abs(value)), (name, curve.values, wanted)


def main() -> None:
    trainer = train(new_model(project="pictures"), "first", plots=True)
    run = only("pictures")
    check_points(run, trainer)
    assert run.name == "first"
    assert run.config["imgsz"] == 32
    assert run.config["epochs"] == 3
    best = trainer.stopper.best_epoch
    expect(run, {"best_fitness": [(best, trainer.best_fitness)]})
    assert run.summary["best_model_path"].last == str(trainer.best)
    assert run.summary["best/metrics/accuracy_top1"].last_step == best
    expect_state(run, "completed")
    checked("points equal results.csv; the validation of the best weights is not an epoch")

    model = new_model(project="stopped")
    model.add_callback("on_fit_epoch_end", stop_at(2))
    with suppress(RuntimeError):
        train(model, "second", epochs=4)
    run = only("stopped")
    expect_state(run, "failed")
    last = ROOT / "runs" / "second" / "weights" / "last.pt"
    again = YOLO(str(last))
    integrate(again, project="stopped")
    again.train(resume=True)
    run = only("stopped")
    assert run.history("train/loss")["train/loss"].steps == [1, 2, 3, 4]
    expect_state(run, "completed")
    checked("a training that raises fails; resumed, it goes on in its run")

    with trackai.init(project="own") as own:
        train(new_model(), "own", epochs=1)
        assert not own.is_finished
    assert "train/loss" in only("own").summary
    checked("a run of the script is used, and left open")


def stop_at(epoch: int) -> Any:
    def stop(trainer: Any) -> None:
        if trainer.epoch + 1 == epoch:
            raise RuntimeError("preempted")

    return stop


if __name__ == "__main__":
    main()
