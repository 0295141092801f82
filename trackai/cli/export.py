"""trackai export"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, cast

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.output import TerminalFile, echo, json_option, pluralize, print_json
from trackai.errors import ConflictError, InvalidInputError, NotFoundError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trackai.reading.remote_source import RemoteSource
    from trackai.store.engine.database import Database
    from trackai.structs.exchange import Item

    class Writer(Protocol):
        """Writes a file format."""

        def write(self, item: Item) -> None: ...
        def close(self) -> None: ...


# A line with bytes of a file, by its hash.
_CHUNK = re.compile(rb'\{"type":"bytes","sha256":"([0-9a-f]{64})"')
_FORMATS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}


@click.command()
@click.argument("run", nargs=-1)
@click.option("--project", help="Export all runs of a project.")
@click.option("--all", "export_all", is_flag=True, help="Export all runs of all projects.")
@click.option("--out", "-o", type=click.Path(path_type=Path, dir_okay=False),
              help="New file to write.  [default: stdout]")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(list(_FORMATS.values())),
              help="File format.  [default: by the suffix of --out, else jsonl]")  # fmt: skip
@url_option
@db_option
@json_option
def export(
    run: tuple[str, ...],
    project: str | None,
    export_all: bool,
    out: Path | None,
    format_: str | None,
    url: str | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Export runs in full precision.

    JSON lines contain all data of the runs, CSV and Parquet their points. `trackai import` reads
    JSON lines and CSV. RUN is an id, a slug, project/slug, a name, or "latest".
    """
    if sum((bool(run), project is not None, export_all)) != 1:
        raise click.UsageError("pass either runs, --project or --all")
    if out is not None and out.exists():
        raise ConflictError(f"{out} already exists; choose a new file")
    kind = format_ or _format_of(out)
    # Renamed once complete, so that an incomplete file does not look like a complete one.
    server = find_server(db, url)
    part = out.with_name(out.name + ".part") if out else None
    file = _open(part, out) if part and out else _stdout(kind)

    async def work(database: Database) -> int:
        return await _export(database, run, project, _writer(kind, file, database.path))

    try:
        if server is None:
            count = with_database(db, work)
        else:
            count = _export_from_server(server, run, project, kind, file)
    except BaseException:
        if part is not None:
            file.close()
            part.unlink()
        raise
    file.flush()
    if part is not None and out is not None:
        file.close()
        part.rename(out)
        if as_json:
            print_json(file=str(out), runs=count, bytes=out.stat().st_size)
        else:
            echo(f"{out}: {pluralize(count, 'run')}")


def _format_of(out: Path | None) -> str:
    suffix = out.suffix.lower() if out else ""
    if suffix and suffix not in _FORMATS:
        raise InvalidInputError("--out", f"must end in {', '.join(_FORMATS)}, got {out}")
    return _FORMATS.get(suffix, "jsonl")


def _stdout(kind: str) -> IO[bytes]:
    if not sys.stdout.isatty():
        return sys.stdout.buffer
    if kind == "parquet":
        raise click.UsageError("Parquet is not shown on a terminal: pass --out")
    return cast("IO[bytes]", TerminalFile())


def _open(part: Path, out: Path) -> IO[bytes]:
    try:
        return part.open("wb")
    except OSError as error:
        raise TrackAIError(f"cannot write {out}: {error.strerror}") from None


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


def _export_from_server(
    source: RemoteSource, names: tuple[str, ...], project: str | None, kind: str, file: IO[bytes]
) -> int:
    if names:
        ids = list(dict.fromkeys(source.resolve(name).id for name in names))
    else:
        ids = source.run_ids(None if project is None else source.find_project(project).id)
    write = _copier(file) if kind == "jsonl" else _converter(_writer(kind, file, Path()))
    exported = 0
    for run_id in ids:
        try:
            write(source.export(run_id))
            exported += 1
        except NotFoundError:
            echo(f"warning: run {run_id} was deleted meanwhile, not exported", err=True)
    write(None)
    return exported


def _copier(file: IO[bytes]) -> Callable[[Iterable[bytes] | None], None]:
    """Copy the lines of runs; the bytes of a file that several of them have only once."""
    written: set[bytes] = set()

    def write(lines: Iterable[bytes] | None) -> None:
        present: set[bytes] = set()
        for line in lines or ():
            if chunk := _CHUNK.match(line):
                present.add(chunk[1])
                if chunk[1] in written:
                    continue
            file.write(line)
        written.update(present)

    return write


def _converter(writer: Writer) -> Callable[[Iterable[bytes] | None], None]:
    """Convert the lines of runs; None ends the file."""
    from trackai.importers.jsonl import read_lines
    from trackai.structs.exchange import Chunk

    def write(lines: Iterable[bytes] | None) -> None:
        if lines is None:
            writer.close()
            return
        for item in read_lines(lines, "the answer of the server"):
            if not isinstance(item, Chunk):
                writer.write(item)

    return write


async def _export(
    database: Database, names: tuple[str, ...], project: str | None, writer: Writer
) -> int:
    from trackai.store.catalogue import projects, runs
    from trackai.store.transfer import dump

    async with database.read() as conn:
        if names:
            ids = list(dict.fromkeys([(await runs.resolve(conn, name)).id for name in names]))
        else:
            project_id = None if project is None else (await projects.find(conn, project)).id
            ids = await runs.list_ids(conn, project_id)
        exported = 0
        for run_id in ids:
            try:
                # One state of each run; all runs at once would keep the log from being emptied.
                await conn.execute("BEGIN")
                async for item in dump.dump(conn, run_id):
                    writer.write(item)
                exported += 1
            except NotFoundError:
                echo(f"warning: run {run_id} was deleted meanwhile, not exported", err=True)
            finally:
                await conn.rollback()
    writer.close()
    return exported
