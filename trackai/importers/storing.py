"""Stores the items of an import in a database, many in a transaction."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from trackai.errors import ConflictError
from trackai.importers.target import Stored
from trackai.store.blobs.blob_store import Blob
from trackai.store.blobs.threads import in_thread
from trackai.store.engine.sql import lock
from trackai.store.points import attempts
from trackai.store.transfer.load import (
    add_artifact,
    add_environment,
    add_files,
    add_points,
    add_use,
    begin_run,
    end_run,
    rewind,
    rewound,
)
from trackai.structs.exchange import ArtifactHead, Block, NumberedFile, Rewind, RunHead

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
    from pathlib import Path

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.structs.exchange import RunEnd

T = TypeVar("T")
Storable: TypeAlias = "RunHead | Block | Rewind | NumberedFile | ArtifactHead | RunEnd"

_POINTS_TOGETHER = 50_000
# How long a transaction may take before it begins with another piece.
_SECONDS = 0.05
_FILES_PER_TRANSACTION = 200


class BytesGoneError(ConflictError):
    """Bytes of a file are missing: they were removed before the row that refers to them."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"the bytes of a file are not here ({sha256}): import it again")
        self.sha256 = sha256


class Storing:
    """Stores items in their order; files and points are collected, and stored together.

    Args:
        sources: paths of bytes by their hashes, to copy those from that are removed meanwhile.
    """

    def __init__(self, db: Store, sources: Mapping[str, Path]) -> None:
        self._db = db
        self._sources = sources
        self._run_ids: dict[str, int] = {}
        self._blocks: list[tuple[Block, Callable[[Stored], None]]] = []
        self._points = 0
        self._files: list[tuple[NumberedFile, Callable[[Stored], None]]] = []

    async def put(self, item: Storable, done: Callable[[Stored], None]) -> None:
        """Store an item of a run whose head was put before; `done` is told the outcome."""
        if isinstance(item, Block):
            self._blocks.append((item, done))
            self._points += len(item.steps)
            if self._points >= _POINTS_TOGETHER:
                await self._store_points()
        elif isinstance(item, NumberedFile):
            self._files.append((item, done))
            if len(self._files) >= _FILES_PER_TRANSACTION:
                await self._store_files()
        elif isinstance(item, RunHead):
            done(await self._begin(item))
        elif isinstance(item, Rewind):
            await self._rewind(item)
            done(Stored())
        elif isinstance(item, ArtifactHead):
            done(await self._store_artifact(item))
        else:
            done(await self._end(item.head))

    async def flush(self) -> None:
        """Store what has been put; all outcomes are told on return."""
        await self._store_files()
        await self._store_points()

    async def _begin(self, head: RunHead) -> Stored:
        self._run_ids[head.uid], is_new = await self._db.change(partial(begin_run, head=head))
        return Stored(new=int(is_new))

    async def _store_points(self) -> None:
        blocks, self._blocks, self._points = self._blocks, [], 0
        while blocks:
            new_points = await self._db.change(
                partial(_store_blocks, [block for block, _ in blocks], self._run_ids)
            )
            for (_, done), new in zip(blocks, new_points, strict=False):
                done(Stored(new))
            blocks = blocks[len(new_points) :]

    async def _store_files(self) -> None:
        numbered, self._files = self._files, []
        if not numbered:
            return
        heads = [file.head for file, _ in numbered]
        blobs = [Blob(head.size or 0, head.sha256) for head in heads if head.sha256 is not None]
        add = partial(
            add_files, numbered=[(self._run_ids[file.run_uid], file) for file, _ in numbered]
        )
        is_new = await self._change(add, blobs)
        for (_, done), new in zip(numbered, is_new, strict=True):
            done(Stored(int(new)))

    def _check_bytes(self, blobs: Collection[Blob]) -> None:
        """Copy bytes again if the last run with them has been deleted since."""
        for blob in {*blobs} - self._db.blobs.present(blobs):
            source = self._sources.get(blob.sha256)
            if source is None or self._db.blobs.keep(source) != blob:
                raise BytesGoneError(blob.sha256)

    async def _change(
        self, work: Callable[[Connection], Coroutine[Any, Any, T]], blobs: Collection[Blob]
    ) -> T:
        """Run a write transaction for rows that name bytes; see `files.forget`."""
        if not blobs:
            return await self._db.change(work)
        if self._db.blobs.is_shared:
            await in_thread(self._check_bytes, blobs)
            result = await self._db.change(work)
            await in_thread(self._check_bytes, blobs)
            return result

        async def check_and_work(conn: Connection) -> T:
            self._check_bytes(blobs)
            return await work(conn)

        return await self._db.change(check_and_work)

    async def _store_artifact(self, head: ArtifactHead) -> Stored:
        run_id = self._run_ids[head.run_uid]
        if head.role == "used":
            is_stored = await self._db.change(partial(add_use, run_id=run_id, head=head))
            return Stored(int(is_stored))
        blobs = {Blob(file.size or 0, file.sha256) for file in head.files if file.sha256}
        required = {blob for blob in blobs if blob.sha256 in self._sources}
        if self._db.blobs.is_shared:
            required |= await in_thread(self._db.blobs.present, blobs)
        add = partial(add_artifact, run_id=run_id, head=head)
        return Stored(version=await self._change(add, required))

    async def _rewind(self, item: Rewind) -> None:
        await self._store_points()
        run_id = self._run_ids[item.run_uid]
        async with self._db.read() as conn:
            paths = await rewound(conn, run_id, item)
        # The figures of a long series take a while, so each has its own transaction.
        for path in paths:
            await self._db.change(partial(rewind, run_id=run_id, item=item, path=path))

    async def _end(self, head: RunHead) -> Stored:
        await self.flush()
        run_id = self._run_ids[head.uid]
        # Reading all points of a long run takes time, so not while others wait to write.
        async with self._db.read() as conn:
            pauses = await attempts.find_pauses(conn, run_id)

        async def end(conn: Connection) -> Stored:
            await attempts.set_pauses(conn, pauses)
            new_keys = await end_run(conn, run_id, head)
            return Stored(new_keys, await add_environment(conn, run_id, head))

        return await self._db.change(end)


async def _store_blocks(
    blocks: Sequence[Block], run_ids: Mapping[str, int], conn: Connection
) -> list[int]:
    """Store blocks for a while, in order; the number of new points of each that was stored."""
    await lock(conn, "runs", (run_ids[block.run_uid] for block in blocks))
    until = time.perf_counter() + _SECONDS
    new_points: list[int] = []
    for block in blocks:
        new_points.append(await add_points(conn, run_ids[block.run_uid], block))
        if time.perf_counter() > until:
            break
    return new_points
