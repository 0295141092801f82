"""`wandb.Api`: reads runs by paths that begin with an account, "account/project/id"."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import trackai
from trackai.errors import NotFoundError

if TYPE_CHECKING:
    from trackai.reading.api import Runs
    from trackai.reading.stored_run import StoredRun

__all__ = ["Api"]

T = TypeVar("T")


class Api(trackai.Api):
    """Reads and changes runs as `trackai.Api` does.

    Args:
        overrides, api_key, timeout: accepted for scripts written for wandb, and ignored.

    Attributes:
        default_entity: always None, as TrackAI has no accounts.
    """

    default_entity = None

    def __init__(self, overrides: Any = None, api_key: Any = None, timeout: Any = None) -> None:
        super().__init__()

    def run(self, path: int | str = "") -> StoredRun:
        """Return a run.

        Args:
            path: "account/project/id", "project/id", or what `trackai.Api.run` takes.

        Raises:
            NotFoundError: the run does not exist.
        """
        return _without_account(super().run, path)

    def runs(  # type: ignore[override]
        self, path: str | None = None, filters: Any = None, **arguments: Any
    ) -> Runs:
        """Return the runs of a project.

        Args:
            path: "account/project" or the name of the project.
            filters, arguments: as for `trackai.Api.runs`.

        Raises:
            NotFoundError: the project does not exist.
        """
        return _without_account(
            lambda project: super(Api, self).runs(project, filters=filters, **arguments), path
        )


def _without_account(read: Callable[[Any], T], path: Any) -> T:
    """Read what a path names: with all its parts, or else without the first, the account."""
    try:
        return read(path)
    except NotFoundError:
        _, slash, rest = path.partition("/") if isinstance(path, str) else ("", "", "")
        if slash:
            with suppress(NotFoundError):
                return read(rest)
        raise
