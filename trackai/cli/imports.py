"""trackai import, trackai merge"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from trackai.cli.output import json_option, print_json
from trackai.cli.progress import ProgressLine
from trackai.cli.store import db_option, with_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database
    from trackai.structs.exchange import Chunk, Item

# A receipt that says that something of the source is not in the store.
INCOMPLETE = 4

# Importers with a module of their own here: the command has the source's name.
_MODULES = {
    "neptune": "neptune",
    "tensorboard": "sources",
    "trackai": "sources",
    "trackio": "sources",
}
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
@click.pass_context
def jsonl(ctx: click.Context, file: Path, db: str | None, as_json: bool) -> None:
    """Import JSON lines that trackai export wrote."""
    from trackai.importers.jsonl import read

    _load_file(ctx, file, lambda: read(file), db, as_json=as_json)


@import_.command()
@click.argument("file", type=_FILE)
@click.option("--project", default="imported", show_default=True, help="For a table of metrics.")
@click.option("--name", help="The run's name, for a table of metrics.  [default: the file's]")
@db_option
@json_option
@click.pass_context
def csv(
    ctx: click.Context, file: Path, project: str, name: str | None, db: str | None, as_json: bool
) -> None:
    """Import CSV: of trackai export, or a table with a column for each metric.

    Columns called step and timestamp (and the like) say where a row belongs.
    """
    from trackai.importers.csv import read

    _load_file(
        ctx, file, lambda: read(file, project=project, name=name or file.stem), db, as_json=as_json
    )


@click.command()
@click.argument("other", type=_FILE)
@db_option
@json_option
@click.pass_context
def merge(ctx: click.Context, other: Path, db: str | None, as_json: bool) -> None:
    """Add the runs of another TrackAI database, OTHER, to this one, with their files.

    Runs have identities: what is here already stays as it is, and merging again changes nothing.
    The exit code is 4 if something of OTHER could not be stored.
    """
    from trackai.importers.merge import merge as merge_into

    async def work(store: Database, receipt: Receipt) -> Receipt:
        return await merge_into(store, other, receipt, ProgressLine())

    finish(ctx, db, str(other), work, as_json)


def _load_file(
    ctx: click.Context,
    file: Path,
    read: Callable[[], Iterable[Item | Chunk]],
    db: str | None,
    *,
    as_json: bool,
) -> None:
    from trackai.importers.load import check, load

    async def work(store: Database, receipt: Receipt) -> Receipt:
        check(read())
        return await load(store, read(), receipt)

    finish(ctx, db, str(file), work, as_json)


def finish(
    ctx: click.Context,
    db: str | None,
    source: str,
    work: Callable[[Database, Receipt], Awaitable[Receipt]],
    as_json: bool,
) -> None:
    """Do an import, and print its receipt; the exit code says whether it is complete."""
    from trackai.importers.receipt import Receipt, as_text
    from trackai.settings import Settings

    empty = Receipt(source, str(Settings.from_env(db).db_path))
    receipt = with_store(db, lambda store: work(store, empty), make=True)
    if as_json:
        print_json(**msgspec.structs.asdict(receipt))
    else:
        click.echo(as_text(receipt))
    ctx.exit(0 if receipt.complete else INCOMPLETE)
