"""trackai import, trackai merge"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.output import json_option, print_json
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from trackai.importers.load import Loaded
    from trackai.store.database import Database
    from trackai.structs.exchange import Block, RunHead

# Importers with a module of their own here: the command has the source's name.
_MODULES = {"neptune": "neptune"}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Sources(click.Group):
    """Sources by name; some are imported only when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_MODULES])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"trackai.cli.{_MODULES[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the table above
        return command


@click.group("import", cls=_Sources)
def import_() -> None:
    """Import runs from files and other trackers; repeating an import changes nothing."""


@import_.command()
@click.argument("file", type=_FILE)
@db_option
@json_option
def jsonl(file: Path, db: str | None, as_json: bool) -> None:
    """Import JSON lines that trackai export wrote."""
    from trackai.importers.jsonl import read

    _load(read(file), db, as_json=as_json)


@import_.command()
@click.argument("file", type=_FILE)
@click.option("--project", default="imported", show_default=True, help="For a table of metrics.")
@click.option("--name", help="The run's name, for a table of metrics.  [default: the file's]")
@db_option
@json_option
def csv(file: Path, project: str, name: str | None, db: str | None, as_json: bool) -> None:
    """Import CSV: of trackai export, or a table with a column for each metric.

    Columns called step and timestamp (and the like) say where a row belongs.
    """
    from trackai.importers.csv import read

    _load(read(file, project=project, name=name or file.stem), db, as_json=as_json)


@click.command()
@click.argument("other", type=_FILE)
@db_option
@json_option
def merge(other: Path, db: str | None, as_json: bool) -> None:
    """Add the runs of another TrackAI database, OTHER, to this one.

    Runs have identities: what is here already stays as it is, and merging again changes nothing.
    """
    from trackai.importers.load import load
    from trackai.store import exchange, runs
    from trackai.store.database import Database

    async def items(source: Database) -> AsyncIterator[RunHead | Block]:
        async with source.read() as conn:
            for run_id in await runs.list_ids(conn, None):
                async for item in exchange.dump(conn, run_id):
                    yield item

    async def work(database: Database) -> Loaded:
        source = Database(other.absolute())
        try:
            return await load(database, items(source))
        finally:
            await source.close()

    _say(with_store(db, work), as_json=as_json)


def _load(items: Iterable[RunHead | Block], db: str | None, *, as_json: bool) -> None:
    from trackai.importers.load import load

    _say(with_store(db, lambda database: load(database, items)), as_json=as_json)


def _say(loaded: Loaded, *, as_json: bool) -> None:
    if as_json:
        print_json(runs=loaded.runs, points=loaded.points, stored=loaded.stored)
    else:
        known = loaded.points - loaded.stored
        click.echo(f"{loaded.runs} run(s), {loaded.stored} points stored, {known} there already")
