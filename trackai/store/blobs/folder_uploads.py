"""Uploads to a folder: an incomplete one is a file `uploads/<SHA-256>-<key>`.

Complete bytes move to the folder of all bytes.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from trackai.errors import ConflictError, InvalidInputError
from trackai.locks import sync, try_lock
from trackai.store.blobs import blob_store
from trackai.store.blobs.blob_store import KEPT_SECONDS, Received, TooManyUploadsError, check_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from trackai.store.blobs.blob_store import Blob, Sender

_RECEIPT = ".sent"


class _Folder(Protocol):
    """What is needed of `FolderBlobs`."""

    @property
    def folder(self) -> Path: ...
    def create(self) -> None: ...
    def errors(self) -> AbstractContextManager[None]: ...
    def path(self, sha256: str) -> Path: ...
    def has(self, blob: Blob) -> bool: ...
    def check_room(self, size: int, keep_free: int) -> None: ...


class FolderUploads:
    """The uploads to a folder; see `trackai.store.blobs.blob_store.Uploads`."""

    def __init__(self, blobs: _Folder) -> None:
        self._blobs = blobs
        self._folder = blobs.folder / "uploads"

    def received(self, blob: Blob, sender: Sender) -> Received:
        """How many of these bytes are here that the sender may know of."""
        if self.is_complete(blob, sender):
            return Received(blob.size, complete=True)
        try:
            return Received(self._part(blob, sender).stat().st_size, complete=False)
        except FileNotFoundError:
            return Received(0, complete=False)

    def is_complete(self, blob: Blob, sender: Sender) -> bool:
        """Whether all of these bytes are here, and the sender may refer to them."""
        part = self._part(blob, sender)
        return self._blobs.has(blob) and (sender.may_reuse or _receipt(part).exists())

    def complete(self, senders: Mapping[Blob, Sender]) -> set[Blob]:
        """Those of many bytes for which `is_complete` is true."""
        return {blob for blob, sender in senders.items() if self.is_complete(blob, sender)}

    def append(
        self, blob: Blob, sender: Sender, offset: int, chunk: bytes, *, keep_free: int = 0
    ) -> Received:
        """Add a chunk; the last one makes the bytes complete, and is checked and flushed to disk.

        The chunk is ignored if it does not begin where the bytes end.
        """
        with self._blobs.errors():
            return self._append(blob, sender, offset, chunk, keep_free)

    def _append(
        self, blob: Blob, sender: Sender, offset: int, chunk: bytes, keep_free: int
    ) -> Received:
        if self.is_complete(blob, sender):
            return Received(blob.size, complete=True)
        part = self._part(blob, sender)
        fd = self._open(part)
        with open(fd, "r+b") as file:  # noqa: PTH123 - a descriptor
            if not try_lock(fd) or os.fstat(fd).st_nlink == 0:  # just removed
                raise ConflictError("another client is sending these bytes: try again later")
            size = file.seek(0, os.SEEK_END)
            if offset != size:
                return Received(size, complete=False)
            if size + len(chunk) > blob.size:
                raise InvalidInputError("body", f"more bytes than the {blob.size} announced")
            self._blobs.check_room(blob.size - size, keep_free)
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
        path = self._blobs.path(blob.sha256)
        path.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # another client has just sent the last bytes, too
            os.replace(part, path)  # noqa: PTH105
        return self.received(blob, sender)

    def sent(self) -> set[str]:
        """The hashes of bytes that were sent lately; rows that refer to them may follow."""
        return {path.name.partition("-")[0] for path in self._folder.glob(f"*{_RECEIPT}")}

    def remove_old(self) -> set[str]:
        """Remove old uploads and receipts; the hashes of the latter."""
        hashes = set()
        for path in list(self._folder.glob("*-*")):
            with suppress(OSError):
                if path.suffix != _RECEIPT:
                    _remove_if_old(path)
                elif _is_old(path):
                    hashes.add(path.name.partition("-")[0])
                    path.unlink()
        return hashes

    def _open(self, part: Path) -> int:
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
        with suppress(FileNotFoundError):
            return os.open(part, flags)
        self._blobs.create()
        self._folder.mkdir(exist_ok=True)
        key = part.name.partition("-")[2]
        # Receipts do not count.
        if len(list(self._folder.glob(f"*-{key}"))) >= blob_store.MAX_UPLOADS:
            raise TooManyUploadsError
        return os.open(part, flags | os.O_CREAT, 0o666)

    def _part(self, blob: Blob, sender: Sender) -> Path:
        return self._folder / f"{check_hash(blob.sha256)}-{sender.key_id}"


def _remove_if_old(part: Path) -> None:
    with part.open("r+b") as file:
        if try_lock(file.fileno()) and _is_old(part):
            part.unlink()


def _is_old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > KEPT_SECONDS


def _receipt(part: Path) -> Path:
    return part.with_name(part.name + _RECEIPT)
