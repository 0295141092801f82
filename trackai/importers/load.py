"""Storing whole runs from any source; what is there already stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trackai.errors import InvalidInputError
from trackai.store import exchange
from trackai.structs.exchange import Block, RunHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

    from trackai.store.database import Database

_POINTS_PER_TRANSACTION = 50_000


class Loaded(msgspec.Struct):
    """What a load has done."""

    runs: int = 0
    points: int = 0
    stored: int = 0


async def load(
    db: Database, items: Iterable[RunHead | Block] | AsyncIterable[RunHead | Block]
) -> Loaded:
    """Store runs; repeating it, also after it was interrupted, changes nothing more.

    Raises:
        InvalidInputError: a block belongs to no run that came before it.
    """
    loaded = Loaded()
    ids: dict[str, int] = {}
    waiting: list[Block] = []
    async for item in _each(items):
        if isinstance(item, Block):
            waiting.append(item)
            if sum(len(block.steps) for block in waiting) >= _POINTS_PER_TRANSACTION:
                await _store(db, ids, waiting, loaded)
        else:
            await _store(db, ids, waiting, loaded)
            async with db.write() as conn:
                ids[item.uid] = await exchange.load_head(conn, item)
            loaded.runs += 1
    await _store(db, ids, waiting, loaded)
    return loaded


async def _store(db: Database, ids: dict[str, int], waiting: list[Block], loaded: Loaded) -> None:
    if waiting:
        async with db.write() as conn:
            for block in waiting:
                if block.run_uid not in ids:
                    raise InvalidInputError("run_uid", f"{block.run_uid} is no run of this source")
                loaded.stored += await exchange.load_block(conn, ids[block.run_uid], block)
                loaded.points += len(block.steps)
        waiting.clear()


async def _each(
    items: Iterable[RunHead | Block] | AsyncIterable[RunHead | Block],
) -> AsyncIterator[RunHead | Block]:
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
