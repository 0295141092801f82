"""Many changes at once, some of which fail or are cancelled: answers agree with what is stored."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from trackai.errors import ConflictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.database import Database

pytestmark = pytest.mark.sqlite("about the one connection that writes to a file")

_CASES = 40
_CLIENTS = 9
_CHANGES = 3  # of a client, one after the other
_SECONDS = 60  # after which a task counts as one that nothing wakes


class _Case:
    """Clients of a database, each a task that changes it several times.

    Attributes:
        stored, refused: the numbers of the changes that were answered, in the order of the calls.
        cancelled: for each change whose task was cancelled, whether it was stored at that time.
    """

    def __init__(self, db: Database, seed: int) -> None:
        self._db = db
        self._random = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._scopes = [anyio.CancelScope() for _ in range(_CLIENTS)]
        self._victims = self._random.sample(range(_CLIENTS), _CLIENTS // 2)
        self._calls = 0
        self.stored: set[int] = set()
        self.refused: set[int] = set()
        self.cancelled: dict[int, bool] = {}

    async def run(self) -> None:
        """Let all clients change the database."""
        self._tasks += [asyncio.create_task(self._client(scope)) for scope in self._scopes]
        tasks = [*self._tasks, asyncio.create_task(self._use_otherwise())]
        _, waiting = await asyncio.wait(tasks, timeout=_SECONDS)
        assert not waiting
        for task in tasks:
            if not task.cancelled():
                task.result()

    def numbers(self) -> list[int]:
        """The numbers of the changes in the file, in the order in which they were stored."""
        with closing(sqlite3.connect(self._db.path)) as conn:
            return [number for (number,) in conn.execute("SELECT number FROM changes")]

    async def _client(self, scope: anyio.CancelScope) -> None:
        with scope:
            for _ in range(_CHANGES):
                for _ in range(self._random.randrange(4)):
                    await asyncio.sleep(0)
                await self._change()

    async def _change(self) -> None:
        number, self._calls = self._calls, self._calls + 1
        work, is_bulk = self._work(number), self._random.random() < 0.1
        if self._random.random() < 0.1:
            self._loop.call_soon(self._cancel_next)
        try:
            await self._db.change(work, bulk=is_bulk)
        except (ConflictError, StoreError):
            self.refused.add(number)
        except asyncio.CancelledError:
            self.cancelled[number] = number in self.numbers()
            raise
        else:
            self.stored.add(number)

    def _work(self, number: int) -> Callable[[Connection], Coroutine[Any, Any, None]]:
        kinds = ["works", "conflicts", "fails once", "fails"]
        (kind,) = self._random.choices(kinds, [14, 2, 1, 1])
        cancels = self._random.random() < 0.2
        runs: list[None] = []

        async def work(conn: Connection) -> None:
            runs.append(None)
            if cancels and len(runs) == 1:
                self._loop.call_soon_threadsafe(self._cancel_next)
            await conn.execute("INSERT INTO changes VALUES (?)", (number,))
            if kind == "conflicts":
                raise ConflictError(f"change {number}")
            if kind == "fails" or (kind == "fails once" and len(runs) == 1):
                await conn.rollback()  # as SQLite does
                raise sqlite3.OperationalError("the disk is full")

        return work

    def _cancel_next(self) -> None:
        """Cancel a client, each at most once: by a scope, or as asyncio and uvicorn do."""
        if self._victims:
            client = self._victims.pop()
            if self._random.random() < 0.5:
                self._scopes[client].cancel()
            else:
                self._tasks[client].cancel()

    async def _use_otherwise(self) -> None:
        for _ in range(3):
            for _ in range(self._random.randrange(30)):
                await asyncio.sleep(0)
            use = self._random.choice(["write", "checkpoint", "close"])
            if use == "write":
                async with self._db.write():
                    await asyncio.sleep(0)
            elif use == "checkpoint":
                await self._db.checkpoint()
            else:
                await self._db.close()


async def test_answers_agree_with_what_is_stored(db: Database) -> None:
    async with db.write() as conn:
        await conn.execute("CREATE TABLE changes (number INTEGER)")
    for seed in range(_CASES):
        case = _Case(db, seed)
        await case.run()
        numbers = case.numbers()
        # Each once, and in the order of the calls:
        assert numbers == sorted({*numbers}), f"seed {seed}"
        assert case.stored <= {*numbers}, f"seed {seed}"
        assert case.refused.isdisjoint(numbers), f"seed {seed}"
        for number, was_stored in case.cancelled.items():
            assert (number in numbers) == was_stored, f"seed {seed}"
        async with db.write() as conn:
            await conn.execute("DELETE FROM changes")
