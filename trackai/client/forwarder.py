"""Send a journal to a server, each frame exactly once."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from anyio import to_thread

from trackai.errors import ServerRefusedError
from trackai.ingest import wire
from trackai.ingest.deliveries import Outcome
from trackai.ingest.drain import JournalDrain
from trackai.ingest.reader import Batch

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.client.connection import Answer, Connection
    from trackai.ingest.frames import Filed, Opened


logger = logging.getLogger("trackai")

_CHUNK_BYTES = 4 * 1024 * 1024
_BYTES = {"Content-Type": "application/octet-stream"}


class _Received(msgspec.Struct):
    """How much of the bytes of a file the server has."""

    received: int
    complete: bool


class Forwarder(JournalDrain):
    """Sends one journal to a server, which stores it."""

    def __init__(self, connection: Connection, path: Path, presumed: Opened | None = None) -> None:
        """Create a forwarder; `presumed` is the writer in case the first frame is damaged."""
        super().__init__(path, presumed)
        self._connection = connection

    async def is_stored(self) -> bool:
        """Whether the server has everything up to `position`; it may have been replaced."""
        opened = self.opened
        if opened is None:
            return False
        nothing = _without_content(opened, self.position, self.position)
        return (await self._send(nothing)).consumed == self.position

    async def _deliver(self, batch: Batch) -> Outcome:
        batch.files = [await self._with_bytes_sent(filed) for filed in batch.files]
        outcome = await self._send(batch)
        if outcome.stored:
            for filed in batch.files:
                if filed.bytes_in:
                    self._bytes_path(filed).unlink(missing_ok=True)
        return outcome

    async def _skip(self, batch: Batch) -> None:
        await self._send(_without_content(batch.opened, batch.start, batch.end))

    def _concerns_values(self, error: BaseException) -> bool:
        return isinstance(error, ServerRefusedError) and error.status == 422

    async def _send(self, batch: Batch) -> Outcome:
        answer = await self._request(
            "POST", f"/api/journals/{self.path.name}", wire.pack(batch), headers=_BYTES
        )
        return answer.decode(Outcome)

    async def _with_bytes_sent(self, filed: Filed) -> Filed:
        """Send the bytes of a file, unless the server has them."""
        address = f"/api/blobs/{filed.sha256}?size={filed.size}"
        upload = (await self._request("GET", address)).decode(_Received)
        received: int | None = None if upload.complete else upload.received
        if received is None:
            return filed
        try:
            file = self._bytes_path(filed).open("rb")
        except FileNotFoundError:
            logger.warning(
                "the contents of file %r, logged as %r, are missing", filed.name, filed.path
            )
            return msgspec.structs.replace(filed, bytes_in="")
        with file:
            while received is not None:
                file.seek(received)
                chunk, offset = file.read(_CHUNK_BYTES), f"&offset={received}"
                answer = await self._request("PUT", address + offset, chunk, headers=_BYTES)
                upload = answer.decode(_Received)
                received = None if upload.complete else upload.received
        return filed

    async def _request(self, method: str, path: str, *arguments: Any, **options: Any) -> Answer:
        return await to_thread.run_sync(
            partial(self._connection.request, method, path, *arguments, **options)
        )


def _without_content(opened: Opened, start: int, end: int) -> Batch:
    """A batch that only tells where the journal is."""
    return Batch(
        opened=opened,
        start=start,
        end=end,
        frames=0,
        calls=[],
        config={},
        replaced=set(),
        described=[],
        files=[],
        ended=None,
    )
