"""trackai merge"""

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
@click.argument("other", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@file_option
@json_option
@click.pass_context
def merge(ctx: click.Context, other: Path, db: str | None, as_json: bool) -> None:
    """Add the runs of another TrackAI database.

    OTHER is its file. Runs that are already in this database are not changed, so merging again
    changes nothing. Files of runs are copied too. The exit code is
    4 if something of OTHER could not be stored.
    """
    from trackai.importers.merge import merge as merge_into

    async def work(database: Database, receipt: Receipt) -> Receipt:
        return await merge_into(database, other, receipt, ProgressLine())

    run_import(ctx, db, str(other), work, as_json)
