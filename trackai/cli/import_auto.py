"""trackai import auto"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.database import Place, place_option
from trackai.cli.imports import run_import
from trackai.cli.output import echo, json_option, print_json
from trackai.cli.progress import ProgressLine
from trackai.errors import ForeignDatabaseError, NewerSchemaError, StoreDamagedError

if TYPE_CHECKING:
    from trackai.client.connection import Connection
    from trackai.importers.auto.search import Found
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.store import Store


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="List what is recognised, and import nothing.")
@place_option
@json_option
@click.pass_context
def auto(ctx: click.Context, path: Path, dry_run: bool, place: Place, as_json: bool) -> None:
    """Import everything below a path that is recognised.

    Each source is printed, with the command that imports it. Hidden folders and virtual
    environments are not searched, and links are not followed. Importing again adds what is new.
    The exit code is 4 if something could not be stored; the printed receipt lists it.
    """
    from trackai.importers.auto.reader import relative
    from trackai.importers.auto.search import looked_for, search
    from trackai.importers.receipt import Receipt
    from trackai.settings import Settings

    settings = Settings.from_env(database=place.db)
    store = settings.db_path
    searched = Receipt(str(path), str(settings.database))
    sources = search(path, searched, store)
    if not sources:
        raise click.ClickException(f"{path}: nothing to import found; looked for {looked_for()}")
    if as_json and dry_run:
        listed = [{"tracker": source.kind, "path": str(source.path)} for source in sources]
        print_json(sources=listed, problems=searched.problems)
    elif not as_json:
        for source in sources:
            echo(f"{source.kind}  {relative(source.path, path)}")
        if dry_run:
            for problem in searched.problems:
                echo(f"problem: {problem.where}: {problem.problem}", err=True)
    if dry_run:
        return

    async def work(target: Store | Connection, receipt: Receipt) -> Receipt:
        receipt.problems += searched.problems
        return await _import_all(target, path, sources, receipt)

    run_import(ctx, place, str(path), work, as_json)


async def _import_all(
    target: Store | Connection, path: Path, sources: list[Found], receipt: Receipt
) -> Receipt:
    from trackai.importers.auto import exports
    from trackai.importers.auto.reader import NamedProgress, Source, is_database, relative
    from trackai.importers.loader import load_runs
    from trackai.importers.merge import merge

    started = time.monotonic()
    databases = [file for file in sources if is_database(file)]
    neptune = [file for file in sources if file.kind == "neptune"]
    streams = [file for file in sources if file not in (*databases, *neptune)]
    source = Source(path, streams, receipt=receipt, progress=ProgressLine())
    await load_runs(target, source.read(), receipt, source.find_bytes)
    for file in databases:
        progress = NamedProgress(ProgressLine(), f"trackai {relative(file.path, path)}")
        try:
            await merge(target, file.path, receipt, progress)
        except (ForeignDatabaseError, NewerSchemaError, StoreDamagedError) as error:
            receipt.add_problem(relative(file.path, path), str(error))
    for file in neptune:
        await exports.load(target, file.path, receipt, ProgressLine())
    receipt.sum_up()
    receipt.seconds = round(time.monotonic() - started, 3)
    return receipt
