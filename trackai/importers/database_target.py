"""Imports into a database file: bytes are stored before the rows that name them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from anyio.to_thread import run_sync

from trackai.importers.import_lock import import_lock
from trackai.importers.incoming_files import DAMAGED, MISSING, Content, Occurrences
from trackai.importers.storing import Storing
from trackai.store.blobs.blob_store import Blob, Incoming
from trackai.structs.exchange import ArtifactHead, FileHead

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from trackai.importers.incoming_files import FindBytes
    from trackai.importers.target import Done, Stored
    from trackai.store.engine.database import Database
    from trackai.structs.exchange import Chunk, Item, RunEnd


class DatabaseTarget:
    """Stores an import in a database; see `trackai.importers.target`.

    Args:
        find_bytes: returns the path of a file's bytes, for sources that do not send them as
            chunks.
    """

    def __init__(self, db: Database, find_bytes: FindBytes) -> None:
        self._db = db
        self._find_bytes = find_bytes
        self._current: tuple[str, Incoming] | None = None
        self._present = ""  # the hash of bytes that are here, and were sent last
        self._blobs: dict[str, Blob] = {}
        self._sources: dict[str, Path] = {}
        self._occurrences = Occurrences()
        self._storing = Storing(db, self._sources)
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        self._stack.enter_context(import_lock(self._db))
        self._db.blobs.sweep()
        return self

    async def __aexit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._current is not None:
            self._current[1].discard()
        self._stack.close()

    async def add_chunk(self, chunk: Chunk) -> None:
        """Take a piece of a file's bytes; the pieces of one file follow each other.

        A file that is complete may follow once more.
        """
        await run_sync(self._add_chunk, chunk)

    def _add_chunk(self, chunk: Chunk) -> None:
        if self._current is None or self._current[0] != chunk.sha256:
            if chunk.sha256 == self._present:
                return
            self._finish_bytes()
            if self._db.blobs.find(chunk.sha256) is not None:
                self._present = chunk.sha256
                return
            self._current = (chunk.sha256, self._db.blobs.incoming())
        elif self._current[1].sha256 == chunk.sha256:
            return
        self._current[1].write(chunk.data)

    def _finish_bytes(self) -> None:
        """Keep the bytes of the current file if they match their hash; discard them otherwise."""
        if self._current is not None:
            sha256, incoming = self._current
            self._current = None
            if incoming.sha256 == sha256:
                self._blobs[sha256] = incoming.keep()
            incoming.discard()

    async def put(self, item: Item | RunEnd, done: Done) -> None:
        """Store an item of a run whose head was put before."""
        reasons: dict[str, str] = {}

        def tell(stored: Stored) -> None:
            done(stored, reasons)

        if isinstance(item, FileHead):
            content = await run_sync(self._content, item)
            if content.reason is not None:
                reasons[item.name] = content.reason
            await self._storing.put(self._occurrences.number(item, content.blob), tell)
            return
        if isinstance(item, ArtifactHead):
            for file in item.file_heads():
                content = await run_sync(self._content, file)
                if content.reason is not None:
                    reasons[file.name] = content.reason
        await self._storing.put(item, tell)

    async def flush(self) -> None:
        """Store what has been put."""
        await self._storing.flush()

    def _content(self, head: FileHead) -> Content:
        """Copy the bytes of a file into the store, or find them there."""
        self._finish_bytes()
        if head.sha256 is not None:
            blob = Blob(head.size or 0, head.sha256)
            if head.sha256 in self._blobs or self._db.blobs.has(blob):
                return Content(blob)
        source = self._find_bytes(head)
        if source is None:
            # Without a hash, the source has no bytes of the file either: nothing is lost.
            return Content(reason=None if head.sha256 is None else MISSING)
        try:
            blob = self._db.blobs.keep(source)
        except (PermissionError, FileNotFoundError):
            return Content(reason=MISSING)
        if head.sha256 not in (None, blob.sha256):
            return Content(reason=DAMAGED)
        self._sources[blob.sha256] = source
        return Content(blob, source)
