"""The bytes of an export's files: found below their folder, and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, cast

from trackai.store.catalogue import files
from trackai.store.catalogue.files import NewFile
from trackai.store.transfer import imports
from trackai.values.types import FileKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.importers.neptune.batches import FileRow
    from trackai.store.engine.database import Database
    from trackai.store.transfer.imports import ImportedPart

MISSING = "its file is missing"
OUTSIDE = "its path leads out of the folder of files"
EMPTY = "its folder is empty"
UNREADABLE = "its file cannot be read"


class FoundFile(NamedTuple):
    """A row about a file, with what there is to store, or why there is nothing."""

    row: FileRow
    files: list[NewFile]
    sources: list[Path]
    reason: str | None


def find_bytes(root: Path, source: str) -> tuple[list[tuple[str, Path]], str | None]:
    """The file to which a path of the export leads, or the files if it is a folder.

    Returns:
        Names, each with its path; or none, and the reason.
    """
    try:
        top = root.resolve()
        path = (root / source).resolve()
        if not path.is_relative_to(top) or path == top:
            return [], OUTSIDE
        if not path.exists():
            return [], MISSING
        if not path.is_dir():
            # A pipe or a device would never end.
            return ([(path.name, path)], None) if path.is_file() else ([], UNREADABLE)
        found = []
        for folder, _, names in sorted(os.walk(path)):
            for name in sorted(names):
                one = path / folder / name
                if not one.resolve().is_relative_to(top):
                    return [], OUTSIDE
                if not one.is_file():
                    return [], UNREADABLE
                found.append((one.relative_to(path).as_posix(), one))
    except ValueError:  # a zero byte
        return [], OUTSIDE
    except OSError:  # a name that is too long, a folder that may not be entered
        return [], UNREADABLE
    return (found, None) if found else ([], EMPTY)


def keep(db_path: Path, root: Path, rows: Sequence[FileRow]) -> list[FoundFile]:
    """Copy the bytes that rows name into the store's folder."""
    kept = []
    for row in rows:
        found, reason = find_bytes(root, row.source)
        new = []
        try:
            new = [_new(row, name, files.keep(db_path, path)) for name, path in found]
        except PermissionError:
            new, reason = [], UNREADABLE
        if reason == MISSING:  # that it existed is worth keeping, and it may still turn up
            new = [_new(row, row.source.rpartition("/")[2] or row.path, None)]
        kept.append(FoundFile(row, new, [path for _, path in found], reason))
    return kept


def _new(row: FileRow, name: str, blob: files.Blob | None) -> NewFile:
    kind = cast("FileKind", row.type)
    return NewFile(row.path, kind, name, row.step, row.timestamp, row.source, blob)


async def add(
    conn: Connection, db_path: Path, run_id: int, writer_id: int, found: Sequence[FoundFile]
) -> None:
    """Note files whose bytes have been kept."""
    for one in found:
        for new, source in zip(one.files, one.sources, strict=False):
            # Since they were copied, the last run that had them may have been deleted. From here
            # on nobody can: this is a write transaction.
            if new.blob is not None and not files.has(db_path, new.blob):
                files.keep(db_path, source)
    await files.add(conn, run_id, writer_id, [new for one in found for new in one.files])


async def fill_in(
    conn: Connection, db: Database, root: Path, record: ImportedPart
) -> list[tuple[str, str]]:
    """Store the bytes of a part's files that were missing and have turned up.

    Returns:
        The type and path of each row that is stored now and was not.
    """
    gained = []
    for unread in await imports.unread_files(conn, record):
        found, _ = find_bytes(root, unread.source)
        if found:
            blobs = [(name, files.keep(db.path, path)) for name, path in found]
            await files.fill_in(conn, unread.id, blobs)
            gained.append((unread.kind, unread.path))
    return gained
