"""trackai import dvclive"""

import click

from trackai.cli.imports import tracker_command

dvclive = tracker_command(
    "dvclive",
    """Import folders of DVCLive.

    PATH is the folder of a run, usually dvclive, or any folder above. Importing again adds what is
    new. The exit code is 4 if something could not be stored; the printed receipt lists it.
    """,
    click.option("--project", help="Project of the runs.  [default: name of the folder above]"),
)
