"""Bytes of files that arrive over the network in chunks, after an interruption where they ended.

An incomplete upload is a file `uploads/<SHA-256>-<key>` in the folder of the files: clients with
the same key continue each other's uploads, and cannot spoil those of others. Complete bytes move to
the folder of all bytes. A receipt remains, which tells that the key has had all of them: knowing a
hash is not enough for a key that is limited to a project.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from anyio import to_thread

from trackai.errors import ConflictError, InvalidInputError, StoreError, TrackAIError
from trackai.locks import sync, try_lock
from trackai.store.catalogue import files
from trackai.store.catalogue.files import Blob, blob_path, folder, has

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.store.engine.database import Database

# Incomplete uploads of a key at a time, and how long they are kept after their last byte.
MAX_UPLOADS = 1000
KEPT_SECONDS = 24 * 3600.0
# Each file of a disk needs one, whatever its size.
_FREE_INODES = 10_000
_RECEIPT = ".sent"


class Received(msgspec.Struct, frozen=True):
    """How many bytes are here, and whether these are all."""

    received: int
    complete: bool


class Sender(msgspec.Struct, frozen=True):
    """Who sends bytes.

    Attributes:
        key_id: the row id of the key; 0 for the shared key.
        may_reuse: whether the sender may refer to bytes that others have sent.
    """

    key_id: int = 0
    may_reuse: bool = True


class DiskFullError(StoreError):
    """The disk of a server has no room for what a client sends."""


class TooManyUploadsError(TrackAIError):
    """too many files are being sent with this key: try again later"""

    def __init__(self) -> None:
        super().__init__("too many files are being sent with this key: try again later")


def received(db_path: Path, blob: Blob, sender: Sender) -> Received:
    """How many of these bytes are here that the sender may know of.

    Raises:
        NotFoundError: the hash is invalid.
    """
    if is_complete(db_path, blob, sender):
        return Received(blob.size, complete=True)
    try:
        return Received(_part(db_path, blob, sender).stat().st_size, complete=False)
    except FileNotFoundError:
        return Received(0, complete=False)


def is_complete(db_path: Path, blob: Blob, sender: Sender) -> bool:
    """Whether all of these bytes are here, and the sender may refer to them."""
    part = _part(db_path, blob, sender)
    return has(db_path, blob) and (sender.may_reuse or _receipt(part).exists())


def append(
    db_path: Path, blob: Blob, sender: Sender, offset: int, chunk: bytes, *, keep_free: int = 0
) -> Received:
    """Add a chunk; the last one makes the bytes complete, and is checked and flushed to disk.

    Args:
        offset: where the chunk begins.
        keep_free: how many bytes of the disk must stay free.

    Returns:
        How many bytes are here now. The chunk is ignored if it does not begin where they end.

    Raises:
        ConflictError: another client is sending these bytes at this moment.
        DiskFullError: there is no room for all of the bytes.
        InvalidInputError: there are more bytes than announced, or they have another hash.
        NotFoundError: the hash is invalid.
        TooManyUploadsError: the key has too many incomplete uploads.
    """
    if is_complete(db_path, blob, sender):
        return Received(blob.size, complete=True)
    part = _part(db_path, blob, sender)
    fd = _open_part(part)
    with open(fd, "r+b") as file:  # noqa: PTH123 - a descriptor
        if not try_lock(fd) or os.fstat(fd).st_nlink == 0:  # just removed
            raise ConflictError("another client is sending these bytes: try again later")
        size = file.seek(0, os.SEEK_END)
        if offset != size:
            return Received(size, complete=False)
        if size + len(chunk) > blob.size:
            raise InvalidInputError("body", f"more bytes than the {blob.size} announced")
        check_room(db_path, blob.size - size, keep_free)
        file.write(chunk)
        file.flush()
        if size + len(chunk) < blob.size:
            return Received(size + len(chunk), complete=False)
        file.seek(0)
        is_right = hashlib.file_digest(file, "sha256").hexdigest() == blob.sha256
        sync(fd)
    if not is_right:
        part.unlink(missing_ok=True)
        raise InvalidInputError("body", "the bytes have another SHA-256: send them again")
    _receipt(part).touch()
    path = blob_path(db_path, blob.sha256)
    path.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):  # another client has just sent the last bytes, too
        os.replace(part, path)  # noqa: PTH105
    return received(db_path, blob, sender)


def check_room(db_path: Path, size: int, keep_free: int) -> None:
    """Check that the disk has room for `size` more bytes.

    Args:
        keep_free: how many bytes must stay free.

    Raises:
        DiskFullError: it has not.
    """
    free, free_inodes = _free(db_path.parent)
    if free - size < keep_free:
        raise DiskFullError(
            f"the server keeps {keep_free // 1_000_000} MB of its disk free "
            "(TRACKAI_KEEP_FREE_MB), and stores nothing more until there is room"
        )
    if free_inodes < _FREE_INODES:
        raise DiskFullError("the disk of the server has too many files to store more")


def _free(folder: Path) -> tuple[int, float]:
    """The free bytes of a disk, and how many more files it can have."""
    if not hasattr(os, "statvfs"):  # Windows
        return shutil.disk_usage(folder).free, math.inf
    disk = os.statvfs(folder)
    # Some file systems have no limit on files.
    return disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else math.inf


def sent(db_path: Path) -> set[str]:
    """The hashes of bytes that were sent lately; rows that refer to them may follow."""
    return {path.name.partition("-")[0] for path in _folder(db_path).glob(f"*{_RECEIPT}")}


async def sweep(db: Database) -> None:
    """Remove uploads that nobody has continued for a day, and bytes that no run refers to.

    Raises:
        StoreError: the database cannot be read or written.
    """
    await files.forget(db, await to_thread.run_sync(_remove_old, db.path))


def _remove_old(db_path: Path) -> set[str]:
    """Remove old uploads and receipts; the hashes of the latter."""
    hashes = set()
    for path in list(_folder(db_path).glob("*-*")):
        with suppress(OSError):
            if path.suffix != _RECEIPT:
                _remove_if_old(path)
            elif _is_old(path):
                hashes.add(path.name.partition("-")[0])
                path.unlink()
    return hashes


def _remove_if_old(part: Path) -> None:
    with part.open("r+b") as file:
        if try_lock(file.fileno()) and _is_old(part):
            part.unlink()


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > KEPT_SECONDS


def _open_part(part: Path) -> int:
    flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
    with suppress(FileNotFoundError):
        return os.open(part, flags)
    part.parent.mkdir(parents=True, exist_ok=True)
    key = part.name.partition("-")[2]
    if len(list(part.parent.glob(f"*-{key}"))) >= MAX_UPLOADS:  # without receipts
        raise TooManyUploadsError
    return os.open(part, flags | os.O_CREAT, 0o666)


def _folder(db_path: Path) -> Path:
    return folder(db_path) / "uploads"


def _part(db_path: Path, blob: Blob, sender: Sender) -> Path:
    blob_path(db_path, blob.sha256)  # checks the hash
    return _folder(db_path) / f"{blob.sha256}-{sender.key_id}"


def _receipt(part: Path) -> Path:
    return part.with_name(part.name + _RECEIPT)
