"""Bytes in a bucket of S3, or of anything that speaks its protocol.

Objects, below the prefix of the URL:

    blobs/ab/cdef...              the bytes with the SHA-256 abcdef...
    aside/<SHA-256>/<token>       says that these bytes are being removed
    uploads/..., sent/...         see `bucket_uploads`
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qsl, urlsplit

from trackai.errors import InvalidInputError, MissingExtraError, StoreBusyError
from trackai.store.blobs.blob_store import (
    ASIDE_SECONDS,
    CHUNK_BYTES,
    KEPT_SECONDS,
    Blob,
    BlobsUnreachableError,
    check_hash,
)
from trackai.store.blobs.bucket_uploads import BucketUploads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from obstore.store import S3Store

_OPTIONS = ("endpoint", "region")
# Of one request, which moves at most a part of an object; and of its repetitions.
_REQUEST_SECONDS = 20
_RETRIES = 3
# Objects are written in parts, of which S3 allows 10 000, and so many at the same time.
_PART_BYTES = 5 << 20
_MAX_PARTS = 9_000
_CONCURRENT_PARTS = 4
# Looks whether others remove the same bytes, and the seconds between two.
_ASIDE_CHECKS, _ASIDE_PAUSE = 10, 0.5
_CONCURRENT_REQUESTS = 32
# Bytes that one request reads.
_READ_BYTES = 4 << 20


class BucketBlobs:
    """A bucket, or a prefix in one: s3://BUCKET/PREFIX?endpoint=URL&region=NAME.

    Everything else, such as keys, comes from the usual environment variables (AWS_*) or from the
    role of the machine.
    """

    is_shared = True

    def __init__(self, url: str) -> None:
        """Read the URL; no request is made.

        Raises:
            InvalidInputError: it is invalid.
            MissingExtraError: obstore is not installed.
        """
        bucket, prefix, options = _parse(url)
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._store = _connect(bucket, prefix, options)

    @cached_property
    def uploads(self) -> BucketUploads:
        """The bytes that clients are sending."""
        return BucketUploads(self)

    def check(self) -> None:
        """Check that objects can be written, listed, read and removed.

        Raises:
            BlobsUnreachableError: they cannot.
        """
        key = f"check/{uuid.uuid4().hex}"
        self.put(key, b"x")
        self.objects("check")
        self.get(key)
        self.delete(key)

    def find(self, sha256: str | None) -> BucketFile | None:
        """The bytes with this hash; None if they are not in the bucket."""
        size = None if sha256 is None else self.size(_key(sha256))
        return None if size is None or sha256 is None else BucketFile(self, _key(sha256), size)

    def has(self, blob: Blob) -> bool:
        """Whether the bucket has these bytes, and nobody removes them."""
        return blob in self.present([blob])

    def present(self, blobs: Iterable[Blob]) -> set[Blob]:
        """Those of many bytes that the bucket has, and nobody removes."""
        keys = {blob: _key(blob.sha256) for blob in blobs}
        # In this order: who has removed them in between was seen as removing them.
        aside = {item["path"].split("/")[1] for item in self.objects("aside")}
        sizes = zip(keys, self.sizes(keys.values()), strict=True)
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
        part_bytes = max(_PART_BYTES, blob.size // _MAX_PARTS)
        if blob.size <= part_bytes:
            data = b"".join(_checked(blob, chunks))
            self.put(_key(blob.sha256), data)
            return
        import obstore

        with _errors(self.name):
            obstore.put(
                self._store, _key(blob.sha256), _checked(blob, chunks),
                chunk_size=part_bytes, max_concurrency=_CONCURRENT_PARTS,
            )  # fmt: skip

    def incoming(self) -> BucketIncoming:
        """Begin to receive bytes whose number and hash are not known yet."""
        return BucketIncoming(self)

    def all_blobs(self) -> list[Blob]:
        """All bytes that have been here for a day, whether a row refers to them or not."""
        return [
            Blob(item["size"], item["path"].removeprefix("blobs/").replace("/", ""))
            for item in self.objects("blobs")
            if _age(item) > KEPT_SECONDS
        ]

    def remove(self, sha256: str) -> int:
        """Not for a shared store."""
        raise NotImplementedError

    def set_aside(self, hashes: Collection[str], token: str) -> None:
        """Write that bytes are being removed."""
        for sha256 in hashes:
            self.put(_aside(sha256, token), b"")

    def remove_aside(self, hashes: Collection[str], token: str, *, deadline: float) -> int:
        """Remove bytes that were set aside; the number of bytes."""
        freed = 0
        for sha256 in hashes:
            if time.monotonic() > deadline:
                break
            freed += self.size(_key(sha256)) or 0
            self.delete(_key(sha256))
            self.delete(_aside(sha256, token))
        return freed

    def put_back(self, hashes: Collection[str], token: str) -> None:
        """Undo `set_aside`."""
        for sha256 in hashes:
            self.delete(_aside(sha256, token))

    def left_aside(self) -> dict[str, set[str]]:
        """The hashes that were set aside long ago, by their token."""
        by_token: dict[str, set[str]] = {}
        for item in self.objects("aside"):
            if _age(item) > ASIDE_SECONDS:
                _, sha256, token = item["path"].split("/")
                by_token.setdefault(token, set()).add(sha256)
        return by_token

    def sweep(self) -> None:
        """Do nothing: a bucket shows no object that is not complete."""

    def check_room(self, size: int, keep_free: int) -> None:
        """Do nothing: a bucket is never full."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        import obstore

        with _errors(self.name):
            obstore.put(self._store, key, data, use_multipart=False)

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Read an object, or `size` bytes of it.

        Raises:
            FileNotFoundError: it does not exist.
        """
        import obstore

        with _errors(self.name, may_be_missing=True):
            if size is None:
                return bytes(obstore.get(self._store, key).bytes())
            return bytes(obstore.get_range(self._store, key, start=start, length=size))

    def size(self, key: str) -> int | None:
        """The size of an object; None if it does not exist."""
        import obstore

        with suppress(FileNotFoundError), _errors(self.name, may_be_missing=True):
            return obstore.head(self._store, key)["size"]
        return None

    def sizes(self, keys: Collection[str]) -> list[int | None]:
        """The sizes of many objects, in their order."""
        if len(keys) < 2:
            return [self.size(key) for key in keys]
        with ThreadPoolExecutor(min(len(keys), _CONCURRENT_REQUESTS)) as pool:
            return [*pool.map(self.size, keys)]

    def _wait_aside(self, sha256: str) -> None:
        """Wait until nobody removes these bytes."""
        for _ in range(_ASIDE_CHECKS):
            if not self.objects(f"aside/{check_hash(sha256)}"):
                return
            time.sleep(_ASIDE_PAUSE)
        raise StoreBusyError("these bytes are being removed: try again in a moment")

    def objects(self, folder: str) -> list[Any]:
        """The objects below a folder, each with "path", "size" and "last_modified"."""
        import obstore

        with _errors(self.name):
            return [*obstore.list(self._store, folder).collect()]

    def folders(self, folder: str) -> list[str]:
        """The folders in a folder."""
        import obstore

        with _errors(self.name):
            return [*obstore.list_with_delimiter(self._store, folder)["common_prefixes"]]

    def delete(self, keys: str | list[str]) -> None:
        """Remove objects that may not exist."""
        import obstore

        with suppress(FileNotFoundError), _errors(self.name, may_be_missing=True):
            obstore.delete(self._store, keys)


class BucketFile:
    """Bytes in a bucket."""

    def __init__(self, bucket: BucketBlobs, key: str, size: int) -> None:
        self._bucket, self._key, self.size = bucket, key, size

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Open them for reading; each request reads a few megabytes."""
        raw = _RawObject(self._bucket, self._key, self.size)
        return io.BufferedReader(raw, min(_READ_BYTES, max(self.size, 1)))


