"""Logs trainings of PyTorch Ignite.

Checked with pytorch-ignite 0.5.5.

    from trackai.integrations.ignite import TrackAILogger

    with TrackAILogger(trainer, project="digits") as log:
        log.attach_output_handler(
            trainer, Events.ITERATION_COMPLETED, tag="train", output_transform=lambda loss: loss
        )
        log.attach_output_handler(
            evaluator, Events.COMPLETED, tag="val", metric_names="all"
        )
        trainer.run(data, max_epochs=10)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ignite.handlers.base_logger import (
    BaseLogger,
    BaseOptimizerParamsHandler,
    BaseOutputHandler,
)

from trackai.integrations.training import TrainingRun, project_or

if TYPE_CHECKING:
    from trackai.sdk.run import Run


class TrackAILogger(BaseLogger):
    """Logs what is attached to it, at the iterations of the trainer.

    If a run is active, that one is used and not finished.
    """

    def __init__(self, trainer: Any = None, **arguments: Any) -> None:
        """Start a run.

        Args:
            trainer: the engine whose iterations are the steps, also of what evaluators log;
                default the engine of each event, whose epochs or iterations are.
            arguments: those of `trackai.init`.
        """
        self.trainer = trainer
        self._training = TrainingRun(arguments)
        self._training.begin({"project": project_or("ignite")})

    @property
    def run(self) -> Run:
        """The run."""
        return self._training.run

    def log(self, values: dict[str, Any], step: float | None = None) -> None:
        """Log values at a step."""
        self._training.log(values, step)

    def close(self) -> None:
        """Finish the run: as failed while an exception is being handled."""
        self._training.end("failed" if sys.exc_info()[0] else "completed")

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        self._training.end("failed" if kind else "completed")

    def step(self, engine: Any, event_name: Any) -> int:
        """The step of an event of an engine."""
        if self.trainer is not None:
            return int(self.trainer.state.iteration)
        return int(engine.state.get_event_attrib_value(event_name))

    def _create_output_handler(self, *args: Any, **kwargs: Any) -> OutputHandler:
        return OutputHandler(*args, **kwargs)

    def _create_opt_params_handler(self, *args: Any, **kwargs: Any) -> OptimizerParamsHandler:
        return OptimizerParamsHandler(*args, **kwargs)


class OutputHandler(BaseOutputHandler):
    """Logs the output, metrics or attributes of the state of an engine."""

    def __init__(
        self,
        tag: str,
        metric_names: str | list[str] | None = None,
        output_transform: Callable[[Any], Any] | None = None,
        global_step_transform: Callable[[Any, Any], int] | None = None,
        state_attributes: list[str] | None = None,
    ) -> None:
        """Make a handler, with the arguments of Ignite's others.

        Args:
            tag: the first part of the names.
            metric_names: "all", or which metrics to log.
            output_transform: makes a number or a dict of the output of the engine.
            global_step_transform: returns the step; default see `TrackAILogger`.
            state_attributes: which attributes to log.
        """
        super().__init__(
            tag, metric_names, output_transform, global_step_transform, state_attributes
        )
        self._has_own_step = global_step_transform is not None

    def __call__(self, engine: Any, logger: TrackAILogger, event_name: Any) -> None:
        step = self.global_step_transform if self._has_own_step else logger.step
        values = self._setup_output_metrics_state_attrs(engine, log_text=True, key_tuple=False)
        logger.log(values, step(engine, event_name))


class OptimizerParamsHandler(BaseOptimizerParamsHandler):
    """Logs a parameter of an optimizer, such as the learning rate."""

    def __call__(self, engine: Any, logger: TrackAILogger, event_name: Any) -> None:
        prefix = f"{self.tag}/" if self.tag else ""
        values = {
            f"{prefix}{self.param_name}/group_{index}": float(group[self.param_name])
            for index, group in enumerate(self.optimizer.param_groups)
        }
        logger.log(values, logger.step(engine, event_name))
