"""`trackai recover`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.output import json_option, print_json, print_table
from trackai.cli.store import db_option, with_store
from trackai.errors import StoreError

if TYPE_CHECKING:
    from trackai.ingest.recovery import Recovered
    from trackai.store.engine.database import Database


@click.command()
@click.argument("journals", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@db_option
@json_option
@click.pass_context
def recover(ctx: click.Context, journals: tuple[Path, ...], db: str | None, as_json: bool) -> None:
    """Store what processes left behind that died before they finished their runs.

    Without JOURNALS, all in the spool folder of the database. A running server does this by
    itself. Exits with 4 if something was damaged: it is named, and the file is kept.
    """
    from trackai.ingest import recovery

    async def work(database: Database) -> list[Recovered]:
        try:
            paths = [path.absolute() for path in journals]
            recovered = await recovery.recover(database, paths or None)
        except StoreError as error:
            waiting = ", ".join(map(str, paths)) or database.spool
            raise StoreError(f"what waits in {waiting} cannot be stored: {error}") from error
        await database.checkpoint()
        return recovered

    recovered = with_store(db, work)
    if as_json:
        print_json(recovered=recovered)
    elif recovered:
        print_table(
            ("project", "run", "points", "ended", "damage"),
            [
                (one.project, one.run, one.points, one.ended, "; ".join(one.damages) or None)
                for one in recovered
            ],
        )
    else:
        click.echo("Nothing was left behind.", err=True)
    if any(one.damages for one in recovered):
        ctx.exit(4)
