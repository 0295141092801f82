"""Stores whole runs from any source; what is already stored does not change.

Runs, writers, points and files are recognised by their identities. After an interrupted import,
the next one adds what is missing.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from anyio.to_thread import run_sync

from trackai.errors import InvalidInputError
from trackai.importers.import_lock import import_lock
from trackai.importers.incoming_files import TYPE, IncomingFiles
from trackai.importers.names import (
    artifact_problem,
    invalid_keys,
    invalid_name,
    shown,
    valid_head,
)
from trackai.store.catalogue import runs
from trackai.store.points import attempts
from trackai.store.transfer.load import (
    add_environment,
    add_points,
    add_use,
    begin_run,
    end_run,
    rewind,
    rewound,
)
from trackai.structs.exchange import (
    ArtifactHead,
    Block,
    Chunk,
    FileHead,
    Item,
    Rewind,
    RunHead,
)
from trackai.values.names import path_problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from aiosqlite import Connection

    from trackai.importers.incoming_files import FindBytes
    from trackai.importers.receipt import Receipt
    from trackai.store.engine.database import Database

    Items: TypeAlias = Iterable[Item | Chunk] | AsyncIterable[Item | Chunk]

_POINTS_TOGETHER = 50_000
# The number of characters of texts that are stored in one go.
_CHARACTERS = 1_000_000
# How long a transaction may take before it begins with another piece.
_SECONDS = 0.05
_FILES_PER_TRANSACTION = 200
_ARTIFACTS = "artifacts"
_TYPES = {"number": "metrics", "bool": "metrics", "text": "texts", "histogram": "histograms"}


async def load_runs(
    db: Database,
    items: Items,
    receipt: Receipt,
    find_bytes: FindBytes | None = None,
) -> Receipt:
    """Store runs; repeating it, also after an interruption, changes nothing more.

    Args:
        items: run heads, each followed by its points, files and bytes.
        receipt: counts and problems are added to it.
        find_bytes: returns the path of a file's bytes, for sources that do not send them as
            chunks.

    Returns:
        The same receipt, summed up.

    Raises:
        InvalidInputError: a block or a file refers to a run whose head did not come before it.
        StoreError: the database cannot be used.
    """
    started = time.monotonic()
    with import_lock(db), IncomingFiles(db, receipt, find_bytes) as files:
        loader = _Loader(db, receipt, files)
        async for item in _each(items):
            await loader.add(item)
        await loader.finish()
    receipt.sum_up()
    receipt.seconds = round(time.monotonic() - started, 3)
    return receipt


def check_items(items: Iterable[Item | Chunk]) -> None:
    """Read a source to its end without storing anything, so that a mistake is found first.

    Raises:
        InvalidInputError: as the source itself and `load_runs` raise it.
    """
    uids = set()
    for item in items:
        if isinstance(item, RunHead):
            uids.add(item.uid)
        elif not isinstance(item, Chunk) and item.run_uid not in uids:
            raise _unknown_run(item)


def _unknown_run(item: Block | FileHead | ArtifactHead | Rewind) -> InvalidInputError:
    return InvalidInputError("run_uid", f"no run with this uid comes before: {item.run_uid}")


class _Loader:
    """Collects points and files, and stores many in a transaction."""

    def __init__(self, db: Database, receipt: Receipt, files: IncomingFiles) -> None:
        self._db = db
        self._receipt = receipt
        self._files = files
        self._heads: dict[str, RunHead] = {}
        self._run_ids: dict[str, int] = {}
        self._blocks: list[Block] = []
        self._points = 0
        self._file_heads: list[FileHead] = []
        self._uses: list[ArtifactHead] = []
        self._refused: set[tuple[str, str]] = set()

    async def add(self, item: Item | Chunk) -> None:
        if isinstance(item, Chunk):
            await run_sync(self._files.add_chunk, item)
        elif isinstance(item, RunHead):
            await self._begin(item)
        elif item.run_uid not in self._run_ids:
            raise _unknown_run(item)
        elif isinstance(item, Rewind):
            await self._rewind(item)
        elif isinstance(item, ArtifactHead):
            await self._add_artifact(item)
        elif self._refuses(item):
            pass
        elif isinstance(item, FileHead):
            self._file_heads.append(item)
            if len(self._file_heads) >= _FILES_PER_TRANSACTION:
                await self._store_files()
        else:
            self._blocks.append(item)
            self._points += len(item.steps)
            if self._points >= _POINTS_TOGETHER:
                await self._store_points()

    def _refuses(self, item: Block | FileHead) -> bool:
        """Refuse points or a file whose path cannot be stored; the receipt names each path once."""
        path, type_, number = (
            (item.metric, _type(item), len(item.steps))
            if isinstance(item, Block)
            else (item.path, TYPE, 1)
        )
        problem = path_problem(path)
        if problem is None and isinstance(item, FileHead) and "\0" in item.name:
            problem = "must not have a file name with the character U+0000"
        if problem is None:
            return False
        self._receipt.refuse(type_, invalid_name(problem), number)
        if (item.run_uid, path) not in self._refused:
            self._refused.add((item.run_uid, path))
            self._receipt.add_problem(
                f"run {self._heads[item.run_uid].run_id}",
                f"{type_} {shown(path)} are not stored: the name {problem}",
            )
        return True

    async def _begin(self, head: RunHead) -> None:
        if head.uid in self._heads:
            # A reader repeats the head once it knows how the run ended.
            self._heads[head.uid] = head
            return
        self._heads[head.uid] = head
        head, _ = valid_head(head)
        async with self._db.write() as conn:
            stored = await runs.find_by_uid(conn, head.uid)
            self._run_ids[head.uid] = await begin_run(conn, head)
        self._receipt.runs += 1
        self._receipt.new_runs += stored is None

    async def _store_points(self) -> None:
        if not self._blocks:
            return
        pieces = [piece for block in self._blocks for piece in _pieces(block)]
        new_points: list[int] = []
        while len(new_points) < len(pieces):
            new_points += await self._db.change(
                partial(_store_pieces, pieces[len(new_points) :], self._run_ids)
            )
        for block, new in zip(pieces, new_points, strict=True):
            counts = self._receipt.counts(_type(block))
            counts.read += len(block.steps)
            counts.stored += new
            counts.already_there += len(block.steps) - new
            self._receipt.points += len(block.steps)
            self._receipt.stored += new
        self._blocks, self._points = [], 0

    async def _store_files(self) -> None:
        if self._file_heads:
            await self._files.store(self._run_ids, self._file_heads)
        self._file_heads = []

    async def _add_artifact(self, head: ArtifactHead) -> None:
        where = f"artifact {head.name}:v{head.version}"
        if problem := artifact_problem(head):
            self._receipt.refuse(_ARTIFACTS, invalid_name(problem))
            self._receipt.add_problem(where, f"not stored: a name {problem}")
        elif head.role == "used":
            self._uses.append(head)  # the run that has logged it may follow
        else:
            version = await self._files.store_artifact(self._run_ids[head.run_uid], head)
            counts = self._receipt.counts(_ARTIFACTS)
            counts.read += 1
            counts.stored += version is not None
            counts.already_there += version is None
            if version not in (None, head.version):
                self._receipt.add_remark(where, f"stored as v{version}: its number is taken")

    async def _store_uses(self) -> None:
        for head in self._uses:
            async with self._db.write() as conn:
                is_known = await add_use(conn, self._run_ids[head.run_uid], head)
            if not is_known:
                self._receipt.add_remark(
                    f"run {self._heads[head.run_uid].run_id}",
                    f"it uses artifact {head.name}:v{head.version}, which is not here",
                )

    def _with_valid_keys(self, head: RunHead) -> RunHead:
        """Leave out the configuration keys and facts that cannot be stored."""
        return msgspec.structs.replace(
            head,
            config=self._with_valid_names(head, "configuration", head.config),
            environment={
                attempt: self._with_valid_names(head, "environment", facts)
                for attempt, facts in head.environment.items()
            },
        )

    def _with_valid_names(
        self, head: RunHead, type_: str, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Leave out keys that cannot be stored; the receipt names them."""
        problems = invalid_keys(values)
        for key, problem in problems.items():
            self._receipt.refuse(type_, invalid_name(problem))
            self._receipt.add_problem(
                f"run {head.run_id}", f"key {shown(key)} is not stored: it {problem}"
            )
        return {key: value for key, value in values.items() if key not in problems}

    async def _rewind(self, item: Rewind) -> None:
        await self._store_points()
        run_id = self._run_ids[item.run_uid]
        async with self._db.read() as conn:
            paths = await rewound(conn, run_id, item)
        # The figures of a long series take a while, so each has its own transaction.
        for path in paths:
            async with self._db.write() as conn:
                await rewind(conn, run_id, item, path)

    async def finish(self) -> None:
        await self._store_files()
        await self._store_uses()
        await self._store_points()
        for uid, read_head in self._heads.items():
            head, changes = valid_head(read_head)
            for change in changes:
                self._receipt.add_remark(f"run {head.run_id}", change)
            head = self._with_valid_keys(head)
            run_id = self._run_ids[uid]
            # Reading all points of a long run takes time, so not while others wait to write.
            async with self._db.read() as conn:
                pauses = await attempts.find_pauses(conn, run_id)
            async with self._db.write() as conn:
                await attempts.set_pauses(conn, pauses)
                new_keys = await end_run(conn, run_id, head)
                new_facts = await add_environment(conn, run_id, head)
            self._count("configuration", len(head.config), new_keys)
            self._count("environment", sum(map(len, head.environment.values())), new_facts)

    def _count(self, type_: str, read: int, new: int) -> None:
        if read:
            counts = self._receipt.counts(type_)
            counts.read += read
            counts.stored += new
            counts.already_there += read - new


