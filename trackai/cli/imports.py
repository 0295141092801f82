"""trackai import: the group of importers, import jsonl and import csv

The importers of trackers are in separate modules: `trackai import neptune` in `import_neptune`.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
import msgspec

from trackai.cli.database import Place, place_option, with_database
from trackai.cli.output import echo_lines, json_option, print_json
from trackai.cli.progress import ProgressLine
from trackai.importers.trackers import TRACKERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from trackai.client.connection import Connection
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import Chunk, Item

# The exit code if something of the source is not in the database.
INCOMPLETE = 4

# The commands of their own modules.
_MODULES = (*TRACKERS, "auto", "neptune", "trackai")
SOURCE_PATH = click.Path(exists=True, path_type=Path)


class _File(click.Path):
    """A file that can be read twice: all of it is checked before anything is stored."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = super().convert(value, param, ctx)
        assert isinstance(path, Path)  # noqa: S101 - for mypy
        if not path.is_file():
            self.fail(f"{path} is a pipe or a device: save what it contains in a file", param, ctx)
        return path


_FILE = _File(exists=True, dir_okay=False, path_type=Path)


class _Importers(click.Group):
    """Importers by name; those of trackers are imported only when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_MODULES])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"trackai.cli.import_{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a mistake in the names above
        return command


@click.group("import", cls=_Importers)
def import_() -> None:
    """Import runs from files and other trackers.

    Importing again adds what is new, and changes nothing else.
    """


@import_.command()
@click.argument("file", type=_FILE)
@place_option
@json_option
@click.pass_context
def jsonl(ctx: click.Context, file: Path, place: Place, as_json: bool) -> None:
    """Import a JSON lines file of `trackai export`."""
    from trackai.importers.jsonl import read

    _load_file(ctx, file, lambda receipt: read(file), place, as_json=as_json)


@import_.command()
@click.argument("file", type=_FILE)
@click.option("--project",
              help="Project of the run, for a table of metrics.  [default: imported]",
              )  # fmt: skip
@click.option("--name",
              help="Name of the run, for a table of metrics.  [default: name of the file]",
              )  # fmt: skip
@place_option
@json_option
@click.pass_context
def csv(
    ctx: click.Context,
    file: Path,
    project: str | None,
    name: str | None,
    place: Place,
    as_json: bool,
) -> None:
    """Import a CSV file of `trackai export`, or a table of metrics.

    A table of metrics is one run with a column for each metric; columns called step, timestamp or
    similar have the steps and times of the rows. Columns are separated by commas, tabs or
    semicolons.
    """
    from trackai.importers.csv import read

    def read_with(receipt: Receipt) -> Iterable[Item | Chunk]:
        return read(file, project=project, name=name, receipt=receipt)

    _load_file(ctx, file, read_with, place, as_json=as_json)


def tracker_command(
    name: str,
    help_text: str,
    *options: Callable[[Callable[..., None]], Callable[..., None]],
    path_type: click.ParamType[Any] = SOURCE_PATH,
) -> click.Command:
    """Make the command that imports what a tracker has written.

    Args:
        name: of the tracker, see `trackai.importers.trackers`.
        options: decorators for what its source takes beside the path.
        path_type: what the path may be.
    """

    def run(path: Path, place: Place, as_json: bool, **arguments: Any) -> None:
        _ = TRACKERS[name].source  # raises an error if its extra is missing

        async def work(target: Store | Connection, receipt: Receipt) -> Receipt:
            from trackai.importers.loader import load_runs
            from trackai.importers.reading import reading

            progress = ProgressLine()
            with reading(name, path, receipt=receipt, progress=progress, **arguments) as source:
                return await load_runs(target, source.read(), receipt, source.find_bytes)

        run_import(click.get_current_context(), place, str(path), work, as_json)

    path_argument = click.argument("path", type=path_type)
    for decorate in (json_option, place_option, *reversed(options), path_argument):
        run = decorate(run)
    return click.command(name, help=inspect.cleandoc(help_text))(run)


def _load_file(
    ctx: click.Context,
    file: Path,
    read: Callable[[Receipt], Iterable[Item | Chunk]],
    place: Place,
    *,
    as_json: bool,
) -> None:
    from trackai.importers.loader import load_runs

    async def work(target: Store | Connection, receipt: Receipt) -> Receipt:
        return await load_runs(target, read(receipt), receipt)

    run_import(ctx, place, str(file), work, as_json)


def run_import(
    ctx: click.Context,
    place: Place,
    source: str,
    work: Callable[[Store | Connection, Receipt], Awaitable[Receipt]],
    as_json: bool,
) -> None:
    """Run an import, print its receipt, and exit with 4 if it is incomplete.

    Args:
        work: imports into the database or the server of `place`.
    """
    from trackai.importers.receipt import Receipt, as_text
    from trackai.settings import Settings
    from trackai.values.text import without_surrogates

    connection = place.connection
    where = (
        str(Settings.from_env(database=place.db).database) if connection is None else connection.url
    )
    empty = Receipt(without_surrogates(source), without_surrogates(where))
    if connection is None:
        receipt = with_database(place.db, lambda database: work(database, empty), create=True)
    else:
        receipt = anyio.run(work, connection, empty)
    if as_json:
        print_json(**msgspec.structs.asdict(receipt))
    else:
        echo_lines(as_text(receipt))
    ctx.exit(0 if receipt.complete else INCOMPLETE)
