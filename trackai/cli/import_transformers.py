"""trackai import transformers"""

import click

from trackai.cli.imports import tracker_command

transformers = tracker_command(
    "transformers",
    """Import output folders of Hugging Face's Trainer.

    PATH is an output folder with trainer_state.json or checkpoints, or any folder above. Importing
    again adds what is new. The exit code is 4 if something could not be stored; the printed
    receipt lists it.
    """,
    click.option("--project", help="Project of the runs.  [default: huggingface]"),
)
