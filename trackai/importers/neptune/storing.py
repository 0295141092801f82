"""Storing batches of a part, each in one transaction with how far the part has come.

Whoever is killed, the next import goes on exactly there: a row is stored once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from anyio.to_thread import run_sync

from trackai.errors import ConflictError
from trackai.importers.counts import Counts
from trackai.importers.neptune import files as neptune_files
from trackai.importers.neptune import runs as neptune_runs
from trackai.store.catalogue import files, projects, runs, tags
from trackai.store.points import metrics
from trackai.store.points.figures import Figures, summarize
from trackai.store.transfer import imports
from trackai.structs.points import Column

if TYPE_CHECKING:
    from aiosqlite import Connection

    from trackai.importers.neptune.batches import Batch, FileRow, Header, Points
    from trackai.importers.neptune.layout import Part
    from trackai.store.engine.database import Database
    from trackai.store.transfer.imports import ImportedPart
    from trackai.values.types import Axis, Kind

CONFLICT = "another value of this parameter came first"
HOST = "neptune"
AllCounts = dict[str, Counts]
_Series = tuple[Column, Figures]


class Target(msgspec.Struct):
    """Where the parts of a run go.

    Attributes:
        uid: the run's identity in the store.
        project: the name of its project there.
        now: the time of the import, for what has no time of its own.
    """

    uid: str
    project: str
    header: Header
    part: Part
    now: int


class Outcome(msgspec.Struct):
    """What became of a batch: counts by type, and what could not be stored."""

    counts: AllCounts
    problems: list[str]


def encode_counts(counts: AllCounts) -> str:
    """Counts as they are kept in the store."""
    return msgspec.json.encode(counts).decode()


def decode_counts(text: str) -> AllCounts:
    """Counts that are kept in the store."""
    return msgspec.json.decode(text, type=AllCounts)


async def store(
    db: Database, target: Target, batch: Batch, *, last: bool, whole: bool | None, create: bool
) -> Outcome | None:
    """Store a batch; None if its run has been deleted since its parts were looked at.

    Args:
        last: whether the part ends with it.
        whole: given with the last batch of the last part: the run ends here, and has all its
            parts or has not.
        create: make the run if it is not there.
    """
    # Bytes come before the rows that name them, and outside of the transaction.
    found = await run_sync(neptune_files.keep, db.path, target.part.files, batch.files)
    async with db.write() as conn:
        record = await _record(conn, target, create=create)
        if record is None or (record.fingerprint, record.consumed, record.complete) != (
            target.header.fingerprint, batch.start, False
        ):  # fmt: skip
            return None
        counts = {type_: msgspec.structs.replace(one, not_stored={**one.not_stored})
                  for type_, one in batch.counts.items()}  # fmt: skip
        outcome = Outcome(counts, [*batch.problems])
        await _store_points(conn, target, record, batch.points, counts)
        await _store_params(conn, record.run_id, batch, outcome)
        if found:
            writer_id = await imports.writer(
                conn, record, 0, run_uid=target.uid, host=HOST, now=target.now
            )
            await neptune_files.add(conn, db.path, record.run_id, writer_id, found)
        for file in found:
            count_file(file.row, file.reason, outcome)
        total = decode_counts(record.counts)
        for type_, one in counts.items():
            total.setdefault(type_, Counts()).add(one)
        await imports.advance(
            conn, record.id, consumed=batch.end, complete=last, counts=encode_counts(total)
        )
        if whole is not None:
            await finish(conn, record.run_id, target, whole=whole)
    return outcome


async def _record(conn: Connection, target: Target, *, create: bool) -> ImportedPart | None:
    run = await runs.find_by_uid(conn, target.uid)
    if run is None and not create:
        return None
    if run is None:
        project = await projects.get_or_create(conn, target.project, now=target.now)
        slug = target.header.run
        if await runs.has_slug(conn, project.id, slug):
            slug = await runs.unused_slug(conn, project.id, slug)
        run = await runs.create(
            conn, uid=target.uid, project_id=project.id, slug=slug, name=None,
            group_name=neptune_runs.GROUPS.get(target.part.kind), now=target.now,
        )  # fmt: skip
    return await imports.get_or_create(
        conn, run.id, target.part.path.name, target.header.fingerprint
    )


async def _store_points(
    conn: Connection,
    target: Target,
    record: ImportedPart,
    points: list[Points],
    counts: AllCounts,
) -> None:
    # All of one rank in one go, whatever their types: the store is asked once for its series.
    by_rank: dict[int, list[_Series]] = defaultdict(list)
    for some in points:
        by_rank[some.rank] += _series(some)
        counts[some.type].stored += some.bounds[-1]
    await conn.execute("SAVEPOINT points")
    try:
        await _append(conn, target, record, by_rank)
    except ConflictError:
        # An earlier batch of this part has brought points like these: they are kept beside them.
        await conn.execute("ROLLBACK TO points")
        await _append(conn, target, record, await _ranked_anew(conn, record, by_rank))
    await conn.execute("RELEASE points")


async def _append(
    conn: Connection, target: Target, record: ImportedPart, by_rank: dict[int, list[_Series]]
) -> None:
    for rank, some in by_rank.items():
        writer_id = await imports.writer(
            conn, record, rank, run_uid=target.uid, host=HOST, now=target.now
        )
        for columns, figures in _apart(some):
            await metrics.append_new(conn, record.run_id, writer_id, columns, figures)


def _apart(some: list[_Series]) -> list[tuple[list[Column], list[Figures]]]:
    """Series of one name, of numbers and of texts, one after the other: the store has one."""
    apart: list[tuple[list[Column], list[Figures]]] = []
    times: Counter[tuple[str, Axis]] = Counter()
    for column, figures in some:
        name = (column.path, column.axis)
        if times[name] == len(apart):
            apart.append(([], []))
        apart[times[name]][0].append(column)
        apart[times[name]][1].append(figures)
        times[name] += 1
    return apart


def _series(points: Points) -> list[_Series]:
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


async def _ranked_anew(
    conn: Connection, record: ImportedPart, by_rank: dict[int, list[_Series]]
) -> dict[int, list[_Series]]:
    """The series of a batch with ranks that begin where those of the part's points so far end."""
    anew: dict[int, list[_Series]] = defaultdict(list)
    taken: dict[tuple[str, Axis], dict[Any, int]] = {}
    for column, figures in (one for rank in sorted(by_rank) for one in by_rank[rank]):
        name = (column.path, column.axis)
        if name not in taken:
            taken[name] = await imports.points_alike(
                conn, record, *name, column.steps[0], column.steps[-1]
            )
        alike = taken[name]
        rows: dict[int, list[int]] = defaultdict(list)
        for position, key in enumerate(zip(column.steps, column.timestamps, strict=True)):
            rank = alike.get(key, 0)
            alike[key] = rank + 1
            rows[rank].append(position)
        for rank, positions in rows.items():
            anew[rank].append(_picked(column, figures.kind, positions))
    return anew


