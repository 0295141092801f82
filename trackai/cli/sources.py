"""trackai import tensorboard, trackai, trackio"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.imports import finish
from trackai.cli.output import json_option
from trackai.cli.progress import ProgressLine
from trackai.cli.store import db_option
from trackai.errors import MissingExtraError

if TYPE_CHECKING:
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database

_PATH = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("path", type=_PATH)
@click.option("--project", help="The project of the runs.  [default: the folder's name]")
@db_option
@json_option
@click.pass_context
def tensorboard(
    ctx: click.Context, path: Path, project: str | None, db: str | None, as_json: bool
) -> None:
    """Import TensorBoard's event files, and print a receipt.

    PATH is a folder of runs, one run's folder or an event file. Each folder with event files in it
    is a run. Importing a log again, which may have grown, adds what is new. The exit code is 4 if
    the receipt names something that is not in the store.
    """
    if find_spec("tensorboard") is None or find_spec("google_crc32c") is None:
        raise MissingExtraError("reading TensorBoard's files", "tensorboard")

    async def work(store: Database, receipt: Receipt) -> Receipt:
        from trackai.importers.load import load
        from trackai.importers.tensorboard.reading import read

        items = read(path, project=project, receipt=receipt, progress=ProgressLine())
        return await load(store, items, receipt)

    finish(ctx, db, str(path), work, as_json)


@click.command()
@click.argument("path", type=_PATH)
@db_option
@json_option
@click.pass_context
def trackio(ctx: click.Context, path: Path, db: str | None, as_json: bool) -> None:
    """Import trackio's local folder, and print a receipt.

    PATH is the folder, by default ~/.cache/huggingface/trackio for trackio, or one project's
    database in it. Importing again adds what is new. The exit code is 4 if the receipt names
    something that is not in the store.
    """

    async def work(store: Database, receipt: Receipt) -> Receipt:
        from trackai.importers.load import load
        from trackai.importers.trackio.reading import find_bytes, read

        folder = path if path.is_dir() else path.absolute().parent
        items = read(path, receipt=receipt, progress=ProgressLine())
        return await load(store, items, receipt, lambda head: find_bytes(folder, head.source))

    finish(ctx, db, str(path), work, as_json)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@db_option
@json_option
@click.pass_context
def trackai(ctx: click.Context, file: Path, db: str | None, as_json: bool) -> None:
    """Import a database of the original TrackAI, and print a receipt.

    A database of this program is merged, as `trackai merge` does. Importing again adds what is
    new. The exit code is 4 if the receipt names something that is not in the store.
    """

    async def work(store: Database, receipt: Receipt) -> Receipt:
        from trackai.importers import original
        from trackai.importers.load import load
        from trackai.importers.merge import merge

        if not original.made(file):
            return await merge(store, file, receipt, ProgressLine())
        items = original.read(file, receipt=receipt, progress=ProgressLine())
        return await load(store, items, receipt)

    finish(ctx, db, str(file), work, as_json)
