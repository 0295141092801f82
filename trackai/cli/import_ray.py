"""trackai import ray"""

import click

from trackai.cli.imports import tracker_command

ray = tracker_command(
    "ray",
    """Import the trials of Ray Tune.

    PATH is the folder of an experiment, usually in ~/ray_results, the folder of a trial, or any
    folder above. Importing again adds what is new. The exit code is 4 if something could not be
    stored; the printed receipt lists it.
    """,
    click.option("--project", help="Project of the runs.  [default: ray]"),
)
