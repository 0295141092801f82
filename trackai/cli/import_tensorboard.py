"""trackai import tensorboard"""

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
@click.option("--project", help="Project of the runs.  [default: name of the folder]")
@file_option
@json_option
@click.pass_context
def tensorboard(
    ctx: click.Context, path: Path, project: str | None, db: str | None, as_json: bool
) -> None:
    """Import TensorBoard event files.

    PATH is a log folder, the folder of a run, or an event file. Each folder with event files is a
    run. Importing again adds what is new. The exit code is 4 if something could not be stored; the
    printed receipt lists it.
    """
    if find_spec("tensorboard") is None or find_spec("google_crc32c") is None:
        raise MissingExtraError("reading TensorBoard's files", "tensorboard")

    async def work(database: Database, receipt: Receipt) -> Receipt:
        from trackai.importers.loader import load_runs
        from trackai.importers.tensorboard.reader import read

        items = read(path, project=project, receipt=receipt, progress=ProgressLine())
        return await load_runs(database, items, receipt)

    run_import(ctx, db, str(path), work, as_json)
