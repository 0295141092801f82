"""Opens Aim's repositories. Nothing in them is changed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MISSING = "reading a repository of Aim needs aim itself: pip install aim (up to Python 3.12)"


class Repository:
    """A repository.

    Args:
        path: the folder that `.aim` is in.

    Attributes:
        errors: what aim raises if a run cannot be read.

    Raises:
        TrackAIError: aim is not installed.
        InvalidInputError: the repository cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._aim = import_module("aim")
            rocks = import_module("aimrocks.errors")
        except ImportError:
            raise TrackAIError(_MISSING) from None
        self.errors: tuple[type[Exception], ...] = (
            OSError, LookupError, RuntimeError, TypeError, ValueError, AttributeError,
            *(kind for kind in vars(rocks).values() if isinstance(kind, type)),
        )  # fmt: skip
        repo = self._aim.Repo
        try:
            # aim would change a repository of another version when it opens it.
            if repo.check_repo_status(str(path)).name != "UPDATED":
                problem = "is of another version of aim; run `aim storage upgrade` first"
                raise InvalidInputError(str(path), problem)
            self._repo = repo(str(path))
        except self.errors as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(str(path), f"cannot be opened: {error}") from None
        self._request_tree = self._repo.request_tree

    def hashes(self) -> list[str]:
        """Return the hashes of all runs."""
        return sorted(self._repo.list_all_runs())

    def run(self, run_hash: str) -> Any:
        """Open a run of aim for reading.

        aim looks runs up in an index, which lacks those that have just been closed. Here, each is
        read from its own database.
        """

        def request_tree(name: str, sub: str | None = None, **options: Any) -> Any:
            return self._request_tree(name, sub or run_hash, **options)

        self._repo.request_tree = request_tree
        return self._aim.Run(run_hash, repo=self._repo, read_only=True)

    def close(self) -> None:
        """Close the repository."""
        self._repo.close()


def series(run: Any) -> Iterator[tuple[dict[str, Any], str, str, Any]]:
    """Yield the context, the name, the type and the values of each series of a run."""
    contexts = run.meta_tree.subtree("contexts").collect()
    for context, traces in run.meta_run_tree.get("traces", {}).items():
        for name, info in traces.items():
            trees = run.series_run_trees[info.get("version", 1)]
            yield contexts.get(context, {}), name, info["dtype"], trees.subtree((context, name))


def rows(tree: Any, *, has_steps: bool) -> list[tuple[float, int | float, Any, Any]]:
    """Return the time, step, value and epoch of all points of a series, in the order of logging.

    Args:
        tree: the values of the series.
        has_steps: the series has an array of steps. Otherwise they are the keys of its arrays.
    """
    names = ("time", "epoch", *(["step"] if has_steps else []))
    times, epochs, *others = [dict(tree.array(name).items()) for name in names]
    steps = others[0] if others else None
    found = []
    for key, value in tree.array("val").items():
        step = key if steps is None else steps.get(key)
        # The arrays of a run that is being written may differ in length.
        if key in times and step is not None:
            found.append((times[key], step, value, epochs.get(key)))
    found.sort(key=lambda row: row[:2])
    return found
