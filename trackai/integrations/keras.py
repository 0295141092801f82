"""Keras 3: a callback that logs each epoch.

Checked with Keras 3.15 on JAX. Use it with `fit` and `evaluate`:

    model.fit(x, y, epochs=10, callbacks=[TrackAICallback(project="digits")])
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from trackai.integrations.training import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Mapping


class TrackAICallback(keras.callbacks.Callback):
    """Log the metrics of each epoch under their names in `History`, and the learning rate.

    The step is the epoch, counted from 0. With `log_batches`, the metrics after each batch are
    logged as `batch/<name>`; their step is the batch since the beginning of the training. Of
    `evaluate`, each metric is logged as `test/<name>` at the last epoch. The best value of
    `monitor` so far is logged as `best/<monitor>` with its `best_epoch`. The configuration of the
    model and the optimizer becomes that of the run. In distributed training, only process 0 logs.

    It logs to the active run. Without one, it starts a run, and finishes it after the training. The
    same callback resumes its run in a training with `initial_epoch`. Keras does not tell callbacks
    of exceptions: after one, the run fails when the script ends or the next training begins.
    """

    def __init__(
        self,
        *,
        log_batches: bool = False,
        monitor: str = "val_loss",
        mode: Literal["min", "max"] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        **arguments: Any,
    ) -> None:
        """Make a callback.

        Args:
            log_batches: log the metrics after each batch too. Keras waits for their values then.
            monitor: the metric of which the best value is logged.
            mode: whether the best value is the least or the greatest; default "min" for a loss.
            checkpoint: the `filepath` of a `ModelCheckpoint` that is earlier in the list of
                callbacks. When it has written a file, its path is logged as "checkpoint".
            arguments: arguments of `trackai.init`, for a run of its own.

        Raises:
            ValueError: `mode` is missing for a metric that is not a loss, or has another value.
        """
        super().__init__()
        if mode is None and monitor.endswith("loss"):
            mode = "min"
        if mode not in ("min", "max"):
            raise ValueError(f'mode: must be "min" or "max" for {monitor!r}, got {mode!r}')
        self._training = TrainingRun(arguments)
        self._monitor, self._mode = monitor, mode
        self._best: float | None = None
        self._checkpoint = None if checkpoint is None else os.fspath(checkpoint)
        self._checkpoint_time = 0.0
        self._is_training = self._awaits_first_epoch = False
        self._is_logging = False
        self._last_epoch = 0
        self._first_batch = 0  # of the epoch, counted from the beginning of the training
        self._next_batch = 0
        if log_batches:
            # As a method of the class, it would keep Keras from handling batches asynchronously.
            self.on_train_batch_end = self._log_batch

    def set_params(self, params: dict[str, Any]) -> None:
        """Note that `fit`, `evaluate` or `predict` begins. Called by Keras."""
        super().set_params(params)
        self._is_training = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Note that a training begins. Called by Keras."""
        self._is_training = True
        self._awaits_first_epoch = True
        self._checkpoint_time = time.time()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Begin the run in the first epoch. Called by Keras."""
        if self._awaits_first_epoch:
            self._awaits_first_epoch, self._is_logging = False, _is_main_process()
            if self._is_logging:
                self._begin(epoch)
        self._first_batch = self._next_batch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log an epoch. Called by Keras."""
        if not self._is_logging:
            return
        self._last_epoch = epoch
        values = dict(logs or {})
        rate = _learning_rate(self.model)
        if rate is not None:
            # A scheduler puts the rate of the epoch there, and may have set that of the next one.
            values.setdefault("learning_rate", rate)
        value = values.get(self._monitor)
        if value is not None and self._is_best(value):
            self._best = value
            values.update({f"best/{self._monitor}": value, "best_epoch": epoch})
        path = self._written_checkpoint(epoch, logs or {})
        if path is not None:
            values["checkpoint"] = path
        self._training.log(values, epoch)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Finish a run of its own. Called by Keras, unless an exception ends the training."""
        self._is_training = False
        self._training.end()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log the result of `evaluate`, but not of a validation. Called by Keras."""
        if self._is_training or not _is_main_process():
            return
        is_first = self._training.path is None
        if is_first:
            self._begin()
        values = {f"test/{name}": value for name, value in (logs or {}).items()}
        self._training.log(values, self._last_epoch)
        if is_first:
            self._training.end()

    def _begin(self, epoch: int = 0) -> None:
        path = self._training.path
        resumed = {}
        if epoch == 0:
            self._best = None
        elif path is not None:
            resumed = {"project": path[0], "id": path[1], "resume": "allow"}
        steps = self.params.get("steps")
        if steps or not epoch:
            self._next_batch = epoch * (steps or 0)
        run = self._training.begin(resumed)
        if epoch and self._best is None and run.resumed:  # by another process
            self._best = run.summary.get(f"best/{self._monitor}")
        config: dict[str, Any] = {"model": _model_config(self.model), **_compile_config(self.model)}
        if self._is_training:
            self._training.fail_unless_ended()
            config["epochs"] = self.params.get("epochs")
            config["steps_per_epoch"] = self.params.get("steps")
        self._training.configure(config)

    def _log_batch(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        step = self._first_batch + batch
        self._next_batch = step + 1
        if self._is_logging:
            values = {f"batch/{name}": value for name, value in (logs or {}).items()}
            self._training.log(values, step)

    def _is_best(self, value: float) -> bool:
        if self._best is None:
            return not math.isnan(value)
        return value < self._best if self._mode == "min" else value > self._best

    def _written_checkpoint(self, epoch: int, logs: Mapping[str, Any]) -> str | None:
        """The path of the checkpoint, if it has been written since the last call."""
        if self._checkpoint is None:
            return None
        # As `ModelCheckpoint` does it, which counts epochs from 1.
        path = Path(self._checkpoint.format(epoch=epoch + 1, **logs))
        written = path.stat().st_mtime if path.exists() else 0.0
        if written <= self._checkpoint_time:
            return None
        self._checkpoint_time = written
        return str(path)


def _is_main_process() -> bool:
    backend = keras.backend.backend()
    if backend == "jax":
        return bool(sys.modules["jax"].process_index() == 0)
    if backend == "torch":
        distributed = sys.modules["torch"].distributed
        return not (
            distributed.is_available()
            and distributed.is_initialized()
            and distributed.get_rank() != 0
        )
    if backend == "tensorflow":
        tensorflow = sys.modules["tensorflow"]
        context = tensorflow.distribute.get_strategy().cluster_resolver
        return context is None or context.task_id in (None, 0)
    return True


def _learning_rate(model: Any) -> float | None:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return None
    return _shortest(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))


def _model_config(model: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"class": type(model).__name__, "name": model.name}
    if model.built:
        config["parameters"] = model.count_params()
    try:
        config["config"] = json.loads(model.to_json())["config"]
    except Exception as error:  # a model of the script that cannot be serialised
        config["config"] = f"{type(error).__name__}: {error}"
    return config


def _compile_config(model: Any) -> dict[str, Any]:
    """The arguments of `compile`; the optimizer as its class and parameters."""
    try:
        config = dict(model.get_compile_config())
    except Exception as error:  # a loss or metric of the script that cannot be serialised
        return {"compile": f"{type(error).__name__}: {error}"}
    optimizer = config.pop("optimizer", None)
    if isinstance(optimizer, dict):
        parameters = dict(optimizer["config"])
        if isinstance(parameters.get("learning_rate"), float):
            parameters["learning_rate"] = _shortest(parameters["learning_rate"])
        config["optimizer"] = {"class": optimizer["class_name"], **parameters}
    return config


def _shortest(number: float) -> float:
    """The shortest number that is the same in single precision: 0.001, not 0.0010000000475."""
    single = np.float32(number)
    return float(str(single)) if float(single) == number else number
