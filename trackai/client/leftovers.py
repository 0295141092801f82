"""Send what processes left in the outbox that ended before the server had everything."""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from trackai.client import outbox
from trackai.client.forwarder import Forwarder, in_thread
from trackai.client.outbox import PLACEMENT, Placement, read_placement
from trackai.errors import ServerRefusedError, ServerUnreachableError
from trackai.ingest.frames import Ended, Opened
from trackai.ingest.journal import SUFFIX, writer_uid
from trackai.ingest.reader import JournalReader
from trackai.ingest.recovery import lock_abandoned, remove_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trackai.client.connection import Connection


# How often a request may fail in a row, once the server has answered others.
_MAX_FAILURES = 3
_RETRY_SECONDS = 0.2


class Leftover(msgspec.Struct, kw_only=True):
    """The journals of a writer that wait in the outbox.

    Attributes:
        server_url: where they belong; None if nothing says it.
        project, run: None if they are not known.
        journals: the oldest first.
        size: their bytes, without those of files.
        is_running: whether their process still logs, and will send them itself.
        placement: None if it is gone, as after other journals of the writer have been sent.
        opened: the first record of the journals, if it can be read.
    """

    server_url: str | None
    project: str | None
    run: str | None
    journals: list[Path]
    size: int
    is_running: bool
    placement: Placement | None
    opened: Opened | None


def find(folder: Path, paths: Iterable[Path] | None = None) -> list[Leftover]:
    """The writers whose journals are in the folder of a server, the oldest first.

    Args:
        paths: the journals to look at; default all.
    """
    by_writer: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}") if paths is None else paths):
        by_writer.setdefault(writer_uid(path.name), []).append(path)
    return [_leftover(folder, paths) for paths in by_writer.values()]


def _leftover(folder: Path, paths: list[Path]) -> Leftover:
    opened, fds = None, dict[Path, int]()
    with suppress(OSError):  # sent meanwhile
        opened = JournalReader(paths[0]).peek()
    owner = writer_uid(paths[0].name) if opened is None else opened.parent or opened.writer_uid
    placement = read_placement(folder / f"{owner}{PLACEMENT}")
    placed = (placement.opened if placement else None) or opened
    try:
        is_running = not all(lock_abandoned(path, fds) for path in paths)
    finally:
        for fd in fds.values():
            os.close(fd)
    return Leftover(
        server_url=placement.server_url if placement else None,
        project=placed.project if placed else None,
        run=placed.run_slug if placed else None,
        journals=paths,
        size=sum(path.stat().st_size for path in paths if path.exists()),
        is_running=is_running,
        placement=placement,
        opened=opened,
    )


async def send(
    connection: Connection,
    leftover: Leftover,
    advance: Callable[[int], None] = lambda size: None,
) -> int | None:
    """Send the journals of a writer that has ended, and remove them.

    Args:
        advance: is told how many more bytes of them are sent.

    Returns:
        The number of points that were sent; None if the process still runs.

    Raises:
        ServerUnreachableError: the server does not answer now.
        ServerRefusedError: it refuses the run.
    """
    placement = leftover.placement
    if placement is None:
        if leftover.opened is None:
            return None
        placement = outbox.placement_of(leftover.opened, leftover.journals[0], connection.url)
    fds: dict[Path, int] = {}
    try:
        if not all(lock_abandoned(path, fds) for path in leftover.journals):
            return None
        return await _send_locked(connection, leftover, placement, fds, advance)
    finally:
        for fd in fds.values():
            os.close(fd)


async def _send_locked(
    connection: Connection,
    leftover: Leftover,
    placement: Placement,
    fds: dict[Path, int],
    advance: Callable[[int], None],
) -> int:
    folder = leftover.journals[0].parent
    if placement.opened is None:
        await in_thread(lambda: placement.begin_late(connection, folder))
    forwarders: list[Forwarder] = []
    for path in leftover.journals:
        forwarder = Forwarder(connection, path, placement)
        forwarders.append(forwarder)
        await _send_all(connection, forwarder, advance)
    last = forwarders[-1]
    is_child = last.opened is not None and last.opened.parent is not None
    if not is_child and not any(forwarder.ended for forwarder in forwarders):
        await last.tell(Ended("failed", time.time_ns() // 1000))
    for forwarder in forwarders:
        while not await forwarder.is_stored():  # the server was replaced meanwhile
            await _send_all(connection, forwarder, advance)
    for forwarder in forwarders:
        remove_stored(forwarder, fds)
    if not is_child:
        outbox.forget(folder, placement)
    return sum(forwarder.points for forwarder in forwarders)


async def _send_all(
    connection: Connection, forwarder: Forwarder, advance: Callable[[int], None]
) -> None:
    before, moved, failures = forwarder.position, connection.moved, 0
    while True:
        try:
            if not await forwarder.store_next(final=True):
                return
        except ServerUnreachableError:
            failures = 1 if connection.moved > moved else failures + 1
            if failures == _MAX_FAILURES or connection.answered_at == -math.inf:
                raise
            moved = connection.moved
            await anyio.sleep(_RETRY_SECONDS)
            continue
        advance(forwarder.position - before)
        before = forwarder.position


async def send_of(
    connection: Connection, folder: Path, paths: Iterable[Path] | None = None
) -> None:
    """Send what ended processes left for a server.

    Args:
        paths: the journals to send; default all.

    Raises:
        ServerUnreachableError: the server does not answer now.
        ServerRefusedError: it refuses a run; the others have been sent.
    """
    refusal: ServerRefusedError | None = None
    for leftover in find(folder, paths):
        try:
            await send(connection, leftover)
        except ServerRefusedError as error:
            refusal = error
    if refusal is not None:
        raise refusal
