"""What TrackAI needs of a place for the bytes of files, whether it is a folder or a bucket.

The functions block, and are called in worker threads where the place may be slow.
"""

from __future__ import annotations

import errno
import re
from typing import IO, TYPE_CHECKING, Literal, Protocol

import msgspec

from trackai.errors import NotFoundError, StoreUnreachableError, TrackAIError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

CHUNK_BYTES = 1 << 20
# Incomplete uploads of a key at a time, and how long they are kept after their last byte.
MAX_UPLOADS = 1000
KEPT_SECONDS = 24 * 3600.0
# Seconds after which bytes that were set aside belong to a process that was killed since.
ASIDE_SECONDS = 900.0
# The numbers of errors of a full disk, and of one on which a user may not store more.
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Blob(msgspec.Struct, frozen=True):
    """The bytes of a file: their number, and their SHA-256 in hex."""

    size: int
    sha256: str


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


class BlobsUnreachableError(StoreUnreachableError):
    """The place of the bytes cannot be used, or does not answer now."""


class TooManyUploadsError(TrackAIError):
    """too many files are being sent with this key: try again later"""

    def __init__(self) -> None:
        super().__init__("too many files are being sent with this key: try again later")


def check_hash(sha256: str) -> str:
    """Return a hash that is valid; a path made from another one could be outside the folder.

    Raises:
        NotFoundError: it is invalid.
    """
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise NotFoundError(f"{sha256[:80]!r} is not a SHA-256")
    return sha256


class Readable(Protocol):
    """Stored bytes; a `pathlib.Path` is one."""

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Open them for reading."""
        raise NotImplementedError


class Incoming(Protocol):
    """Bytes that are being received in chunks, to be kept or discarded at the end."""

    @property
    def sha256(self) -> str:
        """The hash of the chunks so far, in hex."""
        raise NotImplementedError

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""

    def keep(self) -> Blob:
        """Store the bytes; they are on disk, or in the bucket, on return."""
        raise NotImplementedError

    def discard(self) -> None:
        """Forget the bytes if they were not kept."""


class Uploads(Protocol):
    """Bytes that arrive over the network in chunks, and continue after an interruption.

    Clients with the same key continue each other's uploads, and cannot spoil those of others. A
    receipt remains, which tells that a key has sent all of the bytes: knowing a hash is not enough
    for a key that is limited to a project.
    """

    def received(self, blob: Blob, sender: Sender) -> Received:
        """How many of these bytes are here that the sender may know of.

        Raises:
            NotFoundError: the hash is invalid.
        """
        raise NotImplementedError

    def is_complete(self, blob: Blob, sender: Sender) -> bool:
        """Whether all of these bytes are here, and the sender may refer to them."""
        raise NotImplementedError

    def complete(self, senders: Mapping[Blob, Sender]) -> set[Blob]:
        """Those of many bytes for which `is_complete` is true."""
        raise NotImplementedError

    def append(
        self, blob: Blob, sender: Sender, offset: int, chunk: bytes, *, keep_free: int = 0
    ) -> Received:
        """Add a chunk; the last one makes the bytes complete, and is checked and stored durably.

        Args:
            offset: where the chunk begins.
            keep_free: how many bytes of the disk must stay free.

        Returns:
            How many bytes are here now. The chunk is ignored if it does not continue them.

        Raises:
            ConflictError: another client is sending these bytes at this moment.
            DiskFullError: the bytes do not fit.
            InvalidInputError: there are more bytes than announced, or they have another hash.
            NotFoundError: the hash is invalid.
            TooManyUploadsError: the key has too many incomplete uploads.
        """
        raise NotImplementedError

    def sent(self) -> set[str]:
        """The hashes of bytes that were sent lately; rows that refer to them may follow."""
        raise NotImplementedError

    def remove_old(self) -> set[str]:
        """Remove uploads and receipts that are older than a day; the hashes of the latter."""
        raise NotImplementedError


class BlobStore(Protocol):
    """Bytes of files by their SHA-256: files with the same bytes share one copy.

    Bytes are stored before the row that refers to them, and removed after the last such row.

    Attributes:
        uploads: the bytes that clients are sending.
        is_shared: whether servers share it that do not share a lock. Otherwise, bytes are only
            removed in write transactions, and a transaction that finds them may refer to them.
            In a shared one, a transaction must look for them again after its commit, before it is
            acknowledged: see `files.forget`.
    """

    @property
    def uploads(self) -> Uploads: ...
    @property
    def is_shared(self) -> bool: ...

    def check(self) -> None:
        """Check that bytes can be stored and read.

        Raises:
            BlobsUnreachableError: they cannot.
        """

    def find(self, sha256: str | None) -> Readable | None:
        """The bytes with this hash; None if they are not here.

        Raises:
            NotFoundError: the hash is invalid.
        """
        raise NotImplementedError

    def has(self, blob: Blob) -> bool:
        """Whether these bytes are here, and are not being removed; judged by their size."""
        raise NotImplementedError

    def present(self, blobs: Iterable[Blob]) -> set[Blob]:
        """Those of many bytes for which `has` is true."""
        raise NotImplementedError

    def keep(self, source: Path) -> Blob:
        """Store the bytes of a file, unless they are here already.

        Raises:
            OSError: the file cannot be read.
        """
        raise NotImplementedError

    def incoming(self) -> Incoming:
        """Begin to receive bytes whose number and hash are not known yet."""
        raise NotImplementedError

    def all_blobs(self) -> list[Blob]:
        """All bytes, whether a row refers to them or not; of a shared store those of yesterday."""
        raise NotImplementedError

    def remove(self, sha256: str) -> int:
        """Remove bytes from a store that is not shared; the number of bytes."""
        raise NotImplementedError

    def set_aside(self, hashes: Collection[str], token: str) -> None:
        """Hide bytes of a shared store from `has`, until they are removed or put back.

        Args:
            token: identifies who does this; another may set the same bytes aside.
        """

    def remove_aside(self, hashes: Collection[str], token: str, *, deadline: float) -> int:
        """Remove bytes that were set aside; the number of bytes.

        Args:
            deadline: when to leave the rest to others, by `time.monotonic`.
        """
        raise NotImplementedError

    def put_back(self, hashes: Collection[str], token: str) -> None:
        """Undo `set_aside`."""

    def left_aside(self) -> dict[str, set[str]]:
        """The hashes that were set aside long ago, by the token of who was killed since."""
        raise NotImplementedError

    def sweep(self) -> None:
        """Remove partial copies of processes that crashed."""

    def check_room(self, size: int, keep_free: int) -> None:
        """Check that the disk has room for `size` more bytes.

        Args:
            keep_free: how many bytes must stay free.

        Raises:
            DiskFullError: it has not.
        """
