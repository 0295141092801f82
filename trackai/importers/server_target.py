"""Imports into a server: items are sent in batches, and the bytes of files before them."""

from __future__ import annotations

import asyncio
import hashlib
import math
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import msgspec
from anyio.to_thread import run_sync

from trackai.client.connection import JSON
from trackai.client.forwarder import in_thread
from trackai.errors import ServerRefusedError, ServerUnreachableError
from trackai.importers import wire
from trackai.importers.incoming_files import DAMAGED, MISSING, Content, Occurrences
from trackai.importers.target import Stored, run_of
from trackai.store.blobs.blob_store import Blob, Received
from trackai.structs.exchange import ArtifactHead, FileHead, RunHead

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from trackai.client.connection import Answer, Connection
    from trackai.importers.incoming_files import FindBytes
    from trackai.importers.storing import Storable
    from trackai.importers.target import Done
    from trackai.structs.exchange import Chunk, Item, RunEnd

T = TypeVar("T")

_BYTES = {"Content-Type": "application/octet-stream"}
# A batch takes the server well below a second, as others may wait for it, and its size is below the
# limit of 1 MB that nginx has by default.
_POINTS = 50_000
_BATCH_BYTES = 1_000_000
_FILES = 200
# Files that are sent at the same time.
_UPLOADS = 4
# Bytes of files that wait on this disk to be sent.
_WAITING_BYTES = 64_000_000
_CHUNK_BYTES = 1_000_000
# Between attempts to reach a server that has answered before, or is busy, in seconds.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class ServerTarget:
    """Stores an import on a server; see `trackai.importers.target`.

    The next batch is collected while the server stores the one before.

    Args:
        find_bytes: returns the path of a file's bytes, for sources that do not send them as
            chunks.
    """

    def __init__(self, connection: Connection, find_bytes: FindBytes) -> None:
        self._connection = connection
        self._find_bytes = find_bytes
        self._heads: dict[str, RunHead] = {}
        self._occurrences = Occurrences()
        self._files: list[tuple[FileHead, Done]] = []
        self._batch = _Batch()
        self._sending: asyncio.Task[None] | None = None
        self._uploads = asyncio.Semaphore(_UPLOADS)
        self._chunks = _Chunks()
        self._complete: dict[str, int] = {}  # hashes and sizes of bytes that the server has

    async def __aenter__(self) -> Self:
        await self._post(_Batch())  # a wrong key is found before a long source is read
        return self

    async def __aexit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._chunks.close()
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError, ServerRefusedError, ServerUnreachableError):
                await self._sending

    async def add_chunk(self, chunk: Chunk) -> None:
        """Take a piece of a file's bytes; the pieces of one file follow each other."""
        if chunk.sha256 in self._complete:
            return
        await run_sync(self._chunks.add, chunk)
        if self._chunks.size > _WAITING_BYTES:
            await self._send_chunks()

    async def put(self, item: Item | RunEnd, done: Done) -> None:
        """Store an item of a run whose head was put before."""
        if isinstance(item, FileHead):
            self._files.append((item, done))
            if len(self._files) >= _FILES:
                await self._add_files()
            return
        reasons: dict[str, str] = {}
        if isinstance(item, RunHead):
            # What belongs to the end of the run would make each batch larger.
            item = msgspec.structs.replace(
                item, config={}, config_types={}, environment={}, tags=[]
            )
            self._heads[item.uid] = item
        elif isinstance(item, ArtifactHead):
            files = item.file_heads()
            contents = await self._send_bytes(files)
            reasons = {
                file.name: content.reason
                for file, content in zip(files, contents, strict=True)
                if content.reason is not None
            }
        await self._add(item, partial(_tell, done, reasons))

    async def flush(self) -> None:
        """Store what has been put; all outcomes are told on return."""
        await self._add_files()
        await self._send_batch()
        await self._settle()

    async def _add(self, item: Storable, done: Callable[[Stored], None]) -> None:
        packed = wire.pack_item(item)
        points = len(item.steps) if hasattr(item, "steps") else 0
        if not self._batch.has_room(points, len(packed)):
            await self._send_batch()
        uid = run_of(item)
        if not isinstance(item, RunHead) and uid not in self._batch.runs:
            self._batch.add(uid, wire.pack_item(self._heads[uid]), 0, _ignore)
        self._batch.add(uid, packed, points, done)

    async def _add_files(self) -> None:
        files, self._files = self._files, []
        contents = await self._send_bytes([head for head, _ in files])
        for (head, done), content in zip(files, contents, strict=True):
            reasons = {} if content.reason is None else {head.name: content.reason}
            numbered = self._occurrences.number(head, content.blob)
            await self._add(numbered, partial(_tell, done, reasons))

    async def _send_batch(self) -> None:
        """Begin to send the batch, once the server has stored the one before."""
        batch, self._batch = self._batch, _Batch()
        await self._settle()
        if batch.items:
            self._sending = asyncio.create_task(self._post(batch))
            await asyncio.sleep(0)  # it begins

    async def _settle(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending

    async def _post(self, batch: _Batch) -> None:
        outcomes = await self._request(
            list[Stored], "POST", "/api/import", wire.pack(batch.items), _BYTES
        )
        if len(outcomes) != len(batch.done):
            raise ServerRefusedError(f"{self._connection.url} has not answered for all items")
        for done, outcome in zip(batch.done, outcomes, strict=True):
            done(outcome)

    async def _send_bytes(self, heads: Sequence[FileHead]) -> list[Content]:
        """Send the bytes of files that the server lacks."""
        await self._send_chunks()
        contents = [await run_sync(self._find, head) for head in heads]
        lacking = await self._lacking({content.blob for content in contents if content.blob})
        # Files with the same bytes one after the other: the first of them may be missing here.
        alike: dict[str, list[int]] = {}
        for number, content in enumerate(contents):
            if content.blob is not None and content.blob.sha256 in lacking:
                alike.setdefault(content.blob.sha256, []).append(number)

        async def send(numbers: list[int]) -> None:
            async with self._uploads:
                for number in numbers:
                    contents[number] = await self._send_file(heads[number], contents[number])

        await asyncio.gather(*map(send, alike.values()))
        return contents

    async def _send_chunks(self) -> None:
        received = await run_sync(self._chunks.take)
        lacking = await self._lacking(set(received))
        for blob, path in received.items():
            if blob.sha256 in lacking:
                await self._upload(path, blob)
            path.unlink()
            self._complete[blob.sha256] = blob.size

    def _find(self, head: FileHead) -> Content:
        """Find the hash of a file, for which its bytes are read unless the source knows it."""
        if head.sha256 is not None:
            size = self._complete.get(head.sha256, head.size or 0)
            return Content(Blob(size, head.sha256))
        return self._read(head)

    def _read(self, head: FileHead) -> Content:
        source = self._find_bytes(head)
        if source is None:
            # Without a hash, the source has no bytes of the file either: nothing is lost.
            return Content(reason=None if head.sha256 is None else MISSING)
        try:
            with source.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                blob = Blob(file.tell(), sha256)
        except (PermissionError, FileNotFoundError):
            return Content(reason=MISSING)
        if head.sha256 not in (None, sha256):
            return Content(reason=DAMAGED)
        return Content(blob, source)

    async def _lacking(self, blobs: set[Blob]) -> set[str]:
        """The hashes of those bytes that the server lacks."""
        asked = [blob for blob in blobs if blob.sha256 not in self._complete]
        if not asked:
            return set()
        body = msgspec.json.encode({"blobs": asked})
        lacking = set(await self._request(list[str], "POST", "/api/import/lacking", body, JSON))
        self._complete |= {blob.sha256: blob.size for blob in asked if blob.sha256 not in lacking}
        return lacking

    async def _send_file(self, head: FileHead, content: Content) -> Content:
        for _ in range(2):  # once more for a file that has changed meanwhile
            if content.source is None:
                content = await run_sync(self._read, head)
            blob, source = content.blob, content.source
            if blob is None or source is None or blob.sha256 in self._complete:
                return content
            with suppress(PermissionError, FileNotFoundError):
                if await self._upload(source, blob):
                    self._complete[blob.sha256] = blob.size
                    return content
            content = Content()
        return Content(reason=DAMAGED)

    async def _upload(self, path: Path, blob: Blob) -> bool:
        """Send the bytes of a file; False if it has other bytes now."""
        address = f"/api/blobs/{blob.sha256}?size={blob.size}&offset="
        received = 0
        with path.open("rb") as file:
            while True:
                file.seek(received)
                chunk = await run_sync(file.read, min(_CHUNK_BYTES, blob.size - received))
                if not chunk and blob.size:
                    return False
                try:
                    answer = await self._request(
                        Received, "PUT", f"{address}{received}", chunk, _BYTES
                    )
                except ServerRefusedError as error:
                    if error.status != 422:
                        raise
                    return False
                if answer.complete:
                    return True
                received = answer.received

    async def _request(
        self, type_: type[T], method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> T:
        """Send a request; again for a while if the server does not answer.

        Raises:
            ServerUnreachableError: it still does not.
            ServerRefusedError: it refuses the request.
        """
        send: Any = partial(self._connection.request, method, path, body, headers=headers)
        for pause in (*_PAUSES, None):
            retry_after: float | None = None
            try:
                answer: Answer = await in_thread(send)
                return answer.decode(type_)
            except ServerUnreachableError as error:
                retry_after = error.retry_after
                if retry_after is None and self._connection.answered_at == -math.inf:
                    raise
                if pause is None:
                    raise ServerUnreachableError(f"{error}; import again to add the rest") from None
            except ServerRefusedError as error:
                # Another client is sending the same bytes.
                if pause is None or (method, error.status) != ("PUT", 409):
                    raise
            await anyio.sleep(max(pause, retry_after or 0.0))
        raise AssertionError  # for mypy


class _Batch:
    """Items that are sent together, and who is told their outcomes."""

    def __init__(self) -> None:
        self.items: list[msgspec.Raw] = []
        self.done: list[Callable[[Stored], None]] = []
        self.runs: set[str] = set()
        self._points = 0
        self._bytes = 0

    def has_room(self, points: int, size: int) -> bool:
        """Whether an item fits in, which may be alone."""
        return not self.items or (
            self._points + points <= _POINTS and self._bytes + size <= _BATCH_BYTES
        )

    def add(
        self, run_uid: str, packed: msgspec.Raw, points: int, done: Callable[[Stored], None]
    ) -> None:
        """Add an encoded item."""
        self.runs.add(run_uid)
        self.items.append(packed)
        self.done.append(done)
        self._points += points
        self._bytes += len(packed)


class _Chunks:
    """Bytes of files that arrive in pieces, as files in a temporary folder."""

    def __init__(self) -> None:
        self.size = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._complete: dict[Blob, Path] = {}
        self._sha256: str | None = None
        self._digest = hashlib.sha256()
        self._file: Any = None

    def add(self, chunk: Chunk) -> None:
        """Write a piece, unless the current file is complete and follows once more."""
        if self._sha256 == chunk.sha256 == self._digest.hexdigest():
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="trackai-import-")
        if self._sha256 != chunk.sha256:
            self._finish()
            self._sha256, self._digest = chunk.sha256, hashlib.sha256()
            self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by _finish
                dir=self._folder.name, delete=False
            )
        self._file.write(chunk.data)
        self._digest.update(chunk.data)

    def take(self) -> dict[Blob, Path]:
        """Return the complete files, which the caller removes."""
        self._finish()
        taken, self._complete, self.size = self._complete, {}, 0
        return taken

    def close(self) -> None:
        """Remove everything."""
        if self._file is not None:
            self._file.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _finish(self) -> None:
        """Keep the current file if its bytes match their hash; remove it otherwise."""
        if self._file is None:
            return
        size, path = self._file.tell(), Path(self._file.name)
        self._file.close()
        blob = Blob(size, self._digest.hexdigest())
        if blob.sha256 == self._sha256 and blob not in self._complete:
            self._complete[blob] = path
            self.size += size
        else:
            path.unlink()
        self._file = self._sha256 = None


def _tell(done: Done, reasons: Mapping[str, str], stored: Stored) -> None:
    done(stored, reasons)


def _ignore(stored: Stored) -> None:
    """Count nothing: the head of a run that goes along again."""
