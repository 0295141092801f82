"""What processes left behind that did not finish their runs, and what forked ones add to a run."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import StoreError
from trackai.guard import guarded
from trackai.ingest.drain import Drain, end_writer
from trackai.ingest.frames import Opened
from trackai.ingest.journal import BYTES, DAMAGED, SUFFIX, writer_uid
from trackai.ingest.reader import JournalReader
from trackai.locks import UNBORN, remove_locked, rename_locked, try_lock
from trackai.store.catalogue import journals, runs, writers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiosqlite import Connection

    from trackai.store.engine.database import Database

logger = logging.getLogger("trackai")

# Seconds after which nobody writes to a file any more.
_ABANDONED_AFTER = 3600.0

_unreadable: set[Path] = set()


class Recovered(msgspec.Struct, frozen=True):
    """One journal that was stored.

    Attributes:
        run: its slug, as the journal says; None if that cannot be told.
        points: how many of its points were not in the database yet.
        ended: whether the writer had said how the run ended; otherwise it has failed.
        damages: what could not be read, each with the byte at which it is.
        kept: where the file lies now, because of that; None if it could be removed.
    """

    journal: str
    project: str | None
    run: str | None
    points: int
    ended: bool
    damages: list[str]
    kept: str | None


async def recover(db: Database, paths: Sequence[Path] | None = None) -> list[Recovered]:
    """Store the journals that processes left behind which did not finish their runs.

    Such a run ends as failed, with all its points. A journal whose writer is alive is left alone.

    Args:
        paths: which journals; all in the spool folder if left out.

    Returns:
        What was stored.

    Raises:
        StoreError: the database cannot be written; what has not been stored yet stays.
    """
    if paths is None:
        paths = list(db.spool.glob(f"*{SUFFIX}"))
        _sweep(db.spool)
    by_writer: dict[str, list[Path]] = {}
    for path in sorted(set(paths)):
        by_writer.setdefault(path.name.rpartition("-")[0], []).append(path)
    recovered: list[Recovered] = []
    for group in by_writer.values():
        fds: dict[Path, int] = {}
        try:
            if all(_lock_abandoned(path, fds) for path in group):
                with guarded(f"storing {', '.join(map(str, group))}", but=StoreError):
                    recovered += await _recover_writer(db, fds)
        finally:
            for fd in fds.values():
                os.close(fd)
    return recovered


async def gone(conn: Connection, spool: Path) -> list[str]:
    """The journals that the database knows and that are not there any more.

    Whoever stored one was killed after it had removed the file: nothing is lost, a row is left.
    A journal is made before the row that names it, inside of the same transaction.
    """
    if not spool.is_dir():
        return []
    there = {path.name.partition(SUFFIX)[0] for path in spool.iterdir()}
    return [name for name in await journals.names(conn) if name.partition(SUFFIX)[0] not in there]


async def forget_gone(db: Database) -> None:
    """Drop what the database knows of journals that are not there any more."""
    async with db.write() as conn:
        for name in await gone(conn, db.spool):
            await journals.forget(conn, name)


def _sweep(spool: Path) -> None:
    """Remove files of writers that died before they had logged anything.

    And bytes of files that nobody will store: their writer died before it had logged them.
    """
    for path in spool.glob(f"*{BYTES}"):
        # A journal that is kept for its damage may name them.
        if _is_old(path) and not any(spool.glob(f"*-{writer_uid(path)}-*{SUFFIX}*")):
            path.unlink(missing_ok=True)
    for path in spool.glob(f"*{SUFFIX}{UNBORN}"):
        # Not a younger one: its writer may be about to lock it, and then it would be locked here.
        if not _is_old(path):
            continue
        fds: dict[Path, int] = {}
        try:
            if _lock_abandoned(path, fds):
                remove_locked(path, fds[path])
                del fds[path]
        finally:
            for fd in fds.values():
                os.close(fd)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_AFTER
    except FileNotFoundError:
        return False


def _lock_abandoned(path: Path, fds: dict[Path, int]) -> bool:
    try:
        fd = fds[path] = os.open(path, os.O_RDWR)
        return try_lock(fd) and os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:  # its writer, or another process, has just stored it
        return False
    except OSError as error:
        if path not in _unreadable:
            logger.warning("%s cannot be read and is left as it is: %s", path, error)
        _unreadable.add(path)
        return False


async def _recover_writer(db: Database, fds: dict[Path, int]) -> list[Recovered]:
    """Store the journals of one writer, which are locked, oldest first, and remove them."""
    paths, drains = list(fds), []
    opened, ended = await _known_writer(db, writer_uid(paths[0])), False
    for path in paths:
        drain = Drain(db, path, opened)
        await drain.store_all(final=True)
        opened, ended = drain.opened or opened, ended or drain.ended
        drains.append(drain)
    if opened is not None and not ended:
        await _end_abandoned(db, opened)
    recovered = []
    for path, drain in zip(paths, drains, strict=True):
        kept = None
        if drain.damages:
            kept = path.with_name(path.name + DAMAGED)
            rename_locked(path, fds[path], kept)
            report_damage(drain, kept)
        else:
            remove_locked(path, fds[path])
        del fds[path]
        async with db.write() as conn:
            await journals.forget(conn, path.name)
        recovered.append(
            Recovered(
                journal=str(path),
                project=opened.project if opened else None,
                run=opened.run_slug if opened else None,
                points=drain.points,
                ended=ended,
                damages=[str(damage) for damage in drain.damages],
                kept=str(kept) if kept else None,
            )
        )
    return recovered


async def _known_writer(db: Database, uid: str) -> Opened | None:
    """What the database says of a writer, in case its journal cannot say so itself."""
    async with db.read() as conn:
        origin = await writers.find_origin(conn, uid)
    if origin is None:
        return None
    fields = msgspec.structs.asdict(origin)
    has_say = fields.pop("state") is not None
    return Opened(**fields, parent=None if has_say else uid)


async def _end_abandoned(db: Database, opened: Opened) -> None:
    async with db.write() as conn:
        run = await runs.find_by_uid(conn, opened.run_uid)
        if run is None or not await writers.is_running(conn, opened.writer_uid):
            return
        now = time.time_ns() // 1000
        if run.state == "running":
            await end_writer(conn, run.id, opened, "failed", now=now)
        else:  # somebody has said how it ended
            await writers.end(conn, opened.writer_uid, "failed", now=now)


def report_damage(drain: Drain, kept: Path) -> None:
    """Say what of a journal could not be stored, and where it lies."""
    logger.warning(
        "%s is damaged: %s. The rest of it is stored; the file is kept as %s",
        drain.path, "; ".join(str(damage) for damage in drain.damages), kept,
    )  # fmt: skip


class Children:
    """The journals of processes that have inherited a run by a fork: its writer stores them.

    Such a process has no event loop and no connection of its own, and may end in any way.
    """

    def __init__(self, db: Database, uid: str) -> None:
        self._db = db
        self._uid = uid
        self._drains: dict[Path, Drain] = {}
        self._others: set[Path] = set()

    async def store(self) -> None:
        """Store what they have logged by now."""
        paths = set(self._db.spool.glob(f"*{SUFFIX}"))
        self._others &= paths
        for path in sorted(paths - self._others):
            if path not in self._drains:
                if not self._is_ours(path):
                    self._others.add(path)
                    continue
                self._drains[path] = Drain(self._db, path)
            await self._drains[path].store_all()
        gone = [path for path in self._drains if path not in paths]
        for path in gone:
            self._drains.pop(path)

    def _is_ours(self, path: Path) -> bool:
        try:
            opened = JournalReader(path).peek()
        except OSError:
            return False
        return opened is not None and opened.parent == self._uid

    async def collect(self) -> None:
        """Store and remove the journals of those that have ended."""
        await recover(self._db, list(self._drains))
