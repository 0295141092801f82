"""Stores the batches of a part, each in one transaction with the progress of the part.

After an interruption, the next import continues after the last batch that was stored.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from anyio.to_thread import run_sync

from trackai.errors import ConflictError, StoreBusyError
from trackai.importers.counts import Counts
from trackai.importers.names import identifier, valid_head
from trackai.importers.neptune import files as export_files
from trackai.importers.neptune import run_attributes
from trackai.store.catalogue import files, projects, runs, slugs, tags
from trackai.store.engine.sql import lock
from trackai.store.points import metrics
from trackai.store.points.figures import Figures, summarize
from trackai.store.transfer import imports
from trackai.structs.exchange import RunHead
from trackai.structs.points import Column

if TYPE_CHECKING:
    from trackai.importers.neptune.layout import Part
    from trackai.importers.neptune.messages import Batch, FileRow, Header, Points
    from trackai.importers.neptune.receipt import CountsByType
    from trackai.store.engine.connection import Connection
    from trackai.store.engine.store import Store
    from trackai.store.transfer.imports import ImportedPart
    from trackai.values.types import Axis, Kind

CONFLICT = "the parameter already has a different value"
HOST = "neptune"
_Series = tuple[Column, Figures]


class Target(msgspec.Struct):
    """The run that a part is stored in.

    Attributes:
        uid: the uid of the run.
        project: the name of its project in the store.
        now: the time of the import, in microseconds since the epoch; used where the export has
            no time.
    """

    uid: str
    project: str
    header: Header
    part: Part
    now: int


class Outcome(msgspec.Struct):
    """The result of storing a batch.

    Attributes:
        counts: rows by type.
        problems: what could not be stored.
        remarks: what was changed to be stored.
    """

    counts: CountsByType
    problems: list[str]
    remarks: list[str] = []


def encode_counts(counts: CountsByType) -> str:
    """Encode counts for the table `imports`."""
    return msgspec.json.encode(counts).decode()


def decode_counts(text: str) -> CountsByType:
    """Decode counts of the table `imports`."""
    return msgspec.json.decode(text, type=dict[str, Counts])


async def store(
    db: Store, target: Target, batch: Batch, *, last: bool, complete: bool | None, create: bool
) -> Outcome | None:
    """Store a batch.

    Args:
        last: whether it is the last batch of the part.
        complete: with the last batch of the last part, whether the run has all its parts; None
            with other batches.
        create: whether to create the run if it does not exist.

    Returns:
        None if the run was deleted or changed since the import began.

    Raises:
        StoreBusyError: another import stores the same part.
    """
    # Bytes are stored before the rows that name them, outside of the transaction.
    copied = await run_sync(export_files.copy_bytes, db.blobs, target.part.files, batch.files)

    async def work(conn: Connection) -> Outcome | None:
        record = await _get_record(conn, target, create=create)
        if record is None or record.fingerprint != target.header.fingerprint:
            return None
        if record.consumed > batch.start or record.complete:
            raise StoreBusyError(
                f"another import of {target.part.name} is running; retry when it is done"
            )
        if record.consumed < batch.start:
            return None
        counts = {
            type_: msgspec.structs.replace(read, not_stored={**read.not_stored})
            for type_, read in batch.counts.items()
        }
        outcome = Outcome(counts, [*batch.problems])
        await _store_points(conn, target, record, batch.points, counts)
        await _store_params(conn, record.run_id, batch, outcome)
        if copied:
            writer_id = await imports.writer(
                conn, record, 0, run_uid=target.uid, host=HOST, now=target.now
            )
            await export_files.add(conn, db.blobs, record.run_id, writer_id, copied)
        for file in copied:
            count_file(file.row, file.reason, outcome)
        await _advance(conn, record, counts, consumed=batch.end, complete=last)
        if complete is not None:
            outcome.remarks = await finish(conn, record.run_id, target, complete=complete)
        return outcome

    outcome = await db.change(work)
    if outcome is not None and db.blobs.is_shared:  # see `trackai.store.catalogue.files.forget`
        await run_sync(export_files.copy_again, db.blobs, copied)
    return outcome


async def _get_record(conn: Connection, target: Target, *, create: bool) -> ImportedPart | None:
    """Return the record of the part, creating it and its run if needed."""
    run = await runs.find_by_uid(conn, target.uid)
    if run is None and not create:
        return None
    if run is None:
        project = await projects.get_or_create(conn, identifier(target.project), now=target.now)
        await lock(conn, "projects", [project.id])
        slug = await slugs.keep_if_free(conn, project.id, identifier(target.header.run))
        run = await runs.create(
            conn, uid=target.uid, project_id=project.id, slug=slug, name=None,
            group_name=run_attributes.GROUPS.get(target.part.kind), now=target.now,
        )  # fmt: skip
    await lock(conn, "runs", [run.id])
    return await imports.get_or_create(
        conn, run.id, target.part.path.name, target.header.fingerprint
    )


async def _advance(
    conn: Connection, record: ImportedPart, counts: CountsByType, *, consumed: int, complete: bool
) -> None:
    """Update the record of a part after a batch with these counts."""
    total = decode_counts(record.counts)
    for type_, batch_counts in counts.items():
        total.setdefault(type_, Counts()).add(batch_counts)
    await imports.advance(
        conn, record.id, consumed=consumed, complete=complete, counts=encode_counts(total)
    )


async def _store_points(
    conn: Connection,
    target: Target,
    record: ImportedPart,
    batch_points: list[Points],
    counts: CountsByType,
) -> None:
    # All types of one rank are stored together: the series are looked up once.
    by_rank: dict[int, list[_Series]] = defaultdict(list)
    for points in batch_points:
        by_rank[points.rank] += _split_series(points)
        counts[points.type].stored += points.bounds[-1]
    await conn.execute("SAVEPOINT points")
    try:
        await _append(conn, target, record, by_rank)
    except ConflictError:
        # An earlier batch of this part has points at the same step and time: both are kept.
        await conn.execute("ROLLBACK TO points")
        await _append(conn, target, record, await _rerank(conn, record, by_rank))
    await conn.execute("RELEASE points")


async def _append(
    conn: Connection, target: Target, record: ImportedPart, by_rank: dict[int, list[_Series]]
) -> None:
    for rank, rank_series in by_rank.items():
        writer_id = await imports.writer(
            conn, record, rank, run_uid=target.uid, host=HOST, now=target.now
        )
        for columns, figures in _separate_names(rank_series):
            await metrics.append_new(conn, record.run_id, writer_id, columns, figures)


def _separate_names(rank_series: list[_Series]) -> list[tuple[list[Column], list[Figures]]]:
    """Split series into groups in which every name is unique.

    A name occurs twice if it has both numbers and texts, which are one series in the store.
    """
    groups: list[tuple[list[Column], list[Figures]]] = []
    occurrences: Counter[tuple[str, Axis]] = Counter()
    for column, figures in rank_series:
        name = (column.path, column.axis)
        if occurrences[name] == len(groups):
            groups.append(([], []))
        columns, group_figures = groups[occurrences[name]]
        columns.append(column)
        group_figures.append(figures)
        occurrences[name] += 1
    return groups


def _split_series(points: Points) -> list[_Series]:
    return [
        (
            Column(
                path,
                points.axis,
                points.steps[start:end],
                points.timestamps[start:end],
                points.values[start:end],
                points.own_steps[start:end] if points.own_steps else None,
            ),
            figures,
        )
        for path, (start, end), figures in zip(
            points.paths, pairwise(points.bounds), points.figures, strict=True
        )
    ]  # fmt: skip


async def _rerank(
    conn: Connection, record: ImportedPart, by_rank: dict[int, list[_Series]]
) -> dict[int, list[_Series]]:
    """Assign new ranks to the points of a batch, above those of stored points of the part."""
    reranked: dict[int, list[_Series]] = defaultdict(list)
    next_ranks: dict[tuple[str, Axis], dict[Any, int]] = {}
    for column, figures in (series for rank in sorted(by_rank) for series in by_rank[rank]):
        name = (column.path, column.axis)
        if name not in next_ranks:
            next_ranks[name] = await imports.points_alike(
                conn, record, *name, column.steps[0], column.steps[-1]
            )
        ranks = next_ranks[name]
        positions: dict[int, list[int]] = defaultdict(list)
        for position, key in enumerate(zip(column.steps, column.timestamps, strict=True)):
            rank = ranks.get(key, 0)
            ranks[key] = rank + 1
            positions[rank].append(position)
        for rank, rank_positions in positions.items():
            reranked[rank].append(_select(column, figures.kind, rank_positions))
    return reranked


def _select(column: Column, kind: Kind, positions: list[int]) -> _Series:
    def pick(values: list[Any]) -> list[Any]:
        return [values[position] for position in positions]

    column = Column(
        column.path, column.axis, pick(column.steps), pick(column.timestamps),
        pick(column.values), pick(column.own_steps) if column.own_steps else None,
    )  # fmt: skip
    figures = summarize(column.steps, column.timestamps, column.values)
    return column, msgspec.structs.replace(figures, kind=kind)


async def _store_params(conn: Connection, run_id: int, batch: Batch, outcome: Outcome) -> None:
    results = await imports.put_params(
        conn, run_id, [(param.path, param.json, param.stored_type) for param in batch.params]
    )
    for param, stored in zip(batch.params, results, strict=True):
        if stored:
            outcome.counts[param.type].stored += 1
        else:
            outcome.counts[param.type].refuse(CONFLICT)
            outcome.problems.append(f"{param.type} {param.path!r} is not stored: {CONFLICT}")


def count_file(row: FileRow, reason: str | None, outcome: Outcome) -> None:
    """Count a row about a file as stored, or as not stored for a reason."""
    if reason is None:
        outcome.counts[row.type].stored += 1
    else:
        outcome.counts[row.type].refuse(reason)
        outcome.problems.append(f"{row.type} {row.path!r} ({row.source}) is not stored: {reason}")


async def finish(conn: Connection, run_id: int, target: Target, *, complete: bool) -> list[str]:
    """Set the columns and tags of a run from its attributes, after its last part.

    Returns:
        The names and texts that were changed to be stored.
    """
    attributes = run_attributes.parse(
        target.header.project, target.part.kind, await imports.params(conn, run_id)
    )
    times = await imports.times(conn, run_id)
    columns = run_attributes.columns(attributes, complete=complete, times=times, now=target.now)
    head, changes = valid_head(
        RunHead(
            uid=target.uid, project=target.project, run_id=target.header.run,
            name=attributes.name, group_name=attributes.group_name, notes=attributes.notes,
            tags=attributes.tags, created_at=columns["created_at"],
        )
    )  # fmt: skip
    columns |= {"name": head.name, "group_name": head.group_name, "notes": head.notes}
    await runs.update(conn, run_id, **columns)
    await tags.add(conn, run_id, head.tags)
    return changes


async def remove(db: Store, run_id: int) -> None:
    """Remove what earlier imports stored in a run whose parts have changed."""

    async def work(conn: Connection) -> set[str]:
        await lock(conn, "runs", [run_id])
        hashes = await files.hashes(conn, [run_id])
        await imports.forget(conn, run_id)
        return hashes

    await files.forget(db, await db.change(work))
