"""Finds the files of an export, and copies them into the store."""

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

    from trackai.importers.neptune.messages import FileRow
    from trackai.store.blobs.blob_store import Blob, BlobStore
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.store.transfer.imports import ImportedPart

# The table `imports` holds this reason: files of earlier imports are found by it, so it must not
# change.
MISSING = "its file is missing"
OUTSIDE = "its path is outside the files folder"
EMPTY = "its folder is empty"
UNREADABLE = "its file cannot be read"


class CopiedRow(NamedTuple):
    """A row about a file, after its bytes were copied.

    Attributes:
        files: the files to add.
        sources: the paths the bytes were copied from.
        reason: why the bytes are not stored.
    """

    row: FileRow
    files: list[NewFile]
    sources: list[Path]
    reason: str | None


def find_bytes(root: Path, source: str) -> tuple[list[tuple[str, Path]], str | None]:
    """Find the file at a path of the export, or all files if it is a folder.

    Args:
        root: the folder that the path is relative to. Paths that lead out of it are refused.

    Returns:
        The name and path of each file; or an empty list, and the reason.
    """
    try:
        top = root.resolve()
        path = (root / source).resolve()
        if not path.is_relative_to(top) or path == top:
            return [], OUTSIDE
        if not path.exists():
            return [], MISSING
        if not path.is_dir():
            # Reading a pipe or a device might never end.
            return ([(path.name, path)], None) if path.is_file() else ([], UNREADABLE)
        return _list_folder(path, top)
    except ValueError:  # a zero byte
        return [], OUTSIDE
    except OSError:  # a name that is too long, a folder that may not be entered
        return [], UNREADABLE


def _list_folder(path: Path, top: Path) -> tuple[list[tuple[str, Path]], str | None]:
    listed = []
    for folder, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            file = path / folder / name
            if not file.resolve().is_relative_to(top):
                return [], OUTSIDE
            if not file.is_file():
                return [], UNREADABLE
            listed.append((file.relative_to(path).as_posix(), file))
    return (listed, None) if listed else ([], EMPTY)


def copy_bytes(blobs: BlobStore, root: Path, rows: Sequence[FileRow]) -> list[CopiedRow]:
    """Copy the bytes of files into the store's folder."""
    copied = []
    for row in rows:
        sources, reason = find_bytes(root, row.source)
        new = []
        try:
            new = [_new_file(row, name, blobs.keep(path)) for name, path in sources]
        except PermissionError:
            new, reason = [], UNREADABLE
        if reason == MISSING:  # note that the file existed; its bytes may be added later
            new = [_new_file(row, row.source.rpartition("/")[2] or row.path, None)]
        copied.append(CopiedRow(row, new, [path for _, path in sources], reason))
    return copied


def copy_again(blobs: BlobStore, copied: Sequence[CopiedRow]) -> None:
    """Copy bytes again if the last run with them has been deleted since they were copied."""
    for row in copied:
        for new, source in zip(row.files, row.sources, strict=False):
            if new.blob is not None and not blobs.has(new.blob):
                blobs.keep(source)


def _new_file(row: FileRow, name: str, blob: Blob | None) -> NewFile:
    kind = cast("FileKind", row.type)
    return NewFile(row.path, kind, name, row.step, row.timestamp, row.source, blob)


async def add(
    conn: Connection, blobs: BlobStore, run_id: int, writer_id: int, copied: Sequence[CopiedRow]
) -> None:
    """Add files whose bytes have been copied."""
    if not blobs.is_shared:  # from here on the write transaction keeps the bytes
        copy_again(blobs, copied)
    await files.add(conn, run_id, writer_id, [new for row in copied for new in row.files])


async def fill_in(
    conn: Connection, db: Store, root: Path, record: ImportedPart
) -> list[tuple[str, str]]:
    """Store the bytes of a part's files that were missing when they were imported.

    Returns:
        The type and path of each row whose bytes are now stored.
    """
    filled = []
    for unread in await imports.unread_files(conn, record):
        sources, _ = find_bytes(root, unread.source)
        if sources:
            kept = [(name, db.blobs.keep(path)) for name, path in sources]
            await files.fill_in(conn, unread.id, kept)
            filled.append((unread.kind, unread.path))
    return filled
