"""Logs the recipes of torchtune.

Checked with torchtune 0.6. In the configuration of a recipe:

    metric_logger:
      _component_: trackai.integrations.torchtune.TrackAILogger
      project: digits
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchtune.training.metric_logging import MetricLoggerInterface
from torchtune.utils import get_world_size_and_rank

from trackai.integrations.training import TrainingRun, project_or, without_secrets


class TrackAILogger(MetricLoggerInterface):
    """Logs to a run of the process of rank 0.

    If a run is active, that one is used and not finished.
    """

    def __init__(self, log_dir: str | None = None, **arguments: Any) -> None:
        """Start a run.

        Args:
            log_dir: accepted, as the configurations of other loggers have it, and ignored.
            arguments: those of `trackai.init`; the default project is "torchtune".
        """
        self._is_main = get_world_size_and_rank()[1] == 0
        self._training = TrainingRun(arguments)
        if self._is_main:
            self._training.begin({"project": project_or("torchtune")})

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Store the configuration of the recipe."""
        if self._is_main:
            self._training.run.config.update(without_secrets(config))

    def log(self, name: str, data: Any, step: int) -> None:
        """Log a value at a step."""
        self.log_dict({name: data}, step)

    def log_dict(self, payload: Mapping[str, Any], step: int) -> None:
        """Log values at a step."""
        if self._is_main:
            self._training.log(payload, step)

    def close(self) -> None:
        """Finish the run."""
        self._training.end()
