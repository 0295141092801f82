"""Stores whole runs from any source; what is already stored does not change.

Runs, writers, points and files are recognised by their identities. After an interrupted import,
the next one adds what is missing.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from trackai.client.connection import Connection
from trackai.errors import InvalidInputError
from trackai.importers.database_target import DatabaseTarget
from trackai.importers.incoming_files import TYPE
from trackai.importers.names import (
    artifact_problem,
    invalid_keys,
    invalid_name,
    logged_file_problem,
    shown,
    valid_head,
)
from trackai.importers.server_target import ServerTarget
from trackai.importers.target import pieces
from trackai.structs.exchange import (
    ArtifactHead,
    Block,
    Chunk,
    FileHead,
    Item,
    Rewind,
    RunEnd,
    RunHead,
)
from trackai.values.names import path_problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping

    from trackai.importers.incoming_files import FindBytes
    from trackai.importers.receipt import Receipt
    from trackai.importers.target import Stored, Target
    from trackai.store.engine.store import Store

    Items: TypeAlias = Iterable[Item | Chunk] | AsyncIterable[Item | Chunk]

# The numbers of points, and of characters of texts, that are stored in one go.
_POINTS = 50_000
_CHARACTERS = 1_000_000
_ARTIFACTS = "artifacts"
_TYPES = {"number": "metrics", "bool": "metrics", "text": "texts", "histogram": "histograms"}


async def load_runs(
    place: Store | Connection,
    items: Items,
    receipt: Receipt,
    find_bytes: FindBytes | None = None,
) -> Receipt:
    """Store runs; repeating it, also after an interruption, changes nothing more.

    Args:
        place: a database, or a connection to a server.
        items: run heads, each followed by its points, files and bytes.
        receipt: counts and problems are added to it.
        find_bytes: returns the path of a file's bytes, for sources that do not send them as
            chunks.

    Returns:
        The same receipt, summed up.

    Raises:
        InvalidInputError: a block or a file refers to a run whose head did not come before it.
        StoreError: the database cannot be used.
        ServerUnreachableError: the server does not answer now.
        ServerRefusedError: the server refuses the import.
    """
    started = time.monotonic()
    make = ServerTarget if isinstance(place, Connection) else DatabaseTarget
    async with make(place, find_bytes or _no_bytes) as target:  # type: ignore[arg-type]
        loader = _Loader(target, receipt)
        async for item in _each(items):
            await loader.add(item)
        await loader.finish()
    receipt.sum_up()
    receipt.seconds = round(time.monotonic() - started, 3)
    return receipt


def _no_bytes(head: FileHead) -> None:
    return None


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
    """Refuses what cannot be stored, puts the rest into a target, and counts it."""

    def __init__(self, target: Target, receipt: Receipt) -> None:
        self._target = target
        self._receipt = receipt
        self._heads: dict[str, RunHead] = {}
        self._uses: list[ArtifactHead] = []
        self._refused: set[tuple[str, str]] = set()

    async def add(self, item: Item | Chunk) -> None:
        if isinstance(item, Chunk):
            await self._target.add_chunk(item)
        elif isinstance(item, RunHead):
            await self._begin(item)
        elif item.run_uid not in self._heads:
            raise _unknown_run(item)
        elif isinstance(item, Rewind):
            await self._target.put(item, _ignore)
        elif isinstance(item, ArtifactHead):
            await self._add_artifact(item)
        elif self._refuses(item):
            pass
        elif isinstance(item, FileHead):
            await self._target.put(item, partial(self._count_file, item.path, item.source))
        else:
            for piece in pieces(item, _POINTS, _CHARACTERS):
                counted = partial(self._count_points, _type(piece), len(piece.steps))
                await self._target.put(piece, counted)

    def _refuses(self, item: Block | FileHead) -> bool:
        """Refuse points or a file whose path cannot be stored; the receipt names each path once."""
        path, type_, number = (
            (item.metric, _type(item), len(item.steps))
            if isinstance(item, Block)
            else (item.path, TYPE, 1)
        )
        problem = path_problem(path)
        if problem is None and isinstance(item, FileHead):
            problem = logged_file_problem(item.name)
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
        is_new = head.uid not in self._heads
        # A reader repeats the head once it knows how the run ended.
        self._heads[head.uid] = head
        if is_new:
            self._receipt.runs += 1
            await self._target.put(valid_head(head)[0], self._count_run)

    def _count_run(self, stored: Stored, reasons: Mapping[str, str]) -> None:
        self._receipt.new_runs += stored.new

    def _count_points(
        self, type_: str, read: int, stored: Stored, reasons: Mapping[str, str]
    ) -> None:
        self._count(type_, read, stored.new)
        self._receipt.points += read
        self._receipt.stored += stored.new

    def _count_file(
        self, path: str, source: str, stored: Stored, reasons: Mapping[str, str]
    ) -> None:
        for reason in reasons.values():
            self._receipt.refuse(TYPE, reason)
            self._receipt.add_problem(f"{path} ({source})", f"not stored: {reason}")
            return
        self._count(TYPE, 1, stored.new)

    async def _add_artifact(self, head: ArtifactHead) -> None:
        if problem := artifact_problem(head):
            self._receipt.refuse(_ARTIFACTS, invalid_name(problem))
            self._receipt.add_problem(_artifact(head), f"not stored: a name {problem}")
        elif head.role == "used":
            self._uses.append(head)  # the run that has logged it may follow
        else:
            await self._target.put(head, partial(self._count_artifact, head))

    def _count_artifact(
        self, head: ArtifactHead, stored: Stored, reasons: Mapping[str, str]
    ) -> None:
        for name, reason in reasons.items():
            self._receipt.add_problem(f"file {name} of {_artifact(head)}", f"not stored: {reason}")
        version = stored.version
        self._count(_ARTIFACTS, 1, int(version is not None))
        if version not in (None, head.version):
            self._receipt.add_remark(_artifact(head), f"stored as v{version}: its number is taken")

    def _note_use(self, head: ArtifactHead, stored: Stored, reasons: Mapping[str, str]) -> None:
        if not stored.new:
            self._receipt.add_remark(
                f"run {self._heads[head.run_uid].run_id}",
                f"it uses {_artifact(head)}, which is not here",
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

    async def finish(self) -> None:
        for use in self._uses:
            await self._target.put(use, partial(self._note_use, use))
        for read_head in self._heads.values():
            head, changes = valid_head(read_head)
            for change in changes:
                self._receipt.add_remark(f"run {head.run_id}", change)
            head = self._with_valid_keys(head)
            facts = sum(map(len, head.environment.values()))
            counted = partial(self._count_head, len(head.config), facts)
            await self._target.put(RunEnd(head=head), counted)
        await self._target.flush()

    def _count_head(
        self, keys: int, facts: int, stored: Stored, reasons: Mapping[str, str]
    ) -> None:
        self._count("configuration", keys, stored.new)
        self._count("environment", facts, stored.facts)

    def _count(self, type_: str, read: int, new: int) -> None:
        if read:
            counts = self._receipt.counts(type_)
            counts.read += read
            counts.stored += new
            counts.already_there += read - new


def _ignore(stored: Stored, reasons: Mapping[str, str]) -> None:
    """Count nothing."""


def _artifact(head: ArtifactHead) -> str:
    return f"artifact {head.name}:v{head.version}"


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
