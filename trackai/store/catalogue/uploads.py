"""Bytes of files that arrive over the network in chunks, after an interruption where they ended.

An incomplete upload is a file `new-<SHA-256>` in the folder of the files. Clients that send the
same bytes continue each other's upload.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import ConflictError, InvalidInputError, StoreError
from trackai.locks import sync, try_lock
from trackai.store.catalogue.files import Blob, blob_path, folder, has

if TYPE_CHECKING:
    from pathlib import Path


class Received(msgspec.Struct, frozen=True):
    """How many bytes are here, and whether these are all."""

    received: int
    complete: bool


def received(db_path: Path, blob: Blob) -> Received:
    """How many of these bytes are here.

    Raises:
        NotFoundError: the hash is invalid.
    """
    if has(db_path, blob):
        return Received(blob.size, complete=True)
    try:
        return Received(_part(db_path, blob).stat().st_size, complete=False)
    except FileNotFoundError:
        return Received(0, complete=False)


def append(db_path: Path, blob: Blob, offset: int, chunk: bytes) -> Received:
    """Add a chunk; the last one makes the bytes complete, and is checked and flushed to disk.

    Args:
        offset: where the chunk begins.

    Returns:
        How many bytes are here now. The chunk is ignored if it does not begin where they end.

    Raises:
        ConflictError: another client is sending these bytes at this moment.
        InvalidInputError: there are more bytes than announced, or they have another hash.
        NotFoundError: the hash is invalid.
    """
    if has(db_path, blob):
        return Received(blob.size, complete=True)
    part = _part(db_path, blob)
    part.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    with open(fd, "r+b") as file:  # noqa: PTH123 - a descriptor
        if not try_lock(fd):
            raise ConflictError("another client is sending these bytes: try again later")
        size = file.seek(0, os.SEEK_END)
        if offset != size:
            return Received(size, complete=False)
        if size + len(chunk) > blob.size:
            raise InvalidInputError("body", f"more bytes than the {blob.size} announced")
        file.write(chunk)
        file.flush()
        if size + len(chunk) < blob.size:
            return Received(size + len(chunk), complete=False)
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != blob.sha256:
            part.unlink()
            raise InvalidInputError("body", "the bytes have another SHA-256: send them again")
        sync(fd)
        path = blob_path(db_path, blob.sha256)
        path.parent.mkdir(exist_ok=True)
        os.replace(part, path)  # noqa: PTH105
    return Received(blob.size, complete=True)


def check_room(db_path: Path, size: int, keep_free: int) -> None:
    """Check that the disk has room for `size` more bytes.

    Args:
        keep_free: how many bytes must stay free.

    Raises:
        DiskFullError: it has not.
    """
    if shutil.disk_usage(db_path.parent).free - size < keep_free:
        raise DiskFullError(
            f"the server keeps {keep_free // 1_000_000} MB of its disk free, and stores nothing "
            "more until there is room"
        )


class DiskFullError(StoreError):
    """The disk of a server has no room for what a client sends."""


def _part(db_path: Path, blob: Blob) -> Path:
    blob_path(db_path, blob.sha256)  # checks the hash
    return folder(db_path) / f"new-{blob.sha256}"
