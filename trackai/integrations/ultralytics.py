"""Logs trainings of Ultralytics' models.

Checked with ultralytics 8.4.190.

    from trackai.integrations.ultralytics import integrate

    model = YOLO("yolo26n.pt")
    integrate(model, tags=["baseline"])
    model.train(data="coco8.yaml", epochs=3)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from ultralytics.utils import RANK

import trackai
from trackai.integrations.training import TrainingRun, project_or

# The file in the folder of a training that names its run, for when it is resumed.
_RUN_FILE = "trackai.json"


def integrate(model: Any, **arguments: Any) -> None:
    """Log the trainings of a model, each as a run, at epochs from 1 on.

    The metrics of the last validation, which is that of the best weights, are logged as "best/...".
    If a run is active when a training starts, that one is used and not finished. A training that
    is resumed with `resume=True` resumes its run. Trainings that Ultralytics starts in processes of
    their own, on several GPUs, do not have the callbacks of the model.

    Args:
        model: a model, such as a YOLO.
        arguments: those of `trackai.init`. By default, project and name are those of the training.
    """
    callbacks = _Callbacks(arguments)
    for event in (
        "on_pretrain_routine_end",
        "on_train_epoch_end",
        "on_fit_epoch_end",
        "on_train_end",
        "teardown",
    ):
        model.add_callback(event, getattr(callbacks, event))


class _Callbacks:
    def __init__(self, arguments: dict[str, Any]) -> None:
        self._training = TrainingRun(arguments)
        self._epoch: int | None = None

    def on_pretrain_routine_end(self, trainer: Any) -> None:
        if RANK not in (-1, 0):
            return
        path = Path(trainer.save_dir) / _RUN_FILE
        checkpoint = None
        if trainer.args.resume and path.exists():
            checkpoint = msgspec.json.decode(path.read_bytes())["run"], trainer.start_epoch
        project = str(trainer.args.project or "") or project_or("ultralytics")
        self._training.begin({"project": project, "name": str(trainer.args.name)}, checkpoint)
        path.write_bytes(msgspec.json.encode({"run": self._training.path}))
        self._training.configure(vars(trainer.args))

    def on_train_epoch_end(self, trainer: Any) -> None:
        if RANK in (-1, 0):
            self._epoch = trainer.epoch
            losses = trainer.label_loss_items(trainer.tloss, prefix="train")
            self._training.log({**losses, **trainer.lr}, trainer.epoch + 1)

    def on_fit_epoch_end(self, trainer: Any) -> None:
        if RANK not in (-1, 0):
            return
        if trainer.epoch == self._epoch:
            self._training.log(trainer.metrics, trainer.epoch + 1)
        elif self._epoch is not None:  # the validation of the best weights, with one more epoch
            best = {f"best/{name}": value for name, value in trainer.metrics.items()}
            self._training.log(best, trainer.stopper.best_epoch)

    def on_train_end(self, trainer: Any) -> None:
        if RANK not in (-1, 0):
            return
        values: dict[str, Any] = {"best_fitness": trainer.best_fitness}
        if trainer.best.exists():
            values["best_model_path"] = str(trainer.best)
        self._training.log(values, trainer.stopper.best_epoch)
        plots = {**trainer.plots, **getattr(trainer.validator, "plots", {})}
        images = {
            f"plots/{path.stem}": trackai.Image(path) for path in map(Path, plots) if path.exists()
        }
        if images:
            self._training.log(images, trainer.epoch + 1)
        self._training.end()

    def teardown(self, trainer: Any) -> None:
        self._training.end("failed")  # unless the training has come to its end
        self._epoch = None
