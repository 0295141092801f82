"""trackai backup"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.output import human_bytes, json_option, print_json
from trackai.cli.store import db_option, with_store
from trackai.errors import ConflictError

if TYPE_CHECKING:
    from trackai.store.database import Database


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@db_option
@json_option
def backup(file: Path, db: str | None, as_json: bool) -> None:
    """Copy the database into a new FILE, consistently, also while runs are being logged.

    Everything that was logged before the call is in the copy, including what still waits in
    journals.
    """
    if file.exists():
        raise ConflictError(f"{file} exists already: name a new file")

    async def work(database: Database) -> None:
        await _copy(database, file)

    with_store(db, work)
    size = file.stat().st_size
    if as_json:
        print_json(file=str(file), bytes=size)
    else:
        click.echo(f"{file}: {human_bytes(size)}")


async def _copy(database: Database, file: Path) -> None:
    import aiosqlite

    from trackai.ingest.drain import Drain
    from trackai.store.database import Database

    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        # The journals first: what is taken out of one after that is in the database by then.
        journals = [
            copied
            for path in sorted(database.spool.glob("*.journal"))
            if (copied := _copy_if_there(path, Path(folder, path.name)))
        ]
        unfinished = Path(folder, "copy.db")
        async with aiosqlite.connect(unfinished) as target, database.read() as source:
            await source.backup(target)
        copy = Database(unfinished)
        try:
            await copy.open()
            for journal in journals:
                await Drain(copy, journal).store_all()
            await copy.checkpoint()
        finally:
            await copy.close()
        unfinished.rename(file)


def _copy_if_there(source: Path, target: Path) -> Path | None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:  # stored and removed meanwhile
        return None
    return target
