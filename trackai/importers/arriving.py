"""Files of runs on their way in: the bytes first, then the rows that name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from trackai.store.catalogue import files
from trackai.store.catalogue.files import Blob, Incoming, NewFile
from trackai.store.transfer import load
from trackai.structs.exchange import Chunk, FileHead

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.importers.receipt import Receipt
    from trackai.store.catalogue.files import StoredFile
    from trackai.store.engine.database import Database

FindBytes = Callable[[FileHead], Path | None]
MISSING = "its bytes are missing"
DAMAGED = "its bytes are not those that it should have"
TYPE = "files"


class Files:
    """The files of an import.

    Two files of a run are the same if they have the same writer, names, place and source; those
    that are so several times in the source are so here.
    """

    def __init__(self, db: Database, receipt: Receipt, find_bytes: FindBytes | None) -> None:
        self._db = db
        self._receipt = receipt
        self._find = find_bytes or (lambda head: None)
        self._chunks: tuple[str, Incoming] | None = None
        self._kept: dict[str, Blob] = {}
        # What was here before this import, without what it has met again.
        self._present: dict[int, dict[files.Identity, list[StoredFile]]] = {}

    def __enter__(self) -> Files:
        files.sweep(self._db.path)
        return self

    def __exit__(self, *error: object) -> None:
        if self._chunks is not None:
            self._chunks[1].discard()

    def take(self, chunk: Chunk) -> None:
        """Bytes of a file that will be named."""
        if files.find_bytes(self._db.path, chunk.sha256) is not None:
            return
        if self._chunks is None or self._chunks[0] != chunk.sha256:
            self.settle()
            self._chunks = (chunk.sha256, Incoming(self._db.path))
        self._chunks[1].write(chunk.data)

    def settle(self) -> None:
        """No more bytes follow of those that have come last."""
        if self._chunks is not None:
            sha256, incoming = self._chunks
            self._chunks = None
            if incoming.sha256 == sha256:
                self._kept[sha256] = incoming.keep()
            incoming.discard()

    async def store(self, ids: Mapping[str, int], heads: Sequence[FileHead]) -> None:
        """Store files that are not there yet."""
        await run_sync(self.settle)
        blobs = [await run_sync(self._bytes, head) for head in heads]
        async with self._db.write() as conn:
            for head, (blob, path, reason) in zip(heads, blobs, strict=True):
                counts = self._receipt.of(TYPE)
                counts.read += 1
                if blob is not None and not files.has(self._db.path, blob):
                    # Since they were kept, the last run that had them may have been deleted.
                    blob = None if path is None else files.keep(self._db.path, path)
                new = await self._add(conn, ids[head.run_uid], head, blob)
                if reason is not None:
                    counts.refuse(reason)
                    self._receipt.problem(f"{head.path} ({head.source})", f"not stored: {reason}")
                elif new:
                    counts.stored += 1
                else:
                    counts.already_there += 1

    def _bytes(self, head: FileHead) -> tuple[Blob | None, Path | None, str | None]:
        """The bytes of a file, now that they are here, where they come from, or why they do not."""
        if head.sha256 is not None:
            blob = Blob(head.size or 0, head.sha256)
            if head.sha256 in self._kept or files.has(self._db.path, blob):
                return blob, None, None
        path = self._find(head)
        if path is None:
            # Where they were missing before, that is no news.
            return None, None, None if head.sha256 is None else MISSING
        try:
            blob = files.keep(self._db.path, path)
        except (PermissionError, FileNotFoundError):
            return None, None, MISSING
        if head.sha256 not in (None, blob.sha256):
            return None, None, DAMAGED
        return blob, path, None

    async def _add(self, conn: Connection, run_id: int, head: FileHead, blob: Blob | None) -> bool:
        """Note a file, or put its bytes in the place of one without any; whether that was news."""
        writer_id = await load.writer(conn, run_id, head.writer)
        if run_id not in self._present:
            self._present[run_id] = defaultdict(list)
            for one in await files.stored(conn, run_id):
                self._present[run_id][one.identity].append(one)
        new = NewFile(head.path, head.kind, head.name, head.step, head.timestamp, head.source, blob)
        alike = self._present[run_id][files.identity(writer_id, new)]
        sha256 = None if blob is None else blob.sha256
        for known in alike:
            if blob is None or known.sha256 == sha256:
                alike.remove(known)
                return False
        for known in alike:
            if known.sha256 is None and blob is not None:
                alike.remove(known)
                await files.fill_in(conn, known.id, [(head.name, blob)])
                return True
        await files.add(conn, run_id, writer_id, [new])
        return True
