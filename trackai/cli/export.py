"""trackai export"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import click

from trackai.cli.database import db_option, find_server, url_option, with_database
from trackai.cli.export_runs import Chosen, converter, write_runs, write_runs_of_server
from trackai.cli.matching import filter_option
from trackai.cli.output import TerminalFile, echo, json_option, pluralize, print_json
from trackai.errors import ConflictError, InvalidInputError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trackai.cli.export_runs import Writer
    from trackai.store.engine.store import Store

# A line with bytes of a file, by its hash.
_CHUNK = re.compile(rb'\{"type":"bytes","sha256":"([0-9a-f]{64})"')
_FORMATS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
# Formats that are folders, which the first argument may name, too.
_TRACKERS = ("mlflow", "tensorboard", "wandb")


@click.command()
@click.argument("run", nargs=-1, metavar="[FORMAT] [RUN]...")
@click.option("--project", help="Export all runs of a project.")
@filter_option("Export all runs that match a condition.")
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
    condition: str | None,
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

    With "wandb", "mlflow" or "tensorboard" as the first argument and a folder as --out, the runs
    are written as that tracker writes them.
    """
    if format_ is None and (out is None or out.suffix.lower() not in _FORMATS):
        # A run of that name is exported by its id, as project/name, or to a file with a suffix.
        format_, run = (run[0], run[1:]) if run[:1] and run[0] in _TRACKERS else (None, run)
    if sum((bool(run), project is not None, condition is not None, export_all)) != 1:
        raise click.UsageError("pass either runs, --project, --filter or --all")
    chosen = Chosen(run, project, condition)
    if format_ in _TRACKERS:
        if out is None:
            raise click.UsageError("pass the folder to write as --out")
        from trackai.cli.export_folder import export_folder

        export_folder(format_, out, chosen, find_server(db, url), db, as_json=as_json)
        return
    if out is not None and out.exists():
        raise ConflictError(f"{out} already exists; choose a new file")
    kind = format_ or _format_of(out)
    # Renamed once complete, so that an incomplete file does not look like a complete one.
    server = find_server(db, url)
    part = out.with_name(out.name + ".part") if out else None
    file = _open(part, out) if part and out else _stdout(kind)

    async def work(database: Store) -> int:
        return await write_runs(database, chosen, _writer(kind, file, database))

    try:
        if server is None:
            count = with_database(db, work)
        elif kind == "jsonl":
            count = write_runs_of_server(server, chosen, _copier(file))
        else:
            write = converter(_writer(kind, file))
            count = write_runs_of_server(server, chosen, write)
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


def _writer(kind: str, file: IO[bytes], database: Store | None = None) -> Writer:
    if kind == "csv":
        from trackai.exporters.csv import CsvWriter

        return CsvWriter(file)
    if kind == "parquet":
        from trackai.exporters.parquet import ParquetWriter

        return ParquetWriter(file)
    from trackai.exporters.jsonl import JsonLinesWriter

    return JsonLinesWriter(
        file, lambda head: database.blobs.find(head.sha256) if database else None
    )


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
