"""trackai import neptune"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackai.cli.output import json_option, print_json
from trackai.cli.progress import ProgressLine
from trackai.cli.store import db_option, with_store
from trackai.errors import MissingExtraError

if TYPE_CHECKING:
    from trackai.store.engine.database import Database

# A receipt that says that something of the export is not in the store.
INCOMPLETE = 4


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="exports")
@click.option("--files", type=click.Path(path_type=Path), help="Where the bytes of files lie.  "
              "[default: the folder `files` beside the data]")  # fmt: skip
@click.option("--project-map", metavar="OLD=NEW", multiple=True,
              help="Give a Neptune project another name; may be repeated.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(0, 64), help="How many processes read; "
              "0: none but this.  [default: one less than there are processors]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Read everything and store nothing.")
@click.option("--verify", is_flag=True, help="Read the store back and compare it with the export.")
@db_option
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
    """Import an export made with neptune-exporter, and print a receipt.

    PATH is the export's folder, with `data` and `files` in it. Importing again adds what is new
    and changes nothing else. The exit code is 0 if all of the export is in the store now, and 4
    if the receipt names something that is not.
    """
    # Here and not in the processes that read: a missing package is one line.
    if find_spec("pyarrow") is None or find_spec("numpy") is None:
        raise MissingExtraError("reading an export", "neptune")
    import anyio
    import msgspec

    from trackai.importers.neptune.importing import Options, import_export
    from trackai.importers.neptune.receipt import Receipt, as_text
    from trackai.settings import Settings

    settings = Settings.from_env(db)
    database = str(settings.db_path)
    options = Options(
        files=files,
        project_map=_mapping(project_map),
        jobs=jobs,
        dry_run=dry_run,
        verify=verify and not dry_run,
    )

    async def work(store: Database | None) -> Receipt:
        receipt = await import_export(store, path, database, options, ProgressLine())
        if store is not None:
            await store.checkpoint()
        return receipt

    # A dry run looks at what is there, but does not make a database.
    if dry_run and not settings.db_path.exists():
        receipt = anyio.run(work, None)
    else:
        receipt = with_store(db, work, make=True)
    if as_json:
        print_json(**msgspec.structs.asdict(receipt))
    else:
        click.echo(as_text(receipt))
    ctx.exit(0 if receipt.ok else INCOMPLETE)


def _mapping(pairs: tuple[str, ...]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise click.BadParameter(f"{pair!r} is not OLD=NEW", param_hint="--project-map")
        mapping[old] = new
    return mapping
