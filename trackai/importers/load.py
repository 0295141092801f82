"""Storing whole runs from any source; what is there already stays as it is.

Whoever is killed: every point and file is found again by what it is, so the next import adds what
is missing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from anyio.to_thread import run_sync

from trackai.errors import InvalidInputError
from trackai.importers.alone import alone
from trackai.importers.arriving import Files
from trackai.store import transfer
from trackai.store.catalogue import runs
from trackai.structs.exchange import Block, Chunk, FileHead, Item, RunHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from trackai.importers.arriving import FindBytes
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database

    Items: TypeAlias = Iterable[Item | Chunk] | AsyncIterable[Item | Chunk]

_POINTS_PER_TRANSACTION = 50_000
_FILES_PER_TRANSACTION = 200
_TYPES = {"number": "metrics", "bool": "metrics", "text": "texts", "histogram": "histograms"}


async def load(
    db: Database,
    items: Items,
    receipt: Receipt,
    find_bytes: FindBytes | None = None,
) -> Receipt:
    """Store runs; repeating it, also after it was interrupted, changes nothing more.

    Args:
        receipt: where it is noted what becomes of them.
        find_bytes: where the bytes of a file lie, if they do not come as chunks.

    Raises:
        InvalidInputError: a block or a file belongs to no run that came before it.
        StoreError: the store cannot be used.
    """
    started = time.monotonic()
    with alone(db), Files(db, receipt, find_bytes) as files:
        loader = _Loader(db, receipt, files)
        async for item in _each(items):
            await loader.take(item)
        await loader.finish()
    receipt.sum_up()
    receipt.seconds = round(time.monotonic() - started, 3)
    return receipt


def check(items: Iterable[Item | Chunk]) -> None:
    """Read a source to its end, so that of one with a mistake in it nothing is stored.

    Raises:
        InvalidInputError: what reading it raises, and what `load` would.
    """
    heads = set()
    for item in items:
        if isinstance(item, RunHead):
            heads.add(item.uid)
        elif not isinstance(item, Chunk) and item.run_uid not in heads:
            raise _unknown(item)


def _unknown(item: Block | FileHead) -> InvalidInputError:
    return InvalidInputError("run_uid", f"{item.run_uid} is no run of this source")


class _Loader:
    def __init__(self, db: Database, receipt: Receipt, files: Files) -> None:
        self._db = db
        self._receipt = receipt
        self._files = files
        self._heads: dict[str, RunHead] = {}
        self._ids: dict[str, int] = {}
        self._blocks: list[Block] = []
        self._points = 0
        self._waiting: list[FileHead] = []

    async def take(self, item: Item | Chunk) -> None:
        if isinstance(item, Chunk):
            await run_sync(self._files.take, item)
        elif isinstance(item, RunHead):
            await self._begin(item)
        elif item.run_uid not in self._ids:
            raise _unknown(item)
        elif isinstance(item, FileHead):
            self._waiting.append(item)
            if len(self._waiting) >= _FILES_PER_TRANSACTION:
                await self._store_files()
        else:
            self._blocks.append(item)
            self._points += len(item.steps)
            if self._points >= _POINTS_PER_TRANSACTION:
                await self._store_points()

    async def _begin(self, head: RunHead) -> None:
        if head.uid in self._heads:
            # Now it is known what was not when it began.
            self._heads[head.uid] = head
            return
        async with self._db.write() as conn:
            known = await runs.find_by_uid(conn, head.uid)
            self._ids[head.uid] = await transfer.load.begin_run(conn, head)
        self._heads[head.uid] = head
        self._receipt.runs += 1
        self._receipt.new_runs += known is None

    async def _store_points(self) -> None:
        if not self._blocks:
            return
        stored = []
        async with self._db.write() as conn:
            for block in self._blocks:
                stored.append(await transfer.load.add_points(conn, self._ids[block.run_uid], block))
        for block, new in zip(self._blocks, stored, strict=True):
            counts = self._receipt.of(
                "system metrics" if block.axis == "time" else _TYPES[block.kind]
            )
            counts.read += len(block.steps)
            counts.stored += new
            counts.already_there += len(block.steps) - new
            self._receipt.points += len(block.steps)
            self._receipt.stored += new
        self._blocks, self._points = [], 0

    async def _store_files(self) -> None:
        if self._waiting:
            await self._files.store(self._ids, self._waiting)
        self._waiting = []

    async def finish(self) -> None:
        await self._store_files()
        await self._store_points()
        for uid, head in self._heads.items():
            async with self._db.write() as conn:
                added = await transfer.load.end_run(conn, self._ids[uid], head)
            if head.config:
                counts = self._receipt.of("configuration")
                counts.read += len(head.config)
                counts.stored += added
                counts.already_there += len(head.config) - added


async def _each(items: Items) -> AsyncIterator[Item | Chunk]:
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
