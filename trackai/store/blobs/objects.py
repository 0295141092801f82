"""Objects in a bucket of S3, or of anything that speaks its protocol."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from trackai.errors import InvalidInputError
from trackai.store.blobs.blob_store import BlobsUnreachableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_OPTIONS = ("endpoint", "region")
# Of one request, which moves at most a part of an object; and of its repetitions.
_REQUEST_SECONDS = 20
_RETRIES = 3
# Objects are written in parts, of which S3 allows 10 000, and so many at the same time.
PART_BYTES = 5 << 20
_MAX_PARTS = 9_000
_CONCURRENT_PARTS = 4
_CONCURRENT_REQUESTS = 32
# In the address where virtual machines find the keys of their role, if they have one.
_METADATA = "/latest/api/token"
# Bytes that one request reads.
_READ_BYTES = 4 << 20


class Bucket:
    """A bucket, or a prefix in one: s3://BUCKET/PREFIX?endpoint=URL&region=NAME.

    Everything else, such as keys, comes from the usual environment variables (AWS_*) or from the
    role of the machine. All methods raise BlobsUnreachableError.

    Attributes:
        name: the URL without its options.
    """

    def __init__(self, url: str) -> None:
        """Read the URL; no request is made.

        Raises:
            InvalidInputError: it is invalid.
        """
        bucket, prefix, options = _parse(url)
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._store = _connect(bucket, prefix, options)

    def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        with _errors(self.name):
            obstore.put(self._store, key, data, use_multipart=False)

    def put_parts(self, key: str, chunks: Iterable[bytes], size: int) -> None:
        """Write an object of about this size in parts; not if `chunks` raises an exception."""
        with _errors(self.name):
            obstore.put(
                self._store,
                key,
                chunks,
                chunk_size=max(PART_BYTES, size // _MAX_PARTS),
                max_concurrency=_CONCURRENT_PARTS,
            )

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Read an object, or `size` bytes of it.

        Raises:
            FileNotFoundError: it does not exist.
        """
        with _errors(self.name, may_be_missing=True):
            if size is None:
                return bytes(obstore.get(self._store, key).bytes())
            return bytes(obstore.get_range(self._store, key, start=start, length=size))

    def size(self, key: str) -> int | None:
        """The size of an object; None if it does not exist."""
        with suppress(FileNotFoundError), _errors(self.name, may_be_missing=True):
            return obstore.head(self._store, key)["size"]
        return None

    def sizes(self, keys: Collection[str]) -> list[int | None]:
        """The sizes of many objects, in their order."""
        if len(keys) < 2:
            return [self.size(key) for key in keys]
        with ThreadPoolExecutor(min(len(keys), _CONCURRENT_REQUESTS)) as pool:
            return [*pool.map(self.size, keys)]

    def objects(self, folder: str) -> list[Any]:
        """The objects below a folder, each with "path", "size" and "last_modified"."""
        with _errors(self.name):
            return [*obstore.list(self._store, folder).collect()]

    def folders(self, folder: str) -> list[str]:
        """The folders in a folder."""
        with _errors(self.name):
            return [*obstore.list_with_delimiter(self._store, folder)["common_prefixes"]]

    def delete(self, keys: str | list[str]) -> None:
        """Remove objects that may not exist."""
        with suppress(FileNotFoundError), _errors(self.name, may_be_missing=True):
            obstore.delete(self._store, keys)


class BucketFile:
    """Bytes in a bucket."""

    def __init__(self, bucket: Bucket, key: str, size: int) -> None:
        self._bucket, self._key, self.size = bucket, key, size

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """Open them for reading; each request reads a few megabytes."""
        raw = _RawObject(self._bucket, self._key, self.size)
        return io.BufferedReader(raw, min(_READ_BYTES, max(self.size, 1)))


class _RawObject(io.RawIOBase):
    def __init__(self, bucket: Bucket, key: str, size: int) -> None:
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

    def readall(self) -> bytes:
        # The inherited one makes a request for each few kilobytes.
        size = max(self._size - self._position, 0)
        data = self._bucket.get(self._key, self._position, size) if size else b""
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._size - self._position)
        if size <= 0:
            return 0
        data = self._bucket.get(self._key, self._position, size)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


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
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={
            "allow_http": True,  # if the endpoint says so
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
    if _METADATA in text.partition("\n")[0]:
        return "no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    code = re.search("<Code>([^<]*)</Code>", text)
    message = re.search("<Message>([^<]*)</Message>", text)
    if code:
        return f"{message[1] if message else 'refused'} ({code[1]})"
    if status := re.search(r"status code: (\d+ [A-Za-z ]*\w)", text):
        return f"it answered {status[1]}"
    if cause := re.search('(?:message|error): "([^"]+)"', text):
        return cause[1]
    if "TimedOut" in text or "Timeout" in text:
        return f"no answer within {_REQUEST_SECONDS} seconds"
    return text.partition("\n")[0].rpartition(" - ")[2]
