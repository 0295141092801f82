"""The trackers whose folders are written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from trackai.errors import ConflictError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trackai.exporters.folder import FindBytes, Folder
    from trackai.exporters.run_exporter import RunExporter
    from trackai.exporters.summary import Summary


class Tracker(NamedTuple):
    """A tracker: its name for people, the extra that it needs, and the files of its folders.

    Attributes:
        pattern: of the files in a folder that runs can be added to; None if a folder must be new.
    """

    title: str
    extra: str | None
    pattern: str | None


TRACKERS = {
    "mlflow": Tracker("MLflow", None, None),
    "tensorboard": Tracker("TensorBoard", "tensorboard", "**/*tfevents*"),
    "wandb": Tracker("Weights & Biases", "wandb", "*run-*/run-*.wandb"),
}


def open_exporter(
    name: str, folder: Folder, find_bytes: FindBytes, summary: Summary
) -> RunExporter:
    """Return the exporter of a tracker.

    Raises:
        ConflictError: the folder has other files than those of this tracker.
        MissingExtraError: a package that it needs is not installed.
    """
    tracker = TRACKERS[name]
    if not folder.is_empty and (tracker.pattern is None or not folder.matches(tracker.pattern)):
        kind = "" if tracker.pattern is None else f" and has no runs of {tracker.title}"
        raise ConflictError(f"{folder.path} is not empty{kind}; choose a new folder")
    try:
        module = import_module(f"trackai.exporters.{name}.exporter")
    except ModuleNotFoundError as error:
        if tracker.extra is None or str(error.name).startswith("trackai"):
            raise
        raise MissingExtraError(f"the export to {tracker.title}", tracker.extra) from None
    make = cast("Callable[[Folder, FindBytes, Summary], RunExporter]", module.Exporter)
    return make(folder, find_bytes, summary)