def _picked(column: Column, kind: Kind, positions: list[int]) -> _Series:
    def some(values: list[Any]) -> list[Any]:
        return [values[position] for position in positions]

    column = Column(
        column.path, column.axis, some(column.steps), some(column.timestamps),
        some(column.values), some(column.own_steps) if column.own_steps else None,
    )  # fmt: skip
    figures = summarize(column.steps, column.timestamps, column.values)
    return column, msgspec.structs.replace(figures, kind=kind)


async def _store_params(conn: Connection, run_id: int, batch: Batch, outcome: Outcome) -> None:
    agreed = await imports.put_params(
        conn, run_id, [(param.path, param.json, param.stored_type) for param in batch.params]
    )
    for param, stored in zip(batch.params, agreed, strict=True):
        if stored:
            outcome.counts[param.type].stored += 1
        else:
            outcome.counts[param.type].refuse(CONFLICT)
            outcome.problems.append(f"the {param.type} {param.path!r} is not stored: {CONFLICT}")


def count_file(row: FileRow, reason: str | None, outcome: Outcome) -> None:
    """Count a row about a file: stored, or not for a reason."""
    if reason is None:
        outcome.counts[row.type].stored += 1
    else:
        outcome.counts[row.type].refuse(reason)
        outcome.problems.append(
            f"the {row.type} {row.path!r} ({row.source}) is not stored: {reason}"
        )


async def finish(conn: Connection, run_id: int, target: Target, *, whole: bool) -> None:
    """Say in the run's own row what its attributes say, now that they are all there."""
    about = neptune_runs.about(
        target.header.project, target.part.kind, await imports.params(conn, run_id)
    )
    times = await imports.times(conn, run_id)
    await imports.finish_run(
        conn, run_id, neptune_runs.columns(about, whole=whole, times=times, now=target.now)
    )
    await tags.add(conn, run_id, about.tags)


async def take_back(db: Database, run_id: int) -> None:
    """Take back what earlier imports brought into a run whose parts have changed since."""
    async with db.write() as conn:
        hashes = await files.hashes(conn, [run_id])
        await imports.forget(conn, run_id)
    await files.forget(db, hashes)
