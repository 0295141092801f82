"""Logs trials of Ray Tune, and workers of Ray Train.

Checked with ray 2.60.

    from trackai.integrations.ray import TrackAILoggerCallback

    Tuner(train, run_config=RunConfig(callbacks=[TrackAILoggerCallback(project="digits")]), ...)

In a worker, `setup_trackai` starts a run that is the same for all attempts of a trial:

    with setup_trackai(config, project="digits") as run:
        run.log({"loss": loss})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ray.train
import ray.tune
from ray.tune.logger import LoggerCallback

import trackai
from trackai.integrations.training import project_or, without_secrets

if TYPE_CHECKING:
    from trackai.sdk.run import Run

# What Tune adds to each result: facts that do not change, for the configuration ...
_FACTS = ("trial_id", "experiment_tag", "node_ip", "hostname", "pid")
# ... and what a run has anyway.
_LEFT_OUT = {
    *_FACTS, "config", "done", "should_checkpoint", "checkpoint_dir_name", "date", "timestamp",
}  # fmt: skip
_DEFAULT_PROJECT = "ray"


class TrackAILoggerCallback(LoggerCallback):
    """Logs each trial as a run, at the training iterations of Tune.

    The trials of an experiment are a group. A trial that is restored goes on in its run; results
    that it reports again supersede those before.
    """

    def __init__(self, **arguments: Any) -> None:
        """Make a callback.

        Args:
            arguments: those of `trackai.init`, for all trials.
        """
        self._arguments = arguments
        self._runs: dict[str, Run] = {}

    def log_trial_start(self, trial: Any) -> None:
        run = self._runs.get(trial.trial_id)
        if run is None:
            run = self._start(trial)
        run.config.update(without_secrets(trial.config))  # which population based training changes

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
        if trial.trial_id not in self._runs:
            self.log_trial_start(trial)
        run, step = self._runs[trial.trial_id], result["training_iteration"]
        if step < run.step:  # Tune has gone back to a checkpoint
            run.finish()
            run = self._start(trial, resume_from=f"{run.run_id}?_step={step - 1}", id=None)
        run.config.update({name: result[name] for name in _FACTS if name in result})
        run.log({name: result[name] for name in result if name not in _LEFT_OUT}, step)

    def log_trial_end(self, trial: Any, failed: bool = False) -> None:
        run = self._runs.pop(trial.trial_id, None)
        if run is not None:
            run.finish("failed" if failed else "completed")

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Fail the runs of trials that have not come to an end."""
        while self._runs:
            self._runs.popitem()[1].finish("failed")

    def _start(self, trial: Any, **moment: Any) -> Run:
        arguments = {
            "project": project_or(_DEFAULT_PROJECT),
            "id": trial.trial_id,
            "name": str(trial),
            "group": trial.experiment_dir_name,
            **self._arguments,
            **moment,
        }
        # Several trials are logged at a time.
        run = self._runs[trial.trial_id] = trackai.init(**arguments, reinit="create_new")
        return run

    def __getstate__(self) -> dict[str, Any]:
        # Tune stores its callbacks, and copies them; a restored trial resumes its run by its id.
        return {**vars(self), "_runs": {}}


def setup_trackai(
    config: Mapping[str, Any] | None = None, *, rank_zero_only: bool = True, **arguments: Any
) -> Run:
    """Start the run of a worker of Train, or of a trial of Tune.

    Args:
        config: hyperparameters.
        rank_zero_only: log in the worker of rank 0; others get a run that is not kept.
        arguments: those of `trackai.init`. The default id is that of the trial, so that further
            attempts go on in the same run.

    Returns:
        The run. Use it in a `with` statement: Ray ends workers without a word.
    """
    names = _trial() or _experiment()
    if rank_zero_only and names.pop("rank"):
        return trackai.init(mode="disabled", config=config)
    names.pop("rank", None)
    defaults = {"project": project_or(_DEFAULT_PROJECT), **names}
    return trackai.init(**{**defaults, "config": without_secrets(config or {}), **arguments})


def _trial() -> dict[str, Any]:
    """The names of the trial that this process is in; none outside of Tune."""
    context = ray.tune.get_context()
    trial_id = context.get_trial_id()
    if trial_id is None:
        return {}
    return {
        "id": trial_id,
        "name": context.get_trial_name(),
        "group": context.get_experiment_name(),
        "rank": 0,
    }


def _experiment() -> dict[str, Any]:
    """The names of the training of Train that this process is a worker of."""
    try:
        context = ray.train.get_context()
        name, rank = context.get_experiment_name(), context.get_world_rank()
    except RuntimeError:  # neither Tune nor Train
        return {"rank": 0}
    return {"id": name, "name": name, "rank": rank or 0}
