"""Send a journal to a server, each frame exactly once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from trackai.errors import ServerRefusedError
from trackai.ingest import wire
from trackai.ingest.deliveries import Outcome
from trackai.ingest.drain import JournalDrain
from trackai.ingest.reader import Batch
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trackai.client.connection import Answer, Connection
    from trackai.client.outbox import Placement
    from trackai.ingest.frames import Ended, Filed

T = TypeVar("T")

# Below the limit of 1 MB that nginx has by default.
_CHUNK_BYTES = 1_000_000
_BYTES = {"Content-Type": "application/octet-stream"}


class _Received(msgspec.Struct):
    """How much of the bytes of a file the server has."""

    received: int
    complete: bool


class Forwarder(JournalDrain):
    """Sends one journal to a server, which stores it.

    Attributes:
        superseded: whether another process has resumed the run.
    """

    def __init__(self, connection: Connection, path: Path, placement: Placement) -> None:
        """Create a forwarder; `placement` is what the server knows the writer by."""
        super().__init__(path, placement.opened)
        self.superseded = False
        self._connection = connection
        self._placement = placement
        self._end: Ended | None = None
        self._complete: set[str] = set()  # the hashes of files that the server has the bytes of
        self._missing: list[Filed] = []  # files of the batch whose bytes are nowhere
        self._address = f"/api/journals/{path.name}"

    async def is_stored(self) -> bool:
        """Whether the server has everything up to `position`; it may have been replaced."""
        return await self.tell()

    async def tell(self, ended: Ended | None = None) -> bool:
        """Tell the server that the writer lives, or how it ended, without further points.

        Returns:
            False if the server has not what was sent before, which is then sent again.
        """
        if self.opened is None:
            return False
        self._end = ended or self._end  # a writer that is heard again without an end lives
        outcome = await self._send(self._without_content(self.position, self.position, self._end))
        if outcome.stored:
            return True
        self._rewind(outcome)
        return False

    async def _prepare(self, batch: Batch) -> bool:
        if self._placement.opened is None:
            await in_thread(partial(self._placement.begin_late, self._connection, self.path.parent))
        return False

    async def _deliver(self, batch: Batch) -> Outcome:
        self._missing.clear()
        batch.files = [await self._with_bytes_sent(filed) for filed in batch.files]
        batch.artifacts = [
            msgspec.structs.replace(
                artifact, files=[await self._with_bytes_sent(filed) for filed in artifact.files]
            )
            for artifact in batch.artifacts
        ]
        ended = batch.ended
        try:
            outcome = await self._send(batch)
        except ServerRefusedError:  # it may not have them any more
            self._complete.clear()
            raise
        self._complete.clear()
        if outcome.stored:
            self._connection.moved += 1
            self._end = ended or self._end
            for filed in self._missing:
                logger.warning(
                    "the contents of file %r, logged as %r, are missing", filed.name, filed.path
                )
            for filed in batch.all_files:
                if filed.bytes_in:
                    self._bytes_path(filed).unlink(missing_ok=True)
        return outcome

    async def _skip(self, batch: Batch) -> None:
        await self._send(self._without_content(batch.start, batch.end))

    def _concerns_values(self, error: BaseException) -> bool:
        return isinstance(error, ServerRefusedError) and error.status == 422

    async def _send(self, batch: Batch) -> Outcome:
        batch.opened = self._placement.opened_as(batch.opened)
        if self._placement.offset:
            batch.shift(self._placement.offset)
        answer = await self._request("POST", self._address, wire.pack(batch), headers=_BYTES)
        outcome = answer.decode(Outcome)
        self.superseded = self.superseded or outcome.superseded
        return outcome

    async def _with_bytes_sent(self, filed: Filed) -> Filed:
        """Send the bytes of a file, unless the server has them.

        A batch may have hundreds of files: those that it has are not sent again with the rest.
        """
        if filed.sha256 in self._complete:
            return filed
        address = f"/api/blobs/{filed.sha256}?size={filed.size}"
        upload = (await self._request("GET", address)).decode(_Received)
        if upload.complete:
            self._complete.add(filed.sha256)
            self._connection.moved += 1
            return filed
        try:
            file = self._bytes_path(filed).open("rb")
        except FileNotFoundError:
            # A server that has stored the batch before may have them, and not tell this key.
            self._missing.append(filed)
            return msgspec.structs.replace(filed, bytes_in="")
        with file:
            while True:
                file.seek(upload.received)
                chunk, offset = file.read(_CHUNK_BYTES), f"&offset={upload.received}"
                answer = await self._request("PUT", address + offset, chunk, headers=_BYTES)
                upload = answer.decode(_Received)
                self._connection.moved += 1
                if upload.complete:
                    self._complete.add(filed.sha256)
                    return filed

    async def _request(self, method: str, path: str, *arguments: Any, **options: Any) -> Answer:
        return await in_thread(
            partial(self._connection.request, method, path, *arguments, **options)
        )

    def _without_content(self, start: int, end: int, ended: Ended | None = None) -> Batch:
        """A batch that only tells where the journal is, and how its writer ended."""
        assert self.opened is not None  # noqa: S101 - for mypy
        return Batch(
            opened=self.opened,
            start=start,
            end=end,
            frames=0,
            calls=[],
            config={},
            replaced=set(),
            described=[],
            files=[],
            ended=ended,
        )


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function that waits for the network in a thread that no process waits for at its end.

    On cancellation, the function goes on without effect here.
    """
    future: Future[T] = Future()

    def call() -> None:
        try:
            result = function()
        except BaseException as error:
            _set(future.set_exception, error)
        else:
            _set(future.set_result, result)

    threading.Thread(target=call, name="trackai-request", daemon=True).start()
    return await asyncio.wrap_future(future)


def _set(setter: Callable[[Any], None], value: Any) -> None:
    try:
        setter(value)
    except InvalidStateError:  # cancelled meanwhile
        return
