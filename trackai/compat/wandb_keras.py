"""`wandb.integration.keras`: its callbacks, for every backend of Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

import trackai
from trackai.compat.wandb_errors import UsageError
from trackai.compat.wandb_run import current_run
from trackai.compat.wandb_terminal import termerror

__all__ = ["WandbMetricsLogger", "WandbModelCheckpoint"]


def _check_run(name: str) -> None:
    if trackai.run is None:
        raise UsageError(f"You must call wandb.init() before {name}()")


class WandbMetricsLogger(keras.callbacks.Callback):
    """Logs `epoch/<name>` after each epoch, or `batch/<name>` after batches.

    Args:
        log_freq: "epoch", "batch", or a number of batches.
        initial_global_step: the number of batches before, on which a learning rate depends.
    """

    def __init__(
        self,
        log_freq: str | int = "epoch",
        initial_global_step: int = 0,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        _check_run("WandbMetricsLogger")
        self._frequency = 1 if log_freq == "batch" else log_freq
        self._logged_batches = 0
        self._global_step = initial_global_step

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._log("epoch", {**(logs or {}), "epoch": epoch})

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._global_step += 1
        if isinstance(self._frequency, int) and batch % self._frequency == 0:
            self._log("batch", {**(logs or {}), "batch_step": self._logged_batches})
            self._logged_batches += self._frequency

    def _log(self, prefix: str, logs: dict[str, Any]) -> None:
        rate = self._learning_rate()
        if rate is not None:
            logs["learning_rate"] = rate
        trackai.log({f"{prefix}/{name}": value for name, value in logs.items()})

    def _learning_rate(self) -> float | None:
        try:
            rate = self.model.optimizer.learning_rate
            rate = rate(self._global_step) if callable(rate) else rate
            return float(keras.ops.convert_to_numpy(rate))
        except Exception as error:  # of a schedule of the script
            termerror(f"Unable to log learning rate: {error}", repeat=False)
            return None


class WandbModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves models as `keras.callbacks.ModelCheckpoint` does, and stores each as an artifact."""

    def __init__(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(filepath, *args, **kwargs)
        _check_run("WandbModelCheckpoint")

    def _save_model(self, epoch: int, batch: int | None = None, logs: Any = None) -> None:
        path = Path(self._get_file_path(epoch, batch, logs))
        before = path.stat().st_mtime_ns if path.exists() else None
        super()._save_model(epoch, batch, logs)
        run = current_run()
        if run is None or not path.exists() or path.stat().st_mtime_ns == before:
            return
        alias = f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"
        artifact = trackai.Artifact(f"run_{run.id}_model", type="model")
        (artifact.add_dir if path.is_dir() else artifact.add_file)(path)
        run.log_artifact(artifact, aliases=["latest", alias])
