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
    from trackai.structs.exchange import Chunk, Item

    class Writer(Protocol):
        """Writes a file format."""

        def write(self, item: Item) -> None: ...
        def close(self) -> None: ...


# A line with bytes of a file, by its hash.
_CHUNK = re.compile(rb'\{"type":"bytes","sha256":"([0-9a-f]{64})"')
_FORMATS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
# Formats that are folders, which the first argument may name, too.
_TRACKERS = ("mlflow", "tensorboard", "wandb")


@click.command()
@click.argument("run", nargs=-1, metavar="[FORMAT] [RUN]...")
@click.option("--project", help="Export all runs of a project.")
@click.option("--all", "export_all", is_flag=True, help="Export all runs of all projects.")
@click.option("--out", "-o", type=click.Path(path_type=Path),
              help="New file to write, or folder of a tracker.  [default: stdout]")  # fmt: skip
@click.option("--format", "format_", type=click.Choice([*_FORMATS.values(), *_TRACKERS]),
              help="Format.  [default: by the suffix of --out, else jsonl]")  # fmt: skip
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

    With "wandb", "mlflow" or "tensorboard" as the first argument and a folder as --out, the runs are
    written as that tracker writes them.
    """
    if format_ is None and out is not None and out.suffix.lower() not in _FORMATS:
        # A run of that name is exported by its id, as project/name, or to a file with a suffix.
        format_, run = (run[0], run[1:]) if run[:1] and run[0] in _TRACKERS else (None, run)
    if sum((bool(run), project is not None, export_all)) != 1:
        raise click.UsageError("pass either runs, --project or --all")
    if format_ in _TRACKERS:
        if out is None:
            raise click.UsageError("pass the folder to write as --out")
        from trackai.cli.export_folder import export_folder

        export_folder(format_, out, run, project, find_server(db, url), db, as_json=as_json)
        return
    if out is not None and out.exists():
        raise ConflictError(f"{out} already exists; choose a new file")
    kind = format_ or _format_of(out)
    # Renamed once complete, so that an incomplete file does not look like a complete one.
    server = find_server(db, url)
    part = out.with_name(out.name + ".part") if out else None
    file = _open(part, out) if part and out else _stdout(kind)

    async def work(database: Database) -> int:
        return await write_runs(database, run, project, _writer(kind, file, database.path))

    try:
        if server is None:
            count = with_database(db, work)
        elif kind == "jsonl":
            count = write_runs_of_server(server, run, project, _copier(file))
        else:
            write = converter(_writer(kind, file, Path()))
            count = write_runs_of_server(server, run, project, write)
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


def write_runs_of_server(
    source: RemoteSource,
    names: tuple[str, ...],
    project: str | None,
    write: Callable[[Iterable[bytes] | None], None],
) -> int:
    """Write runs of a server; return their number.

    Args:
        write: takes the lines of a run, and None at the end.
    """
    if names:
        ids = list(dict.fromkeys(source.resolve(name).id for name in names))
    else:
        ids = source.run_ids(None if project is None else source.find_project(project).id)
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


def converter(
    writer: Writer, keep: Callable[[Chunk], None] | None = None
) -> Callable[[Iterable[bytes] | None], None]:
    """Convert the lines of runs; None ends the file.

    Args:
        keep: receives the bytes of files.
    """
    from trackai.importers.jsonl import read_lines
    from trackai.structs.exchange import Chunk

    def write(lines: Iterable[bytes] | None) -> None:
        if lines is None:
            writer.close()
            return
        for item in read_lines(lines, "the answer of the server"):
            if not isinstance(item, Chunk):
                writer.write(item)
            elif keep is not None:
                keep(item)

    return write


async def write_runs(
    database: Database, names: tuple[str, ...], project: str | None, writer: Writer
) -> int:
    """Write runs of a database; return their number."""
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
