"""trackai backup"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from trackai.cli.database import file_option, with_file
from trackai.cli.output import echo, human_bytes, json_option, pluralize, print_json
from trackai.cli.progress import ProgressLine
from trackai.errors import ConflictError, StoreDamagedError, TrackAIError
from trackai.settings import Settings

if TYPE_CHECKING:
    from trackai.store.blobs.blob_store import Blob
    from trackai.store.engine.database import Database


class _CopiedFiles(msgspec.Struct):
    """Counts of the runs' files: copied, their bytes, and missing in the original."""

    files: int = 0
    file_bytes: int = 0
    missing: int = 0


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@file_option
@json_option
def backup(file: Path, db: str | None, as_json: bool) -> None:
    """Copy the database to a new file.

    Works while runs are being logged: the copy is consistent, and contains everything that was
    logged before. The files of runs (images, artifacts) are copied to the folder FILE-files, as
    hard links if possible. A damaged database is not copied.
    """
    from trackai.store.catalogue import files

    for path in (file, files.folder(file)):
        if path.exists():
            raise ConflictError(f"{path} already exists; choose a new file")
    try:
        copied = with_file(db, lambda database: _copy(database, file))
    except OSError as error:  # names a temporary file
        raise TrackAIError(f"cannot write {file}: {error.strerror or error}") from error
    size = file.stat().st_size
    if copied.missing:
        folder = files.folder(Settings.from_env(db).db_path)
        missing = pluralize(copied.missing, "file")
        echo(f"warning: {missing} of runs not found in {folder}, not copied", err=True)
    if as_json:
        print_json(file=str(file), bytes=size, **msgspec.structs.asdict(copied))
        return
    echo(f"{file}: {human_bytes(size)}")
    if copied.files:
        total = f"{pluralize(copied.files, 'file')}, {human_bytes(copied.file_bytes)}"
        echo(f"{files.folder(file)}: {total}")


async def _copy(database: Database, file: Path) -> _CopiedFiles:
    import aiosqlite

    from trackai.store.catalogue import files

    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as folder:
        # Journals first: points removed from a journal after this are in the database by then.
        journals = [
            copied
            for path in sorted(database.spool.glob("*.journal"))
            if (copied := _copy_if_exists(path, Path(folder, path.name)))
        ]
        for journal in journals:
            _link_journal_files(database, journal)
        unfinished = Path(folder, "copy.db")
        async with aiosqlite.connect(unfinished) as target, database.read() as source:
            await source.backup(target)
        try:
            blobs = await _complete(unfinished, journals)
        except StoreDamagedError as error:
            raise StoreDamagedError(
                f"{database.path} is damaged ({error.__cause__ or error}), and no backup was made: "
                "keep earlier backups, and see trackai doctor"
            ) from None
        copied_files = _link_blobs(database, unfinished, blobs)
        if copied_files.files:
            files.folder(unfinished).rename(files.folder(file))
        unfinished.rename(file)
    return copied_files


async def _complete(unfinished: Path, journals: list[Path]) -> list[Blob]:
    """Store journals in a copy of the database, and check it; return the bytes that it refers to.

    Raises:
        StoreDamagedError: the copy, and therefore the database, is damaged.
    """
    from trackai.ingest.drain import Drain
    from trackai.store.catalogue import files
    from trackai.store.engine import stamps
    from trackai.store.engine.database import Database
    from trackai.store.upkeep import checks

    copy = Database(unfinished)
    try:
        await copy.open()
        for journal in journals:
            await Drain(copy, journal).store_all()
        async with copy.write() as conn:
            await stamps.write(conn)  # unlike that of any state of the original
        async with copy.read() as conn:
            for problem in await checks.integrity(conn):
                raise StoreDamagedError(problem.splitlines()[-1])
            blobs = await files.blobs(conn)
        await copy.checkpoint()
    finally:
        await copy.close()
    return blobs


def _copy_if_exists(source: Path, target: Path) -> Path | None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:  # the journal has been stored and removed meanwhile
        return None
    return target


def _link_journal_files(database: Database, journal: Path) -> None:
    """Link the files that a copied journal refers to into its folder."""
    from trackai.ingest.reader import JournalReader
    from trackai.store.catalogue import files

    reader = JournalReader(journal)
    while batch := reader.read():
        for file in batch.files:
            name = Path(file.bytes_in).name
            # In this order: storing moves files from the spool folder to the files folder.
            if not _link(database.spool / name, journal.with_name(name)):
                _link(files.blob_path(database.path, file.sha256), journal.with_name(name))


def _link_blobs(database: Database, copy: Path, blobs: list[Blob]) -> _CopiedFiles:
    """Link the files of the database's runs into the files folder of the copy."""
    from trackai.store.blobs.folder import FolderBlobs

    copies, copied, progress = FolderBlobs.beside(copy), _CopiedFiles(), ProgressLine()
    for number, blob in enumerate(blobs):
        progress.share(number, len(blobs), "files")
        target = copies.path(blob.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        if copies.has(blob) or _link(database.blobs.path(blob.sha256), target):
            copied.files += 1
            copied.file_bytes += blob.size
        else:
            copied.missing += 1
    progress.share(len(blobs), len(blobs), "files")
    return copied


def _link(source: Path, target: Path) -> bool:
    """Create a hard link, or a copy where links are not possible; False if `source` is missing."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:  # another disk, or a file system without hard links
        return _copy_if_exists(source, target) is not None
    return True
