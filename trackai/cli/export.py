"""trackai export"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import click

from trackai.cli.output import json_option, print_json
from trackai.cli.store import db_option, with_store
from trackai.errors import ConflictError

if TYPE_CHECKING:
    from trackai.store.engine.database import Database
    from trackai.structs.exchange import Item

    class Writer(Protocol):
        """A format of files."""

        def write(self, item: Item) -> None: ...
        def close(self) -> None: ...


_FORMATS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}


@click.command()
@click.argument("run", nargs=-1)
@click.option("--project", help="All runs of a project.")
@click.option("--all", "everything", is_flag=True, help="All runs of all projects.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path, dir_okay=False), help="A new file, else stdout."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(_FORMATS.values())),
    help="By default what the file is called, else jsonl.",
)
@db_option
@json_option
def export(
    run: tuple[str, ...],
    project: str | None,
    everything: bool,
    out: Path | None,
    format_: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Export RUNS in full precision: JSON lines hold everything, CSV and Parquet the points.

    What is exported can be imported again: trackai import jsonl, trackai import csv.
    """
    if sum((bool(run), project is not None, everything)) != 1:
        raise click.UsageError("name RUNS, or a --project, or ask for --all")
    if out is not None and out.exists():
        raise ConflictError(f"{out} exists already: name a new file")
    kind = format_ or _FORMATS.get(out.suffix if out else "", "jsonl")
    # A file that is not complete must not look as if it were.
    unfinished = out.with_name(out.name + ".part") if out else None
    file = unfinished.open("wb") if unfinished else sys.stdout.buffer

    async def work(database: Database) -> int:
        return await _export(database, run, project, _writer(kind, file, database.path))

    try:
        count = with_store(db, work)
    except BaseException:
        if unfinished is not None:
            file.close()
            unfinished.unlink()
        raise
    file.flush()
    if unfinished is not None and out is not None:
        file.close()
        unfinished.rename(out)
        if as_json:
            print_json(file=str(out), runs=count, bytes=out.stat().st_size)
        else:
            click.echo(f"{out}: {count} run(s)")


def _writer(kind: str, file: IO[bytes], db_path: Path) -> Writer:
    if kind == "csv":
        from trackai.exporters.csv import CsvWriter

        return CsvWriter(file)
    if kind == "parquet":
        from trackai.exporters.parquet import ParquetWriter

        return ParquetWriter(file)
    from trackai.exporters.jsonl import JsonLinesWriter
    from trackai.store.catalogue import files

    return JsonLinesWriter(file, lambda head: files.find_bytes(db_path, head.sha256))


async def _export(
    database: Database, texts: tuple[str, ...], project: str | None, writer: Writer
) -> int:
    from trackai.store.catalogue import projects, runs
    from trackai.store.transfer import dump

    async with database.read() as conn:
        if texts:
            ids = list(dict.fromkeys([(await runs.resolve(conn, text)).id for text in texts]))
        else:
            project_id = None if project is None else (await projects.find(conn, project)).id
            ids = await runs.list_ids(conn, project_id)
        for run_id in ids:
            async for item in dump.dump(conn, run_id):
                writer.write(item)
    writer.close()
    return len(ids)
