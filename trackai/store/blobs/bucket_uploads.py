"""Uploads to a bucket, of which any server may get the next chunk.

Objects, each with the row id of the key, whose clients continue each other's uploads:

    uploads/<key>/<SHA-256>/<end>   a chunk, named after where it ends in the file
    sent/<SHA-256>/<key>            a receipt

A chunk is stored once the chunk is there that ends where it begins, so the last one tells how many
bytes have arrived, without a list of all. The chunk that completes the file is not stored: with
it, the server writes the whole file, and checks its hash while it does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from trackai.errors import InvalidInputError, StoreBusyError, StoreError
from trackai.store.blobs import blob_store
from trackai.store.blobs.blob_store import KEPT_SECONDS, Received, TooManyUploadsError, check_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trackai.store.blobs.blob_store import Blob, Sender
    from trackai.store.blobs.objects import Bucket

# How long a client waits while its file is written; later it asks again. Its own limit is 60.
_ANSWER_SECONDS = 40.0
# Chunks that are read at the same time.
_AHEAD = 8


class _Blobs(Protocol):
    """What is needed of `BucketBlobs`."""

    def present(self, blobs: Iterable[Blob]) -> set[Blob]: ...
    def put_blob(self, blob: Blob, chunks: Iterable[bytes]) -> None: ...


class BucketUploads:
    """The uploads to a bucket; see `trackai.store.blobs.blob_store.Uploads`."""

    def __init__(self, bucket: Bucket, blobs: _Blobs) -> None:
        self._bucket, self._blobs = bucket, blobs
        self._writing: dict[str, Future[None]] = {}
        self._lock = threading.Lock()

    def received(self, blob: Blob, sender: Sender) -> Received:
        """How many of these bytes are here that the sender may know of."""
        if self.is_complete(blob, sender):
            return Received(blob.size, complete=True)
        ends = (_end(item["path"]) for item in self._bucket.objects(_folder(blob, sender)))
        return Received(max(ends, default=0), complete=False)

    def is_complete(self, blob: Blob, sender: Sender) -> bool:
        """Whether all of these bytes are here, and the sender may refer to them."""
        return blob in self.complete({blob: sender})

    def complete(self, senders: Mapping[Blob, Sender]) -> set[Blob]:
        """Those of many bytes for which `is_complete` is true."""
        present = self._blobs.present(senders)
        limited = [blob for blob in present if not senders[blob].may_reuse]
        receipts = self._bucket.sizes([_receipt(blob, senders[blob]) for blob in limited])
        lacking = {blob for blob, size in zip(limited, receipts, strict=True) if size is None}
        return present - lacking

    def append(
        self, blob: Blob, sender: Sender, offset: int, chunk: bytes, *, keep_free: int = 0
    ) -> Received:
        """Add a chunk; the last one makes the bytes complete, and they are checked."""
        if self.is_complete(blob, sender):
            return Received(blob.size, complete=True)
        folder = _folder(blob, sender)
        if offset and self._bucket.size(_chunk(folder, offset)) is None:
            return self.received(blob, sender)
        end = offset + len(chunk)
        if end > blob.size:
            raise InvalidInputError("body", f"more bytes than the {blob.size} announced")
        if end < blob.size:
            if not offset:
                self._check_number(folder)
            if chunk:
                self._bucket.put(_chunk(folder, end), chunk)
            return Received(end, complete=False)
        self._write(blob, folder, offset, chunk)
        self._bucket.put(_receipt(blob, sender), b"")  # only of bytes that were checked
        if offset:
            self._remove(folder)
        return Received(blob.size, complete=True)

    def sent(self) -> set[str]:
        """The hashes of bytes that were sent lately; rows that refer to them may follow."""
        return {folder.rpartition("/")[2] for folder in self._bucket.folders("sent")}

    def remove_old(self) -> set[str]:
        """Remove old uploads and receipts; the hashes of the latter."""
        newest: dict[str, float] = {}
        paths: dict[str, list[str]] = {}
        for item in self._bucket.objects("uploads"):
            folder = item["path"].rpartition("/")[0]
            paths.setdefault(folder, []).append(item["path"])
            newest[folder] = max(newest.get(folder, 0.0), item["last_modified"].timestamp())
        before = time.time() - KEPT_SECONDS
        for folder, time_ in newest.items():
            if time_ < before:
                self._bucket.delete(paths[folder])
        hashes = set()
        for item in self._bucket.objects("sent"):
            if item["last_modified"].timestamp() < before:
                hashes.add(item["path"].split("/")[1])
                self._bucket.delete(item["path"])
        return hashes

    def _check_number(self, folder: str) -> None:
        folders = self._bucket.folders(folder.rpartition("/")[0])
        if folder not in folders and len(folders) >= blob_store.MAX_UPLOADS:
            raise TooManyUploadsError

    def _write(self, blob: Blob, folder: str, offset: int, last: bytes) -> None:
        """Write a file of chunks that are there and a last one.

        That may take longer than a client waits. It goes on then, and the client sends the last
        chunk again later, which waits for the same work.

        Raises:
            StoreBusyError: it takes longer.
            InvalidInputError: the bytes have another hash; they are removed.
        """
        if not offset:
            self._blobs.put_blob(blob, [last])
            return
        with self._lock:
            writing = self._writing.get(folder)
            if writing is None:
                writing = self._writing[folder] = Future()
                arguments = (writing, blob, folder, offset, last)
                threading.Thread(target=self._join, args=arguments, daemon=True).start()
        try:
            writing.result(_ANSWER_SECONDS)
        except TimeoutError:
            raise StoreBusyError("the file is still being checked: try again in a moment") from None

    def _join(
        self, writing: Future[None], blob: Blob, folder: str, offset: int, last: bytes
    ) -> None:
        try:
            ends = _ends(self._bucket.objects(folder), offset)
            self._blobs.put_blob(blob, self._read(folder, ends, last))
        except InvalidInputError as error:
            self._remove(folder)
            self._finish(folder, writing, error)
        except BaseException as error:  # for the waiting request
            self._finish(folder, writing, error)
        else:
            self._finish(folder, writing, None)

    def _finish(self, folder: str, writing: Future[None], error: BaseException | None) -> None:
        with self._lock:
            del self._writing[folder]
        if error is None:
            writing.set_result(None)
        else:
            writing.set_exception(error)

    def _read(self, folder: str, ends: list[int], last: bytes) -> Iterator[bytes]:
        """Yield chunks in their order, of which some are read ahead."""
        waiting: deque[Future[bytes]] = deque()
        with ThreadPoolExecutor(_AHEAD) as pool:
            for end in ends:
                waiting.append(pool.submit(self._bucket.get, _chunk(folder, end)))
                if len(waiting) == _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        yield last

    def _remove(self, folder: str) -> None:
        with suppress(StoreError):  # `remove_old` does it tomorrow
            self._bucket.delete([item["path"] for item in self._bucket.objects(folder)])


def _ends(chunks: list[Any], end: int) -> list[int]:
    """Where the chunks end that make up the first `end` bytes, in order."""
    sizes = {_end(item["path"]): item["size"] for item in chunks}
    ends = []
    while end > 0 and sizes.get(end):
        ends.append(end)
        end -= sizes[end]
    return ends[::-1]


def _folder(blob: Blob, sender: Sender) -> str:
    return f"uploads/{sender.key_id}/{check_hash(blob.sha256)}"


def _receipt(blob: Blob, sender: Sender) -> str:
    return f"sent/{check_hash(blob.sha256)}/{sender.key_id}"


def _chunk(folder: str, end: int) -> str:
    return f"{folder}/{end}"


def _end(path: str) -> int:
    return int(path.rpartition("/")[2])
