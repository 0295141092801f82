"""`trackio.context_vars`: what frameworks ask about the active run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trackai.compat.trackio_names import current_run as _current_run

__all__ = ["current_project", "current_run", "current_server", "current_space_id"]


class _Variable:
    """A value with the `get` of a `ContextVar`."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def get(self, default: Any = None) -> Any:
        value = self._read()
        return default if value is None else value


current_run = _Variable(_current_run)
# Frameworks publish the project to a Space if there is one; TrackAI publishes nothing.
current_project = current_server = current_space_id = _Variable(lambda: None)
