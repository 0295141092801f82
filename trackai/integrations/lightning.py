"""Logs trainings of Lightning, under both of its names, and of Fabric.

Checked with lightning 2.6 and pytorch-lightning 2.6.

    from trackai.integrations.lightning import TrackAILogger

    Trainer(logger=TrackAILogger(project="digits"), ...)
    Fabric(loggers=TrackAILogger(project="digits"), ...)
"""

from __future__ import annotations

import pickle
import sys
from argparse import Namespace
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_only

from trackai.integrations.training import OncePerStep, TrainingRun, project_or, without_secrets
from trackai.values.logger import logger

if TYPE_CHECKING:
    from trackai.sdk.run import Run

# The two packages have base classes of their own, and check for them.
_PACKAGES = {"lightning.pytorch": "lightning", "pytorch_lightning": "pytorch_lightning"}
# The key of a checkpoint that says which run it belongs to.
_KEY = "trackai"
# What torch.load raises about a file that it cannot read, or does not trust.
_LOAD_ERRORS = (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError)


def _installed(name: str) -> list[ModuleType]:
    return [
        import_module(f"{module}.{name}")
        for module, package in _PACKAGES.items()
        if find_spec(package) is not None
    ]


_loggers = [module.Logger for module in _installed("loggers.logger")]
_callbacks = [module.Callback for module in _installed("callbacks.callback")]
_rank_zero_experiment: Any = _installed("loggers.logger")[0].rank_zero_experiment


class TrackAILogger(*_loggers):  # type: ignore[misc]
    """Logs a training, at the steps of the trainer.

    A logger is a run, which goes on if the same logger is used again, as for a test after the
    training. If a run is active when the training starts, that one is used and not finished. The
    checkpoints of the trainer name the run: a training that continues one resumes it after the
    step of the checkpoint.
    """

    def __init__(self, *, save_dir: str | None = None, **arguments: Any) -> None:
        """Make a logger.

        Args:
            save_dir: the folder in which Lightning keeps checkpoints; default that of the trainer.
            arguments: those of `trackai.init`; the default project is "lightning_logs".
        """
        super().__init__()
        self._save_dir = save_dir
        self._training = TrainingRun(arguments)
        self._once = OncePerStep()
        self._best_path = ""

    @property
    def name(self) -> str:
        """The project, as Lightning names folders after it."""
        path = self._training.path
        return str(path[0] if path else self._project())

    @property
    def version(self) -> str | None:
        """The id of the run."""
        path = self._training.path
        return path[1] if path else self._training.arguments.get("id")

    @property
    def save_dir(self) -> str | None:
        """The folder in which Lightning keeps checkpoints."""
        return self._save_dir

    @property
    @_rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> Run:
        """The run. It starts when this is first read, as a trainer does before it starts."""
        trainer, path = _trainer_that_sets_up()
        if self._training.path is None:
            fits = trainer is not None and trainer.state.fn == "fit"
            self._begin(_checkpoint(path) if fits and path else None)
        elif trainer is not None:
            self._training.reopen()
        if trainer is not None and not any(
            isinstance(callback, _RunInCheckpoints) for callback in trainer.callbacks
        ):
            trainer.callbacks.append(_RunInCheckpoints(self._training))
        return self._training.run

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log metrics at a step."""
        if rank_zero_only.rank == 0:
            values = dict(metrics)
            self._once("epoch", values, step)
            if self._training.path is None:
                self._begin(None)
            self._training.log(values, step)

    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Store hyperparameters in the configuration of the run."""
        if rank_zero_only.rank == 0:
            values = vars(params) if isinstance(params, Namespace) else params
            self.experiment.config.update(without_secrets(values))

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note the best checkpoint."""
        path = checkpoint_callback.best_model_path
        if rank_zero_only.rank == 0 and path and path != self._best_path:
            self._best_path = path
            values = {"best_model_path": path, "best_model_score": _best_score(checkpoint_callback)}
            self._training.log(
                {name: value for name, value in values.items() if value is not None},
                max(self._training.run.step - 1, 0),  # the step that was logged last
            )

    def finalize(self, status: str) -> None:
        """Finish the run: as completed at "success" or "finished", and else as failed."""
        if rank_zero_only.rank == 0:
            self._training.end("completed" if status in ("success", "finished") else "failed")

    def _project(self) -> str:
        return self._training.arguments.get("project") or project_or("lightning_logs")

    def _begin(self, checkpoint: tuple[Any, int] | None) -> None:
        self._training.begin({"project": self._project()}, checkpoint)


class _RunInCheckpoints(*_callbacks):  # type: ignore[misc]
    """Writes into the checkpoints of a trainer which run they belong to."""

    def __init__(self, training: TrainingRun) -> None:
        super().__init__()
        self._training = training

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint[_KEY] = {"run": self._training.path}


def _trainer_that_sets_up() -> tuple[Any, Any]:
    """The trainer that reads the experiment of its loggers before it starts, and its checkpoint.

    Loggers are not told of either, and the trainer has no attribute with the path of the checkpoint
    before it has read it.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(4):  # through the property and its decorator
        if frame is not None and frame.f_code.co_name == "_call_setup_hook":
            caller = frame.f_back
            path = caller.f_locals.get("ckpt_path") if caller is not None else None
            return frame.f_locals.get("trainer"), path
        frame = frame.f_back if frame is not None else None
    return None, None


def _checkpoint(path: Any) -> tuple[Any, int] | None:
    """Return the run that a checkpoint names, and its last step."""
    try:
        # The weights stay on the disk.
        saved = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except _LOAD_ERRORS as error:
        logger.warning("the run of the checkpoint is not resumed: %s: %s", path, error)
        return None
    run = saved.get(_KEY, {}).get("run")
    if not run:
        return None
    loop = saved.get("loops", {}).get("fit_loop", {}).get("epoch_loop.state_dict", {})
    # The step that the trainer would log next.
    step = loop.get("_batches_that_stepped", saved.get("global_step", 0))
    return tuple(run), step - 1


def _best_score(checkpoint_callback: Any) -> float | None:
    score = checkpoint_callback.best_model_score
    return None if score is None else float(score)
