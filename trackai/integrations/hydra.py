"""Hydra: a callback that makes each job a run, and a multirun a group.

Checked with Hydra 1.3. Name it in the configuration, and log with `trackai.log` in the job:

    hydra:
      callbacks:
        trackai:
          _target_: trackai.integrations.hydra.TrackAICallback
          project: digits

A job that starts its own run needs no callback: `trackai.init(**init_arguments(), tags=["mine"])`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import trackai
from trackai.integrations.training import apply_arguments, without_secrets

if TYPE_CHECKING:
    from trackai.sdk.run import Run


class TrackAICallback(Callback):
    """Start a run before each job, which is active in it, and finish it afterwards.

    The configuration of the job is that of the run, with the overrides, the number of the job and
    its output folder below "hydra". Tokens, keys and passwords are left out. All jobs of a multirun
    have one group. A job that raises an exception fails its run.

    A run that is active before the job is used, and not finished. A job that calls `trackai.init`
    itself finishes the run of this callback: use `init_arguments` without the callback then.
    """

    def __init__(self, **arguments: Any) -> None:
        """Make a callback. Called by Hydra.

        Args:
            arguments: arguments of `trackai.init`, which go before those of `init_arguments`.
        """
        self._arguments = arguments
        self._run: Run | None = None
        self._is_own = False

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Begin the run. Called by Hydra."""
        arguments = {**init_arguments(config), **self._arguments}
        active = trackai.run
        self._is_own = active is None
        if active is None:
            self._run = trackai.init(**arguments)
        else:
            self._run = active
            apply_arguments(active, self._arguments)
            active.config.setdefaults(arguments["config"])

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Finish the run. Called by Hydra, also after an exception in the job."""
        run, self._run = self._run, None
        if run is not None and self._is_own:
            run.finish("completed" if job_return.status == JobStatus.COMPLETED else "failed")


def init_arguments(config: DictConfig | None = None) -> dict[str, Any]:
    """Return arguments of `trackai.init` for the Hydra job that is running.

    Args:
        config: the configuration of the job with that of Hydra, as callbacks get it. Without it,
            "config" has only what Hydra knows of the job.

    Returns:
        "project", the name of the job; "name", its overrides in a multirun; "group", the folder of
        the multirun; and "config".
    """
    settings = HydraConfig.get() if config is None else config.hydra
    overrides = list(settings.overrides.task)
    shown = [_without_secret(override) for override in overrides]
    facts = {
        "job": settings.job.name,
        "overrides": shown,
        "choices": OmegaConf.to_container(settings.runtime.choices),
        "output_dir": settings.runtime.output_dir,
    }
    name, group = settings.job.name, None
    if settings.mode == RunMode.MULTIRUN:
        facts["job_num"] = settings.job.num
        has_name = settings.job.override_dirname and shown == overrides
        name = settings.job.override_dirname if has_name else f"{name}-{settings.job.num}"
        group = str(settings.sweep.dir)
    job = {} if config is None else {key: _value(config, key) for key in config if key != "hydra"}
    return {
        "project": settings.job.name,
        "name": name,
        "group": group,
        "config": {**without_secrets(job), "hydra": facts},
    }


def _without_secret(override: str) -> str:
    key, _, value = override.partition("=")
    is_public = without_secrets({key.lstrip("+~").rpartition(".")[2]: value})
    return override if is_public else f"{key}=***"


def _value(config: DictConfig, key: Any) -> Any:
    try:
        return config[key]
    except OmegaConfBaseException:  # missing, or an interpolation that cannot be resolved
        return OmegaConf.to_container(config)[key]  # type: ignore[index]
