"""An import from end to end: look, read whose the parts are, store what is not there yet."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from trackai.importers.alone import alone
from trackai.importers.neptune import files as neptune_files
from trackai.importers.neptune import layout, storing
from trackai.importers.neptune.batches import COLUMN, DAMAGED, Batch, Decode, Header, Inspect
from trackai.importers.neptune.layout import Part, Problem
from trackai.importers.neptune.receipt import ProjectReceipt, Receipt, RunReceipt
from trackai.importers.neptune.runs import run_uid
from trackai.importers.neptune.verify import verify
from trackai.importers.neptune.workers import Workers
from trackai.store.catalogue import runs
from trackai.store.transfer import imports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trackai.importers.counts import Counts
    from trackai.store.engine.database import Database
    from trackai.store.transfer.imports import ImportedPart


class Progress(Protocol):
    """Who wants to know how far an import has come."""

    def files(self, done: int, total: int) -> None:
        """So many of the files have been looked at."""

    def rows(self, done: int, total: int) -> None:
        """So many of the rows have been read."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to import.

    Attributes:
        files: where the bytes of files lie, if not in the export's own folder.
        project_map: names for projects, by their Neptune ids.
        jobs: how many processes read, 0 for none but this; None for what suits the machine.
        dry_run: read everything, store nothing.
        verify: read the store back against the export.
    """

    files: Path | None = None
    project_map: Mapping[str, str] = {}
    jobs: int | None = None
    dry_run: bool = False
    verify: bool = False


class _Run(msgspec.Struct):
    """A run of the export with its parts, in the order in which they are stored.

    Attributes:
        whole: whether all its parts are there and can be read to their ends.
        known: the parts that are stored, entirely or in part, by their file names.
        begun: whether it has been found or made in the store.
        last: the last part that has to be read now.
    """

    uid: str
    project: str
    receipt: RunReceipt
    parts: list[tuple[Part, Header]] = []
    whole: bool = True
    known: dict[str, ImportedPart] = {}
    begun: bool = False
    last: Part | None = None


async def import_export(
    db: Database | None, path: Path, database: str, options: Options, progress: Progress
) -> Receipt:
    """Import an export made with neptune-exporter.

    Args:
        db: the open store; None in a dry run without one.
        path: the folder of the export.
        database: what the receipt calls the store.

    Raises:
        InvalidInputError: there is no export at that path.
        StoreError: the store cannot be used.
    """
    started = time.monotonic()
    found = layout.find(path, options.files)
    receipt = Receipt(str(found.root), database, options.dry_run)
    for problem in found.problems:
        receipt.note(problem)
    jobs = options.jobs
    if jobs is None:
        jobs = max(1, min(4, (os.cpu_count() or 2) - 1))
    with alone(db), Workers(jobs) as workers:
        importer = _Importer(db, options, receipt, workers, progress)
        all_runs = await importer.inspect(found.parts)
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
        db: Database | None,
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
        """Read whose the parts are, and put those of a run together."""
        all_runs: dict[str, _Run] = {}
        unreadable: list[Part] = []
        requests = [Inspect(part.path, part.name) for part in parts]
        async with self.workers.ask(requests) as answers:
            async for position, header in answers:
                part = parts[position]
                self.progress.files(position + 1, len(parts))
                if isinstance(header, Problem):
                    self.receipt.note(header)
                    unreadable.append(part)
                elif isinstance(header, Header):
                    self._run_of(all_runs, part, header).parts.append((part, header))
        # Whose a part is that cannot be read, its neighbours' names say.
        lost = {(part.path.parent, part.stem) for part in unreadable}
        for run in all_runs.values():
            mine = [part for part, _ in run.parts]
            run.whole = not any((part.path.parent, part.stem) in lost for part in mine)
            for name in layout.missing_numbers([*mine, *unreadable_of(mine, unreadable)]):
                run.whole = False
                self.receipt.note(Problem(name, "the part is missing: its run is incomplete"))
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

    async def store(self, all_runs: list[_Run]) -> None:
        """Store what is not there yet."""
        todo: list[tuple[_Run, Part, Header, Decode]] = []
        total = 0
        for run in all_runs:
            if self.db is not None:
                await self._look_up(self.db, run)
            for part, header in run.parts:
                record = run.known.get(part.path.name)
                if record is not None:
                    self._count_known(run, record)
                if record is None or not record.complete:
                    start = 0 if record is None else record.consumed
                    total += header.rows - start
                    todo.append((run, part, header, Decode(part.path, header, start)))
                    run.last = part
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

    async def _look_up(self, db: Database, run: _Run) -> None:
        """Find out what of a run is there; what has changed since is taken back."""
        async with db.read() as conn:
            stored = await runs.find_by_uid(conn, run.uid)
            if stored is None:
                return
            records = {one.part: one for one in await imports.list_of_run(conn, stored.id)}
        changed = [
            part
            for part, header in run.parts
            if part.path.name in records
            and records[part.path.name].fingerprint != header.fingerprint
        ]
        if changed:
            self.receipt.note(
                Problem(changed[0].name, "it has changed: its run is imported anew", remark=True)
            )
            if self.options.dry_run:
                return
            await storing.take_back(db, stored.id)
            return
        run.known = records
        run.begun = True

    def _count_known(self, run: _Run, record: ImportedPart) -> None:
        for type_, counts in storing.decode_counts(record.counts).items():
            if _is_damaged(counts):
                run.whole = False
            counts.already_there, counts.stored = counts.stored, 0
            run.receipt.add({type_: counts})

    async def _store_batch(self, run: _Run, part: Part, header: Header, batch: Batch) -> None:
        if any(map(_is_damaged, batch.counts.values())):
            run.whole = False
        last = batch.end == header.rows
        if self.options.dry_run or self.db is None:
            outcome = _as_if_stored(part, batch)
        else:
            target = storing.Target(run.uid, run.project, header, part, self.now)
            stored = await storing.store(
                self.db, target, batch, last=last,
                whole=run.whole if last and part is run.last else None,
                create=not run.begun,
            )  # fmt: skip
            run.begun = True
            outcome = stored or _deleted_meanwhile(batch)
        run.receipt.add(outcome.counts)
        for problem in outcome.problems:
            self.receipt.note(Problem(part.name, problem))

    async def _conclude(self, run: _Run) -> None:
        """Fill in files that have turned up, and name the run by its id in the store."""
        if self.db is None:
            return
        async with self.db.read() as conn:
            stored = await runs.find_by_uid(conn, run.uid)
            records = [] if stored is None else await imports.list_of_run(conn, stored.id)
        if stored is None:
            return
        run.receipt.id = stored.id
        run.receipt.complete = run.whole and all(record.complete for record in records)
        if self.options.dry_run:
            return
        for part, _ in run.parts:
            for record in records:
                if record.part == part.path.name and record.part in run.known:
                    await self._fill_in(self.db, run, part, record)

    async def _fill_in(self, db: Database, run: _Run, part: Part, record: ImportedPart) -> None:
        async with db.read() as conn:
            unread = await imports.unread_files(conn, record)
        if not unread:
            return
        async with db.write() as conn:
            gained = await neptune_files.fill_in(conn, db, part.files, record)
            counts = storing.decode_counts(record.counts)
            for type_, _ in gained:
                _regain(counts[type_])
                _regain(run.receipt.types[type_])
            await imports.advance(
                conn, record.id, consumed=record.consumed, complete=bool(record.complete),
                counts=storing.encode_counts(counts),
            )  # fmt: skip
        filled = {path for _, path in gained}
        for one in unread:
            if one.path not in filled:
                self.receipt.note(
                    Problem(
                        part.name,
                        f"the {one.kind} {one.path!r} ({one.source}) is not stored: "
                        f"{neptune_files.MISSING}",
                    )
                )


def _is_damaged(counts: Counts) -> bool:
    """Whether a part of the export, or a column of it, could not be read."""
    return any(reason == DAMAGED or reason.startswith(COLUMN) for reason in counts.not_stored)


def unreadable_of(parts: list[Part], unreadable: list[Part]) -> list[Part]:
    """Those of the unreadable parts that belong to a run with these parts, by their names."""
    mine = {(part.path.parent, part.stem) for part in parts}
    return [part for part in unreadable if (part.path.parent, part.stem) in mine]


def _regain(counts: Counts) -> None:
    counts.stored += 1
    counts.not_stored[neptune_files.MISSING] -= 1
    if not counts.not_stored[neptune_files.MISSING]:
        del counts.not_stored[neptune_files.MISSING]


def _as_if_stored(part: Part, batch: Batch) -> storing.Outcome:
    """What would become of a batch, as far as it can be told without the store."""
    outcome = storing.Outcome(batch.counts, batch.problems)
    for points in batch.points:
        outcome.counts[points.type].stored += points.bounds[-1]
    for param in batch.params:
        outcome.counts[param.type].stored += 1
    for row in batch.files:
        _, reason = neptune_files.find_bytes(part.files, row.source)
        storing.count_file(row, reason, outcome)
    return outcome


def _deleted_meanwhile(batch: Batch) -> storing.Outcome:
    """The counts of a batch whose run was deleted while it was being imported."""
    for counts in batch.counts.values():
        rest = counts.read - counts.null - sum(counts.not_stored.values())
        counts.refuse("its run was deleted meanwhile", rest)
    return storing.Outcome(batch.counts, batch.problems)
