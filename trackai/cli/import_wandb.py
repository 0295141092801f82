"""trackai import wandb"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.database import file_option
from trackai.cli.imports import run_import
from trackai.cli.output import json_option
from trackai.cli.progress import ProgressLine
from trackai.errors import MissingExtraError

if TYPE_CHECKING:
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@file_option
@json_option
@click.pass_context
def wandb(ctx: click.Context, path: Path, db: str | None, as_json: bool) -> None:
    """Import local folders of Weights & Biases.

    PATH is the folder of a run (offline-run-...), the folder wandb that holds them, or any folder
    above. Importing again adds what is new. The exit code is 4 if something could not be stored;
    the printed receipt lists it.
    """
    if find_spec("google.protobuf") is None:
        raise MissingExtraError("reading wandb's files", "wandb")

    async def work(database: Database, receipt: Receipt) -> Receipt:
        from trackai.importers.loader import load_runs
        from trackai.importers.wandb.reader import Source

        source = Source(path, receipt=receipt, progress=ProgressLine())
        return await load_runs(database, source.read(), receipt, source.find_bytes)

    run_import(ctx, db, str(path), work, as_json)
