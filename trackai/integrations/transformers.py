"""Logs trainings of Hugging Face's Trainer, and of the trainers built on it, such as trl's.

Checked with transformers 5.24, trl 1.16, peft 0.19 and sentence-transformers 6.2.

Importing this module makes `report_to="trackai"` known:

    import trackai.integrations.transformers

    Trainer(args=TrainingArguments(report_to="trackai", ...), ...)

or, with arguments of `trackai.init`:

    Trainer(callbacks=[TrackAICallback(project="digits", tags=["baseline"])], ...)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.integrations import integration_utils
from transformers.trainer_callback import ExportableState

import trackai
from trackai.integrations.training import OncePerStep, TrainingRun, project_or
from trackai.values.trainer_names import metric_name


class TrackAICallback(TrainerCallback, ExportableState):
    """Logs a training, at the steps of the trainer.

    A training is a run, which fails if the training does not come to its end. If a run is active,
    that one is used and not finished. A training that is resumed from a checkpoint resumes its run
    after the step of the checkpoint.
    """

    def __init__(self, **arguments: Any) -> None:
        """Make a callback.

        Args:
            arguments: those of `trackai.init`. The project is that of the training arguments by
                default, unless `TRACKAI_PROJECT` is set; the name is their `run_name`.
        """
        self._training = TrainingRun(arguments)
        self._once = OncePerStep()
        self._names: dict[str, str] = {}
        self._best: tuple[Any, Any] = (None, None)
        self._completions: Path | None = None
        # Whether a training has begun without its run yet, and the checkpoint that it resumes.
        self._is_waiting = False
        self._checkpoint: tuple[Any, int] | None = None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the run to resume."""
        arguments = {name: _jsonable(value) for name, value in self._training.arguments.items()}
        return {
            "args": {name: value for name, value in arguments.items() if value is not None},
            "attributes": {"checkpointed_run": self._training.path},
        }

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control._trackai_callback = self  # the last one of several callbacks logs

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        saved = state.stateful_callbacks.get(type(self).__name__)
        # The trainer fails to save if the checkpoint that it resumes has no entry of a callback.
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())
        if isinstance(saved, list):  # of several callbacks
            saved = saved[-1]
        path = saved["attributes"].get("checkpointed_run") if saved else None
        # The state of a training from the start has an entry of this callback, too.
        is_resumed = path is not None and state.global_step > 0
        self._checkpoint = (path, state.global_step) if is_resumed else None
        self._is_waiting = True
        # One that is not the last waits, as the last one may have been removed from the trainer.
        chosen = vars(control).setdefault("_trackai_callback", self)
        if chosen is self and self._is_responsible(state):
            self._begin(args, state, model)

    def on_epoch_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        if self._is_waiting and self._is_responsible(state):
            self._begin(args, state, model)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, Any] | None = None,
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        if not logs or not self._is_responsible(state):
            return
        step = state.global_step
        values = self._renamed(logs)
        self._once("train/epoch", values, step)
        self._log(args, state, model, values)
        if getattr(args, "log_completions", False):
            # trl writes them after this call; a table of this step replaces one before it.
            self._log_completions()
            self._completions = _completions(args, step)

    def on_predict(
        self,
        args: Any,
        state: Any,
        control: Any,
        metrics: Mapping[str, Any],
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        if self._is_responsible(state):
            self._log(args, state, model, self._renamed(metrics))

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._is_responsible(state):
            self._log_best(state)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._completions is not None:
            self._log_completions()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._is_responsible(state):
            self._log_completions()
            self._log_best(state)
            self._training.end()

    def _is_responsible(self, state: Any) -> bool:
        """Whether this process logs, and with this callback."""
        return bool(
            state.is_world_process_zero
            and vars(state).setdefault("_trackai_callback", self) is self
        )

    def _begin(self, args: Any, state: Any, model: Any) -> None:
        # Earlier versions name a run after the output folder.
        name = args.run_name if args.run_name != args.output_dir else None
        project = getattr(args, "project", "huggingface")
        if project == "huggingface":  # their default
            project = project_or(project)
        defaults = {"project": project, "name": name}
        if state.is_hyper_param_search and state.trial_name:
            defaults |= {"name": state.trial_name, "group": args.run_name or args.output_dir}
        self._training.begin(defaults, self._checkpoint)
        self._training.fail_unless_ended()
        self._training.configure(_hyperparameters(args, state, model))
        self._best = state.best_metric, state.best_model_checkpoint
        self._is_waiting, self._checkpoint = False, None

    def _log(self, args: Any, state: Any, model: Any, values: Mapping[str, Any]) -> None:
        is_alone = self._training.path is None and not self._is_waiting
        if is_alone or self._is_waiting:
            self._begin(args, state, model)
        self._training.log(values, state.global_step)
        if is_alone:  # an evaluation without a training
            self._training.end()

    def _renamed(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        names = self._names
        for name in logs.keys() - names.keys():
            names[name] = metric_name(name)
        return {names[name]: value for name, value in logs.items()}

    def _log_best(self, state: Any) -> None:
        best = state.best_metric, state.best_model_checkpoint
        if best[0] is None or best == self._best:
            return
        self._best = best
        values = {"best_metric": best[0], "best_model_checkpoint": best[1]}
        self._training.log(
            {name: value for name, value in values.items() if value is not None},
            state.best_global_step if state.best_global_step is not None else state.global_step,
        )

    def _log_completions(self) -> None:
        """Log the table of completions that trl has written since the last call of `on_log`."""
        path, self._completions = self._completions, None
        if path is not None and path.exists():
            import pandas as pd

            table = trackai.Table(dataframe=pd.read_parquet(path))
            self._training.log({"completions": table}, int(path.stem.rpartition("_")[2]))


def _completions(args: Any, step: int) -> Path:
    return Path(args.output_dir, "completions", f"completions_{step:05d}.parquet")


def _hyperparameters(args: Any, state: Any, model: Any) -> dict[str, Any]:
    values = args.to_dict()
    for name, value in values.items():
        # It hides the special tokens of trl's arguments, too.
        if name.endswith("_token") and value == f"<{name.upper()}>":
            values[name] = getattr(args, name)
    config = getattr(model, "config", None)
    if config is not None:
        values["model_config"] = config.to_dict() if hasattr(config, "to_dict") else config
    peft = getattr(model, "peft_config", None)
    if isinstance(peft, Mapping):
        values["peft_config"] = {name: adapter.to_dict() for name, adapter in peft.items()}
    if hasattr(model, "parameters"):
        sizes = [(weights.numel(), weights.requires_grad) for weights in model.parameters()]
        values["num_parameters"] = sum(size for size, _ in sizes)
        values["num_trainable_parameters"] = sum(size for size, trained in sizes if trained)
    if state.trial_params:
        values["trial"] = state.trial_params
    return dict(values)


def _jsonable(value: Any) -> Any:
    """A value that JSON can hold, as the trainer stores checkpoints in it; None for others."""
    if isinstance(value, Path):
        return str(value)
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return None
    return value


integration_utils.INTEGRATION_TO_CALLBACK["trackai"] = TrackAICallback
