"""Files of imported runs: bytes are stored before the rows that name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    from trackai.structs.exchange import ArtifactHead

FindBytes = Callable[[FileHead], Path | None]
MISSING = "file content not found"
DAMAGED = "file content does not match its SHA-256"
TYPE = "files"


class _Content(NamedTuple):
    """The content of a file.

    Attributes:
        blob: the stored bytes; None if there are none.
        source: the path the bytes were copied from.
        reason: why the bytes are not stored.
    """

    blob: Blob | None = None
    source: Path | None = None
    reason: str | None = None


class IncomingFiles:
    """Stores the files of an import; use it as a context manager.

    A file with the same run, writer, names, step, time and source as a stored file is the same
    file. Repeated files are matched one to one.

    Args:
        find_bytes: returns the path of a file's bytes, for sources that do not send them as
            chunks.
    """

    def __init__(self, db: Database, receipt: Receipt, find_bytes: FindBytes | None) -> None:
        self._db = db
        self._receipt = receipt
        self._find_bytes = find_bytes or (lambda head: None)
        self._current: tuple[str, Incoming] | None = None
        self._blobs: dict[str, Blob] = {}
        # Files stored before this import, by run; a match removes them.
        self._unmatched: dict[int, dict[files.Identity, list[StoredFile]]] = {}

    def __enter__(self) -> IncomingFiles:
        files.sweep(self._db.path)
        return self

    def __exit__(self, *error: object) -> None:
        if self._current is not None:
            self._current[1].discard()

    def add_chunk(self, chunk: Chunk) -> None:
        """Write a piece of a file's bytes; the pieces of one file follow each other.

        A file that is complete may follow once more.
        """
        if files.find_bytes(self._db.path, chunk.sha256) is not None:
            return
        if self._current is not None and self._current[1].sha256 == chunk.sha256:
            return
        if self._current is None or self._current[0] != chunk.sha256:
            self.finish_bytes()
            self._current = (chunk.sha256, Incoming(self._db.path))
        self._current[1].write(chunk.data)

    def finish_bytes(self) -> None:
        """Keep the bytes of the current file if they match their hash; discard them otherwise."""
        if self._current is not None:
            sha256, incoming = self._current
            self._current = None
            if incoming.sha256 == sha256:
                self._blobs[sha256] = incoming.keep()
            incoming.discard()

    async def store(self, run_ids: Mapping[str, int], heads: Sequence[FileHead]) -> None:
        """Store the files that are not in the database yet.

        Args:
            run_ids: row ids of runs by their uids.
        """
        await run_sync(self.finish_bytes)
        contents = [await run_sync(self._content, head) for head in heads]
        async with self._db.write() as conn:
            for head, (blob, source, reason) in zip(heads, contents, strict=True):
                counts = self._receipt.counts(TYPE)
                counts.read += 1
                if blob is not None and not files.has(self._db.path, blob):
                    # The last run with these bytes may have been deleted since they were copied.
                    blob = None if source is None else files.keep(self._db.path, source)
                new = await self._add(conn, run_ids[head.run_uid], head, blob)
                if reason is not None:
                    counts.refuse(reason)
                    self._receipt.add_problem(
                        f"{head.path} ({head.source})", f"not stored: {reason}"
                    )
                elif new:
                    counts.stored += 1
                else:
                    counts.already_there += 1

    async def store_artifact(self, run_id: int, head: ArtifactHead) -> int | None:
        """Store a version of an artifact; see `load.add_artifact`."""
        await run_sync(self.finish_bytes)
        contents = [(file, await run_sync(self._content, file)) for file in head.file_heads()]
        for file, content in contents:
            if content.reason is not None:
                self._receipt.add_problem(
                    f"file {file.name} of artifact {head.name}:v{head.version}",
                    f"not stored: {content.reason}",
                )
        async with self._db.write() as conn:
            for _, (blob, source, _) in contents:
                # The last run with these bytes may have been deleted since they were copied.
                if blob is not None and source is not None and not files.has(self._db.path, blob):
                    files.keep(self._db.path, source)
            return await load.add_artifact(conn, run_id, head)

    def _content(self, head: FileHead) -> _Content:
        """Copy the bytes of a file into the store, or find them there."""
        if head.sha256 is not None:
            blob = Blob(head.size or 0, head.sha256)
            if head.sha256 in self._blobs or files.has(self._db.path, blob):
                return _Content(blob)
        source = self._find_bytes(head)
        if source is None:
            # Without a hash, the source has no bytes of the file either: nothing is lost.
            return _Content(reason=None if head.sha256 is None else MISSING)
        try:
            blob = files.keep(self._db.path, source)
        except (PermissionError, FileNotFoundError):
            return _Content(reason=MISSING)
        if head.sha256 not in (None, blob.sha256):
            return _Content(reason=DAMAGED)
        return _Content(blob, source)

    async def _add(self, conn: Connection, run_id: int, head: FileHead, blob: Blob | None) -> bool:
        """Add a file, or the bytes that a stored file lacks; return whether anything changed."""
        writer_id = await load.writer(conn, run_id, head.writer)
        if run_id not in self._unmatched:
            self._unmatched[run_id] = defaultdict(list)
            for stored in await files.stored(conn, run_id):
                self._unmatched[run_id][stored.identity].append(stored)
        new = NewFile(head.path, head.kind, head.name, head.step, head.timestamp, head.source, blob)
        candidates = self._unmatched[run_id][files.identity(writer_id, new)]
        sha256 = None if blob is None else blob.sha256
        for stored in candidates:
            if blob is None or stored.sha256 == sha256:
                candidates.remove(stored)
                return False
        for stored in candidates:
            if stored.sha256 is None and blob is not None:
                candidates.remove(stored)
                await files.fill_in(conn, stored.id, [(head.name, blob)])
                return True
        await files.add(conn, run_id, writer_id, [new])
        return True
