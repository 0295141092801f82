"""trackai import tensorboard"""

import click

from trackai.cli.imports import tracker_command

tensorboard = tracker_command(
    "tensorboard",
    """Import TensorBoard event files.

    PATH is a log folder, the folder of a run, or an event file. Each folder with event files is a
    run. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """,
    click.option("--project", help="Project of the runs.  [default: name of the folder]"),
)
