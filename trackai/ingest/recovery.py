"""Recover the journals of crashed processes, and store those of forked processes."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trackai.errors import StoreError
from trackai.guard import guarded
from trackai.ingest.drain import Drain, JournalDrain
from trackai.ingest.frames import Opened
from trackai.ingest.journal import BYTES, DAMAGED, SUFFIX, writer_uid
from trackai.ingest.reader import JournalReader
from trackai.locks import (
    UNBORN,
    above_standard,
    process_exists,
    remove_locked,
    rename_locked,
    try_lock,
)
from trackai.store.catalogue import journals, writers
from trackai.store.engine.database import Database
from trackai.values.logger import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store


# Seconds without a write after which a file belongs to a process that has ended.
_ABANDONED_AFTER = 3600.0

# Journals that could not be read or stored; a warning about each has been logged.
unstored: set[Path] = set()


class Recovered(msgspec.Struct, frozen=True):
    """A journal that has been recovered.

    Attributes:
        journal: the path of the journal.
        project, run: name of the project and slug of the run; None if the journal is damaged there.
        points: the number of points that were not in the database yet.
        ended: whether the writer had recorded the end of its run; otherwise the run has failed.
        damages: what could not be read, each with its position.
        kept: the path of the renamed journal if it is damaged; None if it has been removed.
    """

    journal: str
    project: str | None
    run: str | None
    points: int
    ended: bool
    damages: list[str]
    kept: str | None


async def recover(db: Store, paths: Sequence[Path] | None = None) -> list[Recovered]:
    """Store and remove the journals of processes that ended without finishing their runs.

    Their runs end as failed, with all points. Journals of running processes are left alone. A
    database on PostgreSQL has none.

    Args:
        paths: the journals; by default all in the spool folder.

    Raises:
        StoreError: the database cannot be written; the remaining journals are kept.
    """
    if not isinstance(db, Database):
        return []
    if paths is None:
        await _end_vanished(db)
        paths = list(db.spool.glob(f"*{SUFFIX}"))
        _sweep(db.spool)
    by_writer: dict[str, list[Path]] = {}
    for path in sorted(set(paths)):
        by_writer.setdefault(path.name.rpartition("-")[0], []).append(path)
    recovered: list[Recovered] = []
    for group in by_writer.values():
        fds: dict[Path, int] = {}
        try:
            if all(lock_abandoned(path, fds) for path in group):
                with guarded(f"storing {', '.join(map(str, group))}", but=StoreError):
                    recovered += await _recover_writer(db, fds)
                unstored.update(fds)  # emptied by success
        finally:
            for fd in fds.values():
                os.close(fd)
    return recovered


async def missing_journals(conn: Connection, spool: Path) -> list[str]:
    """The names of journals in the database whose files do not exist.

    A process has crashed after it stored and removed the file: no points are lost. The file of a
    new journal is created before its row, in the same transaction.
    """
    if not spool.is_dir():
        return []
    files = {path.name.partition(SUFFIX)[0] for path in spool.iterdir()}
    return [name for name in await journals.names(conn) if name.partition(SUFFIX)[0] not in files]


async def forget_missing_journals(db: Database) -> None:
    """Remove the rows of journals whose files do not exist."""
    async with db.write() as conn:
        for name in await missing_journals(conn, db.spool):
            await journals.forget(conn, name)


def _sweep(spool: Path) -> None:
    """Remove new journals without frames, and bytes of files that no journal refers to.

    Their writers crashed while they were creating them.
    """
    abandoned = [path for path in spool.glob(f"*{BYTES}") if _is_old(path)]
    if abandoned:
        # A damaged journal that was kept may still refer to them.
        writers = {writer_uid(path.name) for path in spool.glob(f"*{SUFFIX}*")}
        for path in abandoned:
            if writer_uid(path.name) not in writers:
                path.unlink(missing_ok=True)
    for path in spool.glob(f"*{SUFFIX}{UNBORN}"):
        # Not a recent one: its writer may be about to lock it.
        if not _is_old(path):
            continue
        fds: dict[Path, int] = {}
        try:
            if lock_abandoned(path, fds):
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


def lock_abandoned(path: Path, fds: dict[Path, int]) -> bool:
    try:
        fd = fds[path] = above_standard(os.open(path, os.O_RDWR))
        return try_lock(fd) and os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:  # stored and removed meanwhile
        return False
    except OSError as error:
        if path not in unstored:
            logger.warning("cannot read %s, which was not recovered: %s", path, error)
        unstored.add(path)
        return False


async def _recover_writer(db: Database, fds: dict[Path, int]) -> list[Recovered]:
    """Store the locked journals of one writer, the oldest first, and remove them."""
    paths, drains = list(fds), []
    opened, ended = await _known_writer(db, writer_uid(paths[0].name)), False
    for previous, path in zip([None, *paths], paths, strict=False):
        if previous is not None:
            async with db.write() as conn:
                await journals.begin_beside(conn, path.name, previous.name)
        drain = Drain(db, path, opened)
        await drain.store_all(final=True)
        opened, ended = drain.opened or opened, ended or drain.ended
        drains.append(drain)
    if opened is not None and not ended:
        async with db.write() as conn:
            await fail_writer(conn, opened.writer_uid)
    recovered: list[Recovered] = []
    for path, drain in zip(paths, drains, strict=True):
        if drain.position and not await drain.is_stored():
            # The database was replaced after this journal had been stored: store the rest again.
            return recovered + await _recover_writer(db, fds)
        renamed = remove_stored(drain, fds)
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
                kept=str(renamed) if renamed else None,
            )
        )
    return recovered


async def _known_writer(db: Database, uid: str) -> Opened | None:
    """The writer according to the database, in case the first frame of its journal is damaged."""
    async with db.read() as conn:
        origin = await writers.find_origin(conn, uid)
    return None if origin is None else Opened(**msgspec.structs.asdict(origin))


async def _end_vanished(db: Database) -> None:
    """End the writers whose journals do not exist: a backup made while they ran was restored."""
    async with db.read() as conn:
        uids = {writer_uid(name) for name in await missing_journals(conn, db.spool)}
        running = [uid for uid in sorted(uids) if await writers.is_running(conn, uid)]
    for uid in running:
        opened = await _known_writer(db, uid)
        # The writer may have begun another file, or recreate one that was deleted.
        if opened is None or any(db.spool.glob(f"*-{uid}-*{SUFFIX}")):
            continue
        if opened.host != socket.gethostname() or not process_exists(opened.pid):
            async with db.write() as conn:
                await fail_writer(conn, opened.writer_uid)


async def fail_writer(conn: Connection, writer_uid: str) -> None:
    """End the writer of a crashed process as failed."""
    # Imported here: few scripts begin after a crash.
    from trackai.ingest import deliveries

    await deliveries.fail_writer(conn, writer_uid)


async def store_running(db: Store, run_uid: str) -> None:
    """Store what running processes have logged to a run so far. They continue to store the rest."""
    if not isinstance(db, Database):
        return
    for path in sorted(db.spool.glob(f"*{SUFFIX}")):
        with suppress(OSError):  # stored and removed meanwhile
            opened = JournalReader(path).peek()
            if opened is not None and opened.run_uid == run_uid:
                await Drain(db, path).store_all()


def remove_stored(drain: JournalDrain, fds: dict[Path, int]) -> Path | None:
    """Remove a journal that has been stored, or set it aside if parts of it are damaged.

    Args:
        fds: the open files of locked journals; that of the journal is taken out.

    Returns:
        The new path of a journal that was set aside; None if it was removed.
    """
    path, renamed = drain.path, None
    if drain.damages:
        renamed = path.with_name(path.name + DAMAGED)
        rename_locked(path, fds[path], renamed)
        report_damage(drain, renamed)
    else:
        remove_locked(path, fds[path])
    del fds[path]
    return renamed


def report_damage(drain: JournalDrain, renamed: Path) -> None:
    """Log a warning about the damaged parts of a journal that has been renamed."""
    logger.warning(
        "%s is damaged: %s. Its other frames are stored; the file is kept as %s",
        drain.path, "; ".join(str(damage) for damage in drain.damages), renamed,
    )  # fmt: skip
