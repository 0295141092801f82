"""trackai import tensorboard"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trackai.cli.imports import tracker_command
from trackai.importers.trackers import TRACKERS

if TYPE_CHECKING:
    from trackai.importers.source import Source


@tracker_command
@click.option("--project", help="Project of the runs.  [default: name of the folder]")
def tensorboard(*args: Any, **options: Any) -> Source:
    """Import TensorBoard event files.

    PATH is a log folder, the folder of a run, or an event file. Each folder with event files is a
    run. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """
    return TRACKERS["tensorboard"].source(*args, **options)
