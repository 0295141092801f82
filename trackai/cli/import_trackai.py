"""trackai import trackai"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.database import Place, place_option
from trackai.cli.imports import run_import
from trackai.cli.output import json_option
from trackai.cli.progress import ProgressLine

if TYPE_CHECKING:
    from trackai.client.connection import Connection
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.store import Store


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@place_option
@json_option
@click.pass_context
def trackai(ctx: click.Context, file: Path, place: Place, as_json: bool) -> None:
    """Import a database of the original TrackAI server.

    FILE may also be a database of this version, which is merged as by `trackai merge`.
    Importing again adds what is new. The exit code is 4 if something could not be stored; the
    printed receipt lists it.
    """

    async def work(target: Store | Connection, receipt: Receipt) -> Receipt:
        from trackai.importers import original_trackai
        from trackai.importers.loader import load_runs
        from trackai.importers.merge import merge

        if not original_trackai.is_original(file):
            return await merge(target, file, receipt, ProgressLine())
        items = original_trackai.read(file, receipt=receipt, progress=ProgressLine())
        return await load_runs(target, items, receipt)

    run_import(ctx, place, str(file), work, as_json)
