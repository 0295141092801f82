"""Bytes in a folder: `ab/cdef...` has those with the SHA-256 `abcdef...`."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import time
import uuid
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from trackai.errors import DiskFullError
from trackai.store.blobs.blob_store import (
    ASIDE_SECONDS,
    CHUNK_BYTES,
    FULL,
    KEPT_SECONDS,
    Blob,
    BlobsUnreachableError,
    check_hash,
)
from trackai.store.blobs.folder_uploads import FolderUploads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Self

# Each file of a disk needs one, whatever its size.
_FREE_INODES = 10_000
# A disk is not filled faster than this: so many bytes in so many seconds.
_FILLED, _FILLED_SECONDS = 1_000_000_000, 0.1
# Seconds without a write after which a partial copy belongs to a crashed process.
_ABANDONED_AFTER = 3600.0
_ASIDE = ".aside-"


class FolderBlobs:
    """A folder next to a database file, or one that several servers share.

    After a crash the folder may hold unreferenced bytes, but no row refers to missing ones.
    """

    def __init__(self, folder: Path, *, is_shared: bool = False) -> None:
        self.folder = folder
        self.is_shared = is_shared
        self._was_created = False
        # At least so many bytes stay free until then, whatever is written meanwhile.
        self._free, self._free_until = 0, 0.0

    @classmethod
    def beside(cls, db_path: Path) -> Self:
        """The folder of a database file."""
        return cls(db_path.with_name(db_path.name + "-files"))

    @cached_property
    def uploads(self) -> FolderUploads:
        """The bytes that clients are sending."""
        return FolderUploads(self)

    def check(self) -> None:
        """Create the folder, and check that files can be created in it.

        Raises:
            BlobsUnreachableError: they cannot.
        """
        with folder_errors(self.folder):
            self.incoming().discard()

    def create(self) -> None:
        """Create the folder if it does not exist.

        A shared one that this process has used before, and that is missing now, is not mounted.
        """
        if not (self.is_shared and self._was_created):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._was_created = True

    def errors(self) -> AbstractContextManager[None]:
        """Tell errors of a shared folder from those of files that are copied into it."""
        return folder_errors(self.folder) if self.is_shared else nullcontext()

    def path(self, sha256: str) -> Path:
        """The path of the bytes with this hash, which may not exist.

        Raises:
            NotFoundError: the hash is invalid.
        """
        check_hash(sha256)
        return self.folder / sha256[:2] / sha256[2:]

    def find(self, sha256: str | None) -> Path | None:
        """The path of the bytes with this hash; None if they are not in the folder."""
        path = None if sha256 is None else self.path(sha256)
        return path if path is not None and path.is_file() else None

    def has(self, blob: Blob) -> bool:
        """Whether the folder has these bytes, judged by their size."""
        try:
            if not self.is_shared:
                return self.path(blob.sha256).stat().st_size == blob.size
            # A network file system asks its server when a file is opened.
            with self.path(blob.sha256).open("rb") as file:
                return os.fstat(file.fileno()).st_size == blob.size
        except FileNotFoundError:
            return False

    def present(self, blobs: Iterable[Blob]) -> set[Blob]:
        """Those of many bytes that the folder has."""
        return {blob for blob in blobs if self.has(blob)}

    def keep(self, source: Path) -> Blob:
        """Copy a file into the folder, unless it has the same bytes already.

        Raises:
            OSError: the file cannot be read, or not be written to a folder that is not shared.
            BlobsUnreachableError: a shared folder cannot be written.
            DiskFullError: the disk of a shared folder is full.
        """
        incoming = self.incoming()
        try:
            with source.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    incoming.write(chunk)
            return incoming.keep()
        finally:
            incoming.discard()

    def adopt(self, source: Path, blob: Blob) -> bool:
        """Move a file into the folder.

        Call it inside the transaction that adds the row: `files.forget` cannot remove the bytes
        meanwhile.

        Args:
            blob: the bytes of the file.

        Returns:
            False if the bytes are neither at `source` nor in the folder.

        Raises:
            OSError: the file cannot be moved.
        """
        path = self.path(blob.sha256)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, path)  # noqa: PTH105
        except FileNotFoundError:
            return self.has(blob)  # moved before by a transaction that failed
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self.keep(source)
            source.unlink()
        return True

    def incoming(self) -> FolderIncoming:
        """Begin to receive bytes whose number and hash are not known yet."""
        return FolderIncoming(self)

    def all_blobs(self) -> list[Blob]:
        """All bytes in the folder, whether a row refers to them or not."""
        blobs = []
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            with suppress(FileNotFoundError):
                status = path.stat()
                if not self.is_shared or time.time() - status.st_mtime > KEPT_SECONDS:
                    blobs.append(Blob(status.st_size, path.parent.name + path.name))
        return [blob for blob in blobs if re.fullmatch("[0-9a-f]{64}", blob.sha256)]

    def remove(self, sha256: str) -> int:
        """Remove bytes; the number of bytes."""
        path, freed = self.path(sha256), 0
        with suppress(FileNotFoundError):
            freed = path.stat().st_size
            path.unlink()
        with suppress(OSError):  # not empty
            path.parent.rmdir()
        return freed

    def set_aside(self, hashes: Collection[str], token: str) -> None:
        """Rename the files of bytes."""
        for sha256 in hashes:
            with suppress(FileNotFoundError):
                aside = self._aside(sha256, token)
                os.replace(self.path(sha256), aside)  # noqa: PTH105
                os.utime(aside)  # for `left_aside`

    def remove_aside(self, hashes: Collection[str], token: str, *, deadline: float) -> int:
        """Remove bytes that were set aside; the number of bytes."""
        freed = 0
        for sha256 in hashes:  # a client that sends them meanwhile has its own file
            with suppress(FileNotFoundError):
                size = self._aside(sha256, token).stat().st_size
                self._aside(sha256, token).unlink()
                freed += size
        return freed

    def put_back(self, hashes: Collection[str], token: str) -> None:
        """Rename the files back."""
        for sha256 in hashes:
            with suppress(FileNotFoundError):
                os.replace(self._aside(sha256, token), self.path(sha256))  # noqa: PTH105

    def left_aside(self) -> dict[str, set[str]]:
        """The hashes that were set aside long ago, by their token."""
        by_token: dict[str, set[str]] = {}
        for path in _older(self.folder.glob(f"??/*{_ASIDE}*"), ASIDE_SECONDS):
            name, _, token = path.name.partition(_ASIDE)
            by_token.setdefault(token, set()).add(path.parent.name + name)
        return by_token

    def sweep(self) -> None:
        """Remove partial copies of processes that crashed."""
        for path in _older(self.folder.glob("new-*"), _ABANDONED_AFTER):
            path.unlink(missing_ok=True)

    def check_room(self, size: int, keep_free: int) -> None:
        """Check that the disk has room for `size` more bytes.

        Raises:
            DiskFullError: it has not.
            BlobsUnreachableError: a shared folder cannot be used.
        """
        if not self.is_shared:
            now = time.monotonic()
            if size + keep_free <= self._free and now < self._free_until:
                return
            free, free_inodes = _free(self.folder.parent)
            self._free = free - _FILLED if free_inodes > 10 * _FREE_INODES else 0
            self._free_until = now + _FILLED_SECONDS
        else:
            with self.errors():
                self.create()
                free, free_inodes = _free(self.folder)
        if free - size < keep_free:
            raise DiskFullError(
                f"the server keeps {keep_free // 1_000_000} MB of its disk free "
                "(TRACKAI_KEEP_FREE_MB), and stores nothing more until there is room"
            )
        if free_inodes < _FREE_INODES:
            raise DiskFullError("the disk of the server has too many files to store more")

    def _aside(self, sha256: str, token: str) -> Path:
        path = self.path(sha256)
        return path.with_name(path.name + _ASIDE + token)


class FolderIncoming:
    """A file that is being received in chunks, to be kept or discarded at the end."""

    def __init__(self, blobs: FolderBlobs) -> None:
        self._blobs = blobs
        self._digest = hashlib.sha256()
        self._size = 0
        # Not by `tempfile`, whose files only their owner can read.
        self._path = blobs.folder / f"new-{uuid.uuid4().hex}"
        with blobs.errors():
            blobs.create()
            self._copy = self._path.open("xb")

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        self._digest.update(chunk)
        self._size += len(chunk)
        with self._blobs.errors():
            self._copy.write(chunk)

    @property
    def sha256(self) -> str:
        """The hash of the chunks so far, in hex."""
        return self._digest.hexdigest()

    def keep(self) -> Blob:
        """Flush the complete file to disk, and move it into the folder."""
        path = self._blobs.path(self.sha256)
        with self._blobs.errors():
            self._copy.flush()
            os.fsync(self._copy.fileno())
            path.parent.mkdir(exist_ok=True)
            os.replace(self._path, path)  # noqa: PTH105
        return Blob(self._size, self.sha256)

    def discard(self) -> None:
        """Remove the file if it was not kept."""
        with suppress(OSError):  # it may write what is in its buffer
            self._copy.close()
        with suppress(OSError):  # `sweep` removes it later
            os.unlink(self._path)  # noqa: PTH108


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Translate errors of the operating system about a shared folder.

    Raises:
        DiskFullError: its disk is full.
        BlobsUnreachableError: it cannot be used.
    """
    try:
        yield
    except OSError as error:
        reason = f"TRACKAI_FILES: cannot write to the folder {folder}: {error.strerror or error}"
        if error.errno in FULL:
            raise DiskFullError(reason) from error
        raise BlobsUnreachableError(reason) from error


def _older(paths: Iterator[Path], seconds: float) -> Iterator[Path]:
    for path in paths:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > seconds:
                yield path


def _free(folder: Path) -> tuple[int, float]:
    """The free bytes of a disk, and how many more files it can have."""
    if not hasattr(os, "statvfs"):  # Windows
        import shutil

        return shutil.disk_usage(folder).free, math.inf
    disk = os.statvfs(folder)
    # Some file systems have no limit on files.
    return disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else math.inf