class _RawObject(io.RawIOBase):
    def __init__(self, bucket: BucketBlobs, key: str, size: int) -> None:
        self._bucket, self._key, self._size = bucket, key, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._size - self._position)
        if size <= 0:
            return 0
        data = self._bucket.get(self._key, self._position, size)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class BucketIncoming:
    """Bytes that are being received in chunks, in a temporary file."""

    def __init__(self, bucket: BucketBlobs) -> None:
        self._bucket = bucket
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
        if not self._bucket.has(blob):
            self._file.seek(0)
            self._bucket.put_blob(blob, iter(lambda: self._file.read(CHUNK_BYTES), b""))
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


def _parse(url: str) -> tuple[str, str, dict[str, str]]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if (
        parts.scheme != "s3"
        or not parts.netloc
        or parts.fragment
        or not options.keys() <= {*_OPTIONS}
    ):
        raise InvalidInputError(
            "TRACKAI_FILES",
            "must be a folder, or a bucket such as s3://BUCKET/PREFIX, with ?endpoint=URL and "
            f"&region=NAME if needed, got {url[:200]!r}",
        )
    endpoint = options.get("endpoint")
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidInputError(
            "TRACKAI_FILES",
            f"endpoint: must begin with http:// or https://, got {endpoint[:200]!r}",
        )
    return parts.netloc, parts.path.strip("/"), options


def _connect(bucket: str, prefix: str, options: dict[str, str]) -> S3Store:
    try:
        from obstore.store import S3Store
    except ModuleNotFoundError:
        raise MissingExtraError("keeping files in a bucket", "s3") from None
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={
            "allow_http": options.get("endpoint", "").startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=_REQUEST_SECONDS),
        },
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=_REQUEST_SECONDS),
        },
        **cast("Any", options),
    )


@contextmanager
def _errors(name: str, *, may_be_missing: bool = False) -> Iterator[None]:
    """Turn the errors of obstore into one sentence.

    Args:
        may_be_missing: let FileNotFoundError through, of an object that does not exist.
    """
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:  # obstore's NotFoundError; also for a missing bucket
        if may_be_missing and "NoSuchBucket" not in str(error):
            raise
        raise _unreachable(name, error) from error
    except BaseError as error:
        raise _unreachable(name, error) from error


def _unreachable(name: str, error: Exception) -> BlobsUnreachableError:
    return BlobsUnreachableError(
        f"cannot use the bucket {name} (TRACKAI_FILES): {_reason(str(error))}"
    )


def _reason(text: str) -> str:
    """What went wrong, from a message of many lines that ends with the fields of all errors."""
    code = re.search("<Code>([^<]*)</Code>", text)
    message = re.search("<Message>([^<]*)</Message>", text)
    if code:
        return f"{message[1] if message else 'refused'} ({code[1]})"
    if status := re.search(r"status code: (\d+ [A-Za-z ]*\w)", text):
        return f"it answered {status[1]}"
    if cause := re.search('message: "([^"]+)"', text):
        return cause[1]
    if "TimedOut" in text or "Timeout" in text:
        return f"no answer within {_REQUEST_SECONDS} seconds"
    return text.partition("\n")[0].rpartition(" - ")[2]
