"""trackai backup"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from trackai.cli.output import human_bytes, json_option, print_json
from trackai.cli.progress import ProgressLine
from trackai.cli.store import db_option, with_store
from trackai.errors import ConflictError
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.store.catalogue.files import Blob
    from trackai.store.engine.database import Database


class _Copied(msgspec.Struct):
    """The files of runs in the copy: how many, their bytes, and how many have none any more."""

    files: int = 0
    file_bytes: int = 0
    missing: int = 0


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@db_option
@json_option
def backup(file: Path, db: str | None, as_json: bool) -> None:
    """Copy the database into a new FILE, consistently, also while runs are being logged.

    Everything that was logged before the call is in the copy, including what still waits in
    journals. The bytes of files that belong to runs (images, artifacts) go to FILE-files beside
    it, as hard links where that is possible; they never change.
    """
    from trackai.store.catalogue import files

    for path in (file, files.folder(file)):
        if path.exists():
            raise ConflictError(f"{path} exists already: name a new file")
    copied = with_store(db, lambda database: _copy(database, file))
    size = file.stat().st_size
    if copied.missing:
        where = files.folder(Settings.from_env(db).db_path)
        click.echo(
            f"{copied.missing} files of runs are not in the copy: {where} lacks them", err=True
        )
    if as_json:
        print_json(file=str(file), bytes=size, **msgspec.structs.asdict(copied))
        return
    click.echo(f"{file}: {human_bytes(size)}")
    if copied.files:
        size = copied.file_bytes
        click.echo(f"{files.folder(file)}: {copied.files} files, {human_bytes(size)}")


async def _copy(database: Database, file: Path) -> _Copied:
    import aiosqlite

    from trackai.ingest.drain import Drain
    from trackai.store.catalogue import files
    from trackai.store.engine.database import Database

    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        # The journals first: what is taken out of one after that is in the database by then.
        journals = [
            copied
            for path in sorted(database.spool.glob("*.journal"))
            if (copied := _copy_if_there(path, Path(folder, path.name)))
        ]
        for journal in journals:
            _bring_bytes(database, journal)
        unfinished = Path(folder, "copy.db")
        async with aiosqlite.connect(unfinished) as target, database.read() as source:
            await source.backup(target)
        copy = Database(unfinished)
        try:
            await copy.open()
            for journal in journals:
                await Drain(copy, journal).store_all()
            async with copy.read() as conn:
                blobs = await files.blobs(conn)
            await copy.checkpoint()
        finally:
            await copy.close()
        bytes_copied = _copy_blobs(database, unfinished, blobs)
        if bytes_copied.files:
            files.folder(unfinished).rename(files.folder(file))
        unfinished.rename(file)
    return bytes_copied


def _copy_if_there(source: Path, target: Path) -> Path | None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:  # stored and removed meanwhile
        return None
    return target


def _bring_bytes(database: Database, journal: Path) -> None:
    """Put the files that a copied journal names beside it, wherever their bytes are by now."""
    from trackai.ingest.reader import JournalReader
    from trackai.store.catalogue import files

    reader = JournalReader(journal)
    while batch := reader.read():
        for one in batch.files:
            name = Path(one.bytes_in).name
            # In this order: storing moves them from there to here.
            if not _link(database.spool / name, journal.with_name(name)):
                _link(files.blob_path(database.path, one.sha256), journal.with_name(name))


def _copy_blobs(database: Database, copy: Path, blobs: list[Blob]) -> _Copied:
    """Put the bytes that the copy names beside it."""
    from trackai.store.catalogue import files

    copied, progress = _Copied(), ProgressLine()
    for number, blob in enumerate(blobs):
        progress.share(number, len(blobs), "files")
        target = files.blob_path(copy, blob.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        if files.has(copy, blob) or _link(files.blob_path(database.path, blob.sha256), target):
            copied.files += 1
            copied.file_bytes += blob.size
        else:
            copied.missing += 1
    progress.share(len(blobs), len(blobs), "files")
    return copied


def _link(source: Path, target: Path) -> bool:
    """Make a hard link, or a copy where there can be none; False if the source is not there."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:  # another disk, or a file system without links
        return _copy_if_there(source, target) is not None
    return True
