"""The trackers whose files are recognised, and their importers.

An importer is a package of that name. It has `recognises(path)`, which says by names and first
bytes whether a file or a folder is from its tracker, and needs no extra. Its module `reader` has
`Source`, see `trackai.importers.source`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from trackai.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.importers.source import Source

_PACKAGE = "trackai.importers"


class Tracker(NamedTuple):
    """A tracker whose files can be imported.

    Attributes:
        name: of the command, the package of the importer, and its extra.
        title: how it calls itself.
        needs: the modules that its importer needs; the extra brings them.
        is_often_large: a process of its own may read the source. Its files must not be temporary.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    is_often_large: bool = False

    @property
    def recognises(self) -> Callable[[Path], bool]:
        """Whether a file or a folder is from this tracker."""
        recognises: Callable[[Path], bool] = import_module(f"{_PACKAGE}.{self.name}").recognises
        return recognises

    @property
    def source(self) -> Callable[..., Source]:
        """Makes the source for a path.

        Raises:
            MissingExtraError: its extra is not installed.
        """
        if not all(map(_is_installed, self.needs)):
            raise MissingExtraError(f"reading the files of {self.title}", self.name)
        source: Callable[..., Source] = import_module(f"{_PACKAGE}.{self.name}.reader").Source
        return source


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


# In the order in which they are asked.
TRACKERS = {
    tracker.name: tracker
    for tracker in (
        Tracker("wandb", "Weights & Biases", needs=("google.protobuf",), is_often_large=True),
        Tracker("tensorboard", "TensorBoard", needs=("tensorboard", "google_crc32c")),
        Tracker("trackio", "trackio"),
        Tracker("mlflow", "MLflow", is_often_large=True),
        Tracker("optuna", "Optuna"),
        Tracker("comet", "Comet"),
        Tracker("clearml", "ClearML"),
        Tracker("goodseed", "GoodSeed"),
        Tracker("dalva", "Dalva"),
        Tracker("sacred", "Sacred"),
        Tracker("aim", "Aim"),
        Tracker("swanlab", "SwanLab", needs=("google.protobuf", "yaml")),
        Tracker("ray", "Ray Tune"),
        Tracker("transformers", "Hugging Face's Trainer"),
        Tracker("lightning", "Lightning", needs=("yaml",)),
        Tracker("dvclive", "DVCLive", needs=("yaml",)),
    )
}
