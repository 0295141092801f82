"""`wandb.integration.sb3`: its callback. Metrics come from TensorBoard (`sync_tensorboard`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

import trackai
from trackai.compat.wandb_errors import UsageError

__all__ = ["WandbCallback"]


class WandbCallback(BaseCallback):
    """Stores the hyperparameters of the model, and the model itself.

    Args:
        verbose: as of all callbacks.
        model_save_path: the folder to save the model in; None does not save it.
        model_save_freq: save it after this many calls; 0 only at the end.
        gradient_save_freq: how often to watch gradients, which TrackAI does not.
        log: what to watch.
    """

    def __init__(
        self,
        verbose: int = 0,
        model_save_path: str | None = None,
        model_save_freq: int = 0,
        gradient_save_freq: int = 0,
        log: str | None = "all",
    ) -> None:
        super().__init__(verbose)
        if trackai.run is None:
            raise UsageError("You must call wandb.init() before WandbCallback()")
        if model_save_freq and model_save_path is None:
            raise UsageError("model_save_path: must be set if model_save_freq is")
        self.model_save_path = model_save_path
        self.model_save_freq = model_save_freq
        self.gradient_save_freq = gradient_save_freq

    def _init_callback(self) -> None:
        values: dict[str, Any] = {"algo": type(self.model).__name__}
        for name, value in vars(self.model).items():
            values[name] = value if type(value) in (float, int, str) else str(value)
        if self.gradient_save_freq > 0:
            trackai.watch()
        trackai.config.setdefaults(values)

    def _on_step(self) -> bool:
        if self.model_save_freq > 0 and self.n_calls % self.model_save_freq == 0:
            self.save_model()
        return True

    def _on_training_end(self) -> None:
        self.save_model()

    def save_model(self) -> None:
        """Save the model, and store the file with the run."""
        if self.model_save_path is not None:
            path = Path(self.model_save_path, "model.zip")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.model.save(path)
            trackai.save(path, base_path=self.model_save_path)
