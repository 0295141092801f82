"""Trains with Lightning's trainer under both names, and with Fabric."""

from __future__ import annotations

import importlib
from collections import defaultdict
from contextlib import suppress
from typing import Any

import torch

import trackai
from scripts.integration_checks._expect import checked, expect, expect_state, only, points
from trackai.integrations.lightning import TrackAILogger


def records(package: Any) -> Any:
    """A logger of Lightning's own kind, that keeps what it gets."""

    class Recorder(package.loggers.CSVLogger):
        def __init__(self) -> None:
            super().__init__("csv")
            self.got: dict[str, dict[int, float]] = defaultdict(dict)

        def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
            for name, value in metrics.items():
                self.got[name][step or 0] = value

    return Recorder()


def module(package: Any, *, fails_at: int = -1) -> Any:
    class Linear(package.LightningModule):
        def __init__(self, width: int = 4, api_key: str = "secret-1") -> None:
            super().__init__()
            self.save_hyperparameters()
            torch.manual_seed(0)
            self.layer = torch.nn.Linear(width, 1)

        def training_step(self, batch: Any, index: int) -> Any:
            if self.global_step == fails_at:
                raise RuntimeError("out of memory")
            loss = self.layer(batch[0]).pow(2).mean()
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", self.layer(batch[0]).pow(2).mean())

        def test_step(self, batch: Any, index: int) -> None:
            self.log("test_loss", self.layer(batch[0]).pow(2).mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Linear()


def data() -> Any:
    generator = torch.Generator().manual_seed(0)
    rows = torch.utils.data.TensorDataset(torch.randn(20, 4, generator=generator))
    return torch.utils.data.DataLoader(rows, batch_size=4)


def trainer(package: Any, logger: Any, folder: str, **more: Any) -> Any:
    checkpoints = package.callbacks.ModelCheckpoint(monitor="val_loss", save_last=True)
    defaults: dict[str, Any] = {"max_epochs": 3, "callbacks": [checkpoints]}
    return package.Trainer(
        logger=logger, default_root_dir=folder, accelerator="cpu", log_every_n_steps=1,
        enable_progress_bar=False, enable_model_summary=False, **{**defaults, **more},
    )  # fmt: skip


def check(name: str) -> None:
    package = importlib.import_module(name)
    base = importlib.import_module(f"{name}.loggers.logger").Logger
    project = name.replace(".", "-")
    logger, recorder = TrackAILogger(project=project, tags=["t"]), records(package)
    assert isinstance(logger, base)
    linear, trained = module(package), trainer(package, [logger, recorder], project)
    trained.fit(linear, data(), data())
    run = only(project)
    expect(run, {name: by_step.items() for name, by_step in recorder.got.items()})
    assert {step for step, _ in points(run, "train_loss_step")} == set(range(15))
    assert run.config == {"width": 4}, run.config
    expect_state(run, "completed")
    checked(f"{name}: points equal those of another logger; no key of the settings is stored")

    best = trained.checkpoint_callback
    assert run.summary["best_model_path"].last == best.best_model_path
    assert run.summary["best_model_score"].last == float(best.best_model_score)
    assert run.run_id in best.best_model_path
    checked(f"{name}: best checkpoint, in a folder with the id of the run")

    result = trained.test(linear, data(), verbose=False)[0]
    run = only(project)
    assert points(run, "test_loss")[0][1] == result["test_loss"]
    expect_state(run, "completed")
    checked(f"{name}: a test after the training logs to its run")

    again, recorder = TrackAILogger(project=project), records(package)
    resumed = trainer(package, [again, recorder], project, max_epochs=5)
    middle = f"{project}/middle.ckpt"
    part = trainer(package, TrackAILogger(project=f"{project}-part"), project, max_epochs=2)
    part.fit(module(package), data(), data())
    part.save_checkpoint(middle)
    resumed.fit(module(package), data(), data(), ckpt_path=best.last_model_path)
    run = only(project)
    assert {step for step, _ in points(run, "train_loss_step")} == set(range(25))
    assert [value for step, value in points(run, "train_loss_step") if step >= 15] == [
        value for _, value in sorted(recorder.got["train_loss_step"].items())
    ]
    expect_state(run, "completed")
    checked(f"{name}: a training that continues a checkpoint goes on in its run")

    longer = trainer(package, TrackAILogger(project=f"{project}-part"), project, max_epochs=4)
    longer.fit(module(package), data(), data(), ckpt_path=middle)
    back = trainer(package, TrackAILogger(project=f"{project}-part"), project, max_epochs=3)
    back.fit(module(package), data(), data(), ckpt_path=middle)
    run = only(f"{project}-part")
    assert [step for step, _ in points(run, "train_loss_step")] == list(range(15))
    checked(f"{name}: superseded steps are left out")

    failed = trainer(package, TrackAILogger(project=f"{project}-failed"), project)
    with suppress(RuntimeError):
        failed.fit(module(package, fails_at=4), data(), data())
    expect_state(only(f"{project}-failed"), "failed")
    checked(f"{name}: an exception fails the run")

    with trackai.init(project=f"{project}-own") as own:
        trainer(package, TrackAILogger(), project).fit(module(package), data(), data())
        assert not own.is_finished
    assert len(points(only(f"{project}-own"), "train_loss_step")) == 15
    checked(f"{name}: a run of the script is used, and left open")


def check_fabric() -> None:
    from lightning.fabric import Fabric

    logger = TrackAILogger(project="fabric")
    fabric = Fabric(accelerator="cpu", loggers=logger)
    fabric.logger.log_hyperparams({"lr": 0.1})
    for step in range(3):
        fabric.log("loss", 1 / (step + 1), step=step)
    logger.finalize("success")
    run = only("fabric")
    expect(run, {"loss": [(0, 1.0), (1, 0.5), (2, 1 / 3)]})
    assert run.config == {"lr": 0.1}
    expect_state(run, "completed")
    checked("fabric: points and hyperparameters")


def main() -> None:
    check("lightning.pytorch")
    check("pytorch_lightning")
    check_fabric()


if __name__ == "__main__":
    main()
