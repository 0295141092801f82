"""Calls and arguments of wandb and trackio that scripts may keep, and that do nothing here.

What a script would miss is named in one warning, the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import SimpleNamespace
from typing import Any

from trackai.sdk.notices import warn_once
from trackai.settings import ignored_wandb_variables

# Arguments of wandb.init() that are accepted and ignored.
IGNORED_ARGUMENTS = frozenset(
    {
        "allow_val_change", "anonymous", "config_exclude_keys", "config_include_keys", "dir",
        "entity", "force", "magic", "monitor_gym", "save_code",
    }
)  # fmt: skip


# Settings of wandb that are read: `console` by `console.py`, `reinit` by `run_request.py`.
_SETTINGS = ("console", "reinit")


def warn_ignored(feature: str) -> None:
    """Warn that a feature is not supported, the first time it is used."""
    warn_once(feature, "trackai does not support %s; it is ignored", feature)


def warn_ignored_arguments(function: str, arguments: dict[str, Any]) -> None:
    """Warn once about each argument that is not None.

    Args:
        function: the name of the function for the warning, such as "init".
    """
    for name, value in arguments.items():
        if value is not None:
            warn_ignored(f"the argument {name} of {function}()")


def warn_ignored_settings(settings: Any) -> None:
    """Warn once about each setting of wandb that has no meaning here.

    Args:
        settings: a mapping, or an object with attributes.
    """
    fields = settings if isinstance(settings, Mapping) else getattr(settings, "__dict__", {})
    for name, value in fields.items():
        if value is not None and name not in _SETTINGS:
            warn_ignored(f"the setting {name} of wandb")


def warn_ignored_variables() -> None:
    """Warn once about each environment variable of wandb that has no meaning here."""
    for name in ignored_wandb_variables():
        warn_ignored(f"the environment variable {name}")


def warn_disabled() -> None:
    """Warn, the first time, that the environment keeps runs from being stored."""
    warn_once("WANDB_MODE", "WANDB_MODE is disabled: runs are deleted when this process ends")


def define_metric(*args: Any, **kwargs: Any) -> None:
    """Do nothing; accepted for scripts written for wandb.

    Minimum, maximum and last value are kept of every metric, and the dashboard chooses the x axis.
    """


def watch(*args: Any, **kwargs: Any) -> None:
    """Do nothing but warn once; accepted for scripts written for wandb.

    Log gradients and weights as `Histogram` instead.
    """
    warn_ignored("watch()")


def unwatch(*args: Any, **kwargs: Any) -> None:
    """Do nothing; accepted for scripts written for wandb."""


def log_code(*args: Any, **kwargs: Any) -> None:
    """Do nothing but warn once; accepted for scripts written for wandb.

    Store code with `save("**/*.py")` instead.
    """
    warn_ignored("log_code()")


def login(*args: Any, **kwargs: Any) -> bool:
    """Do nothing and return True; accepted for scripts written for wandb."""
    return True


def setup(settings: Any = None) -> SimpleNamespace:
    """Do nothing; accepted for scripts written for wandb.

    Returns:
        An object whose attribute `settings` is that of the argument, or has no values.
    """
    return SimpleNamespace(settings=Settings() if settings is None else settings)


class Settings(SimpleNamespace):
    """Settings of wandb. `init` heeds `console` and `reinit`, and warns of others.

    Attributes that were not given are None.
    """

    def __getattr__(self, name: str) -> None:
        if name.startswith("_"):  # of copies, and of what Python and notebooks look for
            raise AttributeError(name, name=name, obj=self)


class ArtifactTTL(Enum):
    """Values of `Artifact.ttl` in wandb, which have no effect here."""

    INHERIT = 0


class _NotStored:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warn_ignored(f"{type(self).__name__}()")


class Graph(_NotStored):
    """A graph of a model, which is not stored: it is named in a warning, and left out of `log`."""


class JoinedTable(_NotStored):
    """A join of two tables, which is not stored; log a joined `Table` instead."""
