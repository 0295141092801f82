"""What has been imported: how far each part of an export is stored, and which points it brought."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trackai.store.catalogue import writers
from trackai.store.points import metrics, rollups, series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiosqlite import Connection

    from trackai.structs.exchange import ImportHead
    from trackai.values.types import Axis, Kind, Step, StoredValue

_COLUMNS = "id, run_id, part, fingerprint, consumed, complete, counts"


class ImportedPart(NamedTuple):
    """A part of an export as far as it is stored.

    Attributes:
        fingerprint: what its bytes were.
        consumed: how many of its rows are dealt with.
        counts: what became of them, as JSON.
    """

    id: int
    run_id: int
    part: str
    fingerprint: str
    consumed: int
    complete: int
    counts: str


async def list_of_run(conn: Connection, run_id: int) -> list[ImportedPart]:
    """The parts that a run was made of."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM imports WHERE run_id = ? ORDER BY id", (run_id,)
    )
    return [ImportedPart(*row) for row in rows]


async def get_or_create(conn: Connection, run_id: int, part: str, fingerprint: str) -> ImportedPart:
    """The record of a part, made if there is none."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM imports WHERE run_id = ? AND part = ?", (run_id, part)
    )
    if not rows:
        rows = await conn.execute_fetchall(
            f"""
            INSERT INTO imports (run_id, part, fingerprint) VALUES (?, ?, ?)
            RETURNING {_COLUMNS}
            """,
            (run_id, part, fingerprint),
        )
    return next(ImportedPart(*row) for row in rows)


async def advance(
    conn: Connection, import_id: int, *, consumed: int, complete: bool, counts: str
) -> None:
    """Note how far a part is stored; it belongs into the transaction that stores it."""
    await conn.execute(
        "UPDATE imports SET consumed = ?, complete = ?, counts = ? WHERE id = ?",
        (consumed, complete, counts, import_id),
    )


# No fingerprint of anything: a part that is being copied from another store. An import that finds
# it so takes the run to have changed, and begins anew.
_COPYING = ""


async def begin_copy(conn: Connection, run_id: int, head: ImportHead) -> None:
    """Note that a part is being copied, if not so much of it is here already."""
    record = await get_or_create(conn, run_id, head.part, _COPYING)
    if record.fingerprint == head.fingerprint and record.consumed < head.consumed:
        await conn.execute("UPDATE imports SET fingerprint = ? WHERE id = ?", (_COPYING, record.id))


async def end_copy(conn: Connection, run_id: int, head: ImportHead) -> None:
    """Note that a part has been copied: from here on it is as if it had been imported."""
    await conn.execute(
        """
        UPDATE imports SET fingerprint = ?, consumed = ?, complete = ?, counts = ?
        WHERE run_id = ? AND part = ? AND fingerprint = ?
        """,
        (
            head.fingerprint, head.consumed, head.complete, head.counts,
            run_id, head.part, _COPYING,
        ),
    )  # fmt: skip


async def adopt(conn: Connection, run_id: int, part: str, writer_id: int) -> None:
    """Say that a writer's points are those that a part has brought."""
    record = await get_or_create(conn, run_id, part, _COPYING)
    await conn.execute("UPDATE writers SET import_id = ? WHERE id = ?", (record.id, writer_id))


async def writer(
    conn: Connection, record: ImportedPart, rank: int, *, run_uid: str, host: str, now: int
) -> int:
    """The row id of the writer of a part's points.

    Points that share series, step and time differ by their writers: the first of them has the
    rank 0, the next the rank 1.
    """
    uid = uuid.uuid5(uuid.NAMESPACE_OID, f"{run_uid}/{record.part}/{rank}").hex
    rows = await conn.execute_fetchall("SELECT id FROM writers WHERE uid = ?", (uid,))
    for (writer_id,) in rows:
        return int(writer_id)
    writer_id = await writers.get_or_create(
        conn, uid=uid, run_id=record.run_id, attempt=1, rank=rank, host=host, pid=0, now=now
    )
    await conn.execute("UPDATE writers SET import_id = ? WHERE id = ?", (record.id, writer_id))
    return writer_id


async def points_alike(
    conn: Connection, record: ImportedPart, path: str, axis: Axis, first: Step, last: Step
) -> dict[tuple[Step, int], int]:
    """How many points a part has brought at each step and time of a range of a series."""
    rows = await conn.execute_fetchall(
        """
        SELECT step, timestamp, COUNT(*) FROM metrics
        WHERE series_id = (SELECT id FROM series WHERE run_id = ? AND path = ? AND axis = ?)
          AND step BETWEEN ? AND ?
          AND writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        GROUP BY step, timestamp
        """,
        (record.run_id, path, axis, first, last, record.id),
    )
    return {(step, timestamp): count for step, timestamp, count in rows}


