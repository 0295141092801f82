"""What scripts for trackio and wandb call that has nothing to do here: it says so once."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any

from trackai.sdk.artifacts import Artifact

logger = logging.getLogger("trackai")

_said: set[str] = set()

# Arguments of wandb.init() that have no meaning here.
IGNORED_ARGUMENTS = frozenset(
    {
        "allow_val_change", "anonymous", "config_exclude_keys", "config_include_keys", "dir",
        "entity", "force", "fork_from", "job_type", "magic", "monitor_gym", "reinit",
        "resume_from", "save_code", "sync_tensorboard", "tensorboard",
    }
)  # fmt: skip


class AlertLevel(enum.StrEnum):
    """How bad it is."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


def say_once(what: str) -> None:
    """Say that something is ignored, the first time that it is."""
    if what not in _said:
        _said.add(what)
        logger.warning("trackai does not support %s; it is ignored", what)


class Summary(MutableMapping[str, Any]):
    """The last values of a run. What is set is logged, at the step that the run is at.

    Keys are attributes too, but for those that begin with "_".
    """

    def __init__(
        self, log: Callable[[dict[str, Any]], None], read: Callable[[], Mapping[str, Any]]
    ) -> None:
        """`read` tells the last value of each metric."""
        self._log = log
        self._read = read
        self._set: dict[str, Any] = {}

    def _values(self) -> dict[str, Any]:
        return {**self._set, **self._read()}

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._log({key: value})
        self._set[key] = value

    def __delitem__(self, key: str) -> None:
        raise TypeError("what is logged stays logged")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr(self._values())

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return dict, (self._values(),)  # a copy logs nothing


def define_metric(*arguments: Any, **more: Any) -> None:
    """Nothing: a dashboard's x axis is chosen there, figures are kept of every metric."""


def watch(*arguments: Any, **more: Any) -> None:
    """Nothing but a word: log what is to be seen of a model as `Histogram`s."""
    say_once("watch()")


def unwatch(*arguments: Any, **more: Any) -> None:
    """Nothing."""


def log_code(*arguments: Any, **more: Any) -> None:
    """Nothing but a word: keep code with `save("**/*.py")`."""
    say_once("log_code()")


def use_artifact(artifact: Artifact | str, *arguments: Any, **more: Any) -> Artifact:
    """Nothing but a word: which artifacts a run has used is not kept.

    Returns:
        The artifact; of one that is only named, an empty one of that name.
    """
    say_once("use_artifact()")
    return artifact if isinstance(artifact, Artifact) else Artifact(artifact)


def login(*arguments: Any, **more: Any) -> bool:
    """Nothing: there is no account."""
    return True


def setup(*arguments: Any, **more: Any) -> None:
    """Nothing."""


class Settings(SimpleNamespace):
    """Settings of wandb; none of them has a meaning here."""
