"""trackai import trackio"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.database import file_option
from trackai.cli.imports import run_import
from trackai.cli.output import json_option
from trackai.cli.progress import ProgressLine

if TYPE_CHECKING:
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@file_option
@json_option
@click.pass_context
def trackio(ctx: click.Context, path: Path, db: str | None, as_json: bool) -> None:
    """Import a local trackio folder.

    PATH is the folder (usually ~/.cache/huggingface/trackio), or the database of one project in
    it. Importing again adds what is new. The exit code is 4 if something could not be stored; the
    printed receipt lists it.
    """

    async def work(database: Database, receipt: Receipt) -> Receipt:
        from trackai.importers.loader import load_runs
        from trackai.importers.trackio.reader import find_bytes, read

        folder = path if path.is_dir() else path.absolute().parent
        items = read(path, receipt=receipt, progress=ProgressLine())
        return await load_runs(
            database, items, receipt, lambda head: find_bytes(folder, head.source)
        )

    run_import(ctx, db, str(path), work, as_json)
