"""The names of trackio 0.43: those that are not listed here are the names of trackai."""

from __future__ import annotations

from typing import Any

import trackai
from trackai.compat.run_view import RunView
from trackai.sdk.ignored_calls import ArtifactTTL, warn_ignored, warn_ignored_arguments

__all__ = ["ArtifactTTL", "Audio", "Image", "Run", "freeze", "init", "log", "save", "sync"]  # noqa: F822
__version__ = "0.43.0"

log = trackai.log  # called in every step


class Run(RunView):
    """A run with the attributes that frameworks read of trackio's. It is in no Space."""

    _space_id = None


def init(*args: Any, **kwargs: Any) -> Run:
    """Start a run, or resume one; see `trackai.init`, which has the arguments of trackio."""
    run = Run.of(trackai.init(*args, **kwargs))
    assert run is not None  # noqa: S101 - only of None
    return run


def current_run() -> Run | None:
    """The active run, as of trackio."""
    return Run.of(trackai.run)


def save(glob_str: Any, project: str | None = None) -> list[str]:
    """Store copies of files with the active run, as `trackai.save` does.

    Args:
        glob_str: a path or a glob pattern.
        project: ignored with a warning: the files are those of the run.
    """
    warn_ignored_arguments("save", {"project": project})
    return trackai.save(glob_str)


def sync(*args: Any, **kwargs: Any) -> None:
    """Do nothing but warn once: TrackAI publishes nothing to Spaces."""
    warn_ignored("trackio.sync()")


def freeze(*args: Any, **kwargs: Any) -> None:
    """Do nothing but warn once: TrackAI publishes nothing to Spaces."""
    warn_ignored("trackio.freeze()")


def __getattr__(name: str) -> Any:
    if name in ("Audio", "Image"):
        from trackai.compat import trackio_media  # few scripts log media

        return getattr(trackio_media, name)
    if name in trackai.__all__:
        return getattr(trackai, name)
    raise AttributeError(name)