async def put_params(
    conn: Connection, run_id: int, new: Sequence[tuple[str, str, str | None]]
) -> list[bool]:
    """Set keys of a run's configuration that have no value yet: key, JSON and type.

    Returns:
        For each, whether it has that value now; what came first stays.
    """
    await conn.executemany(
        """
        INSERT INTO configs (run_id, key, value, type) VALUES (?, ?, ?, ?)
        ON CONFLICT (run_id, key) DO NOTHING
        """,
        [(run_id, *one) for one in new],
    )
    rows = await conn.execute_fetchall(
        """
        SELECT key, value, type FROM configs
        WHERE run_id = ? AND key IN (SELECT value FROM json_each(?))
        """,
        (run_id, msgspec.json.encode([key for key, *_ in new]).decode()),
    )
    stored = {key: (value, type_) for key, value, type_ in rows}
    return [stored[key] == (value, type_) for key, value, type_ in new]


async def params(conn: Connection, run_id: int) -> dict[str, tuple[str, str | None]]:
    """A run's configuration as it is stored: the JSON and the type of each key."""
    rows = await conn.execute_fetchall(
        "SELECT key, value, type FROM configs WHERE run_id = ?", (run_id,)
    )
    return {key: (value, type_) for key, value, type_ in rows}


async def forget(conn: Connection, run_id: int) -> None:
    """Take back what imports have brought into a run: its bytes are not those any more."""
    mine = "(SELECT id FROM writers WHERE run_id = ?1 AND import_id IS NOT NULL)"
    for table in ("metrics", "system_steps"):
        await conn.execute(
            f"""
            DELETE FROM {table}
            WHERE series_id IN (SELECT id FROM series WHERE run_id = ?1) AND writer_id IN {mine}
            """,
            (run_id,),
        )
    for one in await series.list_of_run(conn, run_id):
        await metrics.recount(conn, one)
    await rollups.start_over(conn, run_id)
    await conn.execute("DELETE FROM series WHERE run_id = ? AND points = 0", (run_id,))
    await conn.execute("DELETE FROM writers WHERE run_id = ? AND import_id IS NOT NULL", (run_id,))
    await conn.execute("DELETE FROM imports WHERE run_id = ?", (run_id,))
    await conn.execute("DELETE FROM configs WHERE run_id = ?", (run_id,))


async def finish_run(conn: Connection, run_id: int, values: Mapping[str, object]) -> None:
    """Set columns of a run that its parts, all of them together, say."""
    names = [
        name
        for name in (
            "name", "group_name", "state", "created_at", "updated_at", "finished_at",
            "fork_uid", "fork_step", "notes",
        )
        if name in values
    ]  # fmt: skip
    await conn.execute(
        f"UPDATE runs SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",
        (*(values[name] for name in names), run_id),
    )


async def times(conn: Connection, run_id: int) -> tuple[int, int] | None:
    """The first and the last timestamp of a run's points."""
    rows = await conn.execute_fetchall(
        "SELECT min(first_timestamp), max(last_timestamp) FROM series WHERE run_id = ?", (run_id,)
    )
    return next(((first, last) for first, last in rows if first is not None), None)


class UnreadFile(NamedTuple):
    """A file whose bytes were not there."""

    id: int
    kind: str
    path: str
    source: str


async def unread_files(conn: Connection, record: ImportedPart) -> list[UnreadFile]:
    """The files of a part whose bytes were not there."""
    rows = await conn.execute_fetchall(
        """
        SELECT id, kind, path, source FROM files
        WHERE sha256 IS NULL AND writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        """,
        (record.id,),
    )
    return [UnreadFile(*row) for row in rows]


class StoredPoint(NamedTuple):
    """A point that a part has brought; `step` is the one that its source gave it."""

    path: str
    kind: Kind
    step: Step
    timestamp: int
    value: StoredValue


async def points(conn: Connection, record: ImportedPart) -> AsyncIterator[StoredPoint]:
    """All points that a part has brought."""
    async with conn.execute(
        """
        SELECT
            series.path, series.kind,
            CASE series.axis WHEN 'step' THEN metrics.step ELSE system_steps.step END,
            metrics.timestamp, metrics.value
        FROM series
        JOIN metrics ON metrics.series_id = series.id
        LEFT JOIN system_steps
               ON series.axis = 'time'
              AND system_steps.series_id = metrics.series_id
              AND system_steps.timestamp = metrics.timestamp
              AND system_steps.writer_id = metrics.writer_id
        WHERE series.run_id = ?
          AND metrics.writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        """,
        (record.run_id, record.id),
    ) as cursor:
        while rows := await cursor.fetchmany(10_000):
            for row in rows:
                yield StoredPoint(*row)


class StoredFile(NamedTuple):
    """A file that a part has brought."""

    path: str
    kind: str
    name: str
    step: Step | None
    timestamp: int | None
    source: str
    sha256: str | None


async def stored_files(conn: Connection, record: ImportedPart) -> list[StoredFile]:
    """All files that a part has brought."""
    rows = await conn.execute_fetchall(
        """
        SELECT path, kind, name, step, timestamp, source, sha256 FROM files
        WHERE writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        """,
        (record.id,),
    )
    return [StoredFile(*row) for row in rows]
