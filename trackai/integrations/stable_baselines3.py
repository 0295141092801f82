"""Logs trainings of Stable-Baselines3.

Checked with stable-baselines3 2.9.

    from trackai.integrations.stable_baselines3 import TrackAICallback

    model.learn(10_000, callback=TrackAICallback(project="cartpole"))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common import logger as sb3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

import trackai
from trackai.integrations.training import TrainingRun, project_or

_SCALARS = (bool, int, float, str)


class TrackAIWriter(sb3.KVWriter):
    """Writes what a logger of Stable-Baselines3 records, at its timesteps.

    What is excluded from TensorBoard is left out: the counters that are steps.
    """

    def __init__(self, training: TrainingRun) -> None:
        """Make a writer for the run of a training."""
        self._training = training
        self._recorded: dict[str, tuple[Any, int]] = {}

    def note(self, key_values: Mapping[str, Any], step: int) -> None:
        """Note the step of values that the logger writes later."""
        self._recorded = {name: (value, step) for name, value in key_values.items()}

    def write(
        self,
        key_values: Mapping[str, Any],
        key_excluded: Mapping[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Log the values: those that are noted at their step, others at this one."""
        by_step: dict[int, dict[str, Any]] = {}
        for name, value in key_values.items():
            if {"tensorboard", "trackai"} & set(key_excluded.get(name, ())):
                continue
            if isinstance(value, sb3.HParam):
                self._training.configure(value.hparam_dict)
                continue
            recorded, recorded_step = self._recorded.get(name, (None, step))
            value_step = recorded_step if recorded is value else step
            by_step.setdefault(value_step, {})[name] = _loggable(value)
        for value_step, values in sorted(by_step.items()):
            self._training.log(values, value_step)
        self._recorded = {}

    def close(self) -> None:
        """Do nothing: the callback ends the run."""


class TrackAICallback(BaseCallback):
    """Logs a call of `learn` as a run.

    Algorithms such as PPO record an update after the logger has written, which writes its figures
    with the next rollout, and those of the last update never. Here, all are logged at the timestep
    of the update. If a run is active, that one is used and not finished.
    """

    def __init__(self, verbose: int = 0, **arguments: Any) -> None:
        """Make a callback.

        Args:
            verbose: as for other callbacks.
            arguments: those of `trackai.init`; the default project is "stable-baselines3".
        """
        super().__init__(verbose)
        self._training = TrainingRun(arguments)
        self._writer = TrackAIWriter(self._training)

    def _on_training_start(self) -> None:
        self._training.begin({"project": project_or("stable-baselines3")})
        self._training.fail_unless_ended()
        self._training.configure(_hyperparameters(self.model))
        formats = self.logger.output_formats
        # An exception has left those of former trainings in a logger that the script has set.
        formats[:] = [each for each in formats if not isinstance(each, TrackAIWriter)]
        formats.append(self._writer)

    def _on_rollout_start(self) -> None:
        if isinstance(self.model, OnPolicyAlgorithm):
            self._writer.note(self.logger.name_to_value, self.num_timesteps)

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._writer.write(
            self.logger.name_to_value, self.logger.name_to_excluded, self.num_timesteps
        )
        if self._writer in self.logger.output_formats:
            self.logger.output_formats.remove(self._writer)
        self._training.end()


def _loggable(value: Any) -> Any:
    if isinstance(value, sb3.Image):
        image = value.image
        if value.dataformats == "CHW":
            image = image.transpose(1, 2, 0) if hasattr(image, "transpose") else image
        return trackai.Image(image)
    if isinstance(value, sb3.Figure):
        return trackai.Image(value.figure)
    if isinstance(value, sb3.Video):
        return trackai.Video(value.frames[0], fps=value.fps)
    return value


def _hyperparameters(model: Any) -> dict[str, Any]:
    """The attributes of an algorithm that are numbers, texts or dicts."""
    values = {
        name: value
        for name, value in vars(model).items()
        if not name.startswith("_") and isinstance(value, (*_SCALARS, dict))
    }
    for name in ("num_timesteps", "start_time"):
        values.pop(name, None)
    for name in ("lr_schedule", "clip_range"):
        if callable(schedule := getattr(model, name, None)):
            values[f"initial_{name}"] = float(schedule(1.0))
    values["algorithm"] = type(model).__name__
    values["policy"] = type(model.policy).__name__
    env = model.get_env()
    ids = env.get_attr("spec") if env is not None else []
    if ids and ids[0] is not None:
        values["env_id"] = ids[0].id
    return values
