"""trackai import wandb"""

from trackai.cli.imports import tracker_command

wandb = tracker_command(
    "wandb",
    """Import local folders of Weights & Biases.

    PATH is the folder of a run (offline-run-...), the folder wandb that holds them, or any folder
    above. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """,
)
