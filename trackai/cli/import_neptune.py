"""trackai import neptune"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.database import store_option, with_database
from trackai.cli.imports import INCOMPLETE
from trackai.cli.output import echo_lines, json_option, print_json
from trackai.cli.progress import ProgressLine
from trackai.errors import MissingExtraError

if TYPE_CHECKING:
    from trackai.store.engine.store import Store


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="exports")
@click.option("--files", type=click.Path(path_type=Path),
              help="Folder with file contents.  [default: `files` next to the data]")  # fmt: skip
@click.option("--project-map", metavar="OLD=NEW", multiple=True,
              help="Rename a Neptune project; repeatable.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(0, 64),
              help="Number of reader processes; 0 reads in the main process.  "
              "[default: CPU count - 1, at most 4]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Read the export without storing anything.")
@click.option("--verify", is_flag=True, help="Compare the stored data with the export.")
@store_option
@json_option
@click.pass_context
def neptune(
    ctx: click.Context,
    path: Path,
    files: Path | None,
    project_map: tuple[str, ...],
    jobs: int | None,
    dry_run: bool,
    verify: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """Import a Neptune export made with neptune-exporter.

    PATH is the folder of the export, with `data` and `files` in it. Importing again adds what is
    new. The exit code is 0 if all data of the export is in the database, and 4 if not; the printed
    receipt lists what is missing.
    """
    # Checked here, so that a missing package is one error and not one in each reader process.
    if find_spec("pyarrow") is None or find_spec("numpy") is None:
        raise MissingExtraError("reading an export", "neptune")
    import anyio
    import msgspec

    from trackai.importers.neptune.importer import Options, import_export
    from trackai.importers.neptune.receipt import Receipt, as_text
    from trackai.settings import Settings
    from trackai.store.engine.database import Database

    settings = Settings.from_env(database=db)
    options = Options(
        files=files,
        project_map=_parse_project_map(project_map),
        jobs=jobs,
        dry_run=dry_run,
        verify=verify and not dry_run,
    )

    async def work(database: Store | None) -> Receipt:
        receipt = await import_export(
            database, path, str(settings.database), options, ProgressLine()
        )
        if isinstance(database, Database):
            await database.checkpoint()
        return receipt

    # A dry run compares with an existing database, but does not create one.
    if dry_run and settings.database_url is None and not settings.db_path.exists():
        receipt = anyio.run(work, None)
    else:
        receipt = with_database(db, work, create=True)
    if as_json:
        print_json(**msgspec.structs.asdict(receipt))
    else:
        echo_lines(as_text(receipt))
    ctx.exit(0 if receipt.ok else INCOMPLETE)


def _parse_project_map(pairs: tuple[str, ...]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise click.BadParameter(f"must be OLD=NEW, got {pair!r}", param_hint="--project-map")
        mapping[old] = new
    return mapping
