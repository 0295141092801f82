"""trackai import lightning"""

import click

from trackai.cli.imports import tracker_command

lightning = tracker_command(
    "lightning",
    """Import folders of Lightning's CSVLogger.

    PATH is the folder of a run (version_0), the folder of such folders, usually lightning_logs, or
    any folder above. Importing again adds what is new. The exit code is 4 if something could not
    be stored; the printed receipt lists it.
    """,
    click.option("--project",
                 help="Project of the runs.  [default: name of the folder of versions]"),
)  # fmt: skip
