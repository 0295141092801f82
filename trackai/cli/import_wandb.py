"""trackai import wandb"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackai.cli.imports import tracker_command
from trackai.importers.trackers import TRACKERS

if TYPE_CHECKING:
    from trackai.importers.source import Source


@tracker_command
def wandb(*args: Any, **options: Any) -> Source:
    """Import local folders of Weights & Biases.

    PATH is the folder of a run (offline-run-...), the folder wandb that holds them, or any folder
    above. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """
    return TRACKERS["wandb"].source(*args, **options)