def _pieces(block: Block) -> Iterator[Block]:
    """Split a block of large texts."""
    start, characters = 0, 0
    if not any(isinstance(value, str) for value in block.values):
        yield block
        return
    for at, value in enumerate(block.values):
        length = len(value) if isinstance(value, str) else 0
        if at > start and characters + length > _CHARACTERS:
            yield _part(block, start, at)
            start, characters = at, 0
        characters += length
    if start < len(block.values):
        yield _part(block, start, len(block.values))


def _part(block: Block, start: int, stop: int) -> Block:
    own_steps = None if block.own_steps is None else block.own_steps[start:stop]
    return msgspec.structs.replace(
        block,
        steps=block.steps[start:stop],
        timestamps=block.timestamps[start:stop],
        values=block.values[start:stop],
        own_steps=own_steps,
    )


async def _store_pieces(
    pieces: Sequence[Block], run_ids: Mapping[str, int], conn: Connection
) -> list[int]:
    """Store blocks for a while, in order; the number of new points of each that was stored."""
    until = time.perf_counter() + _SECONDS
    new_points: list[int] = []
    for piece in pieces:
        new_points.append(await add_points(conn, run_ids[piece.run_uid], piece))
        if time.perf_counter() > until:
            break
    return new_points


def _type(block: Block) -> str:
    """Return the type of a block in the receipt."""
    return "system metrics" if block.axis == "time" else _TYPES[block.kind]


async def _each(items: Items) -> AsyncIterator[Item | Chunk]:
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
