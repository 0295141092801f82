"""The outbox: the folder where journals wait until a server has them.

For each server there is a folder, and in it for each writer its journals, the bytes of its logged
files, and a `Placement`: what it takes to begin its run on the server, also days later.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from trackai.client.connection import JSON
from trackai.errors import ServerRefusedError
from trackai.ingest.attach import CLOCK_SECONDS, Attach, Attached
from trackai.ingest.frames import Opened  # noqa: TC001 - msgspec needs it
from trackai.ingest.journal import BYTES, SUFFIX
from trackai.ingest.launch import Launch, Process
from trackai.ingest.reader import JournalReader
from trackai.ingest.run_request import RunRequest
from trackai.values.logger import logger

if TYPE_CHECKING:
    from pathlib import Path

    from trackai.client.connection import Connection

PLACEMENT = ".placement"
_OLD_SECONDS = 3600.0


class Placement(msgspec.Struct, kw_only=True):
    """Where the journals of a writer belong.

    Attributes:
        server_url: the server.
        attach: what was asked of it, or will be.
        opened: the writer and its run on the server; None until the server has answered.
        offset: microseconds to add to times of this machine, whose clock is wrong; 0 if it is not.
    """

    server_url: str
    attach: Attach
    opened: Opened | None = None
    offset: int = 0

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.attach.process.writer_uid}{PLACEMENT}"

    def save(self, folder: Path) -> None:
        """Write it to its file, which is complete or does not change.

        Raises:
            OSError: it cannot be written.
        """
        path = folder / self.file
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            temporary.write_bytes(msgspec.json.encode(self))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def begin(self, connection: Connection, folder: Path) -> Attached:
        """Begin the run on the server, unless it has begun.

        Raises:
            ServerUnreachableError: the server does not answer now.
            ServerRefusedError: it refuses the run.
        """
        before = time.time_ns() // 1000
        # The clock may have been set back since the run began.
        begun_at = min(self.attach.begun_at, before)
        attach = msgspec.structs.replace(self.attach, now=before, begun_at=begun_at)
        answer = connection.request(
            "POST", "/api/runs/attach", msgspec.json.encode(attach), headers=JSON
        )
        attached = answer.decode(Attached)
        offset = attached.time - (before + time.time_ns() // 1000) // 2
        if abs(offset) > CLOCK_SECONDS * 1e6 and not self.offset:
            self.offset = offset
            logger.warning(
                "the clock of this machine is %d s %s that of %s: times are sent by its clock",
                abs(offset) // 1_000_000, "ahead of" if offset < 0 else "behind", connection.url,
            )  # fmt: skip
        self.opened = attached.attempt.opened
        self.save(folder)
        return attached

    def begin_late(self, connection: Connection, folder: Path) -> Attached:
        """Begin a run on the server that has begun without it.

        If the server has a run with its id that must not be resumed, the run gets another id.

        Raises:
            ServerUnreachableError: the server does not answer now.
            ServerRefusedError: it refuses the run.
        """
        try:
            return self.begin(connection, folder)
        except ServerRefusedError as error:
            request = self.attach.request
            if error.status != 409 or request.run_id is None:
                raise
            name = request.name or request.run_id
            self.attach.request = msgspec.structs.replace(request, run_id=None, name=name)
            attached = self.begin(connection, folder)
            logger.warning("%s; what was logged here is run %r", error, attached.attempt.run.run_id)
            return attached

    def opened_as(self, opened: Opened) -> Opened:
        """The first record of a journal of this writer, or of a process forked from it.

        The journal of a run that began offline does not know the run on the server.
        """
        placed = self.opened
        assert placed is not None  # noqa: S101 - for mypy; `begin` precedes
        if opened.parent is None:
            return placed
        return msgspec.structs.replace(
            placed,
            writer_uid=opened.writer_uid,
            pid=opened.pid,
            started_at=opened.started_at + self.offset,
            parent=opened.parent,
        )


def placement_of(opened: Opened, path: Path, server_url: str) -> Placement:
    """A placement for the journal at `path`, whose own is gone; the journal names its run."""
    process = Process(
        writer_uid=opened.writer_uid,
        run_uid=opened.run_uid,
        pid=opened.pid,
        started_at=opened.started_at,
        launch=Launch({}, opened.host, frozenset()),
    )
    request = RunRequest(
        project=opened.project, name=opened.name, group=opened.group, resume="allow"
    )
    return Placement(
        server_url=server_url,
        attach=Attach(
            request=request,
            process=process,
            journal=path.name,
            now=opened.started_at,
            begun_at=opened.started_at,
        ),
        opened=opened,
    )


def read_placement(path: Path) -> Placement | None:
    """Read a placement; None if it is gone or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Placement)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def folder_of(outbox: Path, server_url: str) -> Path:
    """The folder of a server: its name is readable, and differs for each address."""
    host = re.sub("[^a-z0-9.-]+", "-", urlsplit(server_url).netloc.lower())
    return outbox / f"{host[:80]}-{hashlib.sha256(server_url.encode()).hexdigest()[:8]}"


def size(folder: Path) -> int:
    """The bytes of the journals and files that wait in a folder."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((SUFFIX, BYTES)):
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:  # sent meanwhile
                    continue
    return total


def forget(folder: Path, placement: Placement) -> None:
    """Remove what is left of a writer that has no journals any more."""
    uid = placement.attach.process.writer_uid
    if any(folder.glob(f"*-{uid}-*{SUFFIX}*")) or uid in _parents(folder):
        return
    for path in folder.glob(f"*-{uid}-*{BYTES}"):
        path.unlink(missing_ok=True)
    (folder / placement.file).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove placements whose journals have been sent; the process that sent them was killed."""
    for path in folder.glob(f"*{PLACEMENT}"):
        placement = read_placement(path)
        # Not a recent one: its writer may be about to create the journal.
        if placement is not None and time.time() - path.stat().st_mtime > _OLD_SECONDS:
            forget(folder, placement)


def _parents(folder: Path) -> set[str]:
    """The writers of whose forked processes there are journals."""
    parents: set[str] = set()
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # sent meanwhile
            opened = JournalReader(path).peek()
            if opened is not None and opened.parent is not None:
                parents.add(opened.parent)
    return parents
