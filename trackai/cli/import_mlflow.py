"""trackai import mlflow"""

import click

from trackai.cli.imports import tracker_command

mlflow = tracker_command(
    "mlflow",
    """Import MLflow's runs.

    PATH is a SQLite database (mlflow.db), the folder mlruns, or a folder that holds them. Importing
    again adds what is new. The exit code is 4 if something could not be stored; the printed receipt
    lists it.
    """,
    click.option("--deleted", is_flag=True, help="Import deleted runs and experiments, too."),
)
