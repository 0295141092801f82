"""Imports an export: finds its parts, and stores those that are not stored yet."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec
from anyio.to_thread import run_sync

from trackai.importers.import_lock import import_lock
from trackai.importers.neptune import files as export_files
from trackai.importers.neptune import layout, storage
from trackai.importers.neptune.layout import Part, Problem
from trackai.importers.neptune.messages import COLUMN, DAMAGED, Batch, Decode, Header, Inspect
from trackai.importers.neptune.receipt import ProjectReceipt, Receipt, RunReceipt
from trackai.importers.neptune.run_attributes import run_uid
from trackai.importers.neptune.verify import verify
from trackai.importers.neptune.workers import Workers
from trackai.store.catalogue import runs
from trackai.store.engine.sql import lock
from trackai.store.transfer import imports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trackai.importers.counts import Counts
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.store.transfer.imports import ImportedPart


class Progress(Protocol):
    """Receives the progress of an import."""

    def files(self, done: int, total: int) -> None:
        """Report the number of files that have been inspected."""

    def rows(self, done: int, total: int) -> None:
        """Report the number of rows that have been read."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an import.

    Attributes:
        files: the folder of the files; by default the one in the export.
        project_map: new names of projects, by their Neptune ids.
        jobs: the number of processes that read; 0 reads in this process. By default it depends on
            the machine.
        dry_run: read everything, but store nothing.
        verify: compare the store with the export afterwards.
    """

    files: Path | None = None
    project_map: Mapping[str, str] = {}
    jobs: int | None = None
    dry_run: bool = False
    verify: bool = False


class _Run(msgspec.Struct):
    """A run of the export.

    Attributes:
        parts: its parts, in the order in which they are stored.
        complete: whether all its parts are in the export and can be read completely.
        records: the parts that are stored, at least partly, by their file names.
        exists: whether it is in the store.
        last_part: the last part that must be stored by this import.
    """

    uid: str
    project: str
    receipt: RunReceipt
    parts: list[tuple[Part, Header]] = []
    complete: bool = True
    records: dict[str, ImportedPart] = {}
    exists: bool = False
    last_part: Part | None = None


async def import_export(
    db: Store | None, path: Path, database: str, options: Options, progress: Progress
) -> Receipt:
    """Import an export of neptune-exporter.

    Args:
        db: the open database; None for a dry run without one.
        path: the folder of the export.
        database: the name of the database in the receipt.

    Raises:
        InvalidInputError: the path has no export.
        StoreError: the database cannot be used.
    """
    started = time.monotonic()
    export = layout.find(path, options.files)
    receipt = Receipt(str(export.root), database, options.dry_run)
    for problem in export.problems:
        receipt.add_problem(problem)
    jobs = options.jobs
    if jobs is None:
        jobs = max(1, min(4, (os.cpu_count() or 2) - 1))
    with import_lock(db), Workers(jobs) as workers:
        importer = _Importer(db, options, receipt, workers, progress)
        all_runs = await importer.inspect(export.parts)
        await importer.store(all_runs)
        if options.verify and db is not None:
            receipt.verification = await verify(
                db, [(run.uid, part) for run in all_runs for part, _ in run.parts]
            )
    receipt.sum_up()
    receipt.seconds = round(time.monotonic() - started, 3)
    return receipt


class _Importer:
    def __init__(
        self,
        db: Store | None,
        options: Options,
        receipt: Receipt,
        workers: Workers,
        progress: Progress,
    ) -> None:
        self.db = db
        self.options = options
        self.receipt = receipt
        self.workers = workers
        self.progress = progress
        self.now = time.time_ns() // 1000

    async def inspect(self, parts: list[Part]) -> list[_Run]:
        """Read the headers of all parts, and group the parts by run."""
        all_runs: dict[str, _Run] = {}
        unreadable: list[Part] = []
        requests = [Inspect(part.path, part.name) for part in parts]
        async with self.workers.ask(requests) as answers:
            async for position, header in answers:
                part = parts[position]
                self.progress.files(position + 1, len(parts))
                if isinstance(header, Problem):
                    self.receipt.add_problem(header)
                    unreadable.append(part)
                elif isinstance(header, Header):
                    self._run_of(all_runs, part, header).parts.append((part, header))
        for run in all_runs.values():
            self._check_parts(run, unreadable)
        return list(all_runs.values())

    def _run_of(self, all_runs: dict[str, _Run], part: Part, header: Header) -> _Run:
        uid = run_uid(header.project, header.run, part.kind)
        name = self.options.project_map.get(header.project, header.project)
        if uid not in all_runs:
            project = self.receipt.projects.setdefault(header.project, ProjectReceipt(name))
            all_runs[uid] = _Run(uid, name, project.run(part.kind, header.run))
        receipt = all_runs[uid].receipt
        receipt.parts += 1
        receipt.rows_in_files += header.rows
        return all_runs[uid]

    def _check_parts(self, run: _Run, unreadable: list[Part]) -> None:
        """Mark a run as incomplete if parts of it are missing or unreadable.

        The header of an unreadable part is unknown; its run is found by the names of the files.
        """
        parts = [part for part, _ in run.parts]
        keys = {part.run_key for part in parts}
        unreadable_parts = [part for part in unreadable if part.run_key in keys]
        if unreadable_parts:
            run.complete = False
        for name in layout.missing_parts([*parts, *unreadable_parts]):
            run.complete = False
            self.receipt.add_problem(Problem(name, "the part is missing; its run is incomplete"))

    async def store(self, all_runs: list[_Run]) -> None:
        """Store the parts that are not completely stored yet."""
        todo: list[tuple[_Run, Part, Header, Decode]] = []
        total = 0
        for run in all_runs:
            if self.db is not None:
                await self._find_stored(self.db, run)
            for part, header in run.parts:
                record = run.records.get(part.path.name)
                if record is not None:
                    self._count_stored(run, record)
                if record is None or not record.complete:
                    start = 0 if record is None else record.consumed
                    total += header.rows - start
                    todo.append((run, part, header, Decode(part.path, header, start)))
                    run.last_part = part
        done = 0
        async with self.workers.ask([request for *_, request in todo]) as answers:
            async for position, batch in answers:
                assert isinstance(batch, Batch)  # noqa: S101 - the answers to Decode
                run, part, header, _ = todo[position]
                await self._store_batch(run, part, header, batch)
                done += batch.end - batch.start
                self.progress.rows(done, total)
        for run in all_runs:
            await self._conclude(run)

    async def _find_stored(self, db: Store, run: _Run) -> None:
        """Look up the stored parts of a run; if a part has changed, remove what was imported."""
        async with db.read() as conn:
            stored = await runs.find_by_uid(conn, run.uid)
            if stored is None:
                return
            records = {record.part: record for record in await imports.list_of_run(conn, stored.id)}
        changed = [
            part
            for part, header in run.parts
            if part.path.name in records
            and records[part.path.name].fingerprint != header.fingerprint
        ]
        if changed:
            problem = "changed since the last import; its run is imported again"
            self.receipt.add_problem(Problem(changed[0].name, problem, remark=True))
            if not self.options.dry_run:
                await storage.remove(db, stored.id)
            return
        run.records = records
        run.exists = True

    def _count_stored(self, run: _Run, record: ImportedPart) -> None:
        """Count the rows of a part that were stored by earlier imports."""
        for type_, counts in storage.decode_counts(record.counts).items():
            if _has_damage(counts):
                run.complete = False
            counts.already_there, counts.stored = counts.stored, 0
            run.receipt.add({type_: counts})

    async def _store_batch(self, run: _Run, part: Part, header: Header, batch: Batch) -> None:
        if any(map(_has_damage, batch.counts.values())):
            run.complete = False
        last = batch.end == header.rows
        if self.options.dry_run or self.db is None:
            outcome = _dry_outcome(part, batch)
        else:
            target = storage.Target(run.uid, run.project, header, part, self.now)
            stored = await storage.store(
                self.db, target, batch, last=last,
                complete=run.complete if last and part is run.last_part else None,
                create=not run.exists,
            )  # fmt: skip
            run.exists = True
            outcome = stored or _deleted_outcome(batch)
        run.receipt.add(outcome.counts)
        for problem in outcome.problems:
            self.receipt.add_problem(Problem(part.name, problem))
        for remark in outcome.remarks:
            self.receipt.add_problem(Problem(part.name, remark, remark=True))

    async def _conclude(self, run: _Run) -> None:
        """Complete the receipt of a run, and store files that were missing before."""
        if self.db is None:
            return
        async with self.db.read() as conn:
            stored = await runs.find_by_uid(conn, run.uid)
            records = [] if stored is None else await imports.list_of_run(conn, stored.id)
        if stored is None:
            return
        run.receipt.id = stored.id
        run.receipt.complete = run.complete and all(record.complete for record in records)
        if self.options.dry_run:
            return
        for part, _ in run.parts:
            for record in records:
                if record.part == part.path.name and record.part in run.records:
                    await self._fill_in(self.db, run, part, record)

    async def _fill_in(self, db: Store, run: _Run, part: Part, record: ImportedPart) -> None:
        """Store files that were missing at an earlier import, and correct its counts."""
        async with db.read() as conn:
            unread = await imports.unread_files(conn, record)
        if not unread:
            return
        filled = await db.change(partial(_fill_in, db=db, part=part, record=record))
        for type_, _ in filled:
            _count_filled(run.receipt.types[type_])
        if filled and db.blobs.is_shared:  # see `trackai.store.catalogue.files.forget`
            for file in unread:
                for _, path in export_files.find_bytes(part.files, file.source)[0]:
                    await run_sync(db.blobs.keep, path)
        filled_paths = {path for _, path in filled}
        for file in unread:
            if file.path not in filled_paths:
                problem = (
                    f"{file.kind} {file.path!r} ({file.source}) is not stored: "
                    f"{export_files.MISSING}"
                )
                self.receipt.add_problem(Problem(part.name, problem))


async def _fill_in(
    conn: Connection, *, db: Store, part: Part, record: ImportedPart
) -> list[tuple[str, str]]:
    """Store the bytes that files of a part lack; the type and path of each that has them now."""
    await lock(conn, "runs", [record.run_id])
    for current in await imports.list_of_run(conn, record.run_id):
        if current.id == record.id:
            filled = await export_files.fill_in(conn, db, part.files, current)
            counts = storage.decode_counts(current.counts)
            for type_, _ in filled:
                _count_filled(counts[type_])
            await imports.advance(
                conn, current.id, consumed=current.consumed, complete=bool(current.complete),
                counts=storage.encode_counts(counts),
            )  # fmt: skip
            return filled
    return []


def _has_damage(counts: Counts) -> bool:
    """Return whether rows or columns of a part could not be read."""
    return any(reason == DAMAGED or reason.startswith(COLUMN) for reason in counts.not_stored)


def _count_filled(counts: Counts) -> None:
    """Count a file as stored that was counted as missing."""
    counts.stored += 1
    counts.not_stored[export_files.MISSING] -= 1
    if not counts.not_stored[export_files.MISSING]:
        del counts.not_stored[export_files.MISSING]


def _dry_outcome(part: Part, batch: Batch) -> storage.Outcome:
    """Return the expected outcome of a batch; conflicting parameters are not detected."""
    outcome = storage.Outcome(batch.counts, batch.problems)
    for points in batch.points:
        outcome.counts[points.type].stored += points.bounds[-1]
    for param in batch.params:
        outcome.counts[param.type].stored += 1
    for row in batch.files:
        _, reason = export_files.find_bytes(part.files, row.source)
        storage.count_file(row, reason, outcome)
    return outcome


def _deleted_outcome(batch: Batch) -> storage.Outcome:
    """Return the outcome of a batch whose run was deleted during the import."""
    for counts in batch.counts.values():
        rows = counts.read - counts.null - sum(counts.not_stored.values())
        counts.refuse("its run was deleted during the import", rows)
    return storage.Outcome(batch.counts, batch.problems)
