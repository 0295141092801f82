"""trackai recover"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.database import file_option, with_file
from trackai.cli.output import echo, json_option, pluralize, print_json, print_table
from trackai.errors import StoreError

if TYPE_CHECKING:
    from trackai.ingest.recovery import Recovered
    from trackai.store.engine.database import Database

_NOT_STORED = 4


@click.command()
@click.argument("journals", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@file_option
@json_option
@click.pass_context
def recover(ctx: click.Context, journals: tuple[Path, ...], db: str | None, as_json: bool) -> None:
    """Store the journals of crashed processes.

    By default, JOURNALS are all in the spool folder of the database. A running server does this
    automatically. The exit code is 4 if a journal is damaged or cannot be stored; such journals are
    kept.
    """
    from trackai.ingest import recovery
    from trackai.ingest.journal import SUFFIX

    remaining: list[Path] = []

    async def work(database: Database) -> list[Recovered]:
        paths = [path.absolute() for path in journals]
        remaining.extend(paths or sorted(database.spool.glob(f"*{SUFFIX}")))
        try:
            recovered = await recovery.recover(database, paths or None)
        except StoreError as error:
            location = ", ".join(map(str, paths)) or database.spool
            raise StoreError(f"could not recover journals in {location}: {error}") from error
        await database.checkpoint()
        return recovered

    recovered = with_file(db, work)
    if as_json:
        print_json(recovered=recovered)
    elif recovered:
        print_table(
            ("project", "run", "points", "ended", "damage"),
            [
                (journal.project, journal.run, journal.points, journal.ended,
                 "; ".join(journal.damages) or None)
                for journal in recovered
            ],
        )  # fmt: skip
    left = [path for path in remaining if path.exists()]
    failed = [path for path in left if path in recovery.unstored]
    used = len(left) - len(failed)
    if used:
        echo(f"{pluralize(used, 'journal')} in use by running processes", err=True)
    for path in failed:
        echo(f"could not store {path}", err=True)
    if not (recovered or left):
        echo("No journals to recover.", err=True)
    if failed or any(journal.damages for journal in recovered):
        ctx.exit(_NOT_STORED)
