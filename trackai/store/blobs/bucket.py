"""Bytes in a bucket of S3, or of anything that speaks its protocol.

Objects, below the prefix of the URL:

    blobs/ab/cdef...              the bytes with the SHA-256 abcdef...
    aside/<SHA-256>/<token>       says that these bytes are being removed
    uploads/..., sent/...         see `bucket_uploads`
"""

from __future__ import annotations

import hashlib
import tempfile
import time
import uuid
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trackai.errors import InvalidInputError, StoreBusyError
from trackai.store.blobs.blob_store import (
    ASIDE_SECONDS,
    CHUNK_BYTES,
    KEPT_SECONDS,
    Blob,
    check_hash,
)
from trackai.store.blobs.bucket_uploads import BucketUploads
from trackai.store.blobs.objects import PART_BYTES, Bucket, BucketFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

# Looks whether others remove the same bytes, and the seconds between two.
_ASIDE_CHECKS, _ASIDE_PAUSE = 10, 0.5


class BucketBlobs:
    """A bucket that several servers share; see `trackai.store.blobs.blob_store.BlobStore`."""

    is_shared = True

    def __init__(self, url: str) -> None:
        """Read the URL; no request is made.

        Raises:
            InvalidInputError: it is invalid.
        """
        self._bucket = Bucket(url)

    @cached_property
    def uploads(self) -> BucketUploads:
        """The bytes that clients are sending."""
        return BucketUploads(self._bucket, self)

    def check(self) -> None:
        """Check that objects can be written, listed, read and removed.

        Raises:
            BlobsUnreachableError: they cannot.
        """
        key = f"check/{uuid.uuid4().hex}"
        self._bucket.put(key, b"x")
        self._bucket.objects("check")
        self._bucket.get(key)
        self._bucket.delete(key)

    def find(self, sha256: str | None) -> BucketFile | None:
        """The bytes with this hash; None if they are not in the bucket."""
        if sha256 is None:
            return None
        size = self._bucket.size(_key(sha256))
        return None if size is None else BucketFile(self._bucket, _key(sha256), size)

    def has(self, blob: Blob) -> bool:
        """Whether the bucket has these bytes, and nobody removes them."""
        return blob in self.present([blob])

    def present(self, blobs: Iterable[Blob]) -> set[Blob]:
        """Those of many bytes that the bucket has, and nobody removes."""
        keys = {blob: _key(blob.sha256) for blob in blobs}
        # In this order: who has removed them in between was seen as removing them.
        aside = {item["path"].split("/")[1] for item in self._bucket.objects("aside")}
        sizes = zip(keys, self._bucket.sizes(keys.values()), strict=True)
        return {blob for blob, size in sizes if size == blob.size and blob.sha256 not in aside}

    def keep(self, source: Path) -> Blob:
        """Store the bytes of a file, unless they are here already."""
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            blob = Blob(file.tell(), sha256)
            if not self.has(blob):
                file.seek(0)
                self.put_blob(blob, iter(lambda: file.read(CHUNK_BYTES), b""))
        return blob

    def put_blob(self, blob: Blob, chunks: Iterable[bytes]) -> None:
        """Store bytes under their hash.

        Raises:
            InvalidInputError: they have another hash; nothing was stored.
            StoreBusyError: they are being removed.
        """
        self._wait_aside(blob.sha256)
        chunks = _checked(blob, chunks)
        if blob.size > PART_BYTES:
            self._bucket.put_parts(_key(blob.sha256), chunks, blob.size)
        else:
            self._bucket.put(_key(blob.sha256), b"".join(chunks))

    def incoming(self) -> BucketIncoming:
        """Begin to receive bytes whose number and hash are not known yet."""
        return BucketIncoming(self)

    def all_blobs(self) -> list[Blob]:
        """All bytes that have been here for a day, whether a row refers to them or not."""
        return [
            Blob(item["size"], item["path"].removeprefix("blobs/").replace("/", ""))
            for item in self._bucket.objects("blobs")
            if _age(item) > KEPT_SECONDS
        ]

    def remove(self, sha256: str) -> int:
        """Not for a shared store."""
        raise NotImplementedError

    def set_aside(self, hashes: Collection[str], token: str) -> None:
        """Write that bytes are being removed."""
        for sha256 in hashes:
            self._bucket.put(_aside(sha256, token), b"")

    def remove_aside(self, hashes: Collection[str], token: str, *, deadline: float) -> int:
        """Remove bytes that were set aside; the number of bytes."""
        freed = 0
        for sha256 in hashes:
            if time.monotonic() > deadline:
                break
            freed += self._bucket.size(_key(sha256)) or 0
            self._bucket.delete(_key(sha256))
            self._bucket.delete(_aside(sha256, token))
        return freed

    def put_back(self, hashes: Collection[str], token: str) -> None:
        """Undo `set_aside`."""
        for sha256 in hashes:
            self._bucket.delete(_aside(sha256, token))

    def left_aside(self) -> dict[str, set[str]]:
        """The hashes that were set aside long ago, by their token."""
        by_token: dict[str, set[str]] = {}
        for item in self._bucket.objects("aside"):
            if _age(item) > ASIDE_SECONDS:
                _, sha256, token = item["path"].split("/")
                by_token.setdefault(token, set()).add(sha256)
        return by_token

    def sweep(self) -> None:
        """Do nothing: a bucket shows no object that is not complete."""

    def check_room(self, size: int, keep_free: int) -> None:
        """Do nothing: a bucket is never full."""

    def _wait_aside(self, sha256: str) -> None:
        """Wait until nobody removes these bytes."""
        for _ in range(_ASIDE_CHECKS):
            if not self._bucket.objects(f"aside/{check_hash(sha256)}"):
                return
            time.sleep(_ASIDE_PAUSE)
        raise StoreBusyError("these bytes are being removed: try again in a moment")


class BucketIncoming:
    """Bytes that are being received in chunks, in a temporary file."""

    def __init__(self, blobs: BucketBlobs) -> None:
        self._blobs = blobs
        self._digest = hashlib.sha256()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - see `discard`

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        self._digest.update(chunk)
        self._file.write(chunk)

    @property
    def sha256(self) -> str:
        """The hash of the chunks so far, in hex."""
        return self._digest.hexdigest()

    def keep(self) -> Blob:
        """Store the bytes in the bucket."""
        blob = Blob(self._file.tell(), self.sha256)
        if not self._blobs.has(blob):
            self._file.seek(0)
            self._blobs.put_blob(blob, iter(lambda: self._file.read(CHUNK_BYTES), b""))
        return blob

    def discard(self) -> None:
        """Remove the temporary file."""
        self._file.close()


def _key(sha256: str) -> str:
    check_hash(sha256)
    return f"blobs/{sha256[:2]}/{sha256[2:]}"


def _aside(sha256: str, token: str) -> str:
    return f"aside/{check_hash(sha256)}/{token}"


def _age(item: Any) -> float:
    return float(time.time() - item["last_modified"].timestamp())


def _checked(blob: Blob, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks; an object of which a later one is refused does not come into being.

    Raises:
        InvalidInputError: the bytes have another hash or size.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if Blob(size, digest.hexdigest()) != blob:
        raise InvalidInputError("body", "the bytes have another SHA-256: send them again")
