"""The names of wandb 0.31: those that are not listed here are the names of trackai.

A name that would lose data warns once, and a feature that TrackAI does not have is refused by name.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn, TextIO

import trackai
from trackai.compat.wandb_errors import (
    CommError,
    ConfigError,
    Error,
    UnsupportedError,
    UsageError,
)
from trackai.compat.wandb_run import Run, RunDisabled, attach, current_run, init
from trackai.compat.wandb_terminal import termerror, termlog, termwarn
from trackai.sdk import active, late_calls
from trackai.sdk.config import Config
from trackai.sdk.ignored_calls import ArtifactTTL
from trackai.sdk.media import Media
from trackai.sdk.summary import Summary

__all__ = [  # noqa: F822 - Api is imported when it is used
    "Api", "ArtifactTTL", "CommError", "Config", "ConfigError", "Error", "Media", "Run",
    "RunDisabled", "Summary", "SummaryDisabled", "UsageError", "WBValue", "agent", "api",
    "attach", "controller", "ensure_configured", "finish", "init", "join", "log", "require",
    "restore", "sweep", "teardown", "termerror", "termlog", "termwarn",
]  # fmt: skip
__version__ = "0.31.0"

WBValue = Media
SummaryDisabled = Summary
_attach = attach
finish = join = trackai.finish
log = trackai.log  # called in every step
# Frameworks ask it whether the user has logged in.
api = SimpleNamespace(api_key="local", default_entity=None)

_UNSUPPORTED = {
    "agent": "sweeps; use optuna or ray.tune",
    "controller": "sweeps; use optuna or ray.tune",
    "sweep": "sweeps; use optuna or ray.tune",
}
# Functions of wandb that are methods of its runs.
_METHODS = frozenset(
    {"link_model", "log_code", "log_model", "mark_preempting", "use_artifact", "use_model"}
)


def _refuse(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedError(f"wandb.{name}: trackai does not have {_UNSUPPORTED[name]}")

    return refuse


agent, controller, sweep = map(_refuse, ("agent", "controller", "sweep"))


def restore(
    name: str, run_path: str | None = None, replace: bool = False, root: Any = None
) -> TextIO | None:
    """Write a file of a stored run into a folder, and open it.

    Args:
        name: the name of the file in the run.
        run_path: the run, as for `Api.run`; default the active run.
        replace: replace an existing file; otherwise it is opened as it is.
        root: the folder; default that of the active run, `run.dir`, or the working directory.

    Returns:
        The file, open for reading as text; its attribute `name` is the path. None if the run has
        no such file.

    Raises:
        InvalidInputError: no run is active, and `run_path` is missing.
        NotFoundError: the run does not exist.
    """
    from trackai.compat.wandb_files import restore_file  # few scripts call it

    return restore_file(trackai.run, name, run_path, replace, root)


def require(*args: Any, **kwargs: Any) -> None:
    """Do nothing: it chooses experimental features of wandb."""


def ensure_configured() -> None:
    """Do nothing: it reads the settings of wandb."""


def teardown(exit_code: int | None = None) -> None:
    """Finish the active run, as failed if the exit code is neither None nor 0."""
    trackai.finish(exit_code)


def _of_the_active_run(name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        run = current_run()
        return late_calls.refuse() if run is None else getattr(run, name)(*args, **kwargs)

    return call


def __getattr__(name: str) -> Any:
    if name == "run":
        return current_run()
    if name == "Api":
        from trackai.compat.wandb_public_api import Api

        return Api
    if name == "summary":
        return active.active_summary()
    if name in trackai.__all__:
        return getattr(trackai, name)
    if name in _METHODS and (hasattr(Run, name) or hasattr(trackai.Run, name)):
        return _of_the_active_run(name)
    raise AttributeError(name)
