"""Imported parts of exports: how far each is stored, and the points and files it contributed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from trackai.store.catalogue import writers
from trackai.store.engine.sql import json_array
from trackai.store.points import recounts, rollups, series
from trackai.store.points.storage import points_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from trackai.store.engine.connection import Connection
    from trackai.structs.exchange import ImportHead
    from trackai.values.types import Axis, Kind, Step, StoredValue

_COLUMNS = "id, run_id, part, fingerprint, consumed, complete, counts"


class ImportedPart(NamedTuple):
    """A part of an export, such as one of its files, and how far it is stored.

    Attributes:
        part: its name.
        fingerprint: identifies its bytes.
        consumed: how many of its rows have been processed.
        complete: 1 if all rows have been processed, else 0.
        counts: how many rows were stored or refused, as JSON.
    """

    id: int
    run_id: int
    part: str
    fingerprint: str
    consumed: int
    complete: int
    counts: str


async def list_of_run(conn: Connection, run_id: int) -> list[ImportedPart]:
    """The parts that a run was imported from."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM imports WHERE run_id = ? ORDER BY id", (run_id,)
    )
    return [ImportedPart(*row) for row in rows]


async def get_or_create(conn: Connection, run_id: int, part: str, fingerprint: str) -> ImportedPart:
    """The record of a part, which is created if it does not exist."""
    await conn.execute(
        "INSERT INTO imports (run_id, part, fingerprint) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (run_id, part, fingerprint),
    )
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM imports WHERE run_id = ? AND part = ?", (run_id, part)
    )
    return next(ImportedPart(*row) for row in rows)


async def advance(
    conn: Connection, import_id: int, *, consumed: int, complete: bool, counts: str
) -> None:
    """Record how far a part is stored, in the transaction that stores its rows."""
    await conn.execute(
        "UPDATE imports SET consumed = ?, complete = ?, counts = ? WHERE id = ?",
        (consumed, complete, counts, import_id),
    )


# The fingerprint of a part that is being copied from another store. An import that finds it takes
# the part for changed, and starts over.
_COPYING = ""


async def begin_copy(conn: Connection, run_id: int, head: ImportHead) -> None:
    """Mark a part as being copied, unless as much of it is stored already."""
    record = await get_or_create(conn, run_id, head.part, _COPYING)
    if record.fingerprint == head.fingerprint and record.consumed < head.consumed:
        await conn.execute("UPDATE imports SET fingerprint = ? WHERE id = ?", (_COPYING, record.id))


async def end_copy(conn: Connection, run_id: int, head: ImportHead) -> None:
    """Record that a part has been copied, as if it had been imported here."""
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
    """Assign the points of a writer to a part."""
    record = await get_or_create(conn, run_id, part, _COPYING)
    await conn.execute("UPDATE writers SET import_id = ? WHERE id = ?", (record.id, writer_id))


async def writer(
    conn: Connection, record: ImportedPart, rank: int, *, run_uid: str, host: str, now: int
) -> int:
    """The row id of the writer for points of a part, which is created if it does not exist.

    Args:
        rank: tells apart points of the same series, step and time: 0 for the first, then 1.
        now: microseconds since the epoch.
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
    """Count the points of a part at each step and time, between two steps of a series."""
    name = (record.run_id, path, axis)
    return await points_of(conn).count_imported(conn, name, record.id, first, last)


async def put_params(
    conn: Connection, run_id: int, new: Sequence[tuple[str, str, str | None]]
) -> list[bool]:
    """Set those keys of the configuration of a run that do not exist yet.

    Args:
        new: key, JSON and type of each.

    Returns:
        For each, whether the configuration now has its value; an existing value is not changed.
    """
    await conn.executemany(
        """
        INSERT INTO configs (run_id, key, value, type) VALUES (?, ?, ?, ?)
        ON CONFLICT (run_id, key) DO NOTHING
        """,
        [(run_id, *param) for param in new],
    )
    rows = await conn.execute_fetchall(
        """
        SELECT key, value, type FROM configs
        WHERE run_id = ? AND key IN (SELECT value FROM json_each(?))
        """,
        (run_id, json_array(key for key, *_ in new)),
    )
    stored = {key: (value, type_) for key, value, type_ in rows}
    return [stored[key] == (value, type_) for key, value, type_ in new]


async def params(conn: Connection, run_id: int) -> dict[str, tuple[str, str | None]]:
    """The configuration of a run as it is stored: JSON and type, by key."""
    rows = await conn.execute_fetchall(
        "SELECT key, value, type FROM configs WHERE run_id = ?", (run_id,)
    )
    return {key: (value, type_) for key, value, type_ in rows}


async def forget(conn: Connection, run_id: int) -> None:
    """Remove everything that imports added to a run, before a changed export is imported again."""
    await points_of(conn).delete_imported(conn, run_id)
    for row in await series.list_of_run(conn, run_id):
        await recounts.recount(conn, row)
    await rollups.start_over(conn, run_id)
    await conn.execute("DELETE FROM series WHERE run_id = ? AND points = 0", (run_id,))
    await conn.execute("DELETE FROM writers WHERE run_id = ? AND import_id IS NOT NULL", (run_id,))
    await conn.execute("DELETE FROM imports WHERE run_id = ?", (run_id,))
    await conn.execute("DELETE FROM configs WHERE run_id = ?", (run_id,))


async def times(conn: Connection, run_id: int) -> tuple[int, int] | None:
    """The first and last timestamps of the points of a run; None without points."""
    rows = await conn.execute_fetchall(
        "SELECT min(first_timestamp), max(last_timestamp) FROM series WHERE run_id = ?", (run_id,)
    )
    return next(((first, last) for first, last in rows if first is not None), None)


class UnreadFile(NamedTuple):
    """A file whose bytes were missing when it was imported."""

    id: int
    kind: str
    path: str
    source: str


async def unread_files(conn: Connection, record: ImportedPart) -> list[UnreadFile]:
    """The files of a part without bytes."""
    rows = await conn.execute_fetchall(
        """
        SELECT id, kind, path, source FROM files
        WHERE sha256 IS NULL AND writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        """,
        (record.id,),
    )
    return [UnreadFile(*row) for row in rows]


class StoredPoint(NamedTuple):
    """A point of a part; `step` is that of its source."""

    path: str
    kind: Kind
    step: Step
    timestamp: int
    value: StoredValue


async def points(conn: Connection, record: ImportedPart) -> AsyncIterator[StoredPoint]:
    """Yield all points of a part."""
    async for rows in points_of(conn).read_imported(conn, record.run_id, record.id):
        for row in rows:
            yield StoredPoint(*row)


class StoredFile(NamedTuple):
    """A file of a part."""

    path: str
    kind: str
    name: str
    step: Step | None
    timestamp: int | None
    source: str
    sha256: str | None


async def stored_files(conn: Connection, record: ImportedPart) -> list[StoredFile]:
    """All files of a part."""
    rows = await conn.execute_fetchall(
        """
        SELECT path, kind, name, step, timestamp, source, sha256 FROM files
        WHERE writer_id IN (SELECT id FROM writers WHERE import_id = ?)
        """,
        (record.id,),
    )
    return [StoredFile(*row) for row in rows]
